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
/// </summary>
internal sealed class PathTable
{
    private readonly IdPool _ids = new();
    private readonly Column<Row> _rows;

    public PathTable(PageArena arena)
    {
        _rows = new Column<Row>(arena);
        _rows.Grow(0);
    }

    public int Count => _ids.Count;

    /// <summary>Octets held.</summary>
    public long Reserved => _rows.Reserved;

    /// <summary>One above the highest row ever used; freed rows have peer <see cref="PeerId.None"/>.</summary>
    public uint End => _ids.End;

    public PathId Add(PrefixId prefix, PeerId peer, int epoch, PathId next)
    {
        uint row = _ids.Take();
        _rows.Grow(row) = new Row { Prefix = prefix, Next = next, Peer = peer, Marks = (PathMarks)epoch };
        return (PathId)row;
    }

    public void Remove(PathId id)
    {
        _rows[(uint)id].Peer = PeerId.None;
        _ids.Return((uint)id);
    }

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
