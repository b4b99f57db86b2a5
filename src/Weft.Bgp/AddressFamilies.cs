namespace Weft.Bgp;

/// <summary>Set of address families; all are unicast (SAFI 1).</summary>
[Flags]
public enum AddressFamilies : byte
{
    None = 0,

    /// <summary>AFI 1, SAFI 1.</summary>
    IPv4 = 1,

    /// <summary>AFI 2, SAFI 1.</summary>
    IPv6 = 2,

    Both = IPv4 | IPv6,
}
