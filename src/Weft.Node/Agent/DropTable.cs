using System.Globalization;
using System.Text.Json.Nodes;
using Weft.Linux.Netfilter;
using Weft.Model.Resources;

namespace Weft.Node.Agent;

/// <summary>Why a packet was denied, out of what its rule sent along (NflogPrefix in the dataplane has the form).</summary>
/// <param name="IsIngress">By the rules for packets to the endpoint.</param>
/// <param name="By">In words: "rule 3 of gnp/deny-all", "end of tier default", "no profile allows it".</param>
internal readonly record struct DropReason(bool IsIngress, string By)
{
    /// <summary>False for packets that were not denied, and for prefixes that are not ours.</summary>
    public static bool TryParse(string prefix, out DropReason reason)
    {
        reason = default;
        if (prefix is not ['D', 'P' or 'R', 'I' or 'E', ..])
        {
            return false;
        }

        int bar = prefix.IndexOf('|');
        string name = bar < 0 ? string.Empty : prefix[(bar + 1)..];
        bool isRule = bar > 3 && int.TryParse(prefix.AsSpan(3, bar - 3), NumberStyles.None, CultureInfo.InvariantCulture, out _);
        reason = new DropReason(prefix[2] == 'I', isRule
            ? $"rule {prefix[3..bar]} of {(prefix[1] == 'R' ? "profile " : string.Empty)}{name}"
            : prefix[1] == 'P' && name.Length > 0 ? $"end of tier {name}" : "no profile allows it");
        return true;
    }
}

/// <summary>Dropped packets of a while, together per flow and reason; source ports are left out, so that a client that tries again is one line.</summary>
internal sealed class DropTable(Func<string, string?> endpointOf)
{
    /// <summary>More lines than this nobody reads; the packets beyond are counted.</summary>
    private const int MaxRows = 1000;

    private readonly Dictionary<(PacketFlow Flow, DropReason Reason), long> _rows = [];

    /// <summary>Packets that found the table full.</summary>
    public long NotShown { get; private set; }

    public void Add(in LoggedPacket packet)
    {
        if (!DropReason.TryParse(packet.Prefix, out DropReason reason))
        {
            return;
        }

        (PacketFlow, DropReason) key = (packet.Flow with { SourcePort = 0 }, reason);
        if (_rows.TryGetValue(key, out long count) || _rows.Count < MaxRows)
        {
            _rows[key] = count + 1;
        }
        else
        {
            NotShown++;
        }
    }

    /// <summary>What was gathered, most packets first, and begins anew.</summary>
    public IReadOnlyList<JsonObject> Take()
    {
        JsonObject[] rows = [.. _rows.OrderByDescending(r => r.Value).Select(r => Row(r.Key.Flow, r.Key.Reason, r.Value))];
        _rows.Clear();
        NotShown = 0;
        return rows;
    }

    /// <summary>One line for people.</summary>
    public static string Line(JsonObject row)
    {
        string port = (string?)row["port"] is { Length: > 0 } text ? $" {text}" : string.Empty;
        return $"{row["packets"],7}  {(string?)row["direction"],-7}  {End(row, "source")} -> {End(row, "destination")}  {row["protocol"]}{port}  {row["by"]}";
    }

    private static string End(JsonObject row, string end) => (string?)row[$"{end}Endpoint"] is { } name ? $"{row[end]} ({name})" : $"{row[end]}";

    private JsonObject Row(PacketFlow flow, DropReason reason, long packets) => new()
    {
        ["packets"] = packets,
        ["direction"] = reason.IsIngress ? "ingress" : "egress",
        ["source"] = flow.Source.ToString(),
        ["sourceEndpoint"] = endpointOf(flow.Source.ToString()),
        ["destination"] = flow.Destination.ToString(),
        ["destinationEndpoint"] = endpointOf(flow.Destination.ToString()),
        ["protocol"] = Protocol.NameOf(flow.Protocol)?.ToLowerInvariant() ?? $"{flow.Protocol}",
        ["port"] = flow.Protocol is 1 or 58 ? $"type {flow.DestinationPort >> 8} code {flow.DestinationPort & 255}" : flow.DestinationPort == 0 ? string.Empty : $"{flow.DestinationPort}",
        ["by"] = reason.By,
    };
}
