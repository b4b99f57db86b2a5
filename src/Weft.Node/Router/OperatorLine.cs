using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Hosting;
using Weft.Hosting.Configuration;
using Weft.Hosting.Control;

namespace Weft.Node.Router;

/// <summary>What an operator typed behind "weft router COMMAND": words and options, and the way to the running router.</summary>
internal sealed class OperatorLine
{
    private static readonly string[] s_common = ["--run-dir", "--config", "-o"];

    private readonly string _command;
    private readonly CommandContext _context;
    private readonly Dictionary<string, string> _options = [];
    private readonly HashSet<string> _flags = [];

    private OperatorLine(string command, CommandContext context) => (_command, _context) = (command, context);

    public List<string> Words { get; } = [];

    public bool WantsHelp { get; private set; }

    public bool IsJson => _options.ContainsKey("-o");

    public string? Option(string name) => _options.GetValueOrDefault(name);

    public bool Flag(string name) => _flags.Contains(name);

    /// <param name="command">For messages.</param>
    /// <param name="arguments">What follows it.</param>
    /// <param name="valued">Options that take a value, beside those every command has.</param>
    /// <param name="flags">Options that do not.</param>
    /// <param name="context">Of the command.</param>
    /// <param name="problem">Not empty: the line cannot be understood.</param>
    public static OperatorLine Parse(string command, IReadOnlyList<string> arguments, string[] valued, string[] flags, CommandContext context, out string problem)
    {
        OperatorLine line = new(command, context);
        problem = string.Empty;
        for (int i = 0; i < arguments.Count && problem.Length == 0; i++)
        {
            string word = arguments[i];
            (string name, string? value) = word.StartsWith("--", StringComparison.Ordinal) && word.Split('=', 2) is [var f, var v] ? (f, v) : (word == "-ojson" ? "-o" : word, word == "-ojson" ? "json" : null);
            if (name is "--help" or "-h")
            {
                line.WantsHelp = true;
            }
            else if (!name.StartsWith('-'))
            {
                line.Words.Add(word);
            }
            else if (flags.Contains(name) && value is null)
            {
                line._flags.Add(name);
            }
            else if (!s_common.Contains(name) && !valued.Contains(name))
            {
                problem = $"unknown option {name}";
            }
            else if (value is null && i + 1 == arguments.Count)
            {
                problem = $"{name} needs a value";
            }
            else
            {
                // "--advertised to X" and "--received from X" are how people say it.
                i += value is null && (name, arguments[i + 1]) is ("--advertised", "to") or ("--received", "from") && i + 2 < arguments.Count ? 1 : 0;
                line._options[name] = value ?? arguments[++i];
            }
        }

        if (problem.Length == 0 && line._options.GetValueOrDefault("-o", "json") != "json")
        {
            problem = $"-o {line._options["-o"]}: expected json";
        }

        return line;
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

            await _context.Error.WriteLineAsync($"weft router {_command}: the answer broke off");
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

    public async Task<ExitStatus> RefuseAsync(string problem, string usage)
    {
        await _context.Error.WriteLineAsync($"weft router {_command}: {problem}\n\n{usage}");
        return ExitStatus.Usage;
    }

    private string RunDirectory => Option("--run-dir") ?? SettingsReader.Load(Option("--config"), _context.Environment).Get(RouterSettings.RunDirectorySetting);

    private string Socket => Path.Combine(RunDirectory, RouterRole.SocketName);

    private async Task<bool> SucceedsAsync(JsonObject answer)
    {
        if (answer["error"] is not { } error)
        {
            return true;
        }

        await _context.Error.WriteLineAsync($"weft router {_command}: {error}");
        return false;
    }

    private Task TellUnreachableAsync(IOException e) => _context.Error.WriteLineAsync(File.Exists(Socket)
        ? $"weft router {_command}: {e.Message}"
        : $"weft router {_command}: no router runs in {RunDirectory}: there is no {Socket}; --run-dir names another folder");
}
