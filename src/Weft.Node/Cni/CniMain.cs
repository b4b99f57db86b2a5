using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Hosting.Control;
using Weft.Linux.Processes;

namespace Weft.Node.Cni;

/// <summary>
/// The plugin process: one call, one result or one error object on standard output, exit code 0 or 1. No settings file, no logger on standard output, and
/// on the usual way - VERSION, or an agent that answers - the configuration is handed on and the answer printed as they are: a kubelet waits for this process.
/// </summary>
public static class CniMain
{
    /// <summary>What the control socket takes, less room for the envelope.</summary>
    private const int MaxConfigBytes = ControlServer.MaxRequestBytes - (64 << 10);

    /// <summary>The whole life of the process; does not return once the answer is written.</summary>
    public static async Task<int> RunProcessAsync(string calledAs)
    {
        int exitCode = await RunAsync(
            Environment.GetEnvironmentVariable, DescriptorStream.Input, DescriptorStream.Output, DescriptorStream.Error, CancellationToken.None, calledAs);
        ProcessEnd.Now(exitCode);
        return exitCode;
    }

    /// <param name="variable">Reads a variable of the environment.</param>
    /// <param name="input">The network configuration, or nothing for VERSION.</param>
    /// <param name="output">Receives the one JSON object.</param>
    /// <param name="errors">Receives log lines when the call runs without an agent.</param>
    /// <param name="stop">Ends a call that runs without an agent.</param>
    /// <param name="calledAs">The name of the executable as it was called: as NAME-ipam it is the address plugin of another plugin.</param>
    /// <returns>The exit code.</returns>
    public static async ValueTask<int> RunAsync(
        Func<string, string?> variable, Stream input, Stream output, Stream errors, CancellationToken stop, string calledAs = "weft")
    {
        string version = CniVersions.Newest;
        CniOutcome outcome;
        try
        {
            PluginCall call = PluginCall.Read(Variables(variable, calledAs), ReadAll(input));
            version = CniVersions.Among(call.CniVersion.Span) ?? version;
            if (call.IsVersion)
            {
                PrintVersions(call, output);
                return 0;
            }

            AgentAnswer answer = AgentClient.Call(call.AgentSocket, call.ToLine());
            if (answer.Line is { } line && CniOutcome.TryReadPlain(line.Span, out int exitCode, out ReadOnlySpan<byte> body))
            {
                Print(body, output);
                return exitCode;
            }

            outcome = await OtherwiseAsync(call, answer, errors, stop);
        }
        catch (CniException e)
        {
            outcome = CniOutcome.Error(version, e);
        }
        catch (Exception e)
        {
            // The top of the call: whatever it was, the runtime must find one error object.
            outcome = CniOutcome.Error(version, new CniException(CniErrorCode.Failed, e.Message, e.ToString()));
        }

        Print(outcome.Body is { } answered ? Encoding.UTF8.GetBytes(answered.ToJsonString()) : default, output);
        return outcome.ExitCode;
    }

    /// <summary>
    /// Nobody listens, or what answered is not this version of the agent. Every verb can be repeated, so another one may do again what a dying agent had begun.
    /// Not ADD: an agent that was there a moment ago will be there again, and only with it does a pod start with its policy in place.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task<CniOutcome> OtherwiseAsync(PluginCall call, AgentAnswer answer, Stream errors, CancellationToken stop)
    {
        JsonObject config = JsonNode.Parse(call.Config.Span) as JsonObject ?? [];
        CniRequest request = CniRequest.Parse(call.Environment, config);
        if (answer.Line is { } line && Parse(line) is { } outcome)
        {
            return outcome;
        }

        string reason = answer.Line is null ? answer.Reason : $"{call.AgentSocket}: the answer is not that of an agent";
        return answer.Nobody || request.Verb != CniVerb.Add
            ? await LocalCall.RunAsync(request, call, reason, errors, stop)
            : throw new CniException(CniErrorCode.TryAgainLater, $"the agent went away during ADD: {reason}");

        static CniOutcome? Parse(ReadOnlyMemory<byte> line)
        {
            try
            {
                return CniOutcome.Read(JsonNode.Parse(line.Span));
            }
            catch (JsonException)
            {
                return null; // Said by the caller: not an agent.
            }
        }
    }

    private static Dictionary<string, string> Variables(Func<string, string?> variable, string calledAs)
    {
        Dictionary<string, string> variables = [];
        foreach (string name in CniRequest.Variables)
        {
            if (variable(name) is { Length: > 0 } value)
            {
                variables[name] = value;
            }
        }

        if (calledAs.EndsWith("-ipam", StringComparison.Ordinal))
        {
            variables[CniRequest.PluginVariable] = "ipam";
        }

        return variables;
    }

    private static ReadOnlyMemory<byte> ReadAll(Stream input)
    {
        byte[] buffer = new byte[8 << 10];
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

        return buffer.AsMemory(0, length);
    }

    private static void PrintVersions(PluginCall call, Stream output)
    {
        string versions = string.Join("\",\"", CniVersions.Supported);
        string asked = call.CniVersion.IsEmpty ? CniVersions.Newest : Encoding.UTF8.GetString(call.CniVersion.Span);
        Print(Encoding.UTF8.GetBytes($"{{\"cniVersion\":\"{asked}\",\"supportedVersions\":[\"{versions}\"]}}"), output);
    }

    /// <summary>In one write: a runtime may read only once.</summary>
    private static void Print(ReadOnlySpan<byte> body, Stream output)
    {
        if (body.IsEmpty)
        {
            return;
        }

        byte[] line = new byte[body.Length + 1];
        body.CopyTo(line);
        line[^1] = (byte)'\n';
        output.Write(line);
    }
}
