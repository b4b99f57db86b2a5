using System.Text.Json.Nodes;
using Weft.Hosting;
using Weft.Hosting.Commands;

namespace Weft.Node.Router;

/// <summary><c>weft router reset | shutdown | enable</c>: what an operator does to a neighbour of the running router.</summary>
internal sealed class OperateCommand : ICommand
{
    private static readonly CommandOption s_ask = new(
        "--ask", null, null, "soft in: X sends its routes again (route refresh, RFC 2918, RFC 7313) instead of those kept being looked at again.");

    private static readonly CommandOption s_bfdDown = new(
        "--bfd-down", null, null, "For a BFD program beside the router: X is not reached any more. Cease/10 (RFC 9384), and its routes go at once.");

    private static readonly CommandOption s_message = new("--message", null, "TEXT", "Told to the neighbour (RFC 9003, up to 255 bytes).");

    public static readonly OperateCommand Reset = new("X|all [soft in|soft out|soft]: sessions anew, or only policy", new CommandSyntax(
        "router reset", "X|all [soft in [--ask] | soft out | soft] [--message TEXT | --bfd-down]",
        """
        X is a name or an address. Without "soft" the session ends (Cease, administrative reset) and comes up again; neighbours that restart
        gracefully keep their routes meanwhile. soft in: import policy again over what X sent. soft out: export policy again, and the whole
        table is sent. soft: both. A soft reset never ends a session.
        """,
        [s_ask, s_message, s_bfdDown, .. OperatorLine.Common]), MakeReset);

    public static readonly OperateCommand Shutdown = new("X [MESSAGE]: take a neighbour down", new CommandSyntax(
        "router shutdown", "X [MESSAGE | --message MESSAGE]",
        """
        The session with X (a name or an address) ends with Cease, administrative shutdown, and MESSAGE is told to it (RFC 9003, up to 255 bytes).
        It stays down until "weft router enable X", or until the router is started anew; the settings file is not touched.
        """,
        [s_message, .. OperatorLine.Common]), static line => line.Words switch
    {
        [var name, .. var message] => new JsonObject { ["command"] = "shutdown", ["name"] = name, ["message"] = message.Count == 0 ? line.Option(s_message) : string.Join(' ', message) },
        _ => null,
    });

    public static readonly OperateCommand Drain = new("X|all: move traffic away before maintenance", new CommandSyntax(
        "router drain", "X|all",
        """
        Before maintenance: everything is announced to X (a name or an address) again with the community GRACEFUL_SHUTDOWN (RFC 8326), to internal
        neighbours with LOCAL_PREF 0 too, so that traffic moves to other ways while this one still works. The session stays up. Holds until
        "weft router enable X", or until the router is started anew; the settings file is not touched.
        """,
        OperatorLine.Common), static line => line.Words switch
    {
        [var name] => new JsonObject { ["command"] = "drain", ["name"] = name },
        _ => null,
    });

    public static readonly OperateCommand Enable = new("X|all: let a neighbour up again", new CommandSyntax(
        "router enable", "X|all", "Takes a \"weft router shutdown X\" or \"weft router drain X\" back.", OperatorLine.Common), static line => line.Words switch
    {
        [var name] => new JsonObject { ["command"] = "enable", ["name"] = name },
        _ => null,
    });

    private readonly Func<OperatorLine, JsonObject?> _request;

    private OperateCommand(string summary, CommandSyntax syntax, Func<OperatorLine, JsonObject?> request) =>
        (Summary, Syntax, _request) = (summary, syntax, request);

    public string Name => Syntax.Command["router ".Length..];

    public string Summary { get; }

    public CommandSyntax Syntax { get; }

    public async Task<ExitStatus> RunAsync(IReadOnlyList<string> arguments, CommandContext context, CancellationToken stop)
    {
        OperatorLine line = OperatorLine.Parse(Syntax, arguments, context, out string problem);
        if (line.WantsHelp)
        {
            await context.Out.WriteAsync(Syntax.Help());
            return ExitStatus.Ok;
        }

        if (problem.Length > 0 || _request(line) is not { } request)
        {
            return await line.RefuseAsync(problem.Length > 0 ? problem : line.Words.Count == 0 ? "which neighbour?" : $"cannot {Name} \"{string.Join(' ', line.Words)}\"");
        }

        if (await line.AskAsync(request, stop) is not { } answer)
        {
            return ExitStatus.Failed;
        }

        await (line.IsJson ? line.PrintAsync(answer) : context.Out.WriteLineAsync(Say(answer)));
        return ExitStatus.Ok;
    }

    private static JsonObject? MakeReset(OperatorLine line)
    {
        string? soft = line.Words switch
        {
            [_] => string.Empty,
            [_, "soft", "in"] => "in",
            [_, "soft", "out"] => "out",
            [_, "soft"] => "both",
            _ => null,
        };
        bool ask = line.Has(s_ask), bfdDown = line.Has(s_bfdDown);
        bool isOdd = (ask && soft is not ("in" or "both")) || (bfdDown && (soft is not "" || line.Option(s_message) is not null));
        return soft is null || isOdd ? null : new JsonObject
        {
            ["bfdDown"] = bfdDown,
            ["ask"] = ask,
            ["command"] = "reset",
            ["name"] = line.Words[0],
            ["soft"] = soft.Length == 0 ? null : soft,
            ["message"] = line.Option(s_message),
        };
    }

    private string Say(JsonObject answer) => Name switch
    {
        "reset" => $"{(answer["soft"] is { } soft ? $"soft reset ({soft})" : "reset")}: {string.Join(", ", answer["reset"]!.AsArray())}",
        "drain" => $"{answer["drain"]}: everything is announced with GRACEFUL_SHUTDOWN until \"weft router enable\" or the next start of the router",
        "shutdown" => $"{answer["shutdown"]} is shut down until \"weft router enable {answer["shutdown"]}\" or the next start of the router",
        _ => $"{answer["enable"]} is enabled",
    };
}
