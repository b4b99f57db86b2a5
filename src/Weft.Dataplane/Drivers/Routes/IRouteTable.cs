using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.Routes;

/// <summary>Who wants a route. When two want the same destination and metric, the one that stands first here wins.</summary>
public enum RouteOwner : byte
{
    LocalWorkload,
    WireGuard,
    VxlanSameSubnet,
    VxlanTunnel,
    IpipSameSubnet,
    IpipTunnel,
    NoEncapsulation,

    /// <summary>Learned from a BGP peer.</summary>
    Bgp,

    /// <summary>Catches what no more specific route of a local block takes.</summary>
    Blackhole,
}

/// <summary>A link by name: routes may be wanted before the link exists.</summary>
public readonly record struct LinkId(string? Name)
{
    /// <summary>No link: blackholes, and gateways whose link the kernel finds.</summary>
    public static readonly LinkId None;

    public override string ToString() => Name ?? "none";
}

/// <summary>What the kernel tells routes of one table apart by.</summary>
/// <param name="Metric">Lower wins; IPv6 knows no 0 and takes 1024 for it.</param>
public readonly record struct RouteKey(IpPrefix Prefix, uint Metric = 0);

/// <summary>Desired routes of one table and family. Setting records; <see cref="IReconciler.Apply"/> writes.</summary>
public interface IRouteTable : IReconciler
{
    /// <summary>Makes these the only routes of the owner that were set for this link. An empty span takes them all away.</summary>
    void SetRoutes(RouteOwner owner, LinkId link, ReadOnlySpan<(RouteKey Key, RouteTarget Target)> routes);

    /// <summary>
    /// Adds or replaces one route, for owners with many of them. Not part of any <see cref="SetRoutes"/> group. Hops should name their link: while
    /// one does not, every change of any link makes the table be read again.
    /// </summary>
    void SetRoute(RouteOwner owner, RouteKey key, RouteTarget target);

    void RemoveRoute(RouteOwner owner, RouteKey key);

    /// <summary>The link came, went, or went up or down.</summary>
    void OnLinkChanged(string name);
}
