using System.Text;
using Weft.Primitives.Net;

namespace Weft.Ipam.Blocks;

/// <summary>
/// In which order a node looks at the blocks of a pool: from a start of its own, in sequence, around the end. The start is the same for every request of
/// a node, so that requests at the same time race for one new block instead of claiming several; different nodes start at different places. The order is
/// a hint only, compare-and-swap protects the blocks, so the random numbers of Go that Calico draws here need not be matched.
/// </summary>
internal static class BlockOrder
{
    /// <summary>How many blocks of this size the pool has.</summary>
    public static UInt128 Count(IpPrefix pool, int blockSize) => UInt128.One << (blockSize - pool.Length);

    public static IEnumerable<IpPrefix> From(IpPrefix pool, int blockSize, string node, TimeProvider time)
    {
        UInt128 count = Count(pool, blockSize);
        UInt128 start = Start(pool, blockSize, node, time);
        for (UInt128 i = 0; i < count; i++)
        {
            yield return At(pool, blockSize, (start + i) % count);
        }
    }

    /// <summary>The place of a block in the order: 0 is the first.</summary>
    public static UInt128 Place(IpPrefix pool, int blockSize, IpPrefix block, string node, TimeProvider time)
    {
        UInt128 count = Count(pool, blockSize);
        UInt128 index = (block.Address.Value - pool.Address.Value) >> (pool.Address.BitLength - blockSize);
        return (index + count - Start(pool, blockSize, node, time)) % count;
    }

    private static UInt128 Start(IpPrefix pool, int blockSize, string node, TimeProvider time)
    {
        // Blocks of one address are used up one by one: a fixed start would make every request walk over all before it.
        UInt128 seed = blockSize == pool.Address.BitLength ? (UInt128)(ulong)time.GetUtcNow().Ticks * 0x9E3779B97F4A7C15 : Hash(node);
        return seed % Count(pool, blockSize);
    }

    private static IpPrefix At(IpPrefix pool, int blockSize, UInt128 index) =>
        new(pool.Address.Add(index << (pool.Address.BitLength - blockSize)), blockSize);

    /// <summary>FNV-1a with 64 bits, spread over 128 so that large IPv6 pools are used all over.</summary>
    private static UInt128 Hash(string text)
    {
        ulong hash = 14695981039346656037;
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            hash = (hash ^ b) * 1099511628211;
        }

        ulong mixed = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
        return new UInt128(hash, mixed ^ (mixed >> 33));
    }
}
