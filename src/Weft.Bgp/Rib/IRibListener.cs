using Weft.Primitives.Net;

namespace Weft.Bgp.Rib;

/// <summary>One next hop of a prefix as the forwarding table needs it.</summary>
/// <param name="Address">Where packets go; for IPv6 the link-local address when the peer sent one and no global.</param>
/// <param name="LinkLocal">Link-local companion of a global IPv6 next hop (RFC 2545), or the default value.</param>
/// <param name="PeerName">The peer the path came from; null for a local route.</param>
/// <param name="Interface">The peer's configured link, null when it has none.</param>
/// <param name="Weight">Its share of the traffic beside the others of the prefix, 1 to 256.</param>
public readonly record struct RouteNextHop(IpAddress Address, IpAddress LinkLocal, string? PeerName, string? Interface, ushort Weight = 1);

/// <summary>
/// The best route of a prefix changed in a way the forwarding table can see: another set of next hops, another origin, or none any more. A route announced again
/// with the same next hops is not reported.
/// </summary>
public readonly ref struct BestChange
{
    public required IpPrefix Prefix { get; init; }

    /// <summary>Empty: no route any more. The best path's next hop stands first.</summary>
    public required ReadOnlySpan<RouteNextHop> NextHops { get; init; }

    /// <summary>True when the best path is one of our own (<see cref="BgpSpeaker.OriginateAsync"/>): it came from the host and must not be written back to it.</summary>
    public required bool IsLocal { get; init; }

    /// <summary>True when the best path came from a peer in our own AS.</summary>
    public required bool IsInternal { get; init; }

    public bool IsWithdrawn => NextHops.IsEmpty;
}

/// <summary>
/// Hears of changes in the Loc-RIB. Called on the loop of the prefix's family, so IPv4 and IPv6 calls may run at the same time on two threads; must not wait.
/// A new listener first hears the whole table.
/// </summary>
public interface IRibListener
{
    void OnBestChanged(in BestChange change);

    /// <summary>The end of a batch of changes of one family: time to act on them.</summary>
    void OnBatchEnd(IpFamily family);
}
