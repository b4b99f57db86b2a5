using Weft.Primitives.Collections;

namespace Weft.Bgp.Rib;

/// <summary>The upper half of a path's flag octet; the lower half is its <see cref="PathStanding"/>.</summary>
[Flags]
internal enum PathMarks : byte
{
    None = 0,

    /// <summary>In the multipath set (the best path always is).</summary>
    Multipath = 0x10,

    /// <summary>Its peer restarts (RFC 4724).</summary>
    Stale = 0x20,

    /// <summary>Refused by import policy: kept in the Adj-RIB-In, not in the decision.</summary>
    Rejected = 0x40,

    /// <summary>Looped: kept to be shown, not in the decision.</summary>
    Looped = 0x80,
}

/// <summary>
/// The Adj-RIBs-In of one family, one row per prefix and peer: prefix 4, next 4, attributes 4, received attributes 4, peer 2, flags 1 = 19 octets. Paths of a prefix
/// hang on one chain. Owned by one RIB loop.
/// </summary>
internal sealed class PathTable
{
    private const byte StandingMask = 0x0F;

    private readonly IdPool _ids = new();
    private readonly Column<PrefixId> _prefixes = new();
    private readonly Column<PathId> _next = new();
    private readonly Column<AttributeId> _attributes = new();
    private readonly Column<AttributeId> _received = new();
    private readonly Column<PeerId> _peers = new();
    private readonly Column<byte> _flags = new();

    public int Count => _ids.Count;

    /// <summary>One above the highest row ever used; freed rows have peer <see cref="PeerId.None"/>.</summary>
    public uint End => _ids.End;

    public PathId Add(PrefixId prefix, PeerId peer, PathId next)
    {
        uint row = _ids.Take();
        _prefixes.Grow(row) = prefix;
        _next.Grow(row) = next;
        _attributes.Grow(row) = AttributeId.None;
        _received.Grow(row) = AttributeId.None;
        _peers.Grow(row) = peer;
        _flags.Grow(row) = 0;
        return (PathId)row;
    }

    public void Remove(PathId id)
    {
        _peers[(uint)id] = PeerId.None;
        _ids.Return((uint)id);
    }

    public PrefixId Prefix(PathId id) => _prefixes[(uint)id];

    public ref PathId Next(PathId id) => ref _next[(uint)id];

    /// <summary>After import policy; equal to <see cref="Received"/> where policy changed nothing. Each column holds its own reference.</summary>
    public ref AttributeId Attributes(PathId id) => ref _attributes[(uint)id];

    public ref AttributeId Received(PathId id) => ref _received[(uint)id];

    public PeerId Peer(PathId id) => _peers[(uint)id];

    public PathStanding Standing(PathId id) => (PathStanding)(_flags[(uint)id] & StandingMask);

    public void SetStanding(PathId id, PathStanding standing)
    {
        ref byte flags = ref _flags[(uint)id];
        flags = (byte)(flags & ~StandingMask | (byte)standing);
    }

    public PathMarks Marks(PathId id) => (PathMarks)(_flags[(uint)id] & ~StandingMask);

    public bool Has(PathId id, PathMarks mark) => (_flags[(uint)id] & (byte)mark) != 0;

    /// <summary>True when the mark changed.</summary>
    public bool SetMark(PathId id, PathMarks mark, bool on)
    {
        ref byte flags = ref _flags[(uint)id];
        byte before = flags;
        flags = on ? (byte)(flags | (byte)mark) : (byte)(flags & ~(byte)mark);
        return flags != before;
    }
}
