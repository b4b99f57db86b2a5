using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Hosting.Configuration;
using Weft.Hosting.Control;

namespace Weft.Node.Router;

/// <summary>What an operator typed behind "weft router COMMAND": words and options, and the way to the running router.</summary>
internal sealed class OperatorLine
{
    private static readonly CommandOption s_output = new("--output", "-o", "json", "The answer as JSON.");
    private static readonly CommandOption s_runDir = new("--run-dir", null, "DIR", "Where the router runs (default: [router] run-dir of the settings).");
    private static readonly CommandOption s_config = new("--config", "-c", "FILE", $"Settings file (default {SettingsReader.DefaultPath}).");

    private readonly CommandSyntax _syntax;
    private readonly CommandContext _context;
    private readonly CommandLine? _line;

    private OperatorLine(CommandSyntax syntax, CommandLine? line, CommandContext context) => (_syntax, _line, _context) = (syntax, line, context);

    /// <summary>What every command to the router takes.</summary>
    public static IReadOnlyList<CommandOption> Common { get; } = [s_output, s_runDir, s_config];

    public List<string> Words => [.. _line?.Arguments ?? []];

    public bool WantsHelp => _line?.WantsHelp ?? false;

    public bool IsJson => Has(s_output);

    public string? Option(CommandOption option) => _line?.Value(option);

    public bool Has(CommandOption option) => _line?.Has(option) ?? false;

    /// <param name="syntax">What the command accepts.</param>
    /// <param name="arguments">What follows its name.</param>
    /// <param name="context">Of the command.</param>
    /// <param name="problem">Not empty: the line cannot be understood.</param>
    public static OperatorLine Parse(CommandSyntax syntax, IReadOnlyList<string> arguments, CommandContext context, out string problem)
    {
        // "--advertised to X" and "--received from X" are how people say it.
        string[] plain = [.. arguments.Where((word, i) => i == 0 || i + 1 == arguments.Count || (arguments[i - 1], word) is not (("--advertised", "to") or ("--received", "from")))];
        problem = CommandLine.TryParse(plain, syntax, out CommandLine? line, out string? reason) ? string.Empty : reason;
        OperatorLine result = new(syntax, line, context);
        if (result.Option(s_output) is not (null or "json"))
        {
            problem = $"-o {result.Option(s_output)}: expected json";
        }

        return result;
    }

    /// <summary>Null when the router did not answer or answered with an error; the operator has been told.</summary>
    public async Task<JsonObject?> AskAsync(JsonObject request, CancellationToken stop)
    {
        try
        {
            JsonObject answer = (await ControlClient.RequestAsync(Socket, request, stop)).AsObject();
            return await SucceedsAsync(answer) ? answer : null;
        }
        catch (IOException e)
        {
            await TellUnreachableAsync(e);
            return null;
        }
    }

    /// <summary>Hands every line of the answer but the last to <paramref name="each"/>. Null as for <see cref="AskAsync"/>; else the last line.</summary>
    public async Task<JsonObject?> AskForLinesAsync(JsonObject request, Func<JsonObject, Task> each, CancellationToken stop)
    {
        try
        {
            await foreach (JsonNode node in ControlLines.RequestAsync(Socket, request, stop))
            {
                JsonObject line = node.AsObject();
                if (line.ContainsKey("error") || line.ContainsKey("end"))
                {
                    return await SucceedsAsync(line) ? line : null;
                }

                await each(line);
            }

            await _context.Error.WriteLineAsync($"weft {_syntax.Command}: the answer broke off");
        }
        catch (IOException e)
        {
            await TellUnreachableAsync(e);
        }

        return null;
    }

    public Task PrintAsync(JsonObject answer) => _context.Out.WriteLineAsync(Json(answer, indented: true));

    /// <summary>JSON for a person or for jq: what needs no escape has none.</summary>
    public static string Json(JsonObject answer, bool indented)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter writer = new(buffer, new JsonWriterOptions { Indented = indented, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            answer.WriteTo(writer);
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    public async Task<ExitStatus> RefuseAsync(string problem)
    {
        await _context.Error.WriteLineAsync($"weft {_syntax.Command}: {problem}\n\n{_syntax.Help()}");
        return ExitStatus.Usage;
    }

    private string RunDirectory => Option(s_runDir) ?? SettingsReader.Load(Option(s_config), _context.Environment).Get(RouterSettings.RunDirectorySetting);

    private string Socket => Path.Combine(RunDirectory, RouterRole.SocketName);

    private async Task<bool> SucceedsAsync(JsonObject answer)
    {
        if (answer["error"] is not { } error)
        {
            return true;
        }

        await _context.Error.WriteLineAsync($"weft {_syntax.Command}: {error}");
        return false;
    }

    private Task TellUnreachableAsync(IOException e) => _context.Error.WriteLineAsync(File.Exists(Socket)
        ? $"weft {_syntax.Command}: {e.Message}"
        : $"weft {_syntax.Command}: no router runs in {RunDirectory}: there is no {Socket}; --run-dir names another folder");
}
