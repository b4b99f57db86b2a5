using System.Runtime.InteropServices;

namespace Weft.Primitives.Collections;

/// <summary>
/// A fast keyed hash for tables in memory: two lanes of 8 octets, one multiplication each, by odd numbers drawn per process so that a peer cannot choose what
/// collides. Not stable between processes and not for cryptography. (A product of 128 bits would mix more per step, but takes the framework five multiplications
/// where it may not count on BMI2, and the executable runs on every x86-64.)
/// </summary>
public static class ByteHash
{
    private static readonly ulong Seed = Draw();
    private static readonly ulong First = Draw() | 1;
    private static readonly ulong Second = Draw() | 1;

    public static ulong Compute(ReadOnlySpan<byte> bytes)
    {
        ulong a = Seed ^ (ulong)bytes.Length;
        ulong b = Seed;
        while (bytes.Length > 16)
        {
            a = Mix(a ^ MemoryMarshal.Read<ulong>(bytes), First);
            b = Mix(b ^ MemoryMarshal.Read<ulong>(bytes[8..]), Second);
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

        return Mix(Mix(a ^ first, First) ^ b ^ second, Second);
    }

    public static ulong Compute(ulong first, ulong second) => Mix(Mix(first ^ Seed, First) ^ second, Second);

    /// <summary>The upper half of a product depends on all octets of the factor; the lower half, which picks the bucket, gets it too.</summary>
    private static ulong Mix(ulong value, ulong factor)
    {
        ulong product = value * factor;
        return product ^ product >> 32;
    }

    private static ulong Draw() => (ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue);
}
