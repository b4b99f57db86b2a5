using System.Collections.Immutable;
using Weft.Bgp;
using Weft.Bgp.Policies;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>What the resources of the datastore ask of this node's router. Made by <see cref="PeerDerivation"/>; immutable.</summary>
internal sealed record DerivedRouting
{
    public uint LocalAs { get; init; }

    public IpAddress? RouterId { get; init; }

    /// <summary>Set when this node is a route reflector.</summary>
    public IpAddress? ClusterId { get; init; }

    public ImmutableArray<ListenEndpoint> Listen { get; init; } = ListenEndpoint.Anywhere;

    /// <summary>In the order of their names.</summary>
    public ImmutableArray<PeerSettings> Peers { get; init; } = [];

    /// <summary>Own blocks and static service routes.</summary>
    public ImmutableSortedDictionary<IpPrefix, RouteAttributes> Originated { get; init; } = ImmutableSortedDictionary<IpPrefix, RouteAttributes>.Empty;

    /// <summary>Own blocks of more than one address: what no workload has is dropped here instead of circling to the default gateway.</summary>
    public ImmutableArray<IpPrefix> Blackholes { get; init; } = [];

    /// <summary>Host routes to peers that are only reached by a gateway (BGPPeer reachableBy).</summary>
    public ImmutableSortedDictionary<IpPrefix, IpAddress> HostRoutes { get; init; } = ImmutableSortedDictionary<IpPrefix, IpAddress>.Empty;

    public KernelRules Kernel { get; init; } = KernelRules.InstallEverything;

    /// <summary>Which host routes of local workloads are announced by themselves: addresses borrowed from blocks of other nodes.</summary>
    public WorkloadRoutes Workloads { get; init; } = WorkloadRoutes.None;

    /// <summary>Some BGPPeer has local workloads for peers: the router needs to know them.</summary>
    public bool NeedsWorkloads { get; init; }

    /// <summary>Export policy of a node of the cluster, before any BGPFilter.</summary>
    public RoutePolicy Export { get; init; } = RoutePolicy.RejectAll;

    public uint MetricIPv4 { get; init; } = PeerDerivation.NormalPriority;

    public uint MetricIPv6 { get; init; } = PeerDerivation.NormalPriority;

    /// <summary>Files under the secrets directory that a peer asked for, found or not.</summary>
    public ImmutableSortedSet<string> Secrets { get; init; } = ImmutableSortedSet<string>.Empty;

    /// <summary>What of the resources is not used as written, and why.</summary>
    public ImmutableArray<string> Problems { get; init; } = [];

    /// <summary>Not null: nothing can run yet, for this reason.</summary>
    public string? Waiting { get; init; }
}

/// <summary>Decides which kernel routes of local workloads are announced by themselves; those inside own blocks are covered by the block.</summary>
internal sealed record WorkloadRoutes(ImmutableArray<IpPrefix> Pools, ImmutableArray<IpPrefix> OwnBlocks, uint MetricIPv4, uint MetricIPv6)
{
    public static readonly WorkloadRoutes None = new([], [], PeerDerivation.NormalPriority, PeerDerivation.NormalPriority);

    /// <summary>A better metric than the normal one says that a workload is moving here, and is told besides its block.</summary>
    public bool IsElevated(IpPrefix route, uint metric) => metric > 0 && metric < (route.IsIPv6 ? MetricIPv6 : MetricIPv4);

    /// <param name="metric">In the kernel; 0: none.</param>
    public bool Announces(IpPrefix route, uint metric)
    {
        foreach (IpPrefix block in OwnBlocks)
        {
            if (block.Contains(route))
            {
                return IsElevated(route, metric);
            }
        }

        foreach (IpPrefix pool in Pools)
        {
            if (pool.Contains(route))
            {
                return true;
            }
        }

        return false;
    }

    public bool Equals(WorkloadRoutes? other) => other is not null && (MetricIPv4, MetricIPv6) == (other.MetricIPv4, other.MetricIPv6) && Pools.SequenceEqual(other.Pools) && OwnBlocks.SequenceEqual(other.OwnBlocks);

    public override int GetHashCode() => HashCode.Combine(Pools.Length, OwnBlocks.Length);
}
