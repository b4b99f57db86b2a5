namespace Weft.Node.Cni;

/// <summary>IPAM handles of containers and what is stored beside their addresses.</summary>
internal static class Handles
{
    /// <summary>"NETWORK.CONTAINERID"; a container id has no '\r', which Calico would cut at.</summary>
    public static string Of(string network, string containerId) => $"{network}.{containerId}";

    /// <summary>What very old releases used; still released on DEL.</summary>
    public static string Legacy(PodIdentity pod) => pod.IsKubernetes ? $"{pod.Namespace}.{pod.Pod}" : pod.ContainerId;

    /// <summary>The time is written as Go prints it, as Calico's tools show it unread.</summary>
    public static Dictionary<string, string> Attributes(PodIdentity pod, DateTimeOffset now)
    {
        Dictionary<string, string> attributes = new() { ["node"] = pod.Node, ["timestamp"] = now.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.ffffff") + " +0000 UTC" };
        if (pod.IsKubernetes)
        {
            (attributes["pod"], attributes["namespace"]) = (pod.Pod, pod.Namespace);
        }

        return attributes;
    }
}
