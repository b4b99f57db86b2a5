using Weft.Primitives.Net;

namespace Weft.Bgp.Rib;

internal enum BatchRecordKind : byte
{
    Announce,
    Withdraw,
    EndOfRib,

    /// <summary>RFC 7313: all routes follow.</summary>
    BeginRefresh,

    /// <summary>RFC 7313: all routes have been told.</summary>
    EndRefresh,
}

/// <summary>A run of prefixes in <see cref="UpdateBatch.Bytes"/> that share one attribute block.</summary>
/// <param name="Hash">Of the attribute block, by <see cref="AttributeTable.HashOf"/>: computed where it is written, by the receiver, which has a thread of its own.</param>
internal readonly record struct BatchRecord(BatchRecordKind Kind, int AttributesAt, int AttributesLength, int NlriAt, int NlriLength, uint Hash = 0);

/// <summary>
/// What several UPDATEs of one peer said of one family: canonical attribute blocks and NLRI octets, checked, side by side in one buffer. Pooled. Written by the
/// session's receiver, then taken by the RIB loop, which returns it.
/// </summary>
internal sealed class UpdateBatch
{
    /// <summary>A batch is posted when it holds this much; one UPDATE more always fits behind it.</summary>
    public const int FullBytes = 16 * 1024;

    /// <summary>Room for a full batch and one more UPDATE of ordinary length.</summary>
    private const int GrownBytes = FullBytes + 8 * 1024;

    private BatchRecord[] _records = new BatchRecord[64];

    // Small, for hundreds of sessions with few routes each have one under way; grown in one step, for doubling would leave as much behind again.
    private byte[] _bytes = new byte[4096];

    public PeerId Peer { get; set; }

    public IpFamily Family { get; set; }

    /// <summary>RFC 7911: a path identifier stands before each prefix.</summary>
    public bool HasPathIds { get; private set; }

    public int Length { get; private set; }

    public int Count { get; private set; }

    public bool IsEmpty => Count == 0;

    public bool IsFull => Length >= FullBytes || Count >= 4096;

    public ReadOnlySpan<BatchRecord> Records => _records.AsSpan(0, Count);

    public ReadOnlySpan<byte> Bytes => _bytes;

    public void Reset(PeerId peer, IpFamily family, bool hasPathIds)
    {
        HasPathIds = hasPathIds;
        Peer = peer;
        Family = family;
        Length = 0;
        Count = 0;
    }

    /// <summary>Room for an attribute block of at most <paramref name="atMost"/> octets; what is used is given to <see cref="AddAnnounce"/>.</summary>
    public Span<byte> Room(int atMost)
    {
        if (_bytes.Length - Length < atMost)
        {
            int needed = Length + atMost;
            Array.Resize(ref _bytes, needed <= GrownBytes ? GrownBytes : Math.Max(_bytes.Length * 2, needed));
        }

        return _bytes.AsSpan(Length);
    }

    /// <param name="attributesLength">Octets of the block just written into <see cref="Room"/>.</param>
    public void AddAnnounce(int attributesLength, ReadOnlySpan<byte> nlri)
    {
        int at = Length;
        uint hash;

        // A feed repeats attributes from one UPDATE to the next: such a record points at the block of the one before, and the RIB interns once.
        if (Count != 0 && _records[Count - 1] is { Kind: BatchRecordKind.Announce } last
            && _bytes.AsSpan(last.AttributesAt, last.AttributesLength).SequenceEqual(_bytes.AsSpan(at, attributesLength)))
        {
            at = last.AttributesAt;
            hash = last.Hash;
        }
        else
        {
            hash = AttributeTable.HashOf(_bytes.AsSpan(at, attributesLength));
            Length += attributesLength;
        }

        int nlriAt = Append(nlri);
        Add(new BatchRecord(BatchRecordKind.Announce, at, attributesLength, nlriAt, nlri.Length, hash));
    }

    public void AddWithdraw(ReadOnlySpan<byte> nlri)
    {
        int at = Append(nlri);
        Add(new BatchRecord(BatchRecordKind.Withdraw, 0, 0, at, nlri.Length));
    }

    /// <summary>Something that stands between routes.</summary>
    public void AddMark(BatchRecordKind kind) => Add(new BatchRecord(kind, 0, 0, 0, 0));

    public void AddEndOfRib() => Add(new BatchRecord(BatchRecordKind.EndOfRib, 0, 0, 0, 0));

    private int Append(ReadOnlySpan<byte> nlri)
    {
        nlri.CopyTo(Room(nlri.Length));
        int at = Length;
        Length += nlri.Length;
        return at;
    }

    private void Add(BatchRecord record)
    {
        if (Count == _records.Length)
        {
            Array.Resize(ref _records, _records.Length * 2);
        }

        _records[Count++] = record;
    }
}

/// <summary>
/// Keeps batches for reuse, the last one returned first: it is still in the cache. Shared by all receivers and RIB loops of a speaker; holds no more than were ever
/// in flight, which the channels bound.
/// </summary>
internal sealed class UpdateBatchPool
{
    private readonly Lock _gate = new();
    private readonly Stack<UpdateBatch> _free = new();

    public UpdateBatch Rent(PeerId peer, IpFamily family, bool hasPathIds = false)
    {
        UpdateBatch? batch;
        lock (_gate)
        {
            _free.TryPop(out batch);
        }

        batch ??= new UpdateBatch();
        batch.Reset(peer, family, hasPathIds);
        return batch;
    }

    public void Return(UpdateBatch batch)
    {
        lock (_gate)
        {
            _free.Push(batch);
        }
    }
}
