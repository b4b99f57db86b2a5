using System.Text;

namespace Weft.Hosting.Commands;

/// <summary>A flag of a command.</summary>
/// <param name="Long">With both hyphens.</param>
/// <param name="Short">With one hyphen, or null.</param>
/// <param name="ValueForm">What the value looks like in the help; null for a flag that takes none.</param>
/// <param name="Help">One sentence.</param>
public sealed record CommandOption(string Long, string? Short, string? ValueForm, string Help)
{
    public bool TakesValue => ValueForm is not null;

    /// <summary>The words that the value may be, for completion: a form in lower case stands for itself ("json|yaml"), one in capitals for something else.</summary>
    public IReadOnlyList<string> Choices =>
        [.. (ValueForm ?? string.Empty).Split('|', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Where(w => char.IsAsciiLetterLower(w[0]) && w.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-'))];

    /// <summary>The value names a file or a folder.</summary>
    public bool TakesPath => ValueForm is not null && (ValueForm.StartsWith("FILE", StringComparison.Ordinal) || ValueForm.StartsWith("DIR", StringComparison.Ordinal) || ValueForm == "PATH");

    /// <summary>May be given more than once.</summary>
    public bool IsRepeatable { get; init; }
}

/// <summary>What a command accepts, and its help page.</summary>
/// <param name="Command">The words after "weft".</param>
/// <param name="Arguments">What follows them, as in "KIND NAME...".</param>
/// <param name="Description">A paragraph.</param>
/// <param name="Options">Flags, in the order of the help page.</param>
public sealed record CommandSyntax(string Command, string Arguments, string Description, IReadOnlyList<CommandOption> Options)
{
    public IReadOnlyList<(string Line, string Meaning)> Examples { get; init; } = [];

    /// <summary>What the first argument may be, where that is a list of words; for completion.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    public string Usage => $"usage: weft {Command} {Arguments}";

    public string Help()
    {
        StringBuilder text = new();
        text.Append(Usage).Append("\n\n").Append(Description).Append("\n\n");
        string[] flags = [.. Options.Select(o => $"{(o.Short is null ? "    " : o.Short + ", ")}{o.Long}{(o.ValueForm is null ? string.Empty : " " + o.ValueForm)}")];
        int width = flags.Append("-h, --help").Max(f => f.Length) + 2;
        for (int i = 0; i < flags.Length; i++)
        {
            text.Append("  ").Append(flags[i].PadRight(width)).Append(Options[i].Help).Append('\n');
        }

        text.Append("  ").Append("-h, --help".PadRight(width)).Append("This page.\n");
        if (Examples.Count > 0)
        {
            int lineWidth = Examples.Max(e => e.Line.Length) + 2;
            text.Append("\nExamples:\n");
            foreach ((string line, string meaning) in Examples)
            {
                text.Append("  ").Append(line.PadRight(lineWidth)).Append(meaning).Append('\n');
            }
        }

        return text.ToString();
    }
}
