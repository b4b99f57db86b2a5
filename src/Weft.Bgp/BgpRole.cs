namespace Weft.Bgp;

/// <summary>What a speaker is to its neighbour (RFC 9234 4.1); the values are those of the wire.</summary>
public enum BgpRole : byte
{
    Provider = 0,
    RouteServer = 1,
    RouteServerClient = 2,
    Customer = 3,
    Peer = 4,
}
