using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.Routes;

/// <summary>One way out.</summary>
/// <param name="Gateway">Default when the destination is on the link.</param>
/// <param name="Link">None: that of <see cref="IRouteTable.SetRoutes"/>, or else the kernel finds the link of the gateway.</param>
/// <param name="Weight">1..256, share of a multipath route.</param>
public readonly record struct NextHop(IpAddress Gateway, LinkId Link = default, bool OnLink = false, int Weight = 1);

/// <summary>
/// Where a route leads. Immutable and meant to be shared: a router has a million routes and a hundred targets, and a route holds only a reference.
/// </summary>
public sealed class RouteTarget : IEquatable<RouteTarget>
{
    private readonly NextHop[] _hops;

    private RouteTarget(RouteType type, RouteScope scope, NextHop[] hops, IpAddress source = default, int mtu = 0)
    {
        Type = type;
        Scope = scope;
        _hops = hops;
        Source = source;
        Mtu = mtu;
    }

    /// <summary>Packets are dropped silently.</summary>
    public static RouteTarget Blackhole { get; } = new(RouteType.Blackhole, RouteScope.Universe, []);

    /// <summary>Packets are answered with "destination unreachable".</summary>
    public static RouteTarget Unreachable { get; } = new(RouteType.Unreachable, RouteScope.Universe, []);

    /// <summary>The lookup goes on in the next routing table.</summary>
    public static RouteTarget Throw { get; } = new(RouteType.Throw, RouteScope.Universe, []);

    public RouteType Type { get; }

    /// <summary>Says nothing for IPv6.</summary>
    public RouteScope Scope { get; }

    public ReadOnlySpan<NextHop> Hops => _hops;

    public IpAddress Source { get; }

    /// <summary>0 for that of the link.</summary>
    public int Mtu { get; }

    /// <summary>The destination is on the link itself ("scope link").</summary>
    public static RouteTarget OnLink(LinkId link = default, IpAddress source = default) =>
        new(RouteType.Unicast, RouteScope.Link, [new NextHop(default, link)], source);

    public static RouteTarget Via(IpAddress gateway, LinkId link = default, bool onLink = false, IpAddress source = default, int mtu = 0) =>
        new(RouteType.Unicast, RouteScope.Universe, [new NextHop(gateway, link, onLink)], source, mtu);

    /// <summary>Several ways at once. The order does not count.</summary>
    public static RouteTarget Multipath(params ReadOnlySpan<NextHop> hops)
    {
        ArgumentOutOfRangeException.ThrowIfZero(hops.Length);
        NextHop[] sorted = hops.ToArray();
        Array.Sort(sorted, static (a, b) => a.Gateway.CompareTo(b.Gateway) is var byGateway and not 0
            ? byGateway : string.CompareOrdinal(a.Link.Name, b.Link.Name));
        return new RouteTarget(RouteType.Unicast, RouteScope.Universe, sorted);
    }

    /// <summary>The host itself answers for the destination (in the local table).</summary>
    public static RouteTarget Local(LinkId link) => new(RouteType.Local, RouteScope.Host, [new NextHop(default, link)]);

    public bool Equals(RouteTarget? other) =>
        ReferenceEquals(this, other)
        || (other is not null && Type == other.Type && Scope == other.Scope && Source == other.Source && Mtu == other.Mtu && _hops.AsSpan().SequenceEqual(other._hops));

    public override bool Equals(object? obj) => Equals(obj as RouteTarget);

    public override int GetHashCode() => HashCode.Combine(Type, Scope, Source, _hops.Length, _hops.Length > 0 ? _hops[0] : default);

    public override string ToString() => Type != RouteType.Unicast
        ? Type.ToString().ToLowerInvariant()
        : string.Join(", ", _hops.Select(static h => h.Gateway.Family == IpFamily.None ? $"dev {h.Link}" : $"via {h.Gateway} dev {h.Link}"));
}
