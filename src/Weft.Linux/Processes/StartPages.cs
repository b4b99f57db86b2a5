using System.Globalization;
using Weft.Linux.Native;

namespace Weft.Linux.Processes;

/// <summary>
/// What a start leaves behind: most pages of code and constants are touched once, while settings are read and tables are built, and the kernel maps their neighbours
/// along. A process that runs for months gives them back when its start is over; what it needs again comes from the page cache at the cost of a minor fault.
/// </summary>
public static class StartPages
{
    private const string Mappings = "/proc/self/smaps";

    /// <summary>Best effort: on any failure the process just stays as large as it was.</summary>
    /// <returns>Octets of mappings that were given back.</returns>
    public static long Release()
    {
        long released = 0;
        (ulong Start, ulong End) candidate = default;
        foreach (string line in File.ReadLines(Mappings))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length >= 5 && words[0].IndexOf('-') is > 0 and int dash)
            {
                bool fromFile = words[4] != "0" && words[1] is "r-xp" or "r--p";
                candidate = fromFile ? (Number(words[0].AsSpan(0, dash)), Number(words[0].AsSpan(dash + 1))) : default;
            }
            else if (words is ["Anonymous:", "0", _] && candidate.End != 0 && SystemCalls.DropPages(candidate.Start, candidate.End) == Errno.None)
            {
                // Only where nothing was ever written: relocated data that was made read-only afterwards exists nowhere else.
                released += (long)(candidate.End - candidate.Start);
                candidate = default;
            }
        }

        return released;
    }

    private static ulong Number(ReadOnlySpan<char> hexadecimal) => ulong.Parse(hexadecimal, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
