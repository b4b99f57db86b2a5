using System.Globalization;
using System.Text.Json.Nodes;
using Weft.Hosting;

namespace Weft.Node.Router;

/// <summary><c>weft router show ...</c>: asks the running router over its control socket and prints a table, or the answer itself with -o json.</summary>
internal sealed class ShowCommand : ICommand
{
    /// <summary>Paths printed when no limit is given: a few screens.</summary>
    private const int DefaultLimit = 1000;

    private const string Usage = """
        usage: weft router show neighbors             all neighbours, one line each
               weft router show neighbor X            everything about one, by name or address
               weft router show route [PREFIX|ADDRESS] [options]
                                                      the table, what lies in a prefix, or what an address matches
               weft router show summary               the router itself, the datastore, problems
               weft router show memory                where the memory is
        routes:  --best            only the best path of each prefix
                 --received X      what neighbour X sent, before import policy
                 --advertised X    what neighbour X was told, after export policy
                 --rejected        what import policy refused, and loops
                 --why             everything about each path: why it lost, and what each rule of import policy did to it;
                                   with --advertised X also each rule of the policy towards X, and why X is not told
                 --family ipv4|ipv6
                 --limit N         at most N paths (default 1000; 0: all)
        options: --run-dir DIR     where the router runs (default: [router] run-dir of the settings)
                 -o json           the answer as JSON
        """;

    public string Name => "show";

    public string Summary => "neighbors | neighbor X | route [PREFIX] | summary | memory of the running router";

    public async Task<ExitStatus> RunAsync(IReadOnlyList<string> arguments, CommandContext context, CancellationToken stop)
    {
        OperatorLine line = OperatorLine.Parse(
            Name, arguments, ["--received", "--advertised", "--from", "--to", "--family", "--limit"], ["--best", "--rejected", "--why"], context, out string problem);
        if (line.WantsHelp)
        {
            await context.Out.WriteLineAsync(Usage);
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
            return await line.RefuseAsync(problem, Usage);
        }

        if (request["command"]!.GetValue<string>() == "routes")
        {
            RoutePrinter printer = new(context.Out, line.IsJson, line.Flag("--why"));
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
        if (line.Option("--limit") is { } text && (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit < 0))
        {
            return Refuse($"--limit {text}: expected a number, 0 for all", out problem);
        }

        return new JsonObject
        {
            ["command"] = "routes",
            ["prefix"] = prefix,
            ["received"] = line.Option("--received"),
            ["advertised"] = line.Option("--advertised"),
            ["from"] = line.Option("--from"),
            ["to"] = line.Option("--to"),
            ["family"] = line.Option("--family"),
            ["best"] = line.Flag("--best"),
            ["rejected"] = line.Flag("--rejected"),
            ["why"] = line.Flag("--why"),
            ["limit"] = limit,
            ["stream"] = true,
        };
    }
}
