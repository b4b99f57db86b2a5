using Weft.Primitives.Net;

namespace Weft.Linux.Netlink;

/// <summary>RTN_*: what the kernel does with a packet that the route matches.</summary>
public enum RouteType : byte
{
    Unspecified = 0,
    Unicast = 1,
    Local = 2,
    Broadcast = 3,
    Anycast = 4,
    Multicast = 5,
    Blackhole = 6,
    Unreachable = 7,
    Prohibit = 8,
    Throw = 9,
}

/// <summary>RT_SCOPE_*: how far away the destination is.</summary>
public enum RouteScope : byte
{
    Universe = 0,
    Site = 200,
    Link = 253,
    Host = 254,
    Nowhere = 255,
}

/// <summary>One way out of a route.</summary>
/// <param name="Gateway">Default when the destination is on the link itself. May be of the other family (RFC 8950: IPv4 via an IPv6 neighbour).</param>
/// <param name="LinkIndex">0 lets the kernel find the link of the gateway.</param>
/// <param name="OnLink">The gateway is on the link although no address of the link says so.</param>
/// <param name="Weight">1..256, share of a multipath route.</param>
public readonly record struct RouteHop(IpAddress Gateway, int LinkIndex, bool OnLink = false, int Weight = 1);

/// <summary>A route as a value: what is written and what a dump reports.</summary>
public record struct RouteInfo
{
    public RouteInfo()
    {
    }

    public IpPrefix Destination { get; set; }

    public RouteType Type { get; set; } = RouteType.Unicast;

    /// <summary>IPv4 only; IPv6 routes are always <see cref="RouteScope.Universe"/>.</summary>
    public RouteScope Scope { get; set; }

    /// <summary>RTPROT_*: who wrote the route. 2 kernel, 3 boot, 4 static, 12 bird, 80 Calico.</summary>
    public byte Protocol { get; set; }

    /// <summary>254 is the main table, 255 the local one.</summary>
    public uint Table { get; set; } = 254;

    /// <summary>Lower wins. IPv6 has no 0: the kernel stores 1024 for it.</summary>
    public uint Metric { get; set; }

    /// <summary>Preferred source address; default for none.</summary>
    public IpAddress Source { get; set; }

    /// <summary>Path MTU in bytes; 0 for that of the link.</summary>
    public int Mtu { get; set; }

    /// <summary>The way out of a single-path route.</summary>
    public RouteHop Hop { get; set; }

    /// <summary>The ways out of a multipath route; null for a single-path route.</summary>
    public RouteHop[]? Multipath { get; set; }
}
