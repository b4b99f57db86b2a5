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
        "memory" => Memory(answer),
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
            Text(n["name"]), Text(n["range"]) is { Length: > 0 } range ? range : Text(n["address"]) is { Length: > 0 } address ? address : Text(n["interface"]), Text(n["remoteAs"]),
            n["neighbors"] is null ? Text(n["state"]) : $"{Text(n["state"])} {Text(n["neighbors"])}/{Text(n["maximumNeighbors"])}", Age(n["seconds"]), PerFamily(n["receivedPrefixes"]), PerFamily(n["advertisedPrefixes"]),
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
        Line(text, "range", Text(n["range"]) is { Length: > 0 } range ? $"{range}, {Text(n["neighbors"])} of at most {Text(n["maximumNeighbors"])} neighbours{(Text(n["refused"]) is "0" or "" ? "" : $", {Text(n["refused"])} refused")}" : "");
        Line(text, "of range", Text(n["ofRange"]));
        Line(text, "address", n["range"] is not null ? "" : $"{(n["address"] is null ? "not known yet," : Text(n["address"]))} port {Text(n["port"])}{(Text(n["interface"]) is { Length: > 0 } link ? $" on {link}" : "")}{(Flag(n["passive"]) ? ", passive" : "")}{(Text(n["sourceAddress"]) is { Length: > 0 } source ? $", from {source}" : "")}");
        Line(text, "AS", $"{Text(n["remoteAs"])}, ours {Text(n["localAs"])} ({(Text(n["role"]) is { Length: > 0 } role ? $"we are its {role}, " : "")}{(Flag(n["internal"]) ? Flag(n["routeReflectorClient"]) ? "internal, our route reflection client" : "internal" : Flag(n["confederation"]) ? "of the confederation" : "external")})");
        Line(text, "protection", string.Join(", ", new[] { Flag(n["password"]) ? "TCP MD5" : "", n["tcpAo"] is JsonObject ao ? $"TCP-AO, key {Text(ao["sendId"])}/{Text(ao["receiveId"])}{(Flag(ao["supported"]) ? "" : " (not in this kernel)")}" : "", Text(n["ttlSecurity"]) is "0" or "" ? $"TTL {Text(n["ttl"])}" : $"TTL security, {Text(n["ttlSecurity"])} hops" }.Where(s => s.Length > 0)));
        Line(text, "state", $"{Text(n["state"])} for {Age(n["seconds"])}, {Times(n["established"])}");
        Line(text, "shut down", n["shutdown"] is null ? "" : $"by the operator{(Text(n["shutdown"]) is { Length: > 0 } message ? $": {message}" : "")}; weft router enable {Text(n["name"])} takes it back");
        Line(text, "held down", Text(n["heldDown"]) is { Length: > 0 } held
            ? $"{held}; {(Text(n["nextConnect"]) is { Length: > 0 } back ? $"comes back in {back} s" : "stays down")}, weft router reset {Text(n["name"])} lets it up" : "");
        Line(text, "next connect", Text(n["nextConnect"]) is { Length: > 0 } next ? $"in {next} s" : "");
        Line(text, "ended by us", n["lastSent"] is JsonObject sent ? $"{Text(sent["reason"])} ({Time(sent["at"])})" : "");
        Line(text, "ended by it", n["lastReceived"] is JsonObject received ? $"{Text(received["reason"])} ({Time(received["at"])})" : "");
        Line(text, "last error", Text(n["lastError"]).Length == 0 || n["lastSent"] is not null || n["lastReceived"] is not null ? "" : Text(n["lastError"]));
        Line(text, "policy", $"import {Text(n["import"])}, export {Text(n["export"])}, next hop {Text(n["nextHop"])}");
        Line(text, "maintenance", Flag(n["gracefulShutdown"]) ? "everything is announced with GRACEFUL_SHUTDOWN (RFC 8326)" : "");
        Line(text, "limit", n["maximumPrefixes"] is JsonObject limit ? Limit(limit) : "");
        foreach (JsonObject family in Objects(n["families"]))
        {
            Line(text, Text(family["family"]), $"{Text(family["received"])} received, {Text(family["accepted"])} accepted, {Text(family["advertised"])} advertised"
                + (Text(family["stale"]) is "0" or "" ? "" : $", {Text(family["stale"])} stale{StaleUntil(family)}")
                + (Text(family["refreshSeconds"]) is { Length: > 0 } refresh ? $", {Text(family["unrefreshed"])} not refreshed yet, for {refresh} s" : "")
                + (Flag(family["limitExceeded"]) ? ", above the limit" : "")
                + (Text(family["pending"]) is "0" or "" ? "" : $", {Text(family["pending"])} to be sent")
                + (Text(family["updateGroup"]) is "0" or "" ? "" : $"; update group {Text(family["updateGroup"])} of {Text(family["updateGroupMembers"])}")
                + (Flag(family["endOfRibReceived"]) ? "; End-of-RIB received" : ""));
        }

        Line(text, "messages in", Members(n["messagesReceived"]));
        Line(text, "messages out", Members(n["messagesSent"]));
        if (n["session"] is JsonObject session)
        {
            Line(text, "session", $"{Text(session["localAddress"])} to router {Text(session["remoteRouterId"])}, hold time {Text(session["holdTime"])} s, keepalive {Text(session["keepalive"])} s");
            Line(text, "families", List(session["families"]));
            Line(text, "capabilities", string.Join(", ", new[]
            {
                Flag(session["fourOctetAs"]) ? "4-octet AS" : "", Flag(session["routeRefresh"]) ? "route refresh" : "", Flag(session["extendedMessages"]) ? "extended messages" : "",
                Flag(session["enhancedRouteRefresh"]) ? "enhanced route refresh" : "",
                List(session["gracefulRestart"]) is { Length: > 0 } restart
                    ? $"graceful restart ({restart}, {Text(session["peerRestartTime"])} s{(Flag(session["restartNotifications"]) ? ", through notifications" : "")})" : "",
                List(session["longLived"]) is { Length: > 0 } longLived ? $"long-lived graceful restart ({longLived}, {LongLivedTime(session)} s)" : "",
                Text(session["peerRole"]) is { Length: > 0 } peerRole ? $"role (it is our {peerRole})" : "",
                List(session["addPathReceive"]) is { Length: > 0 } taken ? $"several paths received ({taken})" : "",
                List(session["addPathSend"]) is { Length: > 0 } told ? $"several paths sent ({told}{(Text(n["addPathLimit"]) is { Length: > 0 } most ? $", the best {most}" : "")})" : "",
                List(session["extendedNextHop"]) is { Length: > 0 } hops ? $"IPv6 next hops ({hops})" : "",
            }.Where(s => s.Length > 0)));
        }

        return text.ToString();
    }

    private static string StaleUntil(JsonObject family) => Text(family["stalePhase"]) switch
    {
        "PeerAway" => $" until it comes back, at most {Text(family["staleSeconds"])} s",
        "EndOfRib" => $" until its End-of-RIB, at most {Text(family["staleSeconds"])} s",
        "LongLived" => $", kept for long (RFC 9494), at most {Text(family["staleSeconds"])} s",
        _ => string.Empty,
    };

    private static string LongLivedTime(JsonObject session) => session["peerLongLivedTime"] is JsonObject times
        ? string.Join('/', session["longLived"]!.AsArray().Select(f => Text(times[Text(f)])).Distinct())
        : string.Empty;

    /// <summary>"1000 ipv4, 200 ipv6 prefixes, warning at 80 %, then restart after 300 s".</summary>
    private static string Limit(JsonObject limit) =>
        string.Join(", ", new[] { "ipv4", "ipv6" }.Where(f => limit[f] is not null).Select(f => $"{Text(limit[f])} {f}")) + " prefixes"
        + (limit["warning"] is null ? "" : $", warning at {Text(limit["warning"])} %")
        + Text(limit["action"]) switch { "warn" => ", then only a warning", "reset" => ", then down until reset", _ => $", then down for {Text(limit["restart"])} s" };

    public const string Legend = "* best, = equally good, K in the kernel, S stale";

    public static string[] RouteHeader => ["", "PREFIX", "NEXT HOP", "FROM", "PREF", "AS PATH", ""];

    /// <param name="last">The prefix of the row above: it is not repeated.</param>
    public static string[] Row(JsonObject route, ref string last)
    {
        string prefix = Text(route["prefix"]);
        string shown = prefix == last ? string.Empty : prefix;
        last = prefix;
        return
        [
            $"{(Flag(route["best"]) ? "*" : Flag(route["multipath"]) ? "=" : " ")}{(Flag(route["installed"]) ? "K" : " ")}{(Flag(route["stale"]) ? "S" : "")}",
            shown, Text(route["nextHop"]), $"{Text(route["source"])}{(Text(route["pathId"]) is { Length: > 0 } id ? $" path {id}" : "")}", Text(route["localPref"]),
            Text(route["asPath"]) is { Length: > 0 } path ? path : Text(route["origin"]), Text(route["reason"]),
        ];
    }

    /// <summary>Everything about one path.</summary>
    public static string Path(JsonObject route)
    {
        StringBuilder text = new();
        text.Append(Text(route["prefix"])).Append(" from ").Append(Text(route["source"])).Append('\n');
        Line(text, "  verdict", string.Join(", ", new[]
        {
            Flag(route["best"]) ? "best" : Text(route["reason"]), Flag(route["multipath"]) && !Flag(route["best"]) ? "shares the traffic" : "",
            Flag(route["installed"]) ? "in the kernel" : "", Flag(route["stale"]) ? "stale: its neighbour restarts" : "",
        }.Where(s => s.Length > 0)));
        Line(text, "  next hop", $"{Text(route["nextHop"])}{(Text(route["linkLocalNextHop"]) is { Length: > 0 } beside ? $" ({beside})" : "")}{(Flag(route["nextHopReachable"]) ? "" : ", unreachable")}");
        Line(text, "  path id", Text(route["pathId"]));
        Line(text, "  AS path", Text(route["asPath"]) is { Length: > 0 } path ? path : "(empty)");
        Line(text, "  origin", Text(route["origin"]));
        Line(text, "  preference", $"{Text(route["localPref"])}{(route["med"] is null ? "" : $", MED {Text(route["med"])}")}");
        Line(text, "  weight", Text(route["weight"]));
        Line(text, "  RPKI", Text(route["rpki"]));
        Line(text, "  communities", string.Join(' ', new[] { List(route["communities"]), List(route["extendedCommunities"]) }.Where(s => s.Length > 0)));
        Line(text, "  OTC", Text(route["onlyToCustomer"]) is { Length: > 0 } otc ? $"only to customers since AS {otc}" : "");
        Line(text, "  aggregator", $"{Text(route["aggregator"])}{(Flag(route["atomicAggregate"]) ? " atomic" : "")}");
        Line(text, "  reflected", Text(route["originatorId"]) is { Length: > 0 } originator ? $"originator {originator}, clusters {List(route["clusterList"])}" : "");
        foreach (JsonNode? rule in route["rules"]?.AsArray() ?? [])
        {
            Line(text, "  rule", Text(rule));
        }

        return text.Append('\n').ToString();
    }

    private static string Routes(JsonObject answer)
    {
        StringBuilder text = new();
        string last = string.Empty;
        List<string[]> rows = [RouteHeader, .. Objects(answer["routes"]).Select(r => Row(r, ref last))];
        Table(text, rows);
        text.Append('\n').Append(Legend).Append('\n');
        if (Flag(answer["truncated"]))
        {
            text.Append("more routes are not shown; name a prefix\n");
        }

        return text.ToString();
    }

    private static string Memory(JsonObject answer)
    {
        StringBuilder text = new();
        JsonNode? process = answer["process"];
        JsonNode? heap = answer["heap"];
        Line(text, "process", $"{Size(process?["resident"])} resident, {Size(process?["residentPeak"])} at most, {Text(process?["threads"])} threads{(Text(process?["swapped"]) is "0" or "" ? "" : $", {Size(process?["swapped"])} swapped out")}");
        Line(text, "heap", $"{Size(heap?["live"])} live, {Size(heap?["committed"])} committed; collections {List(heap?["collections"])}");
        Line(text, "kernel", $"{Text(answer["kernelRoutes"])} routes");
        List<string[]> rows = [["TABLE", "", "ENTRIES", "MEMORY"]];
        foreach (JsonObject table in Objects(answer["tables"]))
        {
            string family = Text(table["family"]);
            rows.Add([family, "prefixes", Text(table["prefixes"]), Size(table["prefixBytes"])]);
            rows.Add(["", "paths", Text(table["paths"]), Size(table["pathBytes"])]);
            rows.Add(["", "attribute sets", Text(table["attributeSets"]), Size(table["attributeBytes"])]);
            rows.Add(["", "next hops", Text(table["nextHops"]), ""]);
            rows.Add(["", "update groups", Text(table["updateGroups"]), Size(table["groupBytes"])]);
        }

        text.Append('\n');
        Table(text, rows);
        JsonObject[] slow = [.. Objects(answer["sessions"]).Where(s => Text(s["blocksUnderWay"]) is not ("0" or ""))];
        foreach (JsonObject session in slow)
        {
            text.Append('\n');
            Line(text, Text(session["name"]), $"has not taken up to {Size(session["sendBytesAtMost"])} yet");
        }

        return text.ToString();
    }

    /// <summary>Octets as an operator reads them.</summary>
    private static string Size(JsonNode? bytes) => !long.TryParse(Text(bytes), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) ? "?"
        : value < 1024 * 1024 ? string.Create(CultureInfo.InvariantCulture, $"{(value + 1023) / 1024} KB")
        : string.Create(CultureInfo.InvariantCulture, $"{value / 1048576.0:F1} MB");

    private static string Summary(JsonObject answer)
    {
        StringBuilder text = new();
        Line(text, "waiting", Text(answer["waiting"]));
        Line(text, "router id", Text(answer["routerId"]));
        Line(text, "AS", Text(answer["localAs"]));
        Line(text, "listening", List(answer["listen"]));
        Line(text, "running since", Time(answer["startedAt"]));
        Line(text, "sessions", $"{Text(answer["established"])} of {Text(answer["neighbors"])} established{(Text(answer["shutDown"]) is "0" or "" ? "" : $", {Text(answer["shutDown"])} shut down")}");
        Line(text, "routes", $"{PerFamily(answer["receivedPrefixes"])} received, {Text(answer["originated"])} originated");
        Line(text, "kernel", $"{Text(answer["installed"])} routes installed{(Text(answer["stale"]) is "0" or "" ? "" : $", {Text(answer["stale"])} of them from an earlier run, kept until all neighbours have sent their tables")}");
        foreach (JsonObject family in Objects(answer["deferred"]))
        {
            Line(text, "restarted", $"{Text(family["family"])} routes are not selected yet (RFC 4724){(List(family["waitsFor"]) is { Length: > 0 } peers ? $": waiting for {peers}" : "")}");
        }
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

    /// <summary>To the second, in UTC as the log.</summary>
    private static string Time(JsonNode? at) => DateTimeOffset.TryParse(Text(at), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time)
        ? time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture)
        : Text(at);

    private static string Times(JsonNode? count) => Text(count) switch { "0" => "never established", "1" => "established once", var n => $"established {n} times" };

    private static string Members(JsonNode? node) => string.Join(", ", (node?.AsObject() ?? []).Select(m => $"{m.Key} {m.Value}"));

    private static string List(JsonNode? node) => string.Join(", ", (node?.AsArray() ?? []).Select(Text));

    private static JsonObject[] Objects(JsonNode? node) => [.. (node?.AsArray() ?? []).OfType<JsonObject>()];

    private static bool Flag(JsonNode? node) => node is JsonValue value && value.TryGetValue(out bool flag) && flag;

    private static string Text(JsonNode? node) => node?.ToString() ?? string.Empty;
}
