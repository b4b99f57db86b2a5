using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.Tunnels;

public enum TunnelKind : byte
{
    Vxlan,
    Ipip,
}

/// <summary>What a tunnel device of this node must be.</summary>
/// <param name="Kind">Its driver in the kernel.</param>
/// <param name="Local">Outer source address: an address of this node.</param>
/// <param name="ParentIndex">The link that has <paramref name="Local"/>.</param>
/// <param name="Address">Its own address; the only one it keeps, as a host prefix.</param>
/// <param name="Mtu">In bytes.</param>
public sealed record TunnelDeviceSettings(TunnelKind Kind, IpAddress Local, int ParentIndex, IpAddress Address, int Mtu)
{
    /// <summary>VXLAN only: network identifier, 1..16777215.</summary>
    public uint Vni { get; init; }

    /// <summary>VXLAN only: UDP port.</summary>
    public ushort Port { get; init; }

    /// <summary>VXLAN only: the other nodes write it into their forwarding tables.</summary>
    public MacAddress Mac { get; init; }
}
