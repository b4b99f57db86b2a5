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

    /// <summary>As it travels over the agent's socket. Exit code first: <see cref="TryReadPlain"/> relies on it.</summary>
    public JsonObject Write() => new() { ["exitCode"] = ExitCode, [ExitCode == 0 ? "result" : "error"] = Body };

    /// <summary>
    /// Takes an answer as this version of the agent writes it apart without parsing: {"exitCode":0,"result":BODY} or {"exitCode":1,"error":BODY}.
    /// </summary>
    /// <param name="line">The answer.</param>
    /// <param name="exitCode">0 or 1.</param>
    /// <param name="body">The text of the body; empty for none.</param>
    public static bool TryReadPlain(ReadOnlySpan<byte> line, out int exitCode, out ReadOnlySpan<byte> body)
    {
        ReadOnlySpan<byte> done = "{\"exitCode\":0,\"result\":"u8;
        ReadOnlySpan<byte> failed = "{\"exitCode\":1,\"error\":"u8;
        exitCode = line.StartsWith(done) ? 0 : 1;
        body = default;
        if ((exitCode == 1 && !line.StartsWith(failed)) || line[^1] != (byte)'}')
        {
            return false;
        }

        body = line[(exitCode == 0 ? done : failed).Length..^1];
        body = body.SequenceEqual("null"u8) ? default : body;
        return true;
    }

    /// <returns>Null when the answer is not that of a CNI request.</returns>
    public static CniOutcome? Read(JsonNode? answer) => answer is JsonObject body && body["exitCode"] is JsonValue code && code.TryGetValue(out int exit)
        ? new CniOutcome(exit, body[exit == 0 ? "result" : "error"]?.DeepClone() as JsonObject)
        : null;
}
