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
}

/// <summary>
/// The prefixes of one family: 4 (IPv4) or 16 octets of address, 1 of length, 4 hash link, 4 bucket, 4 first path, 4 best path, 2 last source, 1 marks =
/// 24 or 36 octets.
/// Found by linear hashing on address and length. Ids are dense; owned by one RIB loop.
/// </summary>
internal sealed class PrefixTable
{
    /// <summary>Stands in the length column of a row not in use.</summary>
    private const byte Free = 255;

    private readonly IdPool _ids = new();
    private readonly Column<uint>? _ipv4;
    private readonly Column<UInt128>? _ipv6;
    private readonly Column<byte> _lengths = new();
    private readonly Column<uint> _next = new();
    private readonly Column<PathId> _firstPath = new();
    private readonly Column<PathId> _bestPath = new();
    private readonly Column<PeerId> _lastSource = new();
    private readonly Column<PrefixMarks> _marks = new();
    private readonly LinearBuckets _buckets = new();

    public PrefixTable(IpFamily family)
    {
        Family = family;
        _ipv4 = family == IpFamily.IPv4 ? new Column<uint>() : null;
        _ipv6 = family == IpFamily.IPv6 ? new Column<UInt128>() : null;
    }

    public IpFamily Family { get; }

    public int Count => _ids.Count;

    /// <summary>One above the highest id in use at any time; rows of freed ids have no paths.</summary>
    public uint End => _ids.End;

    public ref PathId FirstPath(PrefixId id) => ref _firstPath[(uint)id];

    public ref PathId BestPath(PrefixId id) => ref _bestPath[(uint)id];

    /// <summary>The peer of the last best path there was; update groups exclude it from what they say of the prefix.</summary>
    public ref PeerId LastSource(PrefixId id) => ref _lastSource[(uint)id];

    public ref PrefixMarks Marks(PrefixId id) => ref _marks[(uint)id];

    public bool IsInUse(PrefixId id) => _lengths[(uint)id] != Free;

    public PrefixKey Key(PrefixId id)
    {
        uint row = (uint)id;
        if (_ipv4 is not null)
        {
            return new PrefixKey(0, _ipv4[row], _lengths[row]);
        }

        UInt128 address = _ipv6![row];
        return new PrefixKey((ulong)(address >> 64), (ulong)address, _lengths[row]);
    }

    public PrefixId Find(in PrefixKey key)
    {
        uint row = _buckets.First(Hash(in key));
        while (row != 0 && !IsAt(row, in key))
        {
            row = _next[row];
        }

        return (PrefixId)row;
    }

    public PrefixId FindOrAdd(in PrefixKey key)
    {
        PrefixId found = Find(in key);
        return found != PrefixId.None ? found : Add(in key);
    }

    /// <summary>Forgets a prefix without paths.</summary>
    public void Remove(PrefixId id)
    {
        uint row = (uint)id;
        PrefixKey key = Key(id);
        ref uint link = ref _buckets.Head(Hash(in key));
        while (link != row)
        {
            link = ref _next[link];
        }

        link = _next[row];
        _lengths[row] = Free;
        _ids.Return(row);
    }

    private PrefixId Add(in PrefixKey key)
    {
        uint row = _ids.Take();
        if (_ipv4 is not null)
        {
            _ipv4.Grow(row) = (uint)key.Low;
        }
        else
        {
            _ipv6!.Grow(row) = new UInt128(key.High, key.Low);
        }

        _lengths.Grow(row) = key.Length;
        _firstPath.Grow(row) = PathId.None;
        _bestPath.Grow(row) = PathId.None;
        _lastSource.Grow(row) = PeerId.None;
        _marks.Grow(row) = PrefixMarks.None;
        ref uint head = ref _buckets.Head(Hash(in key));
        _next.Grow(row) = head;
        head = row;
        if (_buckets.BeginSplit((uint)_ids.Count, out uint chain))
        {
            while (chain != 0)
            {
                uint next = _next[chain];
                PrefixKey moved = Key((PrefixId)chain);
                ref uint target = ref _buckets.Head(Hash(in moved));
                _next[chain] = target;
                target = chain;
                chain = next;
            }
        }

        return (PrefixId)row;
    }

    private bool IsAt(uint row, in PrefixKey key) =>
        _lengths[row] == key.Length && (_ipv4 is not null ? _ipv4[row] == (uint)key.Low : _ipv6![row] == new UInt128(key.High, key.Low));

    private static uint Hash(in PrefixKey key) => (uint)ByteHash.Compute(key.High ^ (ulong)key.Length << 56, key.Low);
}
