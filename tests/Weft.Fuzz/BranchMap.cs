using System.Runtime.InteropServices;
using SharpFuzz.Common;

namespace Weft.Fuzz;

/// <summary>
/// Which branches an input takes. "build.sh fuzz" lets SharpFuzz write a counter behind every branch of weft's assemblies; they count into one page that this class
/// hands them, and an input that counts where none before it did is kept. Within "build.sh test" nothing is instrumented, and the page stays empty.
/// Unsafe because SharpFuzz knows the page as a pointer; clearing and reading it costs 3 µs an input, where a decoder takes 5 to 500.
/// </summary>
internal sealed unsafe class BranchMap
{
    private const int Size = 1 << 16;

    private static readonly byte* s_page = (byte*)NativeMemory.AllocZeroed(Size);

    /// <summary>Bits of the magnitudes seen, by counter.</summary>
    private readonly byte[] _seen = new byte[Size];

    /// <summary>Counters that any input has reached.</summary>
    public int Branches { get; private set; }

    /// <summary>Before the first instrumented method runs: it would count at address zero.</summary>
    public static void Attach() => Trace.SharedMem = s_page;

    public static void Begin()
    {
        new Span<byte>(s_page, Size).Clear();
        Trace.PrevLocation = 0;
    }

    /// <summary>Ends what <see cref="Begin"/> began. True: a branch nobody took before, or one taken more often by a magnitude.</summary>
    public bool End()
    {
        bool isNew = false;
        ReadOnlySpan<byte> page = new(s_page, Size);
        for (int at = page.IndexOfAnyExcept((byte)0); at >= 0;)
        {
            // 1, 2, 3, 4-7, 8-15, 16-31, 32-127, 128-255: how often a loop turns matters, each single turn does not.
            byte count = page[at] switch { 1 => 1, 2 => 2, 3 => 4, < 8 => 8, < 16 => 16, < 32 => 32, < 128 => 64, _ => 128 };
            if ((count & ~_seen[at]) != 0)
            {
                isNew = true;
                Branches += _seen[at] == 0 ? 1 : 0;
                _seen[at] |= count;
            }

            int next = page[(at + 1)..].IndexOfAnyExcept((byte)0);
            at = next < 0 ? -1 : at + 1 + next;
        }

        return isNew;
    }
}
