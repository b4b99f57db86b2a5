using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Weft.Node.Agent;

/// <summary>Which parameters <c>weft agent config</c> shows.</summary>
internal enum ConfigurationRows : byte
{
    All,

    /// <summary>Those that some source sets.</summary>
    Set,
}

/// <summary>The agent's answers as pages for people.</summary>
internal static class AgentText
{
    /// <summary>What needs no escape has none.</summary>
    public static string Json(JsonObject answer)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter writer = new(buffer, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            answer.WriteTo(writer);
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    public static string Status(JsonObject answer)
    {
        StringBuilder text = new();
        text.Append($"node       {Text(answer["node"])}, process {Text(answer["process"]?["id"])} since {Text(answer["process"]?["started"])}\n");
        text.Append($"datastore  {Text(answer["datastore"]?["status"])} since {Text(answer["datastore"]?["since"])}: {Text(answer["datastore"]?["detail"])}\n");
        text.Append(answer["dataplane"] is JsonObject dataplane
            ? $"dataplane  {Text(dataplane["policies"])} policies, {Text(dataplane["profiles"])} profiles, {Text(dataplane["sets"])} sets, {Text(dataplane["routes"])} routes; last written {Text(dataplane["lastApply"])} in {Text(dataplane["durationMilliseconds"])} ms{(Text(dataplane["problem"]) is { Length: > 0 } problem ? $"; {problem}" : string.Empty)}\n"
            : "dataplane  nothing written yet\n");
        if (answer["staged"] is JsonArray { Count: > 0 } staged)
        {
            text.Append('\n');
            Table(text, ["STAGED POLICY", "ENDPOINTS"], staged.OfType<JsonObject>().Select(s => new[] { Text(s["policy"]), Text(s["endpoints"]) }));
        }

        text.Append('\n');
        Table(text, ["ENDPOINT", "INTERFACE", "ADDRESSES", "STATE", "PROBLEM"], (answer["endpoints"] as JsonArray ?? []).OfType<JsonObject>().Select(e => new[]
        {
            Text(e["name"]), Text(e["interface"]), string.Join(',', (e["addresses"] as JsonArray ?? []).Select(Text)), Text(e["state"]), Text(e["problem"]),
        }));
        if (answer["problems"] is JsonArray { Count: > 0 } problems)
        {
            text.Append("\nnot enforced as written:\n");
            foreach (JsonObject entry in problems.OfType<JsonObject>())
            {
                text.Append($"  {Text(entry["key"])}: {Text(entry["reason"])}\n");
            }
        }

        return text.ToString();
    }

    /// <summary>Takes out of the answer what was not asked for.</summary>
    public static void Choose(JsonObject answer, IReadOnlyList<string> words, ConfigurationRows rows) => Keep(
        answer["parameters"],
        parameter => (IsNamed(words, parameter?["field"]) || IsNamed(words, parameter?["name"])) && !(rows == ConfigurationRows.Set && Text(parameter?["source"]) == "default"));

    /// <summary>Takes out of the answer whose owner contains none of the words.</summary>
    public static void ChooseHits(JsonObject answer, IReadOnlyList<string> words) => Keep(answer["hits"], hit => IsNamed(words, hit?["owner"]));

    /// <summary>By no words everything is.</summary>
    private static bool IsNamed(IReadOnlyList<string> words, JsonNode? name) => words.Count == 0 || words.Any(w => Text(name).Contains(w, StringComparison.OrdinalIgnoreCase));

    private static void Keep(JsonNode? rows, Func<JsonNode?, bool> isWanted)
    {
        JsonArray all = rows as JsonArray ?? [];
        for (int i = all.Count - 1; i >= 0; i--)
        {
            if (!isWanted(all[i]))
            {
                all.RemoveAt(i);
            }
        }
    }

    public static string Hits(JsonObject answer)
    {
        StringBuilder text = new();
        Table(text, ["POLICY", "RULE", "PACKETS", "BYTES"], (answer["hits"] as JsonArray ?? []).OfType<JsonObject>().Select(h => new[]
        {
            Text(h["owner"]), Text(h["rule"]), Text(h["packets"]), Text(h["bytes"]),
        }));
        return text.ToString();
    }

    public static string Configuration(JsonObject answer)
    {
        StringBuilder text = new();
        Table(text, ["PARAMETER", "VALUE", "SOURCE", "REMARK"], (answer["parameters"] as JsonArray ?? []).OfType<JsonObject>().Select(p => new[]
        {
            Text(p["field"]), Text(p["value"]), Text(p["source"]), Text(p["remark"]),
        }));
        return text.ToString();
    }

    private static void Table(StringBuilder text, string[] head, IEnumerable<string[]> rows)
    {
        List<string[]> all = [head, .. rows];
        for (int column = 0; column < head.Length - 1; column++)
        {
            int width = all.Max(r => r[column].Length) + 2;
            all.ForEach(r => r[column] = r[column].PadRight(width));
        }

        all.ForEach(r => text.Append(string.Concat(r).TrimEnd()).Append('\n'));
    }

    private static string Text(JsonNode? node) => node switch
    {
        null => string.Empty,
        _ when node.GetValueKind() == JsonValueKind.String => node.GetValue<string>(),
        _ => node.ToJsonString(),
    };
}
