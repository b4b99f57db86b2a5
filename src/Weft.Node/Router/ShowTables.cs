using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Weft.Node.Router;

/// <summary>Answers of the router as text for a terminal of 80 to 100 columns.</summary>
internal static class ShowTables
{
    private const int Columns = 100;

    public static string Render(string command, JsonObject answer) => command switch
    {
        "neighbors" => Neighbors(answer),
        "neighbor" => Neighbor(answer["neighbors"]![0]!.AsObject()),
        "routes" => Routes(answer),
        _ => Summary(answer),
    };

    private static string Neighbors(JsonObject answer)
    {
        StringBuilder text = new();
        JsonObject[] neighbors = Objects(answer["neighbors"]);
        if (Text(answer["waiting"]) is { Length: > 0 } waiting)
        {
            text.Append("waiting: ").Append(waiting).Append('\n');
        }

        List<string[]> rows = [["NEIGHBOR", "ADDRESS", "AS", "STATE", "SINCE", "RECEIVED", "SENT"]];
        rows.AddRange(neighbors.Select(n => new[]
        {
            Text(n["name"]), Text(n["address"]), Text(n["remoteAs"]), Text(n["state"]), Age(n["seconds"]), PerFamily(n["receivedPrefixes"]), PerFamily(n["advertisedPrefixes"]),
        }));
        Table(text, rows);
        foreach (JsonObject neighbor in neighbors.Where(n => Text(n["state"]) != "Established" && Text(n["lastError"]).Length > 0))
        {
            text.Append('\n');
            Wrap(text, $"{Text(neighbor["name"])}: {Text(neighbor["lastError"])}", indent: 2);
        }

        return text.ToString();
    }

    private static string Neighbor(JsonObject n)
    {
        StringBuilder text = new();
        Line(text, "neighbour", Text(n["name"]));
        Line(text, "description", Text(n["description"]));
        Line(text, "address", $"{Text(n["address"])} port {Text(n["port"])}{(Flag(n["passive"]) ? ", passive" : "")}");
        Line(text, "AS", $"{Text(n["remoteAs"])}, ours {Text(n["localAs"])}");
        Line(text, "protection", string.Join(", ", new[] { Flag(n["password"]) ? "TCP MD5" : "", Text(n["ttlSecurity"]) is "0" ? "" : $"TTL security, {Text(n["ttlSecurity"])} hops" }.Where(s => s.Length > 0)));
        Line(text, "state", $"{Text(n["state"])} for {Age(n["seconds"])}, {Times(n["established"])}");
        Line(text, "last error", Text(n["lastError"]).Length == 0 ? "" : $"{Text(n["lastError"])} ({Text(n["lastErrorAt"])})");
        Line(text, "received", $"{PerFamily(n["receivedPrefixes"])} prefixes, {PerFamily(n["acceptedPrefixes"])} accepted");
        Line(text, "advertised", $"{PerFamily(n["advertisedPrefixes"])} prefixes");
        Line(text, "messages in", Members(n["messagesReceived"]));
        Line(text, "messages out", Members(n["messagesSent"]));
        if (n["session"] is JsonObject session)
        {
            Line(text, "session", $"{Text(session["localAddress"])} to router {Text(session["remoteRouterId"])}, hold time {Text(session["holdTime"])} s, keepalive {Text(session["keepalive"])} s");
            Line(text, "families", List(session["families"]));
            Line(text, "capabilities", string.Join(", ", new[]
            {
                Flag(session["fourOctetAs"]) ? "4-octet AS" : "", Flag(session["routeRefresh"]) ? "route refresh" : "", Flag(session["extendedMessages"]) ? "extended messages" : "",
                List(session["gracefulRestart"]) is { Length: > 0 } restart ? $"graceful restart ({restart})" : "",
            }.Where(s => s.Length > 0)));
        }

        return text.ToString();
    }

    private static string Routes(JsonObject answer)
    {
        StringBuilder text = new();
        List<string[]> rows = [["", "PREFIX", "NEXT HOP", "FROM", "PREF", "AS PATH", ""]];
        string last = string.Empty;
        foreach (JsonObject route in Objects(answer["routes"]))
        {
            string prefix = Text(route["prefix"]);
            rows.Add([
                $"{(Flag(route["best"]) ? "*" : Flag(route["multipath"]) ? "=" : " ")}{(Flag(route["installed"]) ? "K" : " ")}{(Flag(route["stale"]) ? "S" : "")}",
                prefix == last ? string.Empty : prefix, Text(route["nextHop"]), Text(route["source"]), Text(route["localPref"]),
                Text(route["asPath"]) is { Length: > 0 } path ? path : Text(route["origin"]), Text(route["reason"]),
            ]);
            last = prefix;
        }

        Table(text, rows);
        text.Append("\n* best, = equally good, K in the kernel, S stale\n");
        if (Flag(answer["truncated"]))
        {
            text.Append("more routes are not shown; name a prefix\n");
        }

        return text.ToString();
    }

    private static string Summary(JsonObject answer)
    {
        StringBuilder text = new();
        Line(text, "waiting", Text(answer["waiting"]));
        Line(text, "router id", Text(answer["routerId"]));
        Line(text, "AS", Text(answer["localAs"]));
        Line(text, "listening", List(answer["listen"]));
        Line(text, "running since", Text(answer["startedAt"]));
        Line(text, "sessions", $"{Text(answer["established"])} of {Text(answer["neighbors"])} established");
        Line(text, "routes", $"{PerFamily(answer["receivedPrefixes"])} received, {Text(answer["originated"])} originated");
        Line(text, "kernel", $"{Text(answer["installed"])} routes installed, {Text(answer["stale"])} of an earlier run{(Flag(answer["settled"]) ? "" : ", settling")}");
        Line(text, "refused", Text(answer["refusedConnections"]) is "0" ? "" : $"{Text(answer["refusedConnections"])} connections of strangers");
        if (answer["datastore"] is JsonObject datastore)
        {
            Line(text, "datastore", $"{Text(datastore["status"])} {Text(datastore["detail"])}");
        }

        foreach (JsonNode? problem in answer["problems"]?.AsArray() ?? [])
        {
            Line(text, "problem", Text(problem));
        }

        return text.ToString();
    }

    /// <summary>Columns as wide as their widest cell, two blanks between them, the last one not padded.</summary>
    private static void Table(StringBuilder text, List<string[]> rows)
    {
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(r => r[column].Length))];
        foreach (string[] row in rows)
        {
            text.Append(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd()).Append('\n');
        }
    }

    private static void Line(StringBuilder text, string name, string value)
    {
        if (value.Length > 0)
        {
            Wrap(text, $"{name,-14}{value}", indent: 14);
        }
    }

    /// <summary>Breaks between words; a word longer than a line stays whole, so that it can be copied.</summary>
    private static void Wrap(StringBuilder text, string line, int indent)
    {
        while (line.Length > Columns && line.LastIndexOf(' ', Columns) is var cut && cut > indent)
        {
            text.Append(line, 0, cut).Append('\n');
            line = new string(' ', indent) + line[(cut + 1)..];
        }

        text.Append(line).Append('\n');
    }

    /// <summary>"12" or "12 + 3 v6".</summary>
    private static string PerFamily(JsonNode? counts) => (Text(counts?["ipv4"]), Text(counts?["ipv6"])) switch
    {
        (var ipv4, "0" or "") => ipv4,
        ("0" or "", var ipv6) => $"{ipv6} v6",
        var (ipv4, ipv6) => $"{ipv4} + {ipv6} v6",
    };

    private static string Age(JsonNode? seconds)
    {
        TimeSpan age = TimeSpan.FromSeconds(long.TryParse(Text(seconds), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) ? Math.Max(0, value) : 0);
        return age.TotalDays >= 1 ? $"{(int)age.TotalDays}d{age.Hours}h" : age.TotalHours >= 1 ? $"{age.Hours}h{age.Minutes}m" : age.TotalMinutes >= 1 ? $"{age.Minutes}m{age.Seconds}s" : $"{age.Seconds}s";
    }

    private static string Times(JsonNode? count) => Text(count) switch { "0" => "never established", "1" => "established once", var n => $"established {n} times" };

    private static string Members(JsonNode? node) => string.Join(", ", (node?.AsObject() ?? []).Select(m => $"{m.Key} {m.Value}"));

    private static string List(JsonNode? node) => string.Join(", ", (node?.AsArray() ?? []).Select(Text));

    private static JsonObject[] Objects(JsonNode? node) => [.. (node?.AsArray() ?? []).OfType<JsonObject>()];

    private static bool Flag(JsonNode? node) => node is JsonValue value && value.TryGetValue(out bool flag) && flag;

    private static string Text(JsonNode? node) => node?.ToString() ?? string.Empty;
}
