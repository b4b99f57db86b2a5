using System.Text.Json.Nodes;
using Weft.Ctl.Output;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Hosting.Configuration;
using Weft.Hosting.Control;

namespace Weft.Ctl.Nodes;

/// <summary>weft node status: what the agent and the router of this machine say of themselves, over their control sockets.</summary>
public sealed class NodeCommand : CtlCommand
{
    private const string AgentRunDir = "/run/weft";
    private const string RouterRunDir = "/run/weft/router";

    private static readonly CommandOption s_runDir = new("--run-dir", null, "DIR", $"Where the sockets are (default [agent] and [router] run-dir of the settings, {AgentRunDir} and {RouterRunDir}).");
    private static readonly CommandOption s_output = new("--output", "-o", "json", "The answers as they come.");

    private static readonly Setting<string> s_agentRunDir = Setting.Text("agent", "run-dir", AgentRunDir, "Folder of agent.sock.", "path");
    private static readonly Setting<string> s_routerRunDir = Setting.Text("router", "run-dir", RouterRunDir, "Folder of router.sock.", "path");

    public NodeCommand()
        : base(null)
    {
    }

    public override string Summary => "status of this machine: agent, endpoints, BGP sessions, problems";

    internal override CommandSyntax Syntax => new(
        "node", "status [--run-dir DIR] [-o json]",
        "Asks the agent and the router of this machine how they are. Exit code 0 when at least one of them answers, 1 when neither does.",
        [s_runDir, s_output, Config])
    {
        Words = ["status"],
    };

    internal override async Task<ExitStatus> RunAsync(CommandLine line, CommandContext context, CancellationToken stop)
    {
        if (line.Arguments is not ["status"])
        {
            throw new UsageException(line.Arguments.Count == 0 ? "expected: status" : $"unknown: {string.Join(' ', line.Arguments)}; expected: status");
        }

        if (line.Value(s_output) is not (null or "json"))
        {
            throw new UsageException($"unrecognized output format '{line.Value(s_output)}'; expected json");
        }

        SettingsReader settings = ReadSettings(line, context);
        RoleAnswer agent = await AskAsync(Path.Combine(line.Value(s_runDir) ?? settings.Get(s_agentRunDir), "agent.sock"), "status", context.Time, stop);
        RoleAnswer router = await AskAsync(Path.Combine(line.Value(s_runDir) ?? settings.Get(s_routerRunDir), "router.sock"), "neighbors", context.Time, stop);
        if (line.Value(s_output) == "json")
        {
            await context.Out.WriteLineAsync(ResourcePrinter.Indented(new JsonObject { ["agent"] = agent.ToJson(), ["router"] = router.ToJson() }));
        }
        else
        {
            await context.Out.WriteAsync(NodeStatusText.Render(agent, router));
        }

        return agent.Answer is null && router.Answer is null ? ExitStatus.Failed : ExitStatus.Ok;
    }

    private static async Task<RoleAnswer> AskAsync(string path, string command, TimeProvider time, CancellationToken stop)
    {
        if (!File.Exists(path))
        {
            return new RoleAnswer(path, null, $"{path}: no such socket");
        }

        // A role that hangs is as good as one that is not there, and the operator is waiting.
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(5), time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(stop, patience.Token);
        try
        {
            JsonNode answer = await ControlClient.RequestAsync(path, new JsonObject { ["command"] = command }, either.Token);
            return answer is not JsonObject members ? new RoleAnswer(path, null, $"{path}: the answer is not an object")
                : members["error"] is { } error ? new RoleAnswer(path, null, $"{path}: {error}")
                : new RoleAnswer(path, members, null);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return new RoleAnswer(path, null, $"{path}: no answer within 5 s");
        }
        catch (Exception e) when (e is IOException or InvalidDataException or System.Text.Json.JsonException)
        {
            return new RoleAnswer(path, null, e.Message);
        }
    }
}

/// <summary>What a role said, or why it did not.</summary>
internal sealed record RoleAnswer(string Path, JsonObject? Answer, string? Problem)
{
    public JsonNode ToJson() => Answer?.DeepClone() ?? new JsonObject { ["error"] = Problem };
}
