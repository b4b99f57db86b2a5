using System.Text.Json;
using Weft.Model.Names;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Model.Kubernetes;

/// <summary>A pod as a workload endpoint.</summary>
/// <param name="Endpoint">Null when the pod has none: it runs on the host's network or on no node yet, or it cannot be converted.</param>
/// <param name="Problems">What was left out of the endpoint, or why there is none.</param>
public readonly record struct ConvertedPod(WorkloadEndpoint? Endpoint, IReadOnlyList<string> Problems);

/// <summary>
/// Pods of Kubernetes as workload endpoints, as Calico makes them (libcalico-go/lib/backend/k8s/conversion). The annotations that the CNI plugin writes
/// stand in for the status, which the kubelet writes later; an empty one says that the plugin has taken the addresses back.
/// </summary>
public static class PodConversion
{
    private const string Prefix = "cni.projectcalico.org/";
    private const string AddressAnnotation = Prefix + "podIP";
    private const string AmazonAnnotation = "vpc.amazonaws.com/pod-ips";
    private const string StatusAnnotation = "k8s.v1.cni.cncf.io/network-status";

    // The API's longest value of a label.
    private const int LongestLabel = 63;

    /// <param name="pod">The pod.</param>
    /// <param name="interfacePrefixes">FELIX_INTERFACEPREFIX: the first of them begins the interface's name.</param>
    public static ConvertedPod Convert(KubernetesPod pod, string interfacePrefixes = InterfaceName.WorkloadPrefix)
    {
        if (pod.Spec.HostNetwork || string.IsNullOrEmpty(pod.Spec.NodeName))
        {
            return new ConvertedPod(null, []);
        }

        List<string> problems = [];
        string space = pod.Metadata.Namespace ?? string.Empty;
        Dictionary<string, string> annotations = pod.Metadata.Annotations ?? [];
        WorkloadEndpointName identity = new(pod.Spec.NodeName, "k8s", "eth0", Pod: pod.Metadata.Name);
        if (!identity.TryBuild(out string? name, out string? field))
        {
            return new ConvertedPod(null, [$"{field}: cannot stand in an endpoint's name"]);
        }

        if (Addresses(pod, annotations, problems) is not { } addresses || SourcePrefixes(annotations, problems) is not { } sources)
        {
            return new ConvertedPod(null, problems);
        }

        return new ConvertedPod(
            new WorkloadEndpoint
            {
                Metadata = new ObjectMeta
                {
                    Name = name,
                    Namespace = space,
                    Uid = pod.Metadata.Uid,
                    GenerateName = pod.Metadata.GenerateName,
                    ResourceVersion = pod.Metadata.ResourceVersion,
                    CreationTimestamp = pod.Metadata.CreationTimestamp,
                    Labels = Labels(pod, space),
                    Annotations = annotations.TryGetValue(StatusAnnotation, out string? status) ? new() { [StatusAnnotation] = status } : null,
                },
                Spec = new WorkloadEndpointSpec
                {
                    Orchestrator = "k8s",
                    Node = pod.Spec.NodeName,
                    Pod = pod.Metadata.Name,
                    Endpoint = "eth0",
                    ContainerID = annotations.GetValueOrDefault(Prefix + "containerID"),
                    ServiceAccountName = pod.Spec.ServiceAccountName,
                    InterfaceName = InterfaceName.ForWorkload(space, pod.Metadata.Name, interfacePrefixes.Split(',')[0]),
                    Profiles = Profiles(pod, space),
                    IpNetworks = [.. addresses.Select(a => a.ToPrefix().ToString())],
                    IpNATs = Floating(annotations, addresses, problems),
                    Ports = Ports(pod),
                    AllowSpoofedSourcePrefixes = sources.Count == 0 ? null : sources,
                    QosControls = QosAnnotations.Read(annotations, problems: problems),
                },
            },
            problems);
    }

    /// <summary>Whether the pod has given its addresses back, or will never use them again.</summary>
    public static bool IsFinished(KubernetesPod pod) =>
        pod.Status.Phase is "Failed" or "Succeeded" or "Completed"
        || (!string.IsNullOrEmpty(pod.Metadata.DeletionTimestamp)
            && (pod.Metadata.Annotations?.GetValueOrDefault(AddressAnnotation) ?? pod.Metadata.Annotations?.GetValueOrDefault(AmazonAnnotation)) is "");

    /// <summary>Null when one of them is none.</summary>
    private static List<IpAddress>? Addresses(KubernetesPod pod, Dictionary<string, string> annotations, List<string> problems)
    {
        if (IsFinished(pod))
        {
            return [];
        }

        string[] listed = [.. (pod.Status.PodIPs ?? []).Select(a => a.Ip).OfType<string>().Where(ip => ip.Length > 0)];
        string text = listed.Length > 0 ? string.Join(',', listed)
            : new[]
            {
                pod.Status.PodIP, annotations.GetValueOrDefault(Prefix + "podIPs"), annotations.GetValueOrDefault(AddressAnnotation), annotations.GetValueOrDefault(AmazonAnnotation),
            }.FirstOrDefault(t => !string.IsNullOrEmpty(t)) ?? string.Empty;
        List<IpAddress> addresses = [];
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (!IpPrefix.TryParseNet(part, out IpPrefix address) || !address.IsHost)
            {
                problems.Add($"address \"{part}\" of the pod is none");
                return null;
            }

            addresses.Add(address.Address);
        }

        return addresses;
    }

    private static List<string>? SourcePrefixes(Dictionary<string, string> annotations, List<string> problems)
    {
        const string Name = Prefix + "allowedSourcePrefixes";
        if (!annotations.TryGetValue(Name, out string? json) || json.Length == 0)
        {
            return [];
        }

        List<string> prefixes = [];
        foreach (string text in List(json) ?? [json])
        {
            if (!IpPrefix.TryParseNet(text, out IpPrefix prefix))
            {
                problems.Add($"annotation {Name}: \"{text}\" is no list of CIDRs");
                return null;
            }

            prefixes.Add(prefix.ToString());
        }

        return prefixes;
    }

    /// <summary>Each external address leads to the pod's own of its family.</summary>
    private static List<IpNat>? Floating(Dictionary<string, string> annotations, List<IpAddress> addresses, List<string> problems)
    {
        const string Name = Prefix + "floatingIPs";
        if (addresses.Count == 0 || !annotations.TryGetValue(Name, out string? json) || json.Length == 0)
        {
            return null;
        }

        List<IpNat> translations = [];
        foreach (string text in List(json) ?? [json])
        {
            IpAddress own = IpAddress.TryParse(text, out IpAddress external) ? addresses.Find(a => a.Family == external.Family) : default;
            if (own.Family == IpFamily.None)
            {
                problems.Add($"annotation {Name}: \"{text}\" is no address of a family that the pod has");
                continue;
            }

            translations.Add(new IpNat { InternalIP = own.ToString(), ExternalIP = external.ToString() });
        }

        return translations.Count == 0 ? null : translations;
    }

    private static Dictionary<string, string> Labels(KubernetesPod pod, string space)
    {
        Dictionary<string, string> labels = new(pod.Metadata.Labels ?? [])
        {
            ["projectcalico.org/namespace"] = space,
            ["projectcalico.org/orchestrator"] = "k8s",
        };
        if (pod.Spec.ServiceAccountName is { Length: > 0 and < LongestLabel } account)
        {
            labels["projectcalico.org/serviceaccount"] = account;
        }

        return labels;
    }

    private static List<string> Profiles(KubernetesPod pod, string space) => string.IsNullOrEmpty(pod.Spec.ServiceAccountName)
        ? [ProfileConversion.NamespaceProfileName(space)]
        : [ProfileConversion.NamespaceProfileName(space), ProfileConversion.AccountProfileName(space, pod.Spec.ServiceAccountName)];

    /// <summary>Ports with a name serve policy, those of the host the port mapping; others say nothing.</summary>
    private static List<WorkloadEndpointPort>? Ports(KubernetesPod pod)
    {
        List<WorkloadEndpointPort> ports = [];
        foreach (KubernetesContainerPort port in (pod.Spec.Containers ?? []).Concat(pod.Spec.InitContainers ?? []).SelectMany(c => c.Ports ?? []))
        {
            string protocol = string.IsNullOrEmpty(port.Protocol) ? "TCP" : port.Protocol;
            if (port.ContainerPort == 0 || (port.HostPort == 0 && string.IsNullOrEmpty(port.Name)) || protocol is not ("TCP" or "UDP" or "SCTP"))
            {
                continue;
            }

            ports.Add(new WorkloadEndpointPort
            {
                Name = port.Name, Protocol = Resources.Protocol.FromText(protocol), Port = port.ContainerPort, HostPort = port.HostPort == 0 ? null : port.HostPort, HostIP = port.HostIP,
            });
        }

        return ports.Count == 0 ? null : ports;
    }

    /// <summary>Null when the text is no JSON list of texts.</summary>
    private static List<string>? List(string json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, KubernetesJsonContext.Default.ListString);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
