using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Primitives.Net;

namespace Weft.Lab;

/// <summary>A pod that CNI ADD has given its addresses.</summary>
internal sealed record RunningPod(LabPod Plan, IReadOnlyList<IpAddress> Addresses)
{
    public IpAddress Address => Addresses[0];
}

/// <summary>Adds and deletes pods by running the executable as a CNI plugin, with the environment and the input a kubelet gives it.</summary>
internal sealed class PodRunner(Topology topology, string executable, TimeProvider time)
{
    /// <summary>CNI error 11 as the executable writes it.</summary>
    private const string TryAgainLater = "\"code\":11,";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>Name of the network: part of every IPAM handle, and of the profile.</summary>
    public const string Network = "weft";

    public static string Machine(LabPod pod) => $"{LabPod.Namespace}-{pod.Name}";

    public static string ContainerId(LabPod pod) => $"lab{pod.Node.Number.ToString("d4", CultureInfo.InvariantCulture)}{pod.Name.Replace("-", string.Empty)}";

    public async Task<RunningPod> AddAsync(LabPod pod, CancellationToken stop)
    {
        RackWiring.CreatePod(Machine(pod));
        JsonNode result = await CallAsync("ADD", pod, stop) ?? throw new LabException($"CNI ADD of {pod.FullName} printed no result");
        List<IpAddress> addresses = [];
        foreach (JsonNode? ip in result["ips"]?.AsArray() ?? [])
        {
            if (InterfaceAddress.TryParse((string?)ip?["address"], out InterfaceAddress address))
            {
                addresses.Add(address.Address);
            }
        }

        return addresses.Count > 0 ? new RunningPod(pod, addresses) : throw new LabException($"CNI ADD of {pod.FullName} gave no address: {result.ToJsonString()}");
    }

    public Task DeleteAsync(LabPod pod, CancellationToken stop) => CallAsync("DEL", pod, stop);

    private async Task<JsonNode?> CallAsync(string verb, LabPod pod, CancellationToken stop)
    {
        Dictionary<string, string> environment = new()
        {
            ["CNI_COMMAND"] = verb,
            ["CNI_CONTAINERID"] = ContainerId(pod),
            ["CNI_NETNS"] = LabFiles.NamespacePath(Machine(pod)),
            ["CNI_IFNAME"] = "eth0",
            ["CNI_PATH"] = Path.GetDirectoryName(executable) ?? "/",
            ["CNI_ARGS"] = $"IgnoreUnknown=1;K8S_POD_NAMESPACE={LabPod.Namespace};K8S_POD_NAME={pod.Name};K8S_POD_INFRA_CONTAINER_ID={ContainerId(pod)}",
        };
        (int exitCode, string output, string error) = await RunAsync(pod, environment, stop);
        if (exitCode != 0)
        {
            throw new LabException($"CNI {verb} of {pod.FullName} on {pod.Node.Name} failed: {output.Trim()} {error.Trim()}");
        }

        try
        {
            return output.Length == 0 ? null : JsonNode.Parse(output);
        }
        catch (JsonException e)
        {
            throw new LabException($"CNI {verb} of {pod.FullName} printed what is not JSON ({e.Message}): {output}");
        }
    }

    /// <summary>"Try again later" is what a node answers that has just started; a kubelet does so.</summary>
    private async Task<(int ExitCode, string Output, string Error)> RunAsync(LabPod pod, Dictionary<string, string> environment, CancellationToken stop)
    {
        long start = time.GetTimestamp();
        while (true)
        {
            (int exitCode, string output, string error) = await LabProcess.RunAsync(pod.Node.Name, [executable], Configuration(pod).ToJsonString(), environment, stop);
            if (exitCode == 0 || !output.Contains(TryAgainLater, StringComparison.Ordinal) || time.GetElapsedTime(start) > s_patience)
            {
                return (exitCode, output, error);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), time, stop);
        }
    }

    private JsonObject Configuration(LabPod pod) => new()
    {
        ["cniVersion"] = "1.0.0",
        ["name"] = Network,
        ["type"] = "weft",
        ["agent_socket"] = $"{LabFiles.RunDir(pod.Node.Name)}/agent.sock",
        ["nodename"] = pod.Node.Name,
        ["etcd_endpoints"] = topology.StoreEndpoint,
        ["ipam"] = new JsonObject { ["type"] = "weft-ipam", ["assign_ipv4"] = "true", ["assign_ipv6"] = topology.Options.IPv6 ? "true" : "false" },
        ["policy"] = new JsonObject { ["type"] = string.Empty },
        ["args"] = new JsonObject { ["cni"] = new JsonObject { ["labels"] = new JsonArray(new JsonObject { ["key"] = "app", ["value"] = pod.App }) } },
    };
}
