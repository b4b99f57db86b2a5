using System.Diagnostics.CodeAnalysis;

namespace Weft.Hosting.Commands;

/// <summary>
/// Arguments by the usual conventions: "--flag VALUE", "--flag=VALUE", "-f VALUE", "-fVALUE"; flags and other arguments in any order; "--" ends the
/// flags; "-" alone is an argument (standard input).
/// </summary>
public sealed class CommandLine
{
    private readonly Dictionary<string, List<string>> _values = [];
    private readonly List<string> _arguments = [];

    private CommandLine()
    {
    }

    /// <summary>What is not a flag.</summary>
    public IReadOnlyList<string> Arguments => _arguments;

    public bool WantsHelp { get; private set; }

    public static bool TryParse(
        IReadOnlyList<string> arguments, CommandSyntax syntax, [NotNullWhen(true)] out CommandLine? line, [NotNullWhen(false)] out string? problem)
    {
        CommandLine parsed = new();
        (line, problem) = (null, null);
        for (int i = 0; i < arguments.Count; i++)
        {
            string argument = arguments[i];
            if (argument == "--")
            {
                parsed._arguments.AddRange(arguments.Skip(i + 1));
                break;
            }

            if (argument is "--help" or "-h")
            {
                parsed.WantsHelp = true;
                continue;
            }

            if (argument.Length < 2 || argument[0] != '-')
            {
                parsed._arguments.Add(argument);
                continue;
            }

            (string flag, string? value) = Split(argument);
            CommandOption? option = syntax.Options.FirstOrDefault(o => o.Long == flag || o.Short == flag);
            if (option is null)
            {
                problem = flag.StartsWith("--", StringComparison.Ordinal) ? $"unknown flag: {flag}" : $"unknown shorthand flag: '{flag[1..]}' in {argument}";
                return false;
            }

            if (option.TakesValue && value is null)
            {
                value = ++i < arguments.Count ? arguments[i] : null;
            }

            problem = !option.TakesValue && value is not null ? $"{flag} takes no value"
                : option.TakesValue && value is null ? $"{flag} needs a value: {option.ValueForm}"
                : parsed.Has(option) && !option.IsRepeatable ? $"{flag} is given twice"
                : null;
            if (problem is not null)
            {
                return false;
            }

            (parsed._values.TryGetValue(option.Long, out List<string>? values) ? values : parsed._values[option.Long] = []).Add(value ?? string.Empty);
        }

        line = parsed;
        return true;
    }

    public bool Has(CommandOption option) => _values.ContainsKey(option.Long);

    /// <summary>Null when the flag is not given.</summary>
    public string? Value(CommandOption option) => _values.TryGetValue(option.Long, out List<string>? values) ? values[^1] : null;

    public IReadOnlyList<string> Values(CommandOption option) => _values.TryGetValue(option.Long, out List<string>? values) ? values : [];

    private static (string Flag, string? Value) Split(string argument)
    {
        if (argument.StartsWith("--", StringComparison.Ordinal))
        {
            int equals = argument.IndexOf('=');
            return equals < 0 ? (argument, null) : (argument[..equals], argument[(equals + 1)..]);
        }

        return argument.Length == 2 ? (argument, null) : (argument[..2], argument[2] == '=' ? argument[3..] : argument[2..]);
    }
}
