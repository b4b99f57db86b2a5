using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Datastore;
using Weft.Ipam;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Node.Cni;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Cni;

/// <summary>A node without kernel and datastore server: what the verbs leave behind is looked at, not which calls they made.</summary>
internal sealed class MemoryNode : IAddressAllocator, IPodNetwork, IPolicyWait, INodeReadiness
{
    private readonly CniExecutor _executor;

    /// <param name="network">The kernel, or null for one in memory.</param>
    public MemoryNode(IPodNetwork? network = null)
    {
        Datastore.Put(new ResourceKey(ResourceKind.ClusterInformation, "default"), new ClusterInformation { Spec = { DatastoreReady = true } });
        Datastore.Put(new ResourceKey(ResourceKind.IPPool, "pool"), new IPPool { Spec = { Cidr = "10.1.0.0/16" } });
        Datastore.Put(new BlockKey(IpPrefix.Parse("10.1.0.0/26")), Block);
        Services = new CniServices
        {
            Datastore = Datastore, Addresses = this, Network = network ?? this, PolicyWait = this, Readiness = this, Node = "node-a",
            Time = TimeProvider.System, Logger = NullLogger.Instance,
        };
        _executor = new CniExecutor(Services);
    }

    public MemoryDatastore Datastore { get; } = new();

    public CniServices Services { get; }

    public AllocationBlock Block { get; } = new() { Cidr = "10.1.0.0/26" };

    /// <summary>Addresses by handle.</summary>
    public Dictionary<string, List<IpAddress>> Held { get; } = [];

    /// <summary>Host interface to what was made.</summary>
    public Dictionary<string, PodInterface> Interfaces { get; } = [];

    public HashSet<string> MissingNetns { get; } = [];

    public bool FailInterface { get; set; }

    public bool FailPolicy { get; set; }

    public List<(WorkloadEndpointId Endpoint, Revision Revision)> Waited { get; } = [];

    public (CniErrorCode Code, string Reason)? Trouble { get; set; }

    public string? NotStarted { get; set; }

    /// <summary>What CHECK is told of the kernel's policy.</summary>
    public string? MissingPolicy { get; set; }

    public int MostAtOnce { get; private set; }

    private int _next = 1;
    private int _creating;

    public IEnumerable<WorkloadEndpoint> Endpoints => Datastore.All.Select(v => v.Value).OfType<WorkloadEndpoint>();

    public Task<CniOutcome> CallAsync(string verb, string containerId = "c1", string args = "", string netns = "/run/netns/c1", string interfaceName = "eth0", JsonObject? config = null, bool ipam = false)
    {
        Dictionary<string, string> environment = new()
        {
            ["CNI_COMMAND"] = verb, ["CNI_CONTAINERID"] = containerId, ["CNI_NETNS"] = netns, ["CNI_IFNAME"] = interfaceName, ["CNI_ARGS"] = args,
            ["WEFT_PLUGIN"] = ipam ? "ipam" : string.Empty,
        };
        return _executor.RunAsync(CniRequest.Parse(environment, config ?? Config()), CancellationToken.None);
    }

    public static JsonObject Config(string version = "1.1.0", string name = "net1", JsonObject? more = null)
    {
        JsonObject config = new() { ["cniVersion"] = version, ["name"] = name, ["type"] = "weft", ["ipam"] = new JsonObject { ["type"] = "weft-ipam" } };
        foreach ((string key, JsonNode? value) in more ?? [])
        {
            config[key] = value?.DeepClone();
        }

        return config;
    }

    public ValueTask<Allocation> AllocateAsync(AllocationRequest request, CancellationToken stop)
    {
        List<IpAddress> addresses = Held.TryGetValue(request.HandleId, out List<IpAddress>? held) ? held : Held[request.HandleId] = [];
        int number = _next++;
        if (request.Addresses.FirstOrDefault(a => Held.Values.Any(h => h.Contains(a))) is { BitLength: > 0 } taken)
        {
            throw new IpamException($"{taken} is taken");
        }

        if (request.Addresses.Count > 0)
        {
            addresses.AddRange(request.Addresses);
        }
        else
        {
            addresses.AddRange(request.IPv4 ? [IpAddress.Parse($"10.1.0.{number}")] : []);
            addresses.AddRange(request.IPv6 ? [IpAddress.Parse($"fd00::{number}")] : []);
        }

        Block.Attributes.Add(new AllocationAttribute { HandleId = request.HandleId, Secondary = new Dictionary<string, string>(request.Attributes) });
        return ValueTask.FromResult(new Allocation(Assigned(addresses, IpFamily.IPv4), Assigned(addresses, IpFamily.IPv6)));
    }

    public ValueTask<int> ReleaseByHandleAsync(string handleId, CancellationToken stop)
    {
        Block.Attributes.RemoveAll(a => a.HandleId == handleId);
        return ValueTask.FromResult(Held.Remove(handleId, out List<IpAddress>? held) ? held.Count : 0);
    }

    public ValueTask<IReadOnlyList<IpAddress>> AddressesOfHandleAsync(string handleId, CancellationToken stop) =>
        ValueTask.FromResult<IReadOnlyList<IpAddress>>(Held.GetValueOrDefault(handleId, []));

    public async ValueTask<(MacAddress Mac, int Mtu)> CreateAsync(PodInterface plan, CancellationToken stop)
    {
        MostAtOnce = Math.Max(MostAtOnce, ++_creating);
        await Task.Yield();
        _creating--;
        if (MissingNetns.Contains(plan.NetnsPath))
        {
            throw new CniException(CniErrorCode.UnknownContainer, $"open network namespace {plan.NetnsPath}: No such file or directory (2)");
        }

        Interfaces[plan.HostName] = plan;
        return FailInterface ? throw new CniException(CniErrorCode.Failed, "set eth0 up: Invalid argument (22)") : (plan.Mac!.Value, plan.Mtu ?? 1500);
    }

    public ValueTask<CutOutcome> CutAsync(PodInterface plan, CancellationToken stop)
    {
        if (!Interfaces.TryGetValue(plan.HostName, out PodInterface? made))
        {
            return ValueTask.FromResult(CutOutcome.Absent);
        }

        if (made.Owner.ContainerId != plan.Owner.ContainerId || made.Owner.InterfaceName != plan.Owner.InterfaceName)
        {
            return ValueTask.FromResult(CutOutcome.Foreign);
        }

        Interfaces.Remove(plan.HostName);
        return ValueTask.FromResult(CutOutcome.Cut);
    }

    public ValueTask<IReadOnlyList<(string HostName, InterfaceOwner Owner)>> OwnedAsync(CancellationToken stop) =>
        ValueTask.FromResult<IReadOnlyList<(string, InterfaceOwner)>>([.. Interfaces.Select(i => (i.Key, i.Value.Owner))]);

    public ValueTask RemoveFromPodAsync(string netnsPath, string name, CancellationToken stop)
    {
        foreach (string host in Interfaces.Where(i => i.Value.NetnsPath == netnsPath && i.Value.Name == name).Select(i => i.Key).ToList())
        {
            Interfaces.Remove(host);
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask RemoveFromHostAsync(string hostName, CancellationToken stop)
    {
        Interfaces.Remove(hostName);
        return ValueTask.CompletedTask;
    }

    public ValueTask<PodInterfaceState?> ReadAsync(PodInterface plan, CancellationToken stop) => ValueTask.FromResult(
        Interfaces.GetValueOrDefault(plan.HostName) is { } made && made.NetnsPath == plan.NetnsPath && made.Name == plan.Name
            ? new PodInterfaceState(
                made.Mac!.Value, made.Mtu ?? 1500, IsUp: true, [.. made.Addresses.Select(a => new InterfaceAddress(a, a.BitLength))],
                [.. made.Routes.Select(r => (r.Destination, (IpAddress?)r.Gateway))], MacAddress.HostVeth, IsHostUp: true, made.Addresses,
                made.Qos?.IngressBandwidth ?? 0, made.Qos?.EgressBandwidth ?? 0)
            : null);

    public string? Missing(WorkloadEndpointId endpoint, Revision revision) => MissingPolicy;

    public ValueTask WaitAsync(WorkloadEndpointId endpoint, Revision revision, TimeSpan? budget, CancellationToken stop)
    {
        Waited.Add((endpoint, revision));
        return FailPolicy ? throw new CniException(CniErrorCode.PolicyNotProgrammed, "not in the kernel within 10 s") : ValueTask.CompletedTask;
    }

    private static AssignedAddress? Assigned(List<IpAddress> addresses, IpFamily family) =>
        addresses.Where(a => a.Family == family).Select(a => new AssignedAddress(a, new IpPrefix(a, a.IsIPv4 ? 26 : 122), "pool")).FirstOrDefault();
}
