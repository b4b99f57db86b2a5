namespace Weft.Dataplane.Drivers.Tunnels;

/// <summary>What a packet between two nodes grows by, in octets: the MTU of tunnel devices and of pods is the link's less this.</summary>
public static class TunnelOverhead
{
    /// <summary>An outer IPv4 header.</summary>
    public const int Ipip = 20;

    /// <summary>Outer IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14 (RFC 7348 section 5).</summary>
    public const int Vxlan = 50;

    /// <summary>The same with an outer IPv6 header of 40.</summary>
    public const int VxlanV6 = 70;
}
