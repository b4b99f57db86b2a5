using Weft.Primitives.Collections;

namespace Weft.Bgp.Rib;

/// <summary>What is known of a path beside its attributes.</summary>
[Flags]
internal enum PathMarks : byte
{
    None = 0,

    /// <summary>Two bits: the epoch of its peer in which it was announced (<see cref="PathEpochs"/>).</summary>
    Epoch = 0x03,

    /// <summary>RFC 9494: kept beyond the restart time of its peer; its attributes carry LLGR_STALE.</summary>
    LongLived = 0x04,

    /// <summary>In the multipath set (the best path always is).</summary>
    Multipath = 0x10,

    /// <summary>Refused by import policy: kept in the Adj-RIB-In, not in the decision.</summary>
    Rejected = 0x40,

    /// <summary>Looped, or leaked (RFC 9234): kept to be shown, not in the decision.</summary>
    Looped = 0x80,
}

/// <summary>
/// The Adj-RIBs-In of one family, one row of 20 octets per prefix and peer: whoever looks at a path wants all of it, and a row is one miss of the cache where six
/// columns are six. Paths of a prefix hang on one chain. Owned by one RIB loop.
/// Path identifiers (RFC 7911) are a column beside, which nobody makes before the first peer sends one.
/// </summary>
internal sealed class PathTable
{
    private readonly IdPool _ids = new();
    private readonly Column<Row> _rows;
    private readonly PageArena _arena;
    private Column<uint>? _identifiers;

    public PathTable(PageArena arena)
    {
        _arena = arena;
        _rows = new Column<Row>(arena);
        _rows.Grow(0);
    }

    public int Count => _ids.Count;

    /// <summary>Octets held.</summary>
    public long Reserved => _rows.Reserved + (_identifiers?.Reserved ?? 0);

    /// <summary>One above the highest row ever used; freed rows have peer <see cref="PeerId.None"/>.</summary>
    public uint End => _ids.End;

    public PathId Add(PrefixId prefix, PeerId peer, int epoch, PathId next)
    {
        uint row = _ids.Take();
        _rows.Grow(row) = new Row { Prefix = prefix, Next = next, Peer = peer, Marks = (PathMarks)epoch };
        return (PathId)row;
    }

    /// <summary>A path that its peer names by an identifier.</summary>
    public PathId Add(PrefixId prefix, PeerId peer, int epoch, PathId next, uint identifier)
    {
        PathId id = Add(prefix, peer, epoch, next);
        if (identifier != 0)
        {
            _identifiers ??= new Column<uint>(_arena);
            _identifiers.Grow((uint)id) = identifier;
        }

        return id;
    }

    public void Remove(PathId id)
    {
        if (Identifier(id) != 0)
        {
            _identifiers![(uint)id] = 0;
        }

        _rows[(uint)id].Peer = PeerId.None;
        _ids.Return((uint)id);
    }

    /// <summary>Asks for the row of a path.</summary>
    public void Fetch(PathId id) => _rows.Fetch((uint)id);

    public PrefixId Prefix(PathId id) => _rows[(uint)id].Prefix;

    public ref PathId Next(PathId id) => ref _rows[(uint)id].Next;

    /// <summary>After import policy; equal to <see cref="Received"/> where policy changed nothing. Each of the two holds its own reference.</summary>
    public ref AttributeId Attributes(PathId id) => ref _rows[(uint)id].Attributes;

    public ref AttributeId Received(PathId id) => ref _rows[(uint)id].Received;

    public PeerId Peer(PathId id) => _rows[(uint)id].Peer;

    /// <summary>The path of <paramref name="peer"/> on the chain that begins with <paramref name="first"/>, or None.</summary>
    public PathId Find(PathId first, PeerId peer)
    {
        PathId path = first;
        while (path != PathId.None)
        {
            ref Row row = ref _rows[(uint)path];
            if (row.Peer == peer)
            {
                break;
            }

            path = row.Next;
        }

        return path;
    }

    /// <summary>The path of <paramref name="peer"/> with this identifier on the chain that begins with <paramref name="first"/>, or None.</summary>
    public PathId Find(PathId first, PeerId peer, uint identifier)
    {
        PathId path = first;
        while (path != PathId.None && (_rows[(uint)path].Peer != peer || Identifier(path) != identifier))
        {
            path = _rows[(uint)path].Next;
        }

        return path;
    }

    /// <summary>RFC 7911: by which the peer tells its paths of one prefix apart; 0: it has only this one, or says so itself.</summary>
    public uint Identifier(PathId id) => _identifiers is { } column && (uint)id < column.Capacity ? column[(uint)id] : 0;

    public PathStanding Standing(PathId id) => _rows[(uint)id].Standing;

    public void SetStanding(PathId id, PathStanding standing) => _rows[(uint)id].Standing = standing;

    public int Epoch(PathId id) => (int)(_rows[(uint)id].Marks & PathMarks.Epoch);

    public void SetEpoch(PathId id, int epoch)
    {
        ref PathMarks marks = ref _rows[(uint)id].Marks;
        marks = (marks & ~PathMarks.Epoch) | (PathMarks)epoch;
    }

    public PathMarks Marks(PathId id) => _rows[(uint)id].Marks;

    public bool Has(PathId id, PathMarks mark) => (_rows[(uint)id].Marks & mark) != 0;

    /// <summary>True when the mark changed.</summary>
    public bool SetMark(PathId id, PathMarks mark, bool on)
    {
        ref PathMarks marks = ref _rows[(uint)id].Marks;
        PathMarks before = marks;
        marks = on ? marks | mark : marks & ~mark;
        return marks != before;
    }

    private struct Row
    {
        public PrefixId Prefix;
        public PathId Next;
        public AttributeId Attributes;
        public AttributeId Received;
        public PeerId Peer;
        public PathMarks Marks;
        public PathStanding Standing;
    }
}
