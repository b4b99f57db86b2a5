using Weft.Primitives.Net;

namespace Weft.Policy.Output;

/// <summary>What lies at a destination; several may hold at once. Values are those of Calico's protocol between Felix and its dataplane.</summary>
[Flags]
public enum RouteTypes : byte
{
    /// <summary>Nothing but the pool it belongs to.</summary>
    None = 0,
    RemoteWorkload = 1,
    RemoteHost = 2,
    LocalWorkload = 4,
    LocalHost = 8,
    RemoteTunnel = 16,
    LocalTunnel = 32,
}

/// <summary>How packets reach the addresses of a pool.</summary>
public enum IpPoolType : byte
{
    /// <summary>In no pool.</summary>
    None,
    NoEncap,
    Vxlan,
    Ipip,
}

/// <summary>Whose tunnel device has the address.</summary>
[Flags]
public enum TunnelTypes : byte
{
    None = 0,
    Ipip = 1,
    Vxlan = 2,
    WireGuard = 4,
}

[Flags]
public enum RouteTraits : byte
{
    None = 0,

    /// <summary>The pool encapsulates between subnets only, and the destination's node is in the subnet of this node: no tunnel.</summary>
    SameSubnet = 1,

    /// <summary>The pool's natOutgoing.</summary>
    NatOutgoing = 2,

    /// <summary>An endpoint of this node has the address: there is an interface behind it.</summary>
    LocalWorkload = 4,

    /// <summary>The address belongs to a block of another node than the one it is on.</summary>
    Borrowed = 8,
}

/// <summary>Where one destination of the cluster is: a pool, a block, or a single address.</summary>
/// <param name="Destination">Pool, block, or host prefix.</param>
/// <param name="Types">What lies there.</param>
/// <param name="PoolType">Of the innermost pool around it.</param>
/// <param name="Node">Null for a pool alone.</param>
/// <param name="NodeAddress">The node's own address of the destination's family; null while it has none.</param>
/// <param name="Traits">More about it.</param>
/// <param name="Tunnels">With <see cref="RouteTypes.LocalTunnel"/> or <see cref="RouteTypes.RemoteTunnel"/>: which.</param>
public sealed record RouteUpdate(
    IpPrefix Destination, RouteTypes Types, IpPoolType PoolType, string? Node, IpAddress? NodeAddress, RouteTraits Traits, TunnelTypes Tunnels) : DataplaneUpdate;

public sealed record RouteRemove(IpPrefix Destination) : DataplaneUpdate;
