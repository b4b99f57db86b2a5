using Weft.Primitives.Collections;
using Weft.Primitives.Net;

namespace Weft.Bgp.Rib;

/// <summary>
/// The distinct next hops of one RIB with what the resolver says of them. Counted by use from <see cref="AttributeTable"/>: a network has few next hops and many
/// attribute sets, so a change under us is asked about once per next hop.
/// </summary>
internal sealed class NextHopTable
{
    private readonly INextHopResolver _resolver;
    private readonly Dictionary<NextHop, NextHopId> _ids = [];
    private readonly IdPool _pool = new();
    private readonly Column<Row> _rows;

    /// <summary>Beside the rows, which hold no references.</summary>
    private string?[] _links = new string?[8];

    public NextHopTable(INextHopResolver resolver, PageArena arena)
    {
        _rows = new Column<Row>(arena);
        _resolver = resolver;
        NextHopId self = (NextHopId)_pool.Take();
        _rows.Grow((uint)self) = new Row { References = 1, State = NextHopState.Connected };
    }

    /// <summary>Next hops in use.</summary>
    public int Count => _ids.Count;

    /// <summary>The id of a next hop's octets (0, 4, 16 or 32), with one more reference.</summary>
    public NextHopId Acquire(ReadOnlySpan<byte> octets)
    {
        if (octets.IsEmpty)
        {
            return NextHopId.Self;
        }

        var key = octets.Length == 32
            ? new NextHop(IpAddress.FromBytes(octets[..16]), IpAddress.FromBytes(octets[16..]))
            : new NextHop(IpAddress.FromBytes(octets), default);
        if (!_ids.TryGetValue(key, out NextHopId id))
        {
            id = (NextHopId)_pool.Take();
            _ids.Add(key, id);
            _rows.Grow((uint)id) = new Row { Key = key, State = _resolver.Resolve(key.Forwarding) };
            if ((uint)id >= _links.Length)
            {
                Array.Resize(ref _links, 2 * (int)(uint)id);
            }

            _links[(uint)id] = _resolver.LinkTo(key.Forwarding);
        }

        _rows[(uint)id].References++;
        return id;
    }

    public void Release(NextHopId id)
    {
        if (id != NextHopId.Self && --_rows[(uint)id].References == 0)
        {
            NextHop key = _rows[(uint)id].Key;
            _ids.Remove(key);
            _resolver.Release(key.Forwarding);
            _pool.Return((uint)id);
        }
    }

    public ref readonly NextHopState State(NextHopId id) => ref _rows[(uint)id].State;

    /// <summary>Name of the link it is reached by; null: unknown.</summary>
    public string? Link(NextHopId id) => (uint)id < _links.Length ? _links[(uint)id] : null;

    public NextHop Get(NextHopId id) => _rows[(uint)id].Key;

    /// <summary>Asks the resolver again; sets the bit of every next hop whose state changed.</summary>
    public void ResolveAgain(Bitmap changed)
    {
        foreach ((NextHop key, NextHopId id) in _ids)
        {
            ref Row row = ref _rows[(uint)id];
            NextHopState state = _resolver.Resolve(key.Forwarding);
            string? link = _resolver.LinkTo(key.Forwarding);
            if (state != row.State || link != _links[(uint)id])
            {
                _links[(uint)id] = link;
                row.State = state;
                changed.Set((uint)id);
            }
        }
    }

    /// <summary>Global (or only) address, and the link-local beside it (RFC 2545).</summary>
    internal readonly record struct NextHop(IpAddress Global, IpAddress LinkLocal)
    {
        /// <summary>What packets are sent to: a few speakers send :: with a link-local address.</summary>
        public IpAddress Forwarding => Global.IsUnspecified && LinkLocal.Family != IpFamily.None ? LinkLocal : Global;
    }

    private struct Row
    {
        public NextHop Key;
        public NextHopState State;
        public int References;
    }
}
