using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Ctl.Output;

namespace Weft.Ctl.Nodes;

/// <summary>The answers of the two roles as a page. Members that a role does not give are left out: the roles may be of another release.</summary>
internal static class NodeStatusText
{
    public static string Render(RoleAnswer agent, RoleAnswer router)
    {
        StringBuilder text = new();
        Agent(text, agent);
        text.Append('\n');
        Router(text, router);
        Problems(text, agent.Answer, router.Answer);
        return text.ToString();
    }

    private static void Agent(StringBuilder text, RoleAnswer agent)
    {
        if (agent.Answer is not { } answer)
        {
            text.Append($"Agent is not running: {agent.Problem}\n");
            return;
        }

        text.Append($"Agent of node {Text(answer["node"])} is running{Since(answer["process"]?["started"])}\n");
        foreach (JsonNode? address in answer["addresses"] as JsonArray ?? [])
        {
            text.Append($"  address     {Text(address)}\n");
        }

        if (answer["datastore"] is JsonObject datastore)
        {
            text.Append($"  datastore   {Text(datastore["status"])}{Since(datastore["since"])}{Detail(datastore["detail"])}\n");
        }

        if (answer["dataplane"] is JsonObject dataplane)
        {
            text.Append($"  dataplane   last written {Text(dataplane["lastApply"])} in {Text(dataplane["durationMilliseconds"])} ms; {Text(dataplane["policies"])} policies, {Text(dataplane["sets"])} sets, {Text(dataplane["routes"])} routes{Detail(dataplane["problem"])}\n");
            if (dataplane["backend"] is { } backend)
            {
                text.Append($"  rules by    {Text(backend)}\n");
            }
        }
        else
        {
            text.Append("  dataplane   nothing written yet\n");
        }

        JsonArray endpoints = answer["endpoints"] as JsonArray ?? [];
        TextTable table = new("ENDPOINT", "INTERFACE", "ADDRESSES", "STATE", "PROBLEM");
        foreach (JsonObject endpoint in endpoints.OfType<JsonObject>())
        {
            table.Add(Text(endpoint["name"]), Text(endpoint["interface"]), List(endpoint["addresses"]), Text(endpoint["state"]), Text(endpoint["problem"]));
        }

        text.Append(table.Count == 0 ? "  no endpoints\n" : "\n" + table);
    }

    private static void Router(StringBuilder text, RoleAnswer router)
    {
        if (router.Answer is not { } answer)
        {
            text.Append($"Router is not running: {router.Problem}\n");
            return;
        }

        TextTable table = new("PEER", "ADDRESS", "AS", "STATE", "SINCE", "RECEIVED", "ADVERTISED", "INFO");
        foreach (JsonObject peer in (answer["neighbors"] as JsonArray ?? []).OfType<JsonObject>())
        {
            table.Add(
                Text(peer["name"]), Text(peer["address"]), Text(peer["remoteAs"]), Text(peer["state"]), Text(peer["since"]), Count(peer["receivedPrefixes"]), Count(peer["advertisedPrefixes"]),
                Text(peer["lastError"]));
        }

        text.Append(table.Count == 0 ? "Router is running; no BGP peers\n" : $"Router is running\n\n{table}");
    }

    private static void Problems(StringBuilder text, params ReadOnlySpan<JsonObject?> answers)
    {
        bool any = false;
        foreach (JsonObject? answer in answers)
        {
            foreach (JsonNode? problem in answer?["problems"] as JsonArray ?? [])
            {
                text.Append(any ? string.Empty : "\nProblems\n");
                any = true;
                text.Append(problem is JsonObject entry ? $"  {Text(entry["key"])}: {Text(entry["reason"])}\n" : $"  {Text(problem)}\n");
            }
        }
    }

    /// <summary>{ipv4, ipv6} as one number, or the number itself.</summary>
    private static string Count(JsonNode? node) => node is JsonObject families
        ? families.Sum(f => f.Value is JsonValue v && v.TryGetValue(out long n) ? n : 0).ToString(CultureInfo.InvariantCulture)
        : Text(node);

    private static string Since(JsonNode? node) => Text(node) is { Length: > 0 } time ? $" since {time}" : string.Empty;

    private static string Detail(JsonNode? node) => Text(node) is { Length: > 0 } detail ? $"; {detail}" : string.Empty;

    private static string List(JsonNode? node) => string.Join(',', (node as JsonArray ?? []).Select(Text));

    private static string Text(JsonNode? node) => node switch
    {
        null => string.Empty,
        _ when node.GetValueKind() == JsonValueKind.String => node.GetValue<string>(),
        _ => node.ToJsonString(),
    };
}
