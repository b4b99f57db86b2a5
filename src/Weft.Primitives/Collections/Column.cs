using System.Runtime.CompilerServices;

namespace Weft.Primitives.Collections;

/// <summary>
/// An array of unmanaged values in fixed chunks: growing copies nothing, the collector finds nothing to walk. Rows are addressed by dense ids; the owner keeps
/// count of them. New rows hold zeros. One thread writes; nobody else reads. Its memory is a <see cref="PageArena"/>'s, where the measured reason for pointers stands.
/// </summary>
public sealed unsafe class Column<T>
    where T : unmanaged
{
    private const int ChunkShift = 12;
    private const int ChunkRows = 1 << ChunkShift;
    private const uint ChunkMask = ChunkRows - 1;

    private readonly PageArena _arena;
    private nint[] _chunks = [];
    private int _chunkCount;

    /// <param name="arena">Where the chunks lie; shared by the columns of one table.</param>
    public Column(PageArena arena) => _arena = arena;

    /// <summary>Rows that can be addressed without growing.</summary>
    public uint Capacity => (uint)_chunkCount << ChunkShift;

    /// <summary>Octets held.</summary>
    public long Reserved => (long)Capacity * Unsafe.SizeOf<T>();

    /// <summary>A row below <see cref="Capacity"/>; the chunk's index is checked, the row's within the chunk cannot be wrong.</summary>
    public ref T this[uint row]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref ((T*)_chunks[row >> ChunkShift])[row & ChunkMask];
    }

    /// <summary>Asks for a row below <see cref="Capacity"/>: it will be needed soon.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Fetch(uint row)
    {
        T* at = (T*)_chunks[row >> ChunkShift] + (row & ChunkMask);
        CacheLine.Fetch(at);
        if ((sizeof(T) & (sizeof(T) - 1)) != 0)
        {
            // Rows of such a length may lie across two lines.
            CacheLine.Fetch((byte*)at + sizeof(T) - 1);
        }
    }

    /// <summary>The row, after making room for it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref T Grow(uint row)
    {
        if (row >= Capacity)
        {
            Extend(row);
        }

        return ref this[row];
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Extend(uint row)
    {
        while (row >= Capacity)
        {
            // Exactly as long as there are chunks: a row beyond them is out of range, never a read of nowhere.
            Array.Resize(ref _chunks, _chunkCount + 1);
            _chunks[_chunkCount++] = _arena.Allocate(ChunkRows * sizeof(T));
        }
    }
}
