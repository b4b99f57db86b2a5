using System.Text.Json.Nodes;
using Weft.Dataplane.Drivers;
using Weft.Hosting.Control;
using Weft.Node.Cni;

namespace Weft.Node.Agent;

/// <summary>
/// Answers agent.sock: CNI calls, the status and the configuration. One request per connection; the socket's mode lets only root (the owner) connect. Calls run side by side.
/// </summary>
/// <param name="executor">Carries CNI calls out.</param>
/// <param name="status">What "weft agent status" shows.</param>
/// <param name="config">What "weft agent config" shows.</param>
/// <param name="hits">What the rules of policies have matched.</param>
/// <param name="policyOnly">Another plugin connects pods: an ADD is refused, deletions and checks are not.</param>
internal sealed class CniServer(CniExecutor executor, Func<JsonObject> status, Func<JsonObject> config, Func<CancellationToken, Task<IReadOnlyList<RuleHits>>> hits, bool policyOnly)
{
    public async Task<JsonNode?> AnswerAsync(JsonObject request, CancellationToken stop)
    {
        switch (Text(request, "command"))
        {
            case "cni":
                return (await CallAsync(request, stop)).Write();
            case "status":
                return status();
            case "config":
                return config();
            case "hits":
                return await HitsAsync(stop);
            default:
                return ControlServer.Error($"unknown command \"{Text(request, "command")}\": expected cni, status, config or hits");
        }
    }

    /// <summary>{hits: [{owner, rule, packets, bytes}]}</summary>
    private async Task<JsonNode> HitsAsync(CancellationToken stop)
    {
        try
        {
            return new JsonObject
            {
                ["hits"] = new JsonArray([.. (await hits(stop)).Select(h => (JsonNode)new JsonObject { ["owner"] = h.Owner, ["rule"] = h.Rule, ["packets"] = h.Packets, ["bytes"] = h.Bytes })]),
            };
        }
        catch (DataplaneException e)
        {
            return ControlServer.Error(e.Message);
        }
    }

    private async Task<CniOutcome> CallAsync(JsonObject request, CancellationToken stop)
    {
        JsonObject config = request["config"] as JsonObject ?? [];
        try
        {
            CniRequest call = CniRequest.Parse(CniRequest.ReadEnvironment(request), config);
            return policyOnly && call.Verb == CniVerb.Add
                ? throw new CniException(CniErrorCode.NotAvailable, "this node's agent does not connect pods: [agent] networking = none")
                : await executor.RunAsync(call, stop);
        }
        catch (CniException e)
        {
            // The plugin hands on what it was given: it is looked at here first.
            return CniOutcome.Error(Text(config, "cniVersion") is var version && CniVersions.IsSupported(version) ? version : CniVersions.Newest, e);
        }
    }

    private static string Text(JsonObject json, string key) => json[key] is JsonValue value && value.TryGetValue(out string? text) ? text : string.Empty;
}
