using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Hosting;
using Weft.Hosting.Configuration;
using Weft.Hosting.Control;

namespace Weft.Node.Router;

/// <summary><c>weft router show ...</c>: asks the running router over its control socket and prints a table, or the answer itself with -o json.</summary>
internal sealed class ShowCommand : ICommand
{
    private const string Usage = """
        usage: weft router show neighbors             all neighbours, one line each
               weft router show neighbor NAME         everything about one
               weft router show route [PREFIX|ADDRESS] [--from NAME] [--to NAME]
                                                      the table, what lies in a prefix, or what an address matches
               weft router show summary               the router itself, the datastore, problems
        options: --run-dir DIR   where the router runs (default: [router] run-dir of the settings)
                 -o json         the answer as JSON
        """;

    public string Name => "show";

    public string Summary => "show neighbors | neighbor NAME | route [PREFIX] | summary of the running router";

    public async Task<ExitStatus> RunAsync(IReadOnlyList<string> arguments, CommandContext context, CancellationToken stop)
    {
        List<string> words = [];
        Dictionary<string, string> options = [];
        for (int i = 0; i < arguments.Count; i++)
        {
            string word = arguments[i];
            if (word is "--help" or "-h")
            {
                await context.Out.WriteLineAsync(Usage);
                return ExitStatus.Ok;
            }

            if (!word.StartsWith('-'))
            {
                words.Add(word);
            }
            else if (word.Split('=', 2) is [var flag, var value])
            {
                options[flag] = value;
            }
            else if (word == "-ojson")
            {
                options["-o"] = "json";
            }
            else if (i + 1 < arguments.Count)
            {
                options[word] = arguments[++i];
            }
            else
            {
                return await RefuseAsync(context, $"{word} needs a value");
            }
        }

        if (options.Keys.FirstOrDefault(k => k is not ("--run-dir" or "-o" or "--from" or "--to" or "--config")) is { } unknown)
        {
            return await RefuseAsync(context, $"unknown option {unknown}");
        }

        if (options.GetValueOrDefault("-o", "json") != "json")
        {
            return await RefuseAsync(context, $"-o {options["-o"]}: expected json");
        }

        JsonObject? request = words switch
        {
            ["neighbors" or "neighbours"] => new JsonObject { ["command"] = "neighbors" },
            ["neighbor" or "neighbour", var name] => new JsonObject { ["command"] = "neighbor", ["name"] = name },
            ["route" or "routes"] => new JsonObject { ["command"] = "routes", ["prefix"] = null },
            ["route" or "routes", var prefix] => new JsonObject { ["command"] = "routes", ["prefix"] = prefix },
            ["summary"] => new JsonObject { ["command"] = "summary" },
            _ => null,
        };
        if (request is null)
        {
            return await RefuseAsync(context, words.Count == 0 ? "what?" : $"cannot show \"{string.Join(' ', words)}\"");
        }

        if (request["command"]!.GetValue<string>() == "routes")
        {
            request["from"] = options.GetValueOrDefault("--from");
            request["to"] = options.GetValueOrDefault("--to");
        }

        return await AskAsync(request, options, context, stop);
    }

    private static async Task<ExitStatus> AskAsync(JsonObject request, Dictionary<string, string> options, CommandContext context, CancellationToken stop)
    {
        string runDirectory = options.GetValueOrDefault("--run-dir")
            ?? SettingsReader.Load(options.GetValueOrDefault("--config"), context.Environment).Get(RouterSettings.RunDirectorySetting);
        string socket = Path.Combine(runDirectory, RouterRole.SocketName);
        JsonObject answer;
        try
        {
            answer = (await ControlClient.RequestAsync(socket, request, stop)).AsObject();
        }
        catch (IOException e)
        {
            await context.Error.WriteLineAsync(File.Exists(socket)
                ? $"weft router show: {e.Message}"
                : $"weft router show: no router runs in {runDirectory}: there is no {socket}; --run-dir names another folder");
            return ExitStatus.Failed;
        }

        if (answer["error"] is { } error)
        {
            await context.Error.WriteLineAsync($"weft router show: {error}");
            return ExitStatus.Failed;
        }

        if (options.ContainsKey("-o"))
        {
            using MemoryStream buffer = new();
            using (Utf8JsonWriter writer = new(buffer, new JsonWriterOptions { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            {
                answer.WriteTo(writer);
            }

            await context.Out.WriteLineAsync(System.Text.Encoding.UTF8.GetString(buffer.ToArray()));
        }
        else
        {
            await context.Out.WriteAsync(ShowTables.Render(request["command"]!.GetValue<string>(), answer));
        }

        return ExitStatus.Ok;
    }

    private static async Task<ExitStatus> RefuseAsync(CommandContext context, string problem)
    {
        await context.Error.WriteLineAsync($"weft router show: {problem}\n\n{Usage}");
        return ExitStatus.Usage;
    }
}
