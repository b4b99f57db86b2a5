using Weft.Primitives.Net;

namespace Weft.Lab;

/// <summary>A top-of-rack switch.</summary>
/// <param name="Number">1, 2, ...: also the number of its rack.</param>
/// <param name="As">Its AS number.</param>
/// <param name="RouterId">Its loopback.</param>
/// <param name="IsBird">Runs BIRD instead of weft.</param>
internal sealed record LabSwitch(int Number, uint As, IpAddress RouterId, bool IsBird)
{
    public string Name => $"tor{Number}";

    public InterfaceAddress RackAddress => new(IpAddress.Parse($"172.16.{Number}.1"), 24);

    public InterfaceAddress RackAddressV6 => new(IpAddress.Parse($"fd16:{Number:x}::1"), 64);
}

/// <summary>A link between two switches, one address of a /31 (and /127) at each end.</summary>
internal sealed record LabTrunk(LabSwitch A, LabSwitch B, int Number)
{
    private IpAddress Base => IpAddress.Parse("10.254.0.0").Add((UInt128)(2 * Number));

    private IpAddress BaseV6 => IpAddress.Parse("fd54::").Add((UInt128)(2 * Number));

    /// <summary>The address at the end of <paramref name="end"/>.</summary>
    public InterfaceAddress AddressOf(LabSwitch end) => new(Base.Add(end == A ? 0u : 1u), 31);

    public InterfaceAddress AddressOfV6(LabSwitch end) => new(BaseV6.Add(end == A ? 0u : 1u), 127);

    public LabSwitch Other(LabSwitch end) => end == A ? B : A;
}

/// <summary>A node: a host that runs the agent and the router.</summary>
/// <param name="Number">1, 2, ... over all racks.</param>
/// <param name="Switch">Its top-of-rack switch.</param>
/// <param name="Place">1, 2, ... in its rack.</param>
internal sealed record LabNode(int Number, LabSwitch Switch, int Place)
{
    public string Name => $"node{Number}";

    /// <summary>Every node has an AS number of its own (RFC 7938): its rack mates' routes come back through the switch and must not look like a loop.</summary>
    public uint As => 64512 + (uint)Number;

    public InterfaceAddress RackAddress => new(IpAddress.Parse($"172.16.{Switch.Number}.1").Add((UInt128)Place), 24);

    public InterfaceAddress RackAddressV6 => new(IpAddress.Parse($"fd16:{Switch.Number:x}::1").Add((UInt128)Place), 64);

    /// <summary>On the management network, where the datastore is.</summary>
    public InterfaceAddress ManagementAddress => new(Topology.StoreAddress.Add((UInt128)(255 + Number)), 16);
}

/// <summary>A pod as it will be asked for: its addresses come from IPAM.</summary>
internal sealed record LabPod(LabNode Node, string Name, string App)
{
    public const string Namespace = "demo";

    /// <summary>Names the pod among all namespaces of the rack.</summary>
    public string FullName => $"{Namespace}/{Name}";
}

/// <summary>
/// The rack as a plan: pure, made from the options alone. Switch r has the rack subnet 172.16.r.0/24 on a bridge, nodes are plugged into it; switches are
/// linked pairwise.
/// </summary>
internal sealed class Topology
{
    public static readonly IpAddress StoreAddress = IpAddress.Parse("172.31.0.1");

    public static readonly IpPrefix PodPool = IpPrefix.Parse("10.65.0.0/16");

    public static readonly IpPrefix PodPoolV6 = IpPrefix.Parse("fd65::/64");

    private static readonly string[] s_apps = ["frontend", "backend", "database"];

    private Topology(LabOptions options)
    {
        Options = options;
        Switches = [.. Enumerable.Range(1, options.Switches).Select(r => new LabSwitch(
            r, 65000 + (uint)r, IpAddress.Parse($"10.255.0.{r}"), options.Switch == SwitchKind.Bird && r == 1))];
        List<LabTrunk> trunks = [];
        for (int a = 0; a < Switches.Count; a++)
        {
            for (int b = a + 1; b < Switches.Count; b++)
            {
                trunks.Add(new LabTrunk(Switches[a], Switches[b], trunks.Count));
            }
        }

        Trunks = trunks;
        // Racks are filled one after another, so that nodes with neighbouring numbers share a rack.
        int[] perRack = new int[options.Switches];
        for (int i = 0; i < options.Nodes; i++)
        {
            perRack[i % options.Switches]++;
        }

        List<LabNode> nodes = [];
        for (int r = 0; r < options.Switches; r++)
        {
            for (int place = 1; place <= perRack[r]; place++)
            {
                nodes.Add(new LabNode(nodes.Count + 1, Switches[r], place));
            }
        }

        Nodes = nodes;
        Pods = [.. nodes.SelectMany(n => Enumerable.Range(0, options.Pods).Select(k => Pod(n, k)))];
    }

    public LabOptions Options { get; }

    public IReadOnlyList<LabSwitch> Switches { get; }

    public IReadOnlyList<LabTrunk> Trunks { get; }

    public IReadOnlyList<LabNode> Nodes { get; }

    public IReadOnlyList<LabPod> Pods { get; }

    public string StoreEndpoint => $"http://{StoreAddress}:2379";

    public static Topology Plan(LabOptions options) => new(options);

    public IEnumerable<LabNode> NodesOf(LabSwitch rack) => Nodes.Where(n => n.Switch == rack);

    public IEnumerable<LabTrunk> TrunksOf(LabSwitch end) => Trunks.Where(t => t.A == end || t.B == end);

    private static LabPod Pod(LabNode node, int index)
    {
        string app = s_apps[index % s_apps.Length];
        int round = index / s_apps.Length;
        return new LabPod(node, round == 0 ? $"{app}-{node.Number}" : $"{app}-{node.Number}-{round + 1}", app);
    }
}
