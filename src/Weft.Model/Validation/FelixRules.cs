using System.Text.Json;
using Weft.Model.Resources;

namespace Weft.Model.Validation;

/// <summary>Rules of FelixConfiguration that need more than one field; types and words are in the schema.</summary>
internal static class FelixRules
{
    private const int MaxOldTable = 250;

    public static void Check(FelixConfiguration configuration, ProblemList problems)
    {
        Dictionary<string, JsonElement> fields = configuration.Spec.Fields;
        string name = configuration.Metadata.Name;
        bool general = name != "default" && !name.StartsWith("node.", StringComparison.Ordinal);
        problems.Require(
            general || !fields.TryGetValue("nodeSelector", out JsonElement selector) || Text(selector).Length == 0, "spec.nodeSelector", null,
            $"cannot be set in the FelixConfiguration \"{name}\", which already says which nodes it is for");
        Address(fields, "natOutgoingAddress", TextFormats.IsIPv4, "expected an IPv4 address", problems);
        Address(fields, "deviceRouteSourceAddress", TextFormats.IsIPv4, "expected an IPv4 address", problems);
        Address(fields, "deviceRouteSourceAddressIPv6", TextFormats.IsIPv6, "expected an IPv6 address", problems);
        problems.Require(
            !(fields.ContainsKey("routeTableRange") && fields.ContainsKey("routeTableRanges")), "spec.routeTableRange", null, "routeTableRange and routeTableRanges cannot both be set");
        if (fields.TryGetValue("routeTableRange", out JsonElement range))
        {
            CheckRange(range, "spec.routeTableRange", MaxOldTable, problems);
        }

        if (fields.TryGetValue("routeTableRanges", out JsonElement ranges) && ranges.ValueKind == JsonValueKind.Array)
        {
            int i = 0;
            foreach (JsonElement entry in ranges.EnumerateArray())
            {
                CheckRange(entry, $"spec.routeTableRanges[{i++}]", uint.MaxValue, problems);
            }
        }
    }

    private static void Address(Dictionary<string, JsonElement> fields, string name, Func<string, bool> isRight, string expected, ProblemList problems)
    {
        if (fields.TryGetValue(name, out JsonElement value) && Text(value) is { Length: > 0 } text)
        {
            problems.Require(isRight(text), $"spec.{name}", text, expected);
        }
    }

    private static void CheckRange(JsonElement range, string path, long limit, ProblemList problems)
    {
        if (range.ValueKind == JsonValueKind.Object && range.TryGetProperty("min", out JsonElement min) && range.TryGetProperty("max", out JsonElement max)
            && min.TryGetInt64(out long first) && max.TryGetInt64(out long last))
        {
            problems.Require(first >= 1 && last >= first && last <= limit, path, $"{first}..{last}", $"expected a range inside 1..{limit}");
        }
    }

    private static string Text(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : string.Empty;
}
