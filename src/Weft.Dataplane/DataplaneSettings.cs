using Weft.Dataplane.Drivers.IpTables;
using Weft.Dataplane.Rules;
using Weft.Primitives.Net;

namespace Weft.Dataplane;

/// <summary>Who connects workloads.</summary>
public enum NodeNetworking
{
    /// <summary>This dataplane: routes, neighbours, overlays and settings of links beside policy.</summary>
    Routed,

    /// <summary>Another CNI plugin: policy is programmed on the interfaces it made, and nothing else is touched.</summary>
    None,
}

/// <summary>How the dataplane of a node is set up; fixed while it runs, except what FelixConfiguration overlays on <see cref="Rules"/>.</summary>
public sealed record DataplaneSettings
{
    public RuleSettings Rules { get; init; } = new();

    public NodeNetworking Networking { get; init; } = NodeNetworking.Routed;

    /// <summary>This node's name in the cluster: which tunnel end is its own.</summary>
    public string NodeName { get; init; } = string.Empty;

    /// <summary>Families to program. IPv6 only where the kernel has it.</summary>
    public IReadOnlyList<IpFamily> Families { get; init; } = [IpFamily.IPv4, IpFamily.IPv6];

    /// <summary>What writes the rules. Auto leaves it to FelixConfiguration, and in the end to the kernel.</summary>
    public RuleBackendChoice Backend { get; init; } = RuleBackendChoice.Auto;

    public ChainInsertMode InsertMode { get; init; } = ChainInsertMode.Insert;

    /// <summary>RTPROT_* of the routes of workloads: what makes them ours after a restart.</summary>
    public byte RouteProtocol { get; init; } = 80;

    /// <summary>Metric of the routes of workloads (ipv4NormalRoutePriority).</summary>
    public uint RouteMetric { get; init; } = 1024;

    /// <summary>Buckets of a new ip set; 0 for as many as its first members need. The kernel doubles them when they fill.</summary>
    public int SetHashSize { get; init; }

    /// <summary>How often rules, and how often sets, routes and neighbours are read back although nothing changed; zero for never.</summary>
    public TimeSpan RulesRefresh { get; init; } = TimeSpan.FromSeconds(180);

    public TimeSpan StateRefresh { get; init; } = TimeSpan.FromSeconds(90);
}
