using System.Numerics;
using System.Runtime.InteropServices;

namespace Weft.Primitives.Collections;

/// <summary>
/// Byte strings of mixed length in large chunks, addressed by a number. A returned string's room is given to the next one of its size class: 16-byte steps up to
/// 256 bytes, powers of two above. One thread uses it. Its memory is a <see cref="PageArena"/>'s, where the measured reason for pointers stands.
/// </summary>
public sealed unsafe class ByteSlab
{
    private const int UnitShift = 4;
    private const int ChunkShift = 17;
    private const int ChunkBytes = 1 << ChunkShift;
    private const int SmallClasses = 16;

    private readonly uint[] _freeByClass = new uint[SmallClasses + ChunkShift];
    private readonly PageArena _arena;
    private nint[] _chunks = [];
    private int _chunkCount;
    private int _used = ChunkBytes;

    /// <summary>Longest string the slab takes.</summary>
    public const int MaximumLength = ChunkBytes;

    /// <param name="arena">Where the chunks lie.</param>
    public ByteSlab(PageArena arena) => _arena = arena;

    /// <summary>Bytes of all chunks.</summary>
    public long Reserved => (long)_chunkCount << ChunkShift;

    /// <summary>Copies <paramref name="bytes"/> in; the address is never 0.</summary>
    public uint Store(ReadOnlySpan<byte> bytes)
    {
        (int sizeClass, int size) = ClassOf(bytes.Length);
        uint address = _freeByClass[sizeClass];
        if (address != 0)
        {
            _freeByClass[sizeClass] = MemoryMarshal.Read<uint>(Room(address, 4));
        }
        else
        {
            address = Append(size);
        }

        bytes.CopyTo(Room(address, bytes.Length));
        return address;
    }

    public ReadOnlySpan<byte> Get(uint address, int length) => Room(address, length);

    /// <summary>Gives the room of a string of <paramref name="length"/> bytes back.</summary>
    public void Free(uint address, int length)
    {
        (int sizeClass, _) = ClassOf(length);
        MemoryMarshal.Write(Room(address, 4), in _freeByClass[sizeClass]);
        _freeByClass[sizeClass] = address;
    }

    private static (int Class, int Size) ClassOf(int length)
    {
        if (length <= SmallClasses << UnitShift)
        {
            int units = Math.Max(1, (length + 15) >> UnitShift);
            return (units - 1, units << UnitShift);
        }

        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, MaximumLength);
        int log = BitOperations.Log2((uint)length - 1) + 1;
        return (SmallClasses + log - 1, 1 << log);
    }

    private uint Append(int size)
    {
        if (_used + size > ChunkBytes)
        {
            // Exactly as long as there are chunks: the index of an address that was never given is out of range.
            Array.Resize(ref _chunks, _chunkCount + 1);
            _chunks[_chunkCount++] = _arena.Allocate(ChunkBytes);
            _used = 0;
        }

        // In units of 16 bytes, one up so that 0 stays free: 64 GB can be addressed.
        uint address = ((uint)(_chunkCount - 1) << (ChunkShift - UnitShift)) + (uint)(_used >> UnitShift) + 1;
        _used += size;
        return address;
    }

    private Span<byte> Room(uint address, int length)
    {
        uint unit = address - 1;
        int offset = (int)(unit << UnitShift & (ChunkBytes - 1));
        nint chunk = _chunks[unit >> (ChunkShift - UnitShift)];
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)(ChunkBytes - offset), nameof(length));
        return new Span<byte>((byte*)chunk + offset, length);
    }
}
