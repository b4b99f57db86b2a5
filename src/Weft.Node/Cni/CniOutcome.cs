using System.Text.Json.Nodes;

namespace Weft.Node.Cni;

/// <summary>What goes to standard output, and the exit code of the plugin process.</summary>
/// <param name="ExitCode">0 or 1.</param>
/// <param name="Body">The result or the error object; null when a verb has no result.</param>
internal sealed record CniOutcome(int ExitCode, JsonObject? Body)
{
    /// <summary>CHECK, DEL, GC and STATUS print nothing on success.</summary>
    public static readonly CniOutcome Done = new(0, null);

    public static CniOutcome Result(JsonObject result) => new(0, result);

    public static CniOutcome Error(string version, CniException error)
    {
        JsonObject body = new() { ["cniVersion"] = version, ["code"] = (int)error.Code, ["msg"] = error.Message };
        if (error.Details is { } details)
        {
            body["details"] = details;
        }

        return new CniOutcome(1, body);
    }

    /// <summary>As it travels over the agent's socket.</summary>
    public JsonObject Write() => new() { ["exitCode"] = ExitCode, [ExitCode == 0 ? "result" : "error"] = Body };

    /// <returns>Null when the answer is not that of a CNI request.</returns>
    public static CniOutcome? Read(JsonNode answer) => answer is JsonObject body && body["exitCode"] is JsonValue code && code.TryGetValue(out int exit)
        ? new CniOutcome(exit, body[exit == 0 ? "result" : "error"]?.DeepClone() as JsonObject)
        : null;
}
