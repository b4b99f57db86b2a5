using Weft.Bgp.Wire;
using Weft.Primitives.Collections;
using Weft.Primitives.Net;

namespace Weft.Bgp.Rib;

[Flags]
internal enum PrefixMarks : byte
{
    None = 0,

    /// <summary>The best path's attributes changed, or it went away, since the last decision.</summary>
    BestTouched = 1,

    /// <summary>A path of the forwarding set changed its next hop or went away since the last decision.</summary>
    ForwardingTouched = 2,

    /// <summary>Listeners were told of a route.</summary>
    InForwarding = 4,

    /// <summary>All that happened since the last decision is that the first path of the chain was added.</summary>
    OneAdded = 8,

    /// <summary>More than one path is in the multipath set.</summary>
    HasMultipath = 16,
}

/// <summary>
/// The prefixes of one family, a row of 20 octets each, with 16 more of address for IPv6; 4 of bucket. Found by linear hashing on address and length. Everything a
/// prefix is asked for lies in its row: a table of a million is out of the cache, and a lookup should miss it twice (bucket, row), not once per column.
/// Ids are dense; owned by one RIB loop.
/// </summary>
internal sealed class PrefixTable
{
    /// <summary>Stands as the length of a row not in use.</summary>
    private const byte Free = 255;

    private readonly IdPool _ids = new();
    private readonly Column<Row> _rows;
    private readonly Column<UInt128>? _ipv6;
    private readonly LinearBuckets _buckets;

    public PrefixTable(IpFamily family, PageArena arena)
    {
        Family = family;
        _rows = new Column<Row>(arena);
        _rows.Grow(0);
        _buckets = new LinearBuckets(arena);
        _ipv6 = family == IpFamily.IPv6 ? new Column<UInt128>(arena) : null;
        _ipv6?.Grow(0);
    }

    public IpFamily Family { get; }

    public int Count => _ids.Count;

    /// <summary>Octets held.</summary>
    public long Reserved => _rows.Reserved + (_ipv6?.Reserved ?? 0) + _buckets.Reserved;

    /// <summary>One above the highest id in use at any time; rows of freed ids have no paths.</summary>
    public uint End => _ids.End;

    public ref PathId FirstPath(PrefixId id) => ref _rows[(uint)id].FirstPath;

    public ref PathId BestPath(PrefixId id) => ref _rows[(uint)id].BestPath;

    /// <summary>The peer of the last best path there was; update groups exclude it from what they say of the prefix.</summary>
    public ref PeerId LastSource(PrefixId id) => ref _rows[(uint)id].LastSource;

    public ref PrefixMarks Marks(PrefixId id) => ref _rows[(uint)id].Marks;

    public bool IsInUse(PrefixId id) => _rows[(uint)id].Length != Free;

    public PrefixKey Key(PrefixId id)
    {
        ref Row row = ref _rows[(uint)id];
        if (_ipv6 is null)
        {
            return new PrefixKey(0, row.Tag, row.Length);
        }

        UInt128 address = _ipv6[(uint)id];
        return new PrefixKey((ulong)(address >> 64), (ulong)address, row.Length);
    }

    public PrefixId Find(in PrefixKey key) => Find(in key, Hash(in key));

    public PrefixId FindOrAdd(in PrefixKey key, uint hash)
    {
        PrefixId found = Find(in key, hash);
        return found != PrefixId.None ? found : Add(in key, hash);
    }

    /// <summary>Asks for the row of a prefix.</summary>
    public void Fetch(PrefixId id) => _rows.Fetch((uint)id);

    /// <summary>Asks for what <see cref="Find(in PrefixKey, uint)"/> will read first.</summary>
    public void FetchBucket(uint hash) => _buckets.Fetch(hash);

    /// <summary>Asks for what <see cref="Find(in PrefixKey, uint)"/> will read next; None: nothing.</summary>
    public PrefixId FetchFirst(uint hash)
    {
        uint id = _buckets.First(hash);
        _rows.Fetch(id);
        _ipv6?.Fetch(id);
        return (PrefixId)id;
    }

    /// <summary>Asks for what <see cref="Remove"/> of each will read.</summary>
    public void FetchForRemoval(ReadOnlySpan<PrefixId> prefixes)
    {
        foreach (PrefixId id in prefixes)
        {
            PrefixKey key = Key(id);
            _buckets.Fetch(Hash(in key));
        }
    }

    /// <summary>Forgets a prefix without paths.</summary>
    public void Remove(PrefixId id)
    {
        uint row = (uint)id;
        PrefixKey key = Key(id);
        ref uint link = ref _buckets.Head(Hash(in key));
        while (link != row)
        {
            link = ref _rows[link].Next;
        }

        link = _rows[row].Next;
        _rows[row].Length = Free;
        _ids.Return(row);
    }

    public PrefixId Find(in PrefixKey key, uint hash)
    {
        uint tag = Tag(in key, hash);
        uint id = _buckets.First(hash);
        while (id != 0)
        {
            ref Row row = ref _rows[id];
            if (row.Tag == tag && row.Length == key.Length && (_ipv6 is null || _ipv6[id] == new UInt128(key.High, key.Low)))
            {
                break;
            }

            id = row.Next;
        }

        return (PrefixId)id;
    }

    private PrefixId Add(in PrefixKey key, uint hash)
    {
        uint id = _ids.Take();
        if (_ipv6 is not null)
        {
            _ipv6.Grow(id) = new UInt128(key.High, key.Low);
        }

        ref uint head = ref _buckets.Head(hash);
        _rows.Grow(id) = new Row { Tag = Tag(in key, hash), Length = key.Length, Next = head, LastSource = PeerId.None };
        head = id;
        while (_buckets.BeginSplit((uint)_ids.Count, out uint chain))
        {
            _rows.Fetch(_buckets.NextToSplit);
            while (chain != 0)
            {
                ref Row row = ref _rows[chain];
                uint next = row.Next;
                uint moved = _ipv6 is null ? Hash(new PrefixKey(0, row.Tag, row.Length)) : row.Tag;
                ref uint target = ref _buckets.Head(moved);
                row.Next = target;
                target = chain;
                chain = next;
            }
        }

        return (PrefixId)id;
    }

    /// <summary>What tells rows of one bucket apart without leaving the row: the whole IPv4 address, or the hash of an IPv6 prefix.</summary>
    private uint Tag(in PrefixKey key, uint hash) => _ipv6 is null ? (uint)key.Low : hash;

    public static uint Hash(in PrefixKey key) => (uint)ByteHash.Compute(key.High ^ (ulong)key.Length << 56, key.Low);

    private struct Row
    {
        public uint Tag;
        public uint Next;
        public PathId FirstPath;
        public PathId BestPath;
        public PeerId LastSource;
        public byte Length;
        public PrefixMarks Marks;
    }
}
