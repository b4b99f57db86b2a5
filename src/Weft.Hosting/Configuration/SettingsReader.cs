using System.Collections;
using Microsoft.Extensions.Configuration;

namespace Weft.Hosting.Configuration;

/// <summary>
/// Reads settings with the precedence defaults, file (INI), environment, command line, and collects every problem instead of stopping at the first.
/// The environment names a key as WEFT__SECTION__KEY; hyphens are underscores there (WEFT__ROUTER__ROUTER_ID).
/// </summary>
public sealed class SettingsReader
{
    public const string DefaultPath = "/etc/weft/weft.conf";

    private const string EnvironmentPrefix = "WEFT__";

    private readonly List<string> _problems = [];
    private readonly Dictionary<string, (string Value, string Origin)> _values = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _sections = new(StringComparer.OrdinalIgnoreCase);
    private string? _credentials;

    private SettingsReader(string path) => Path = path;

    /// <summary>The file the settings come from, as named in every problem.</summary>
    public string Path { get; }

    /// <summary>One line per problem, each with file or variable, section, key and reason. Empty when the settings are usable.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>
    /// Reads the file and the environment. A missing file is a problem only when it was named explicitly.
    /// </summary>
    /// <param name="path">The file named on the command line, or null for <see cref="DefaultPath"/>.</param>
    /// <param name="environment">Environment variables.</param>
    /// <param name="arguments">Settings given on the command line, as ("section", "key", "value").</param>
    public static SettingsReader Load(string? path, IDictionary environment, params ReadOnlySpan<(string Section, string Key, string Value)> arguments)
    {
        SettingsReader reader = new(path ?? DefaultPath) { _credentials = (string?)environment["CREDENTIALS_DIRECTORY"] };
        reader.ReadFile(required: path is not null);
        foreach (DictionaryEntry entry in environment)
        {
            string name = (string)entry.Key;
            if (name.StartsWith(EnvironmentPrefix, StringComparison.OrdinalIgnoreCase))
            {
                string key = name[EnvironmentPrefix.Length..].Replace("__", ":").Replace('_', '-').ToLowerInvariant();
                reader.Put(key, (string?)entry.Value ?? string.Empty, $"environment variable {name}");
            }
        }

        foreach ((string section, string key, string value) in arguments)
        {
            reader.Put($"{section}:{key}", value, $"command line: [{section}] {key}");
        }

        return reader;
    }

    /// <summary>The names behind a prefix: for "neighbor" the "node1" and "node2" of [neighbor:node1] and [neighbor:node2], in ordinal order.</summary>
    public IReadOnlyList<string> Instances(string prefix)
    {
        List<string> names = [.. _sections.Where(s => s.StartsWith(prefix + ":", StringComparison.OrdinalIgnoreCase)).Select(s => s[(prefix.Length + 1)..])];
        names.Sort(StringComparer.Ordinal);
        return names;
    }

    /// <summary>The keys that a setting with a key such as "rule-*" stands for, in ordinal order.</summary>
    public IReadOnlyList<string> KeysOf(ISetting setting, string? instance = null)
    {
        string start = FullKey(setting, instance).TrimEnd('*');
        int section = SectionOf(setting, instance).Length + 1;
        List<string> keys = [.. _values.Keys.Where(k => k.StartsWith(start, StringComparison.OrdinalIgnoreCase)).Select(k => k[section..])];
        keys.Sort(StringComparer.Ordinal);
        return keys;
    }

    /// <summary>True when the key is set anywhere (an empty value counts as set).</summary>
    public bool IsSet(ISetting setting, string? instance = null) => _values.ContainsKey(FullKey(setting, instance));

    /// <summary>Where the value comes from: a file with section and key, a variable, the command line, or "default".</summary>
    public string Origin(ISetting setting, string? instance = null) =>
        _values.TryGetValue(FullKey(setting, instance), out (string Value, string Origin) found) ? found.Origin : "default";

    /// <summary>
    /// The value, or its default. Text that does not parse is recorded in <see cref="Problems"/> and the default is returned, so that one pass finds
    /// every problem.
    /// </summary>
    /// <param name="setting">The key.</param>
    /// <param name="instance">For a setting of "neighbor:*": the name after the colon.</param>
    public T Get<T>(Setting<T> setting, string? instance = null)
    {
        if (_values.TryGetValue(FullKey(setting, instance), out (string Value, string Origin) found))
        {
            if (setting.Parse(((ISetting)setting).IsPath ? PathOf(found.Value.Trim()) : found.Value.Trim(), out T value, out string reason))
            {
                return value;
            }

            _problems.Add($"{found.Origin}: \"{found.Value}\": {reason}");
        }

        return setting.Parse(setting.Default, out T fallback, out _) ? fallback : default!;
    }

    /// <summary>Like <see cref="Get{T}"/>, and records a problem when the key is not set.</summary>
    public T Require<T>(Setting<T> setting, string? instance = null)
    {
        if (!IsSet(setting, instance))
        {
            _problems.Add($"{Path}: [{SectionOf(setting, instance)}] {setting.Key}: missing; expected {setting.Form}");
        }

        return Get(setting, instance);
    }

    /// <summary>Records a problem that only the role can see (two keys that contradict each other).</summary>
    public void Report(ISetting setting, string reason, string? instance = null) =>
        _problems.Add($"{(IsSet(setting, instance) ? Origin(setting, instance) : $"{Path}: [{SectionOf(setting, instance)}] {setting.Key}")}: {reason}");

    /// <summary>
    /// Records every section and key that no role knows, with the nearest known key. Keys of other roles are fine: one file serves all roles of a machine.
    /// </summary>
    public void ReportUnknown(IEnumerable<ISetting> known)
    {
        Dictionary<string, List<string>> bySection = new(StringComparer.OrdinalIgnoreCase);
        foreach (ISetting setting in known)
        {
            (bySection.TryGetValue(setting.Section, out List<string>? keys) ? keys : bySection[setting.Section] = []).Add(setting.Key);
        }

        foreach ((string full, (_, string origin)) in _values.OrderBy(v => v.Key, StringComparer.Ordinal))
        {
            int colon = full.LastIndexOf(':');
            string section = colon < 0 ? string.Empty : full[..colon];
            string key = full[(colon + 1)..];
            int instance = section.IndexOf(':');
            string pattern = instance < 0 ? section : section[..instance] + ":*";
            if (!bySection.TryGetValue(pattern, out List<string>? keys))
            {
                string? nearSection = Nearest(pattern, bySection.Keys);
                _problems.Add($"{origin}: unknown section [{section}]{(nearSection is null ? string.Empty : $"; did you mean [{nearSection}]?")}");
            }
            else if (!keys.Exists(k => k.EndsWith('*') ? key.StartsWith(k[..^1], StringComparison.OrdinalIgnoreCase) : k.Equals(key, StringComparison.OrdinalIgnoreCase)))
            {
                string? near = Nearest(key, keys);
                _problems.Add($"{origin}: unknown key{(near is null ? string.Empty : $"; did you mean \"{near}\"?")}");
            }
        }
    }

    /// <summary>
    /// Credentials are the way of keys and passwords to a role that may not read /etc (systemd.exec(5)): the units load the folder /etc/weft/credentials under
    /// the name "weft", so a file "bgp.key" there arrives as "weft_bgp.key".
    /// </summary>
    private string PathOf(string value) =>
        value.Length == 0 || value.Contains('/') || string.IsNullOrEmpty(_credentials) ? value
        : ((string[])[$"{_credentials}/{value}", $"{_credentials}/weft_{value}"]).FirstOrDefault(File.Exists) ?? value;

    private static string SectionOf(ISetting setting, string? instance) =>
        setting.Section.EndsWith(":*", StringComparison.Ordinal) ? setting.Section[..^1] + instance : setting.Section;

    private static string FullKey(ISetting setting, string? instance) => $"{SectionOf(setting, instance)}:{setting.Key}";

    private void ReadFile(bool required)
    {
        if (!File.Exists(Path))
        {
            if (required)
            {
                _problems.Add($"{Path}: no such file");
            }

            return;
        }

        try
        {
            using FileStream stream = File.OpenRead(Path);
            foreach ((string key, string? value) in IniStream(stream))
            {
                int colon = key.LastIndexOf(':');
                string section = colon < 0 ? string.Empty : key[..colon];
                Put(key, value ?? string.Empty, $"{Path}: [{section}] {key[(colon + 1)..]}");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or InvalidDataException)
        {
            _problems.Add($"{Path}: {(e.InnerException ?? e).Message}");
        }
    }

    private static IEnumerable<KeyValuePair<string, string?>> IniStream(Stream stream)
    {
        IConfigurationRoot root = new ConfigurationBuilder().AddIniStream(stream).Build();
        return root.AsEnumerable().Where(pair => pair.Value is not null);
    }

    private void Put(string key, string value, string origin)
    {
        _values[key] = (value, origin);
        int colon = key.LastIndexOf(':');
        if (colon > 0)
        {
            _sections.Add(key[..colon]);
        }
    }

    private static string? Nearest(string word, IEnumerable<string> candidates)
    {
        (string? best, int distance) = (null, 4);
        foreach (string candidate in candidates)
        {
            int d = EditDistance(word, candidate);
            if (d < distance)
            {
                (best, distance) = (candidate, d);
            }
        }

        return best;
    }

    private static int EditDistance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int up = row[j];
                row[j] = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1));
                diagonal = up;
            }
        }

        return row[b.Length];
    }
}
