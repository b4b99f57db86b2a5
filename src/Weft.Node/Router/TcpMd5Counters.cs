using System.Globalization;

namespace Weft.Node.Router;

/// <summary>TcpExtTCPMD5* of the network namespace: segments dropped because of their signature.</summary>
/// <param name="NotFound">A key is set, the segment has no signature.</param>
/// <param name="Unexpected">The segment has a signature, no key is set.</param>
/// <param name="Failure">The signature is wrong.</param>
internal readonly record struct TcpMd5Counters(long NotFound, long Unexpected, long Failure)
{
    private const string Path = "/proc/net/netstat";

    /// <summary>Zeros when the kernel does not say: the counters only sharpen an error text.</summary>
    public static TcpMd5Counters Read()
    {
        try
        {
            return Parse(File.ReadLines(Path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return default;
        }
    }

    /// <summary>Lines come in pairs: "TcpExt: name name ..." and "TcpExt: value value ...".</summary>
    internal static TcpMd5Counters Parse(IEnumerable<string> lines)
    {
        string[]? names = null;
        foreach (string line in lines.Where(l => l.StartsWith("TcpExt:", StringComparison.Ordinal)))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (names is null)
            {
                names = words;
                continue;
            }

            return new TcpMd5Counters(Value(names, words, "TCPMD5NotFound"), Value(names, words, "TCPMD5Unexpected"), Value(names, words, "TCPMD5Failure"));
        }

        return default;
    }

    /// <summary>What grew, in words; empty when nothing did.</summary>
    public string Since(TcpMd5Counters before) => string.Join(", ", new[]
    {
        (Failure - before.Failure, "with a wrong signature"),
        (NotFound - before.NotFound, "without a signature"),
        (Unexpected - before.Unexpected, "with a signature nobody asked for"),
    }.Where(c => c.Item1 > 0).Select(c => $"{c.Item1} segments {c.Item2} dropped"));

    private static long Value(string[] names, string[] values, string name) =>
        Array.IndexOf(names, name) is var i and >= 0 && i < values.Length && long.TryParse(values[i], NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : 0;
}
