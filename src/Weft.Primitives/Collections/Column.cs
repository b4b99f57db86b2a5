using System.Runtime.CompilerServices;

namespace Weft.Primitives.Collections;

/// <summary>
/// An array of unmanaged values in fixed chunks: growing copies nothing, the collector finds nothing to walk. Rows are addressed by dense ids; the owner keeps
/// count of them. New rows hold zeros. One thread writes; nobody else reads.
/// </summary>
public sealed class Column<T>
    where T : unmanaged
{
    private const int ChunkShift = 12;
    private const int ChunkRows = 1 << ChunkShift;
    private const uint ChunkMask = ChunkRows - 1;

    private T[][] _chunks = [];
    private int _chunkCount;

    /// <summary>Rows that can be addressed without growing.</summary>
    public uint Capacity => (uint)_chunkCount << ChunkShift;

    /// <summary>A row below <see cref="Capacity"/>.</summary>
    public ref T this[uint row]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref _chunks[row >> ChunkShift][row & ChunkMask];
    }

    /// <summary>The row, after making room for it.</summary>
    public ref T Grow(uint row)
    {
        while (row >= Capacity)
        {
            if (_chunkCount == _chunks.Length)
            {
                Array.Resize(ref _chunks, Math.Max(4, _chunks.Length * 2));
            }

            // Pinned: lives on a heap that is never compacted, so a chunk is not copied from generation to generation while the table fills.
            _chunks[_chunkCount++] = GC.AllocateArray<T>(ChunkRows, pinned: true);
        }

        return ref this[row];
    }
}
