using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Weft.Primitives.Collections;

/// <summary>Asks for memory before it is read, so that the waits for several rows of a large table lie side by side instead of one behind the other.</summary>
public static unsafe class CacheLine
{
    /// <summary>
    /// Nothing waits for the answer: a load would hold up everything behind it once the core's window is full, which is after a few of them (measured: s5 of the BGP bench in
    /// tests/Weft.Bench/RESULTS.md, "prefetch"). Where the processor has no such instruction for us, it is a load after all.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fetch(void* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
        else
        {
            _ = Volatile.Read(ref *(byte*)address);
        }
    }
}
