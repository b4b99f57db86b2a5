using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Hosting.Configuration;
using Weft.Hosting.Control;

namespace Weft.Node.Agent;

/// <summary><c>weft agent status | config</c> and <c>weft policy hits</c>: what the running agent says of itself, over its control socket.</summary>
internal sealed class AgentCommand : ICommand
{
    private static readonly CommandOption s_output = new("--output", "-o", "json", "The answer as JSON.");
    private static readonly CommandOption s_set = new("--set", null, null, "Only what is set somewhere, and not left at its default.");

    /// <summary>For every command that asks the agent.</summary>
    internal static readonly CommandOption RunDir = new("--run-dir", null, "DIR", "Where the agent runs (default: [agent] run-dir of the settings).");

    /// <inheritdoc cref="RunDir"/>
    internal static readonly CommandOption Config = new("--config", "-c", "FILE", $"Settings file (default {SettingsReader.DefaultPath}).");

    public static readonly AgentCommand Status = new("whether it is in sync, its endpoints, what is not enforced and why", new CommandSyntax(
        "agent status", "", "Asks the agent of this machine how it is. \"weft node status\" shows the router too.", [s_output, RunDir, Config]),
        choose: null, AgentText.Status);

    public static readonly AgentCommand Configuration = new("every value of FelixConfiguration on this node, and where it came from", new CommandSyntax(
        "agent config", "[WORD...]",
        """
        Every parameter of Felix: its value on this node, where the value comes from, and for what weft does not do the reason. Sources, the strongest
        first: environment (FELIX_NAME), Felix's file, FelixConfiguration "node.NAME", one whose nodeSelector matches, "default", built-in default.
        Words choose parameters whose name contains one of them, in any case.
        """,
        [s_set, s_output, RunDir, Config]),
        static (answer, line) => AgentText.Choose(answer, line.Arguments, line.Has(s_set) ? ConfigurationRows.Set : ConfigurationRows.All), AgentText.Configuration);

    public static readonly AgentCommand Hits = new("what each rule of each policy has matched on this node", new CommandSyntax(
        "policy hits", "[WORD...]",
        """
        Per rule of each policy and profile in the kernel: packets and bytes that it matched since it was written there. A rule sees the packets that open a
        connection; what follows belongs to an established one. Words choose policies whose name contains one of them.
        """,
        [s_output, RunDir, Config]),
        static (answer, line) => AgentText.ChooseHits(answer, line.Arguments), AgentText.Hits);

    private readonly Action<JsonObject, CommandLine>? _choose;
    private readonly Func<JsonObject, string> _page;

    /// <param name="choose">Takes out of the answer what the words do not ask for; null: the command takes no words.</param>
    /// <param name="page">The answer for people.</param>
    private AgentCommand(string summary, CommandSyntax syntax, Action<JsonObject, CommandLine>? choose, Func<JsonObject, string> page) =>
        (Summary, Syntax, _choose, _page) = (summary, syntax, choose, page);

    public string Name => Syntax.Command.Split(' ')[1];

    public string Summary { get; }

    public CommandSyntax Syntax { get; }

    public async Task<ExitStatus> RunAsync(IReadOnlyList<string> arguments, CommandContext context, CancellationToken stop)
    {
        if (!CommandLine.TryParse(arguments, Syntax, out CommandLine? line, out string? reason))
        {
            return await RefuseAsync(context, reason);
        }

        if (line.WantsHelp)
        {
            await context.Out.WriteAsync(Syntax.Help());
            return ExitStatus.Ok;
        }

        if (line.Value(s_output) is not (null or "json"))
        {
            return await RefuseAsync(context, $"-o {line.Value(s_output)}: expected json");
        }

        if (_choose is null && line.Arguments.Count > 0)
        {
            return await RefuseAsync(context, $"unknown argument \"{line.Arguments[0]}\"");
        }

        string folder = FolderOf(line, context);
        JsonObject answer;
        try
        {
            answer = (await ControlClient.RequestAsync(Path.Combine(folder, AgentSettings.SocketName), new JsonObject { ["command"] = Name }, stop)).AsObject();
        }
        catch (Exception e) when (e is IOException or JsonException or InvalidOperationException)
        {
            await context.Error.WriteLineAsync($"weft {Syntax.Command}: no agent answers in {folder}: {e.Message}");
            return ExitStatus.Failed;
        }

        if (answer["error"] is { } error)
        {
            await context.Error.WriteLineAsync($"weft {Syntax.Command}: {error}");
            return ExitStatus.Failed;
        }

        _choose?.Invoke(answer, line);
        await context.Out.WriteAsync(line.Has(s_output) ? AgentText.Json(answer) + "\n" : _page(answer));
        return ExitStatus.Ok;
    }

    /// <summary>Where the agent's socket is, by the options and else by the settings.</summary>
    internal static string FolderOf(CommandLine line, CommandContext context) =>
        line.Value(RunDir) ?? AgentSettings.RunDirOf(SettingsReader.Load(line.Value(Config), context.Environment));

    private async Task<ExitStatus> RefuseAsync(CommandContext context, string problem)
    {
        await context.Error.WriteLineAsync($"weft {Syntax.Command}: {problem}\n\n{Syntax.Help()}");
        return ExitStatus.Usage;
    }
}
