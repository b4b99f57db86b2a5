using System.Collections;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Hosting.Control;

namespace Weft.Node.Cni;

/// <summary>
/// The plugin process: one call, one result or one error object on standard output, exit code 0 or 1. No settings file, no logger on standard output, and
/// on the usual way - VERSION, or an agent that answers - nothing of gRPC, TLS or netlink is touched: a kubelet waits for this process.
/// </summary>
public static class CniMain
{
    /// <summary>What the control socket takes, less room for the envelope.</summary>
    private const int MaxConfigBytes = ControlServer.MaxRequestBytes - (64 << 10);

    /// <param name="environment">The environment of the process.</param>
    /// <param name="input">The network configuration, or nothing for VERSION.</param>
    /// <param name="output">Receives the one JSON object.</param>
    /// <param name="errors">Receives log lines when the call runs without an agent.</param>
    /// <param name="stop">Ends a call that runs without an agent.</param>
    /// <param name="calledAs">The name of the executable as it was called: as NAME-ipam it is the address plugin of another plugin.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(
        IDictionary environment, Stream input, Stream output, Stream errors, CancellationToken stop, string calledAs = "weft")
    {
        CniOutcome outcome = await AnswerAsync(Variables(environment, calledAs), input, errors, stop);
        if (outcome.Body is { } body)
        {
            using (Utf8JsonWriter writer = new(output))
            {
                body.WriteTo(writer);
            }

            output.WriteByte((byte)'\n');
            output.Flush();
        }

        return outcome.ExitCode;
    }

    private static async Task<CniOutcome> AnswerAsync(Dictionary<string, string> environment, Stream input, Stream errors, CancellationToken stop)
    {
        string version = CniVersions.Newest;
        try
        {
            bool isVersion = environment.GetValueOrDefault(CniRequest.VerbVariable) == "VERSION";
            JsonObject config = ReadConfig(input, mayBeEmpty: isVersion);
            if (config["cniVersion"] is JsonValue asked && asked.TryGetValue(out string? text) && (isVersion || CniVersions.IsSupported(text)))
            {
                version = text;
            }

            if (isVersion)
            {
                return CniOutcome.Result(new JsonObject
                {
                    ["cniVersion"] = version,
                    ["supportedVersions"] = new JsonArray([.. CniVersions.Supported.Select(v => (JsonNode)JsonValue.Create(v))]),
                });
            }

            CniRequest request = CniRequest.Parse(environment, config);
            AgentAnswer answer = AgentClient.Call(request.Config.AgentSocket, environment, config);
            return answer.Outcome ?? await WithoutAgentAsync(request, answer, errors, stop);
        }
        catch (CniException e)
        {
            return CniOutcome.Error(version, e);
        }
        catch (Exception e)
        {
            // The top of the call: whatever it was, the runtime must find one error object.
            return CniOutcome.Error(version, new CniException(CniErrorCode.Failed, e.Message, e.ToString()));
        }
    }

    /// <summary>
    /// Every verb can be repeated, so another one may do again what a dying agent had begun. Not ADD: an agent that was there a moment ago will be there
    /// again, and only with it does a pod start with its policy in place.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Task<CniOutcome> WithoutAgentAsync(CniRequest request, AgentAnswer answer, Stream errors, CancellationToken stop) =>
        answer.Nobody || request.Verb != CniVerb.Add
            ? LocalCall.RunAsync(request, answer.Reason, errors, stop)
            : throw new CniException(CniErrorCode.TryAgainLater, $"the agent went away during ADD: {answer.Reason}");

    private static Dictionary<string, string> Variables(IDictionary environment, string calledAs)
    {
        Dictionary<string, string> variables = [];
        foreach (string name in CniRequest.Variables)
        {
            if (environment[name] is string { Length: > 0 } value)
            {
                variables[name] = value;
            }
        }

        variables.Remove(CniRequest.PluginVariable);
        if (calledAs.EndsWith("-ipam", StringComparison.Ordinal))
        {
            variables[CniRequest.PluginVariable] = "ipam";
        }

        return variables;
    }

    private static JsonObject ReadConfig(Stream input, bool mayBeEmpty)
    {
        byte[] buffer = new byte[16 << 10];
        int length = 0;
        int read;
        while ((read = input.Read(buffer.AsSpan(length))) > 0)
        {
            length += read;
            if (length > MaxConfigBytes)
            {
                throw new CniException(CniErrorCode.Decode, $"network configuration on standard input is longer than {MaxConfigBytes} bytes");
            }

            if (length == buffer.Length)
            {
                Array.Resize(ref buffer, buffer.Length * 2);
            }
        }

        if (buffer.AsSpan(0, length).Trim(" \t\r\n"u8).IsEmpty && mayBeEmpty)
        {
            return [];
        }

        try
        {
            return JsonNode.Parse(buffer.AsSpan(0, length)) as JsonObject
                ?? throw new CniException(CniErrorCode.Decode, "network configuration on standard input: expected a JSON object");
        }
        catch (JsonException e)
        {
            throw new CniException(CniErrorCode.Decode, $"network configuration on standard input: {e.Message}");
        }
    }
}
