using System.Buffers.Binary;
using Weft.Bgp.Wire;
using Weft.Primitives.Collections;

namespace Weft.Bgp.Rib;

[Flags]
internal enum AttributeMarks : byte
{
    None = 0,
    HasMed = 1,

    /// <summary>RFC 1997 NO_EXPORT or NO_EXPORT_SUBCONFED: not out of the AS or confederation.</summary>
    NoExport = 2,

    /// <summary>RFC 1997 NO_ADVERTISE: to nobody.</summary>
    NoAdvertise = 4,

    /// <summary>RFC 8326 GRACEFUL_SHUTDOWN.</summary>
    GracefulShutdown = 8,

    /// <summary>RFC 9494 LLGR_STALE: least preferred of all.</summary>
    LongLivedStale = 16,

    /// <summary>RFC 9494 NO_LLGR: not to be kept beyond the restart time.</summary>
    NoLongLived = 32,

    /// <summary>RFC 9234: only to customers.</summary>
    OnlyToCustomer = 64,

    /// <summary>RFC 1997 NO_EXPORT_SUBCONFED: not out of the member AS.</summary>
    NoExportSubconfed = 128,
}

/// <summary>What decision and export need of an attribute set, 32 octets in one place: one cache line answers every step.</summary>
internal struct AttributeFacts
{
    public uint LocalPreference;

    /// <summary>Given by import policy; compared before <see cref="LocalPreference"/>.</summary>
    public uint Weight;

    /// <summary>0 when absent (RFC 4271 9.1.2.2 c: lowest possible).</summary>
    public uint Med;

    public uint NeighborAs;

    /// <summary>0: no ORIGINATOR_ID.</summary>
    public uint OriginatorId;
    public NextHopId NextHop;
    public ushort PathLength;
    public ushort ClusterLength;
    public RouteOrigin Origin;
    public AttributeMarks Marks;

    /// <summary>As <see cref="MultipathShares.BandwidthOf"/> has it; 0: none.</summary>
    public ushort LinkBandwidth;
}

/// <summary>
/// Attribute sets, each once: canonical bytes in a slab, found by hash and compare, counted by use. Owned by one RIB loop. Hashing is linear (one bucket splits per
/// insertion), so growing never stops the loop.
/// </summary>
internal sealed class AttributeTable
{
    private readonly NextHopTable _nextHops;
    private readonly uint _defaultLocalPreference;
    private readonly ByteSlab _slab;
    private readonly IdPool _ids = new();
    private readonly Column<Row> _rows;
    private readonly LinearBuckets _buckets;

    public AttributeTable(NextHopTable nextHops, uint defaultLocalPreference, PageArena arena)
    {
        _slab = new ByteSlab(arena);
        _rows = new Column<Row>(arena);
        _buckets = new LinearBuckets(arena);
        _nextHops = nextHops;
        _defaultLocalPreference = defaultLocalPreference;
        _rows.Grow(0);
    }

    public int Count => _ids.Count;

    /// <summary>Sets with LLGR_STALE: while there is none, nobody need ask for it.</summary>
    public int LongLivedStale { get; private set; }

    /// <summary>Octets held by the slab.</summary>
    public long SlabBytes => _slab.Reserved;

    /// <summary>Octets held, the slab among them.</summary>
    public long Reserved => _slab.Reserved + _rows.Reserved + _buckets.Reserved;

    /// <summary>Equal blocks give equal ids. The caller owns one reference.</summary>
    public AttributeId Intern(ReadOnlySpan<byte> block) => Intern(block, HashOf(block));

    /// <summary>For those who have the hash already.</summary>
    public AttributeId Intern(ReadOnlySpan<byte> block, uint hash)
    {
        for (uint id = _buckets.First(hash); id != 0; id = _rows[id].Next)
        {
            ref Row row = ref _rows[id];
            if (row.Hash == hash && row.Length == block.Length && _slab.Get(row.Address, row.Length).SequenceEqual(block))
            {
                row.References++;
                return (AttributeId)id;
            }
        }

        return Insert(block, hash);
    }

    public static uint HashOf(ReadOnlySpan<byte> block) => (uint)ByteHash.Compute(block);

    /// <summary>Asks for what <see cref="Intern(ReadOnlySpan{byte}, uint)"/> will read first.</summary>
    public void FetchBucket(uint hash) => _buckets.Fetch(hash);

    /// <summary>Asks for what <see cref="Intern(ReadOnlySpan{byte}, uint)"/> will read next.</summary>
    public void FetchFirst(uint hash) => _rows.Fetch(_buckets.First(hash));

    /// <summary>Asks for the row of a set.</summary>
    public void Fetch(AttributeId id) => _rows.Fetch((uint)id);

    public void Acquire(AttributeId id) => _rows[(uint)id].References++;

    public void Release(AttributeId id)
    {
        if (id != AttributeId.None && --_rows[(uint)id].References == 0)
        {
            Remove((uint)id);
        }
    }

    public ref readonly AttributeFacts Facts(AttributeId id) => ref _rows[(uint)id].Facts;

    /// <summary>The canonical block; good until the id is released.</summary>
    public ReadOnlySpan<byte> Block(AttributeId id)
    {
        ref Row row = ref _rows[(uint)id];
        return _slab.Get(row.Address, row.Length);
    }

    private AttributeId Insert(ReadOnlySpan<byte> block, uint hash)
    {
        uint id = _ids.Take();
        ref Row added = ref _rows.Grow(id);
        ref uint head = ref _buckets.Head(hash);
        added = new Row { Hash = hash, Next = head, Address = _slab.Store(block), Length = block.Length, References = 1 };
        Describe(block, ref added.Facts);
        LongLivedStale += (added.Facts.Marks & AttributeMarks.LongLivedStale) != 0 ? 1 : 0;
        head = id;
        while (_buckets.BeginSplit((uint)_ids.Count, out uint chain))
        {
            _rows.Fetch(_buckets.NextToSplit);
            while (chain != 0)
            {
                ref Row row = ref _rows[chain];
                uint next = row.Next;
                ref uint target = ref _buckets.Head(row.Hash);
                row.Next = target;
                target = chain;
                chain = next;
            }
        }

        return (AttributeId)id;
    }

    private void Remove(uint id)
    {
        ref Row row = ref _rows[id];
        ref uint link = ref _buckets.Head(row.Hash);
        while (link != id)
        {
            link = ref _rows[link].Next;
        }

        link = row.Next;
        _nextHops.Release(row.Facts.NextHop);
        LongLivedStale -= (row.Facts.Marks & AttributeMarks.LongLivedStale) != 0 ? 1 : 0;
        _slab.Free(row.Address, row.Length);
        _ids.Return(id);
    }

    private void Describe(ReadOnlySpan<byte> block, ref AttributeFacts facts)
    {
        var attributes = new CanonicalAttributes(block);
        facts = new AttributeFacts { LocalPreference = _defaultLocalPreference, NextHop = _nextHops.Acquire(attributes.NextHop) };
        while (attributes.MoveNext())
        {
            ReadOnlySpan<byte> value = attributes.Value;
            switch ((AttributeType)attributes.Type)
            {
                case AttributeType.Private when PrivateAttribute.Is(attributes.Type, attributes.Flags):
                    facts.Weight = PrivateAttribute.Weight(value);
                    break;
                case AttributeType.Origin:
                    facts.Origin = (RouteOrigin)value[0];
                    break;
                case AttributeType.AsPath:
                    facts.PathLength = (ushort)AsPath.Length(value);
                    facts.NeighborAs = AsPath.First(value);
                    break;
                case AttributeType.Med:
                    facts.Med = BinaryPrimitives.ReadUInt32BigEndian(value);
                    facts.Marks |= AttributeMarks.HasMed;
                    break;
                case AttributeType.LocalPreference:
                    facts.LocalPreference = BinaryPrimitives.ReadUInt32BigEndian(value);
                    break;
                case AttributeType.Communities:
                    facts.Marks |= MarksOf(value);
                    break;
                case AttributeType.ExtendedCommunities:
                    facts.LinkBandwidth = MultipathShares.BandwidthOf(value);
                    break;
                case AttributeType.OriginatorId:
                    facts.OriginatorId = BinaryPrimitives.ReadUInt32BigEndian(value);
                    break;
                case AttributeType.ClusterList:
                    facts.ClusterLength = (ushort)(value.Length / 4);
                    break;
                case AttributeType.OnlyToCustomer:
                    facts.Marks |= AttributeMarks.OnlyToCustomer;
                    break;
                default:
                    break;
            }
        }
    }

    private static AttributeMarks MarksOf(ReadOnlySpan<byte> communities)
    {
        AttributeMarks marks = AttributeMarks.None;
        for (int at = 0; at < communities.Length; at += 4)
        {
            marks |= BinaryPrimitives.ReadUInt32BigEndian(communities[at..]) switch
            {
                WellKnownCommunities.NoExport => AttributeMarks.NoExport,
                WellKnownCommunities.NoExportSubconfed => AttributeMarks.NoExport | AttributeMarks.NoExportSubconfed,
                WellKnownCommunities.NoAdvertise => AttributeMarks.NoAdvertise,
                WellKnownCommunities.GracefulShutdown => AttributeMarks.GracefulShutdown,
                WellKnownCommunities.LongLivedStale => AttributeMarks.LongLivedStale,
                WellKnownCommunities.NoLongLived => AttributeMarks.NoLongLived,
                _ => AttributeMarks.None,
            };
        }

        return marks;
    }

    private struct Row
    {
        public uint Hash;
        public uint Next;
        public uint Address;
        public int Length;
        public int References;
        public AttributeFacts Facts;
    }
}
