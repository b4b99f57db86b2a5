using Weft.Bgp.Rib;

namespace Weft.Bgp.Export;

/// <summary>Which members of an update group a message is for.</summary>
/// <param name="Source">Not for this one: the routes are its own; or None.</param>
/// <param name="NextHop">Nor for this one: the next hop is its own address (RFC 4271 5.1.3); or None.</param>
/// <param name="Only">For this one alone; or None.</param>
internal readonly record struct Audience(PeerId Source, PeerId NextHop, PeerId Only)
{
    public static Audience Everybody => new(PeerId.None, PeerId.None, PeerId.None);

    public static Audience AllBut(PeerId source, PeerId nextHop = PeerId.None) => new(source, nextHop, PeerId.None);

    public static Audience Just(PeerId peer) => new(PeerId.None, PeerId.None, peer);

    public bool Has(PeerId peer) => peer != Source && peer != NextHop && (Only == PeerId.None || Only == peer);
}
