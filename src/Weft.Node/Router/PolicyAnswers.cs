using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Weft.Bgp;
using Weft.Bgp.Policies;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>What policies did to a path, for <c>weft router show route --why</c>: as structure for programs ("import", "export"), as lines for people ("rules").</summary>
internal static class PolicyAnswers
{
    /// <summary>Adds to the paths of one prefix what each rule said of them.</summary>
    /// <param name="exportTo">Also whether this neighbour hears of the best path, and why not; null: nobody asked.</param>
    public static async Task ExplainAsync(BgpSpeaker speaker, IpPrefix prefix, IReadOnlyList<(RouteSnapshot Route, JsonObject Answer)> paths, string? exportTo, CancellationToken stop)
    {
        if (await speaker.ExplainAsync(prefix, exportTo: exportTo, stop: stop) is not { } explanations)
        {
            return;
        }

        foreach ((RouteSnapshot route, JsonObject answer) in paths)
        {
            if (explanations.FirstOrDefault(e => e.Route.PeerName == route.PeerName && e.Route.PathId == route.PathId) is { } explanation)
            {
                Add(answer, explanation, route.PeerName);
            }
        }
    }

    private static void Add(JsonObject answer, RouteExplanation explanation, string? source)
    {
        List<string> lines = [];
        if (explanation.Import is { } import)
        {
            answer["import"] = Describe(import);
            Write(lines, "import", import);
        }
        else
        {
            lines.Add(source is null ? "import: a route of our own passes no policy" : $"import: {source} has no policy that could refuse or change it");
        }

        if (explanation.Export is { } export)
        {
            JsonObject described = export.Policy is { } policy ? Describe(policy) : [];
            described["neighbor"] = export.PeerName;
            described["barred"] = export.Barred;
            described["announced"] = export.Announced;
            answer["export"] = described;
            string direction = $"export to {export.PeerName}";
            if (export.Policy is { } trace)
            {
                Write(lines, direction, trace);
            }

            lines.Add(export.Barred is { } barred ? $"{direction}: not told: {barred}"
                : export.Policy is null ? $"{direction}: no policy that could refuse or change it"
                : $"{direction}: {(export.Announced ? "told" : "not told")}");
        }

        answer["rules"] = new JsonArray([.. lines.Select(l => (JsonNode)l)]);
    }

    private static void Write(List<string> lines, string direction, PolicyTrace trace)
    {
        foreach (PolicyStep step in trace.Steps)
        {
            string name = step.Rule.Length > 0 ? step.Rule : "(unnamed rule)";
            lines.Add(step.Matched
                ? $"{direction}: {name}: matches{(step.Changes.IsEmpty ? "" : $": {string.Join(", ", step.Changes)}")}; {Verdict(step.Verdict)}"
                : $"{direction}: {name}: no: {step.Unmet}");
        }

        lines.Add($"{direction}: {(trace.Accepted ? "accepted" : "rejected")} {(trace.DecidedBy is null ? "because no rule decided" : $"by {trace.DecidedBy}")}");
    }

    private static JsonObject Describe(PolicyTrace trace) => new()
    {
        ["accepted"] = trace.Accepted,
        ["decidedBy"] = trace.DecidedBy,
        ["rules"] = new JsonArray([.. trace.Steps.Select(s => (JsonNode)new JsonObject
        {
            ["rule"] = s.Rule,
            ["matched"] = s.Matched,
            ["unmet"] = s.Unmet,
            ["changes"] = new JsonArray([.. s.Changes.Select(c => (JsonNode)c)]),
            ["verdict"] = s.Matched ? Verdict(s.Verdict) : null,
        })]),
    };

    private static string Verdict(PolicyVerdict verdict) => verdict switch { PolicyVerdict.Accept => "accept", PolicyVerdict.Reject => "reject", _ => "continue" };
}
