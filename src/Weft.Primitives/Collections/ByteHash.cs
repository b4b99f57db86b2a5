using System.Runtime.InteropServices;

namespace Weft.Primitives.Collections;

/// <summary>
/// A fast keyed hash for tables in memory: 16 octets per multiplication, seeded per process so that a peer cannot choose what collides. Not stable between
/// processes and not for cryptography.
/// </summary>
public static class ByteHash
{
    private static readonly ulong Seed = (ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue) | 1;

    public static ulong Compute(ReadOnlySpan<byte> bytes)
    {
        ulong hash = Seed ^ (ulong)bytes.Length;
        while (bytes.Length > 16)
        {
            hash = Mix(MemoryMarshal.Read<ulong>(bytes) ^ hash, MemoryMarshal.Read<ulong>(bytes[8..]) ^ 0x8BB84B93962EACC9UL);
            bytes = bytes[16..];
        }

        ulong first = 0;
        ulong second = 0;
        if (bytes.Length >= 8)
        {
            // The two reads overlap below 16 octets; the length in the seed keeps that unambiguous.
            first = MemoryMarshal.Read<ulong>(bytes);
            second = MemoryMarshal.Read<ulong>(bytes[^8..]);
        }
        else
        {
            for (int i = 0; i < bytes.Length; i++)
            {
                first = first << 8 | bytes[i];
            }
        }

        return Mix(first ^ hash, second ^ 0x2D358DCCAA6C78A5UL);
    }

    public static ulong Compute(ulong first, ulong second) => Mix(first ^ Seed, second ^ 0x9E3779B97F4A7C15UL);

    private static ulong Mix(ulong a, ulong b)
    {
        ulong high = Math.BigMul(a, b, out ulong low);
        return high ^ low;
    }
}
