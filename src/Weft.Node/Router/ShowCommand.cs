using System.Globalization;
using System.Text.Json.Nodes;
using Weft.Hosting;
using Weft.Hosting.Commands;

namespace Weft.Node.Router;

/// <summary><c>weft router show ...</c>: asks the running router over its control socket and prints a table, or the answer itself with -o json.</summary>
internal sealed class ShowCommand : ICommand
{
    /// <summary>Paths printed when no limit is given: a few screens.</summary>
    private const int DefaultLimit = 1000;

    private static readonly CommandOption s_best = new("--best", null, null, "Routes: only the best path of each prefix.");
    private static readonly CommandOption s_received = new("--received", null, "X", "Routes: what neighbour X sent, before import policy.");
    private static readonly CommandOption s_advertised = new("--advertised", null, "X", "Routes: what neighbour X was told, after export policy.");
    private static readonly CommandOption s_from = new("--from", null, "X", "Routes: learnt from neighbour X, after import policy.");
    private static readonly CommandOption s_to = new("--to", null, "X", "Routes: with --why, the policy towards neighbour X.");
    private static readonly CommandOption s_rejected = new("--rejected", null, null, "Routes: what import policy refused, and loops.");
    private static readonly CommandOption s_why = new("--why", null, null, "Routes: why each path lost, and what each rule of policy did to it (with --advertised X: the policy towards X).");
    private static readonly CommandOption s_family = new("--family", null, "ipv4|ipv6", "Routes: of one address family.");
    private static readonly CommandOption s_limit = new("--limit", null, "N", $"Routes: at most N paths (default {DefaultLimit}; 0: all).");

    private static readonly CommandSyntax s_syntax = new(
        "router show", "neighbors | neighbor X | route [PREFIX|ADDRESS] [flags] | summary | memory",
        """
        neighbors         all neighbours, one line each
        neighbor X        everything about one, by name or address
        route             the table, what lies in a prefix, or what an address matches
        summary           the router itself, the datastore, problems
        memory            where the memory is
        """,
        [s_best, s_received, s_advertised, s_from, s_to, s_rejected, s_why, s_family, s_limit, .. OperatorLine.Common])
    {
        Words = ["neighbors", "neighbor", "route", "summary", "memory"],
    };

    public CommandSyntax Syntax => s_syntax;

    public string Name => "show";

    public string Summary => "neighbors | neighbor X | route [PREFIX] | summary | memory of the running router";

    public async Task<ExitStatus> RunAsync(IReadOnlyList<string> arguments, CommandContext context, CancellationToken stop)
    {
        OperatorLine line = OperatorLine.Parse(s_syntax, arguments, context, out string problem);
        if (line.WantsHelp)
        {
            await context.Out.WriteAsync(s_syntax.Help());
            return ExitStatus.Ok;
        }

        JsonObject? request = line.Words switch
        {
            _ when problem.Length > 0 => null,
            ["neighbors" or "neighbours"] => new JsonObject { ["command"] = "neighbors" },
            ["neighbor" or "neighbour" or "neighbors" or "neighbours", var name] => new JsonObject { ["command"] = "neighbor", ["name"] = name },
            ["route" or "routes"] => Routes(line, null, out problem),
            ["route" or "routes", var prefix] => Routes(line, prefix, out problem),
            ["summary"] => new JsonObject { ["command"] = "summary" },
            ["memory"] => new JsonObject { ["command"] = "memory" },
            [] => Refuse("what?", out problem),
            _ => Refuse($"cannot show \"{string.Join(' ', line.Words)}\"", out problem),
        };
        if (request is null || problem.Length > 0)
        {
            return await line.RefuseAsync(problem);
        }

        if (request["command"]!.GetValue<string>() == "routes")
        {
            RoutePrinter printer = new(context.Out, line.IsJson, line.Has(s_why));
            return await line.AskForLinesAsync(request, printer.AddAsync, stop) is { } end ? await printer.EndAsync(end) : ExitStatus.Failed;
        }

        if (await line.AskAsync(request, stop) is not { } answer)
        {
            return ExitStatus.Failed;
        }

        await (line.IsJson ? line.PrintAsync(answer) : context.Out.WriteAsync(ShowTables.Render(request["command"]!.GetValue<string>(), answer)));
        return ExitStatus.Ok;
    }

    private static JsonObject? Refuse(string text, out string problem)
    {
        problem = text;
        return null;
    }

    private static JsonObject? Routes(OperatorLine line, string? prefix, out string problem)
    {
        int limit = DefaultLimit;
        problem = string.Empty;
        if (line.Option(s_limit) is { } text && (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit < 0))
        {
            return Refuse($"--limit {text}: expected a number, 0 for all", out problem);
        }

        return new JsonObject
        {
            ["command"] = "routes",
            ["prefix"] = prefix,
            ["received"] = line.Option(s_received),
            ["advertised"] = line.Option(s_advertised),
            ["from"] = line.Option(s_from),
            ["to"] = line.Option(s_to),
            ["family"] = line.Option(s_family),
            ["best"] = line.Has(s_best),
            ["rejected"] = line.Has(s_rejected),
            ["why"] = line.Has(s_why),
            ["limit"] = limit,
            ["stream"] = true,
        };
    }
}
