using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Hosting.Control;

namespace Weft.Node.Cni;

/// <summary>What came of asking the agent.</summary>
/// <param name="Outcome">The agent's answer, or null.</param>
/// <param name="Nobody">Nobody listened: the request has not been seen by anyone.</param>
/// <param name="Reason">Why there is no answer.</param>
internal readonly record struct AgentAnswer(CniOutcome? Outcome, bool Nobody, string Reason);

/// <summary>Hands a call to the agent of this node over its socket.</summary>
internal static class AgentClient
{
    /// <summary>Longer than the agent's own budget for a call: it must be the agent that says what took so long.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(110);

    public static async Task<AgentAnswer> CallAsync(string socket, IReadOnlyDictionary<string, string> environment, JsonObject config, CancellationToken stop)
    {
        JsonObject variables = [];
        foreach ((string name, string value) in environment)
        {
            variables[name] = value;
        }

        JsonObject request = new()
        {
            ["command"] = "cni", ["verb"] = environment.GetValueOrDefault(CniRequest.VerbVariable), ["environment"] = variables, ["config"] = config.DeepClone(),
        };
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(s_patience);
        try
        {
            JsonNode answer = await ControlClient.RequestAsync(socket, request, limit.Token);
            return new AgentAnswer(CniOutcome.Read(answer), false, $"{socket}: the answer is not that of an agent");
        }
        catch (IOException e)
        {
            bool nobody = !File.Exists(socket) || e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused };
            return new AgentAnswer(null, nobody, e.Message);
        }
        catch (Exception e) when (e is JsonException or InvalidDataException)
        {
            return new AgentAnswer(null, false, $"{socket}: {e.Message}");
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return new AgentAnswer(null, false, $"{socket}: no answer within {s_patience.TotalSeconds} s");
        }
    }
}
