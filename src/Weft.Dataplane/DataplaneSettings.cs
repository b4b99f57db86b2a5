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

/// <summary>Routes of others on the interfaces of workloads.</summary>
public enum ForeignRoutes
{
    Removed,
    Kept,
}

/// <summary>Whether the host is made to forward.</summary>
public enum HostForwarding
{
    Enabled,

    /// <summary>The host's administrator decides.</summary>
    Disabled,
}

/// <summary>
/// How the dataplane of a node is set up; fixed while it runs. FelixConfiguration is laid over it at the start, and over <see cref="Rules"/> also later.
/// </summary>
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

    /// <summary>chainInsertMode; the tables of nf_tables are our own, and nobody else's rules stand in them.</summary>
    public ChainInsertMode InsertMode { get; init; } = ChainInsertMode.Insert;

    /// <summary>RTPROT_* of the routes of workloads: what makes them ours after a restart.</summary>
    public byte RouteProtocol { get; init; } = 80;

    /// <summary>Metric of the routes of workloads (ipv4NormalRoutePriority, ipv6NormalRoutePriority).</summary>
    public uint RouteMetric { get; init; } = 1024;

    public uint RouteMetricV6 { get; init; } = 1024;

    /// <summary>Source address that the host uses towards its workloads (deviceRouteSourceAddress, ...IPv6); default for the kernel's choice.</summary>
    public IpAddress RouteSource { get; init; }

    public IpAddress RouteSourceV6 { get; init; }

    /// <summary>removeExternalRoutes.</summary>
    public ForeignRoutes ForeignRoutes { get; init; } = ForeignRoutes.Removed;

    /// <summary>ipForwarding.</summary>
    public HostForwarding Forwarding { get; init; } = HostForwarding.Enabled;

    /// <summary>Buckets of a new ip set; 0 for as many as its first members need. The kernel doubles them when they fill.</summary>
    public int SetHashSize { get; init; }

    /// <summary>How often rules, sets, and routes and neighbours are read back although nothing changed; zero for never.</summary>
    public TimeSpan RulesRefresh { get; init; } = TimeSpan.FromSeconds(180);

    public TimeSpan SetsRefresh { get; init; } = TimeSpan.FromSeconds(90);

    public TimeSpan RoutesRefresh { get; init; } = TimeSpan.FromSeconds(90);

    /// <summary>When iptables' tables are first read back after a write (iptablesPostWriteCheckInterval).</summary>
    public TimeSpan PostWriteCheck { get; init; } = TimeSpan.FromSeconds(5);

    internal uint MetricOf(IpFamily family) => family == IpFamily.IPv4 ? RouteMetric : RouteMetricV6;

    internal IpAddress SourceOf(IpFamily family) => family == IpFamily.IPv4 ? RouteSource : RouteSourceV6;
}
