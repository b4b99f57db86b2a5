using System.Text.Json.Nodes;
using Weft.Hosting.Control;
using Weft.Node.Cni;

namespace Weft.Node.Agent;

/// <summary>
/// Answers agent.sock: CNI calls, the status and the configuration. One request per connection; the socket's mode lets only root (the owner) connect. Calls run side by side.
/// </summary>
internal sealed class CniServer(CniExecutor executor, Func<JsonObject> status, Func<JsonObject> config)
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
            default:
                return ControlServer.Error($"unknown command \"{Text(request, "command")}\": expected cni, status or config");
        }
    }

    private async Task<CniOutcome> CallAsync(JsonObject request, CancellationToken stop)
    {
        JsonObject config = request["config"] as JsonObject ?? [];
        try
        {
            return await executor.RunAsync(CniRequest.Parse(CniRequest.ReadEnvironment(request), config), stop);
        }
        catch (CniException e)
        {
            // The plugin hands on what it was given: it is looked at here first.
            return CniOutcome.Error(Text(config, "cniVersion") is var version && CniVersions.IsSupported(version) ? version : CniVersions.Newest, e);
        }
    }

    private static string Text(JsonObject json, string key) => json[key] is JsonValue value && value.TryGetValue(out string? text) ? text : string.Empty;
}
