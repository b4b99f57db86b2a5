using System.Text;
using System.Text.Json.Nodes;
using Weft.Node.Cni;

namespace Weft.Node.Tests.Agent;

/// <summary>One CNI call as the plugin process hands it to the agent.</summary>
internal static class AgentCall
{
    public static async Task<CniOutcome> AskAsync(string socket, Dictionary<string, string> environment, JsonObject config)
    {
        PluginCall call = PluginCall.Read(environment, Encoding.UTF8.GetBytes(config.ToJsonString()));
        AgentAnswer answer = await Task.Run(() => AgentClient.Call(socket, call.ToLine()));
        return (answer.Line is { } line ? CniOutcome.Read(JsonNode.Parse(line.Span)) : null) ?? throw new InvalidOperationException(answer.Reason);
    }
}
