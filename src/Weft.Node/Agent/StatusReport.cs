using System.Globalization;
using System.Text.Json.Nodes;
using Weft.Datastore.Sync;
using Weft.Policy.Output;

namespace Weft.Node.Agent;

/// <summary>
/// The answer to {"command":"status"}, which <c>weft node status</c> shows:
/// <code>
/// { node, process: {id, started}, inSync, addresses: ["IPv4 192.0.2.1/24: why this one"],
///   datastore: {status: in-sync|resync|wait-for-datastore, since, detail},
///   dataplane: null | {lastApply, durationMilliseconds, problem, policies, profiles, sets, routes},
///   staged:    [{policy, endpoints}],
///   endpoints: [{name, interface, addresses, state: programmed|pending|error, problem}],
///   problems:  [{key, reason}] }
/// </code>
/// </summary>
internal sealed class StatusReport(string node, AgentState state, EndpointProgress progress, LifeSign lifeSign, DateTimeOffset started)
{
    public JsonObject Write()
    {
        SyncState sync = state.Sync;
        return new JsonObject
        {
            ["node"] = node,
            ["process"] = new JsonObject { ["id"] = System.Environment.ProcessId, ["started"] = Time(started) },
            ["addresses"] = new JsonArray([.. state.AddressChoices.Select(c => (JsonNode)c)]),
            ["inSync"] = sync.Status == SyncStatus.InSync,
            ["datastore"] = new JsonObject { ["status"] = Word(sync.Status), ["since"] = Time(sync.Since), ["detail"] = sync.Detail },
            ["dataplane"] = state.Apply is { } apply ? Apply(apply) : null,
            ["endpoints"] = new JsonArray([.. progress.Entries.Select(Endpoint)]),
            ["staged"] = new JsonArray([.. state.Staged.Select(s => (JsonNode)new JsonObject { ["policy"] = s.Policy.ToString(), ["endpoints"] = s.Endpoints })]),
            ["problems"] = new JsonArray([.. Problems()]),
        };
    }

    /// <summary>One line for systemctl status.</summary>
    public string Line()
    {
        SyncState sync = state.Sync;
        string twin = lifeSign.Twin is { } other ? $"TWIN with the same node name: {other}; " : string.Empty;
        return sync.Status == SyncStatus.InSync
            ? $"{twin}in sync, {progress.Entries.Count} endpoints{(state.Apply?.Problem is { } problem ? $"; kernel: {problem}" : string.Empty)}"
            : $"{twin}waiting for datastore: {sync.Detail}";
    }

    private IEnumerable<JsonNode> Problems()
    {
        if (lifeSign.Twin is { } twin)
        {
            yield return Problem($"node/{node}", $"another agent runs with this node name: {twin}");
        }

        if (state.StartupProblem is { } startup)
        {
            yield return Problem($"node/{node}", startup);
        }

        foreach (string local in state.LocalProblems)
        {
            yield return Problem($"node/{node}", local);
        }

        foreach ((Weft.Model.Keys.ModelKey key, string reason) in state.Problems.OrderBy(p => p.Key.Path, StringComparer.Ordinal))
        {
            yield return Problem(key.Path, reason);
        }

        foreach (string refused in state.Apply?.NotEnforced ?? [])
        {
            int end = refused.IndexOf(": ", StringComparison.Ordinal);
            yield return Problem(end < 0 ? "kernel" : refused[..end], end < 0 ? refused : refused[(end + 2)..]);
        }
    }

    private static JsonNode Problem(string key, string reason) => new JsonObject { ["key"] = key, ["reason"] = reason };

    private static JsonNode Endpoint(EndpointEntry entry) => new JsonObject
    {
        ["name"] = entry.Update.ResourceName,
        ["interface"] = entry.Update.InterfaceName,
        ["addresses"] = new JsonArray([.. entry.Update.Networks.Select(n => (JsonNode)n.ToString())]),
        ["state"] = entry.State switch { EndpointState.Programmed => "programmed", EndpointState.Error => "error", _ => "pending" },
        ["problem"] = entry.Problem,
    };

    private static JsonObject Apply(ApplyState apply) => new()
    {
        ["lastApply"] = Time(apply.At),
        ["durationMilliseconds"] = Math.Round(apply.Duration.TotalMilliseconds, 1),
        ["problem"] = apply.Problem,
        ["policies"] = apply.Policies,
        ["profiles"] = apply.Profiles,
        ["sets"] = apply.Sets,
        ["routes"] = apply.Routes,
        ["backend"] = apply.Backend,
    };

    private static string Word(SyncStatus status) => status switch
    {
        SyncStatus.InSync => "in-sync",
        SyncStatus.ResyncInProgress => "resync",
        _ => "wait-for-datastore",
    };

    private static string Time(DateTimeOffset at) => at.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
}
