using System.Collections;

namespace Weft.Model.Felix;

/// <summary>
/// Felix's own environment variables and file, so that a node that ran Felix keeps what was set there. The environment wins over the file; a value that
/// cannot be read gives way to the built-in default, not to a weaker source.
/// </summary>
public sealed class FelixLocalSettings
{
    public const string DefaultPath = "/etc/calico/felix.cfg";

    private const string Prefix = "FELIX_";

    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _origins = new(StringComparer.Ordinal);
    private readonly List<string> _problems = [];

    public static FelixLocalSettings None { get; } = new();

    /// <summary>By the names of FelixConfiguration's fields, in its forms.</summary>
    public IReadOnlyDictionary<string, string> Values => _values;

    /// <summary>Per field: the variable, or file and line.</summary>
    public IReadOnlyDictionary<string, string> Origins => _origins;

    /// <summary>Values that cannot be used, or that do nothing here, and why.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <param name="environment">Environment variables.</param>
    /// <param name="path">Of the file, for messages.</param>
    /// <param name="lines">The file's; none when there is no file.</param>
    public static FelixLocalSettings Read(IDictionary environment, string path, IEnumerable<string> lines)
    {
        FelixLocalSettings settings = new();
        int number = 0;
        foreach (string line in lines)
        {
            number++;

            // Sections are there for the reader alone.
            string text = line.Trim();
            if (text.Length > 0 && text[0] is not ('#' or ';' or '[') && text.Split('=', 2) is [var name, var value])
            {
                settings.Put(name.Trim(), value.Trim(), $"{path} line {number}");
            }
        }

        foreach (DictionaryEntry entry in environment)
        {
            string variable = (string)entry.Key;
            if (variable.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            {
                settings.Put(variable[Prefix.Length..], (string?)entry.Value ?? string.Empty, $"environment variable {variable}");
            }
        }

        return settings;
    }

    /// <summary>Names that Felix does not have are left alone: other programs are configured by the same file.</summary>
    private void Put(string name, string text, string origin)
    {
        if (FelixParameters.OfName(name) is not { } parameter)
        {
            return;
        }

        if (!parameter.Type.TryRead(text, FelixSyntax.Local, out string value, out string expected))
        {
            _problems.Add($"{origin}: {parameter.Name}: \"{text}\" cannot be used, expected {expected}: the default holds");
            value = parameter.Default;
        }
        else if (parameter.Asks(value))
        {
            _problems.Add($"{origin}: {parameter.Name}: {parameter.Remark}");
        }

        // An empty value is as if it were not there.
        _values.Remove(parameter.Field);
        if (value.Length > 0)
        {
            _values[parameter.Field] = value;
        }

        _origins[parameter.Field] = origin;
    }
}
