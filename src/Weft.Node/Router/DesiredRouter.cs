using System.Collections.Immutable;
using Weft.Bgp;
using Weft.Bgp.Policies;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>Own addresses, for NEXT_HOP of the family a session does not run over.</summary>
internal interface IHostAddresses
{
    /// <summary>An own address of <paramref name="family"/> on the link that leads to <paramref name="neighbor"/>; default when there is none.</summary>
    /// <param name="link">Of a link-local neighbour.</param>
    IpAddress Towards(IpAddress neighbor, string? link, IpFamily family);

    /// <summary>The subnet of <paramref name="family"/> on the link of a directly connected neighbour; default when it is not directly connected.</summary>
    IpPrefix SharedWith(IpAddress neighbor, IpFamily family);
}

/// <summary>What is written into the kernel besides what neighbours say.</summary>
internal sealed record FibSettings
{
    public required bool InstallRoutes { get; init; }

    public required byte Protocol { get; init; }

    public required uint MetricIPv4 { get; init; }

    public required uint MetricIPv6 { get; init; }

    public required KernelRules Rules { get; init; }

    public required ImmutableArray<IpPrefix> Blackholes { get; init; }

    public required ImmutableSortedDictionary<IpPrefix, IpAddress> HostRoutes { get; init; }

    /// <summary>Whether a next hop may be reached by a default route.</summary>
    public required bool ResolveViaDefault { get; init; }

    public uint Metric(IpFamily family) => family == IpFamily.IPv6 ? MetricIPv6 : MetricIPv4;
}

/// <summary>
/// Everything the running router shall be: the settings file laid over what the datastore asks for. Pure; the reconciler compares it with what runs.
/// </summary>
internal sealed record DesiredRouter
{
    public required SpeakerOptions Speaker { get; init; }

    public required ImmutableArray<ListenEndpoint> Listen { get; init; }

    /// <summary>By name.</summary>
    public required ImmutableSortedDictionary<string, PeerSettings> Peers { get; init; }

    public required ImmutableSortedDictionary<IpPrefix, RouteAttributes> Originated { get; init; }

    public required FibSettings Fib { get; init; }

    public required WorkloadRoutes Workloads { get; init; }

    public required ImmutableArray<string> Problems { get; init; }

    /// <summary>Null when the router cannot run yet; <paramref name="waiting"/> says why.</summary>
    /// <param name="settings">The settings file.</param>
    /// <param name="derived">What the datastore asks for; null without a datastore, or before it has been read for the first time.</param>
    /// <param name="addresses">Own addresses.</param>
    /// <param name="onLink">Address of the neighbour at the other end of a link; default: not known.</param>
    /// <param name="waiting">What is missing.</param>
    public static DesiredRouter? Compose(RouterSettings settings, DerivedRouting? derived, IHostAddresses addresses, Func<string, IpAddress> onLink, out string waiting)
    {
        waiting = settings.UsesDatastore && derived is null ? "the datastore has not been read yet" : derived?.Waiting ?? string.Empty;
        DerivedRouting cluster = derived ?? new DerivedRouting();
        IpAddress? routerId = settings.RouterId ?? cluster.RouterId;
        uint localAs = settings.LocalAs ?? cluster.LocalAs;
        if (waiting.Length > 0 || routerId is null)
        {
            return null;
        }

        RoutePolicy pools = PoolsPolicy(settings, cluster);
        Dictionary<IpAddress, string> local = [];
        ImmutableSortedDictionary<string, PeerSettings>.Builder peers = ImmutableSortedDictionary.CreateBuilder<string, PeerSettings>(StringComparer.Ordinal);
        List<string> problems = [.. cluster.Problems];
        foreach (NeighborSettings configured in settings.Neighbors)
        {
            NeighborSettings neighbor = configured.IsUnnumbered ? configured.At(onLink(configured.Interface!)) : configured;
            peers[neighbor.Name] = neighbor.Restarts.Apply(FromSettings(neighbor, settings, localAs, pools, addresses));
            if (!neighbor.IsRange && !configured.IsUnnumbered)
            {
                local.TryAdd(neighbor.Address, neighbor.Name);
            }
        }

        foreach (PeerSettings peer in cluster.Peers)
        {
            if (local.TryGetValue(peer.Address, out string? name))
            {
                problems.Add($"{peer.Name}: [neighbor:{name}] of the settings file has the same address and is used instead");
            }
            else
            {
                peers[peer.Name] = peer;
            }
        }

        // Of each peer, so that a change reaches the sessions that it concerns and no other.
        IpAddress clusterId = settings.ClusterId ?? cluster.ClusterId ?? routerId.Value;
        foreach ((string name, PeerSettings peer) in peers.ToArray())
        {
            peers[name] = peer with { ClusterId = peer.ClusterId.IsIPv4 ? peer.ClusterId : clusterId, RestartTime = peer.RestartTime ?? settings.RestartTime, RequirePolicy = settings.RequirePolicy };
        }

        return new DesiredRouter
        {
            Speaker = new SpeakerOptions
            {
                LocalAs = localAs,
                Confederation = settings.Confederation,
                RouterId = routerId.Value,
                ClusterId = clusterId,
                MaximumPaths = settings.MaximumPaths,
                RestartTime = settings.RestartTime,
                RestartDeferral = settings.RestartDeferral,
            },
            Listen = settings.Listen ?? cluster.Listen,
            Peers = peers.ToImmutable(),
            Originated = cluster.Originated.SetItems(settings.Networks.Select(n => KeyValuePair.Create(n, RouteAttributes.Default))),
            Fib = new FibSettings
            {
                InstallRoutes = settings.InstallRoutes,
                Protocol = settings.RouteProtocol,
                MetricIPv4 = settings.RouteMetric ?? cluster.MetricIPv4,
                MetricIPv6 = settings.RouteMetric ?? cluster.MetricIPv6,
                Rules = cluster.Kernel,
                ResolveViaDefault = settings.ResolveViaDefault,
                Blackholes = cluster.Blackholes,
                HostRoutes = cluster.HostRoutes,
            },
            Workloads = cluster.Workloads,
            Problems = [.. problems],
        };
    }

    /// <summary>The export keyword "pools": own networks, then what a node of the cluster announces.</summary>
    private static RoutePolicy PoolsPolicy(RouterSettings settings, DerivedRouting cluster) => new()
    {
        Rules = settings.Networks.IsEmpty
            ? cluster.Export.Rules
            : [new PolicyRule { Name = "own networks", Prefixes = [.. settings.Networks.Select(PrefixMatch.Exactly)], Verdict = PolicyVerdict.Accept }, .. cluster.Export.Rules],
        Default = PolicyVerdict.Reject,
    };

    private static PeerSettings FromSettings(NeighborSettings n, RouterSettings settings, uint localAs, RoutePolicy pools, IHostAddresses addresses)
    {
        bool isInternal = n.Accepts(n.LocalAs != 0 ? n.LocalAs : localAs);

        // RFC 4271 5.1.3: on a link shared with an external neighbour, a third router on it is named as next hop instead of us.
        bool shares = !isInternal && n.Multihop == 0 && n.TtlSecurity <= 1;
        bool hopsIPv6 = n.Families.HasFlag(AddressFamilies.IPv6) || n.Paths.ExtendedNextHop;
        return n.Paths.ApplyTo(n.Peering.ApplyTo(new PeerSettings
        {
            SharedSubnetIPv4 = shares && n.Families.HasFlag(AddressFamilies.IPv4) ? addresses.SharedWith(n.Address, IpFamily.IPv4) : default,
            SharedSubnetIPv6 = shares && n.Families.HasFlag(AddressFamilies.IPv6) ? addresses.SharedWith(n.Address, IpFamily.IPv6) : default,
            Name = n.Name,
            Address = n.Address,
            Port = n.Port,
            Interface = n.Interface,
            LocalAddress = n.SourceAddress,
            Range = n.Range,
            MaximumNeighbors = n.MaximumNeighbors,
            RemoteAs = n.RemoteAs,
            AcceptedAs = n.RemoteAs == 0 ? n.AcceptedAs : null,
            LocalAs = n.LocalAs,
            Connect = n.Passive ? ConnectMode.Passive : ConnectMode.Active,
            Families = n.Families,
            HoldTime = n.HoldTime,
            KeepaliveTime = n.KeepaliveTime,
            ConnectRetryTime = n.ConnectRetryTime,
            RouteReflectorClient = n.RouteReflectorClient,
            NextHop = n.NextHopSelf ? NextHopMode.Self : NextHopMode.Auto,
            LocalIPv4 = n.Families.HasFlag(AddressFamilies.IPv4) && n.Address.IsIPv6 ? addresses.Towards(n.Address, n.Interface, IpFamily.IPv4) : default,
            LocalIPv6 = hopsIPv6 && (n.Address.IsIPv4 || n.Address.IsLinkLocal) ? addresses.Towards(n.Address, n.Interface, IpFamily.IPv6) : default,
            AllowedLocalAs = n.AllowedLocalAs,
            MultipathWeight = n.MultipathWeight,
            Enabled = n.Enabled,
            Import = Policy(n.Import, settings, pools) ?? (settings.RequirePolicy && n.NamesPolicy.Import ? RoutePolicy.AcceptAll : null),
            Export = Policy(n.Export, settings, pools) ?? (settings.RequirePolicy && n.NamesPolicy.Export ? RoutePolicy.AcceptAll : null),
            TransportOptions = new PeerTransportOptions
            {
                Password = n.Password,
                Authentication = n.Authentication,
                TtlSecurity = n.TtlSecurity,
                Ttl = n.Multihop > 0 ? n.Multihop : isInternal ? PeerTransportOptions.AnyDistance : 1,
                Description = n.Description,
            },
        }));
    }

    private static RoutePolicy? Policy(RouteFilterSetting filter, RouterSettings settings, RoutePolicy pools) => filter.Kind switch
    {
        RouteFilterKind.All => null,
        RouteFilterKind.None => RoutePolicy.RejectAll,
        RouteFilterKind.Pools => pools,

        // A name without a section has been refused when the settings were read.
        RouteFilterKind.Filter => settings.Filters.TryGetValue(filter.Filter, out FilterSettings? named) ? named.ToPolicy(pools) : RoutePolicy.RejectAll,
        _ => new RoutePolicy { Rules = [new PolicyRule { Name = "prefix list", Prefixes = filter.Prefixes, Verdict = PolicyVerdict.Accept }], Default = PolicyVerdict.Reject },
    };
}
