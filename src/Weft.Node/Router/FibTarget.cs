using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>
/// What a kernel route leads to, without its prefix. A table has few of them and many prefixes, so they are interned: one object per distinct value, compared by
/// reference. 8 bytes per route instead of a hop list each.
/// </summary>
internal sealed class FibTarget : IEquatable<FibTarget>
{
    private readonly RouteHop[] _hops;

    private FibTarget(RouteType type, RouteHop[] hops, uint metric) => (Type, _hops, Metric) = (type, hops, metric);

    public RouteType Type { get; }

    public uint Metric { get; }

    public ReadOnlySpan<RouteHop> Hops => _hops;

    public static FibTarget Blackhole(uint metric) => new(RouteType.Blackhole, [], metric);

    public static FibTarget Unicast(IEnumerable<RouteHop> hops, uint metric) => new(RouteType.Unicast, [.. hops.Distinct().OrderBy(h => h.Gateway).ThenBy(h => h.LinkIndex)], metric);

    /// <summary>From a dump. What is no unicast route has no hops that mean anything (IPv6 shows the loopback there).</summary>
    public static FibTarget From(in RouteInfo route) =>
        route.Type == RouteType.Unicast ? Unicast(route.Multipath ?? [route.Hop], route.Metric) : new FibTarget(route.Type, [], route.Metric);

    public RouteInfo ToRoute(IpPrefix prefix, byte protocol) => new()
    {
        Destination = prefix,
        Type = Type,
        Protocol = protocol,
        Metric = Metric,
        Scope = Type == RouteType.Unicast && prefix.IsIPv4 && _hops is [{ Gateway.Family: IpFamily.None }] ? RouteScope.Link : RouteScope.Universe,
        Hop = _hops.Length == 1 ? _hops[0] : default,
        Multipath = _hops.Length > 1 ? _hops : null,
    };

    public bool Equals(FibTarget? other) => other is not null && Type == other.Type && Metric == other.Metric && _hops.AsSpan().SequenceEqual(other._hops);

    public override bool Equals(object? obj) => Equals(obj as FibTarget);

    public override int GetHashCode()
    {
        HashCode hash = default;
        hash.Add(Type);
        hash.Add(Metric);
        foreach (RouteHop hop in _hops)
        {
            hash.Add(hop);
        }

        return hash.ToHashCode();
    }

    public override string ToString() => Type != RouteType.Unicast
        ? Type.ToString().ToLowerInvariant()
        : string.Join(", ", _hops.Select(h => h.Gateway.Family == IpFamily.None ? $"link {h.LinkIndex}" : $"via {h.Gateway} link {h.LinkIndex}"));
}

/// <summary>The next hops of a best route as the speaker reports them; interned like <see cref="FibTarget"/>.</summary>
internal sealed class NextHopSet(Weft.Bgp.Rib.RouteNextHop[] hops) : IEquatable<NextHopSet>
{
    public ReadOnlySpan<Weft.Bgp.Rib.RouteNextHop> Hops => hops;

    public bool Equals(NextHopSet? other) => other is not null && hops.AsSpan().SequenceEqual(other.Hops);

    public override bool Equals(object? obj) => Equals(obj as NextHopSet);

    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (Weft.Bgp.Rib.RouteNextHop hop in hops)
        {
            hash.Add(hop);
        }

        return hash.ToHashCode();
    }
}
