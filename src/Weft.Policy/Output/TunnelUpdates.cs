using Weft.Primitives.Net;

namespace Weft.Policy.Output;

/// <summary>
/// The VXLAN device of a node, this one included. A family whose tunnel address or whose node address is missing has three nulls; at least one is whole.
/// A change arrives as a removal and an update, since neighbour and forwarding entries of the old one must go first.
/// </summary>
/// <param name="Node">The node.</param>
/// <param name="Mac">Of the IPv4 device.</param>
/// <param name="IPv4">Address of the IPv4 device.</param>
/// <param name="ParentIPv4">Where encapsulated packets go.</param>
/// <param name="MacV6">Of the IPv6 device.</param>
/// <param name="IPv6">Address of the IPv6 device.</param>
/// <param name="ParentIPv6">Where encapsulated packets go.</param>
public sealed record VXLANTunnelEndpointUpdate(
    string Node, MacAddress? Mac, IpAddress? IPv4, IpAddress? ParentIPv4, MacAddress? MacV6, IpAddress? IPv6, IpAddress? ParentIPv6) : DataplaneUpdate;

public sealed record VXLANTunnelEndpointRemove(string Node) : DataplaneUpdate;

/// <summary>Which overlays the pools (or FelixConfiguration) ask for.</summary>
[Flags]
public enum Encapsulations : byte
{
    None = 0,
    Ipip = 1,
    Vxlan = 2,
    VxlanV6 = 4,

    /// <summary>The agent programs routes of pools without encapsulation.</summary>
    NoEncap = 8,
}

public sealed record EncapsulationUpdate(Encapsulations Needed) : DataplaneUpdate;
