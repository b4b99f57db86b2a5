using Weft.Bgp.Rib;

namespace Weft.Node.Router;

/// <summary>
/// The next hops of a best route as the speaker reports them. A table has few different sets and many prefixes, so they are interned: resolved once, and 8 bytes
/// per route (1 M routes: 8 MB) instead of a list each.
/// </summary>
internal sealed class NextHopSet(RouteNextHop[] hops) : IEquatable<NextHopSet>
{
    public ReadOnlySpan<RouteNextHop> Hops => hops;

    public bool Equals(NextHopSet? other) => other is not null && hops.AsSpan().SequenceEqual(other.Hops);

    public override bool Equals(object? obj) => Equals(obj as NextHopSet);

    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (RouteNextHop hop in hops)
        {
            hash.Add(hop);
        }

        return hash.ToHashCode();
    }
}
