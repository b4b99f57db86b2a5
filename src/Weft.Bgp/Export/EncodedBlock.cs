using Weft.Bgp.Rib;

namespace Weft.Bgp.Export;

/// <summary>Messages for one audience within a block.</summary>
internal readonly record struct BlockSegment(int Start, int End, Audience Audience)
{
    public bool IsFor(PeerId peer) => Audience.Has(peer);
}

/// <summary>
/// Whole messages, encoded once for all members of an update group. Written by the RIB loop; then shared, read-only, by the members' senders, each of which releases
/// it; the last release returns it to the pool.
/// </summary>
internal sealed class EncodedBlock
{
    /// <summary>Holds sixteen ordinary messages, or one extended one.</summary>
    public const int Size = 65536;

    private readonly EncodedBlockPool _pool;
    private BlockSegment[] _segments = new BlockSegment[16];
    private int _references;

    public EncodedBlock(EncodedBlockPool pool) => _pool = pool;

    /// <summary>Pinned: lives long, and the collector need not copy it.</summary>
    public byte[] Bytes { get; } = GC.AllocateUninitializedArray<byte>(Size, pinned: true);

    public int Length { get; private set; }

    public ReadOnlySpan<BlockSegment> Segments => _segments.AsSpan(0, SegmentCount);

    public int SegmentCount { get; private set; }

    public int Room => Size - Length;

    public void Reset()
    {
        Length = 0;
        SegmentCount = 0;
    }

    /// <summary>Adds a message that stands at <see cref="Length"/> already. Neighbouring messages of one audience become one segment.</summary>
    public void Commit(int length, Audience audience)
    {
        int start = Length;
        Length += length;
        if (SegmentCount != 0)
        {
            ref BlockSegment last = ref _segments[SegmentCount - 1];
            if (last.Audience == audience)
            {
                last = last with { End = Length };
                return;
            }
        }

        if (SegmentCount == _segments.Length)
        {
            Array.Resize(ref _segments, SegmentCount * 2);
        }

        _segments[SegmentCount++] = new BlockSegment(start, Length, audience);
    }

    public bool HasAnythingFor(PeerId peer)
    {
        foreach (ref readonly BlockSegment segment in Segments)
        {
            if (segment.IsFor(peer))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Called once, before the block is handed out.</summary>
    public void Share(int readers) => _references = readers;

    public void Release()
    {
        if (Interlocked.Decrement(ref _references) == 0)
        {
            _pool.Return(this);
        }
    }
}

/// <summary>Blocks for reuse, the last one returned first: it is still in the cache. As many as were ever in flight, which the credits bound.</summary>
internal sealed class EncodedBlockPool
{
    private readonly Lock _gate = new();
    private readonly Stack<EncodedBlock> _free = new();

    public EncodedBlock Rent()
    {
        EncodedBlock? block;
        lock (_gate)
        {
            _free.TryPop(out block);
        }

        block ??= new EncodedBlock(this);
        block.Reset();
        return block;
    }

    public void Return(EncodedBlock block)
    {
        lock (_gate)
        {
            _free.Push(block);
        }
    }
}
