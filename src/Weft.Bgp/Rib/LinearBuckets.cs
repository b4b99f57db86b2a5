using Weft.Primitives.Collections;

namespace Weft.Bgp.Rib;

/// <summary>
/// The bucket heads of a linear hash table (Litwin): grows by two buckets per insertion, so no insertion is ever slow and nothing is copied. Twice as many buckets as
/// rows: a second row in a bucket costs a miss of the cache, a bucket 4 octets. Rows and the links between them belong to the table that uses it. Does not shrink.
/// </summary>
internal sealed class LinearBuckets
{
    private const uint Initial = 64;

    /// <summary>An insertion takes longer than a read of memory, so it need not be far; two buckets are split by each.</summary>
    private const uint SplitsAhead = 8;

    private readonly Column<uint> _heads;
    private uint _low = Initial;
    private uint _split;

    public LinearBuckets(PageArena arena)
    {
        _heads = new Column<uint>(arena);
        _heads.Grow(2 * Initial);
    }

    /// <summary>Octets held.</summary>
    public long Reserved => _heads.Reserved;

    public uint First(uint hash) => _heads[Index(hash)];

    /// <summary>Asks for the head that <see cref="First"/> will read.</summary>
    public void Fetch(uint hash) => _heads.Fetch(Index(hash));

    /// <summary>The first row of a bucket that will be split some insertions from now, or 0: whoever splits it then has asked for the row in time.</summary>
    public uint NextToSplit => _split + SplitsAhead < _low ? _heads[_split + SplitsAhead] : 0;

    public ref uint Head(uint hash) => ref _heads[Index(hash)];

    /// <summary>
    /// With too few buckets for the rows, adds one and takes the chain that shares with it; the caller puts each row of the chain under <see cref="Head"/> of its
    /// hash and asks again.
    /// </summary>
    public bool BeginSplit(uint rows, out uint chain)
    {
        chain = 0;
        if (2 * rows <= _low + _split)
        {
            return false;
        }

        ref uint old = ref _heads[_split];
        chain = old;
        old = 0;
        _heads.Grow(_low + _split) = 0;
        if (++_split == _low)
        {
            _low *= 2;
            _split = 0;
        }

        return true;
    }

    private uint Index(uint hash)
    {
        uint index = hash & (_low - 1);
        return index < _split ? hash & (2 * _low - 1) : index;
    }
}
