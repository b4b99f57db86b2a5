using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Weft.Primitives.Collections;

/// <summary>
/// Memory for large tables outside the collector's heap, in huge pages once there is much of it. Pieces are handed out and never taken back one by one: the whole
/// goes when the arena is collected, so whoever holds a piece holds the arena.
/// </summary>
/// <remarks>
/// Why not the collector's heap: a table of a million routes is read at random, and with pages of 4 KB every read also misses the TLB. Measured on
/// a busy machine, huge pages alone showed no gain yet: tests/Weft.Bench/RESULTS.md ("huge pages").
/// The kernel grants huge pages on request (madvise) or by default; where it grants none, this is ordinary memory.
/// </remarks>
public sealed unsafe partial class PageArena
{
    private const nuint HugePage = 2 << 20;
    private const nuint RegionBytes = 32 << 20;

    private const int ProtectReadWrite = 3;
    private const int MapPrivateAnonymousNoReserve = 0x4022;
    private const int AdviseHugePage = 14;

    private readonly List<(nint Start, nuint Length)> _regions = [];
    private nuint _at;
    private nuint _end;

    ~PageArena()
    {
        foreach ((nint start, nuint length) in _regions)
        {
            Unmap(start, length);
        }
    }

    /// <summary>A zeroed piece, aligned to 64 octets, for as long as the arena lives.</summary>
    /// <param name="bytes">At most 16 MB.</param>
    /// <exception cref="OutOfMemoryException">The kernel gives no more.</exception>
    public nint Allocate(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((nuint)bytes, RegionBytes / 2);
        nuint size = ((nuint)bytes + 63) & ~(nuint)63;
        if (_at + size > _end)
        {
            Extend();
        }

        nuint piece = _at;
        _at += size;
        return (nint)piece;
    }

    private void Extend()
    {
        // One huge page more than is used: its start is rounded up to one.
        nuint length = RegionBytes + HugePage;
        nint start = Map(0, length, ProtectReadWrite, MapPrivateAnonymousNoReserve, -1, 0);
        if (start == -1)
        {
            throw new OutOfMemoryException($"mmap of {length} bytes for a table: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
        }

        nuint aligned = ((nuint)start + HugePage - 1) & ~(HugePage - 1);

        // The first megabytes of an arena stay in small pages, of which a small table takes no more than it needs. A refusal leaves small pages everywhere.
        nuint plain = _regions.Count == 0 ? 4 * HugePage : 0;
        Advise((nint)(aligned + plain), RegionBytes - plain, AdviseHugePage);
        _regions.Add((start, length));
        _at = aligned;
        _end = aligned + RegionBytes;
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);
}
