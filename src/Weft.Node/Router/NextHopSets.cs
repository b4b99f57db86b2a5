using Weft.Bgp.Rib;

namespace Weft.Node.Router;

/// <summary>
/// The distinct next hops of best routes, each under a small number. The RIB's loops ask for numbers, each with a <see cref="Cache"/> of its own in front; the FIB's
/// loop turns them back. Never shrinks; bounded by the sets that neighbours ever made.
/// </summary>
internal sealed class NextHopSets
{
    // Guards what follows. Taken when a cache misses and when the FIB meets a number for the first time in a row, not per route.
    private readonly Lock _gate = new();
    private readonly Dictionary<NextHopSet, int> _ids = [];
    private readonly List<NextHopSet?> _sets = [null];

    public NextHopSet this[int id]
    {
        get
        {
            lock (_gate)
            {
                return _sets[id]!;
            }
        }
    }

    private int Intern(ReadOnlySpan<RouteNextHop> hops, out NextHopSet set)
    {
        set = new NextHopSet(hops.ToArray());
        lock (_gate)
        {
            if (_ids.TryGetValue(set, out int id))
            {
                set = _sets[id]!;
                return id;
            }

            _ids.Add(set, _sets.Count);
            _sets.Add(set);
            return _sets.Count - 1;
        }
    }

    /// <summary>The sets one RIB met last. Used by its loop alone.</summary>
    public sealed class Cache(NextHopSets sets)
    {
        private const int Slots = 64;

        private readonly (NextHopSet? Set, int Id)[] _slots = new (NextHopSet?, int)[Slots];

        public int IdOf(ReadOnlySpan<RouteNextHop> hops)
        {
            ref (NextHopSet? Set, int Id) slot = ref _slots[(hops[0].Address.Value.GetHashCode() ^ hops.Length) & (Slots - 1)];
            if (slot.Set is null || !hops.SequenceEqual(slot.Set.Hops))
            {
                slot.Id = sets.Intern(hops, out NextHopSet set);
                slot.Set = set;
            }

            return slot.Id;
        }
    }
}
