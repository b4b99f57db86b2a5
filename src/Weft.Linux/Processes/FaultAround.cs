using System.Globalization;
using Weft.Linux.Native;

namespace Weft.Linux.Processes;

/// <summary>
/// Keeps the kernel from mapping the neighbours of every page of code and constants that is touched ("fault-around", 16 pages at a time). It saves a short program
/// faults; a process that runs for months holds ten megabytes for it that it never looks at. There is no call that says so, but a mapping that a userfaultfd watches
/// for writes is left alone, and one that watches asynchronously (Linux 6.7) and has nothing write-protected costs and reports nothing.
/// Figures: tests/Weft.Bench/RESULTS.md, "pages of the executable".
/// </summary>
public sealed class FaultAround : IDisposable
{
    private const string Mappings = "/proc/self/maps";

    private readonly int _descriptor;

    private FaultAround(int descriptor) => _descriptor = descriptor;

    /// <summary>From now until it is disposed, for the files that are mapped now. Best effort: null where the kernel does not let us, and all is as it was.</summary>
    public static FaultAround? Stop()
    {
        if (SystemCalls.WatchWrites(out int descriptor) != Errno.None)
        {
            return null;
        }

        foreach (string line in File.ReadLines(Mappings))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length >= 6 && words[5].StartsWith('/') && words[0].IndexOf('-') is > 0 and int dash)
            {
                SystemCalls.Watch(descriptor, Number(words[0].AsSpan(0, dash)), Number(words[0].AsSpan(dash + 1)));
            }
        }

        return new FaultAround(descriptor);
    }

    public void Dispose() => SystemCalls.Close(_descriptor);

    private static ulong Number(ReadOnlySpan<char> hexadecimal) => ulong.Parse(hexadecimal, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
