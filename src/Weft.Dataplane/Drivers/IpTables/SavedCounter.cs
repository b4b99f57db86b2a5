using System.Globalization;

namespace Weft.Dataplane.Drivers.IpTables;

/// <summary>What a rule has counted, as iptables-save -c prints it: <c>[12:720] -A cali-pi-x -m ...</c></summary>
internal readonly record struct SavedCounter(string Chain, long Packets, long Bytes)
{
    public static bool TryParse(ReadOnlySpan<char> line, out SavedCounter counter)
    {
        const string Rule = "] -A ";
        counter = default;
        int end = line.IndexOf(Rule);
        int colon = line.IndexOf(':');
        if (line is not ['[', ..] || end < 0 || colon < 0 || colon > end
            || !long.TryParse(line[1..colon], NumberStyles.None, CultureInfo.InvariantCulture, out long packets)
            || !long.TryParse(line[(colon + 1)..end], NumberStyles.None, CultureInfo.InvariantCulture, out long bytes))
        {
            return false;
        }

        ReadOnlySpan<char> rest = line[(end + Rule.Length)..];
        int blank = rest.IndexOf(' ');
        counter = new SavedCounter((blank < 0 ? rest : rest[..blank]).ToString(), packets, bytes);
        return true;
    }
}
