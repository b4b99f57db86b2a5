using System.Globalization;
using Weft.Primitives.Net;

namespace Weft.Hosting.Configuration;

/// <summary>One documented key of the settings file, as the reference page and the check for unknown keys see it.</summary>
public interface ISetting
{
    /// <summary>Section of the INI file. "neighbor:*" stands for every section that begins with "neighbor:".</summary>
    string Section { get; }

    /// <summary>"rule-*" stands for every key that begins with "rule-"; it is read with the whole key put in its place.</summary>
    string Key { get; }

    /// <summary>What the value looks like: "address", "1..65535", "yes | no".</summary>
    string Form { get; }

    /// <summary>Text of the default; empty where there is none.</summary>
    string Default { get; }

    string Help { get; }

    /// <summary>Markdown for the reference page, below the table of the section: for values with a language of their own. Mostly empty.</summary>
    string Notes => string.Empty;

    /// <summary>The value names a file. A name without a slash is that of a credential of the unit (LoadCredential=), where there is such.</summary>
    bool IsPath => Form.StartsWith("path", StringComparison.Ordinal);
}

/// <summary>Turns the text of a setting into a value; the reason says what was expected.</summary>
public delegate bool SettingParser<T>(string text, out T value, out string reason);

/// <summary>
/// A typed key: declare it once as a static field, read it with <see cref="SettingsReader.Get{T}"/>. Parsing is written per kind of value, so
/// the trimmed executable needs no binder.
/// </summary>
public sealed record Setting<T>(string Section, string Key, string Form, string Default, string Help, SettingParser<T> Parse) : ISetting
{
    public string Notes { get; init; } = string.Empty;
}

/// <summary>Factories for the kinds of values that settings have.</summary>
public static class Setting
{
    public static Setting<string> Text(string section, string key, string @default, string help, string form = "text") =>
        new(section, key, form, @default, help, (string text, out string value, out string reason) =>
        {
            value = text;
            reason = string.Empty;
            return true;
        });

    public static Setting<bool> Switch(string section, string key, bool @default, string help) =>
        new(section, key, "yes | no", @default ? "yes" : "no", help, (string text, out bool value, out string reason) =>
        {
            reason = "expected yes or no";
            value = text.ToLowerInvariant() is "yes" or "true" or "on" or "1";
            return value || text.ToLowerInvariant() is "no" or "false" or "off" or "0";
        });

    public static Setting<long> Integer(string section, string key, long? @default, long min, long max, string help) =>
        new(section, key, $"{min}..{max}", @default?.ToString(CultureInfo.InvariantCulture) ?? string.Empty, help, (string text, out long value, out string reason) =>
        {
            reason = $"expected a whole number from {min} to {max}";
            return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value) && value >= min && value <= max;
        });

    /// <summary>A length of time: "500ms", "90s", "5m", "1h"; a bare number counts seconds.</summary>
    public static Setting<TimeSpan> Duration(string section, string key, string @default, TimeSpan min, TimeSpan max, string help) =>
        new(section, key, "duration (500ms, 90s, 5m, 1h)", @default, help, (string text, out TimeSpan value, out string reason) =>
        {
            reason = $"expected a duration from {Describe(min)} to {Describe(max)}, such as 500ms, 90s, 5m or 1h";
            return TryParseDuration(text, out value) && value >= min && value <= max;
        });

    public static Setting<IpAddress?> Address(string section, string key, string @default, string help) =>
        new(section, key, "IP address", @default, help, (string text, out IpAddress? value, out string reason) =>
        {
            reason = "expected an IPv4 or IPv6 address";
            bool ok = IpAddress.TryParse(text, out IpAddress parsed);
            value = ok ? parsed : null;
            return ok || text.Length == 0;
        });

    /// <summary>One of a few words; the value is the word as declared.</summary>
    public static Setting<string> Choice(string section, string key, string @default, string[] words, string help) =>
        new(section, key, string.Join(" | ", words), @default, help, (string text, out string value, out string reason) =>
        {
            value = Array.Find(words, w => w.Equals(text, StringComparison.OrdinalIgnoreCase)) ?? string.Empty;
            reason = $"expected one of: {string.Join(", ", words)}";
            return value.Length > 0;
        });

    /// <summary>A list separated by commas or blanks, each item checked by <paramref name="item"/>.</summary>
    public static Setting<IReadOnlyList<T>> List<T>(string section, string key, string @default, string form, SettingParser<T> item, string help) =>
        new(section, key, form, @default, help, (string text, out IReadOnlyList<T> value, out string reason) =>
        {
            List<T> items = [];
            value = items;
            reason = string.Empty;
            foreach (string part in text.Split([',', ' ', '\t'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            {
                if (!item(part, out T parsed, out string why))
                {
                    reason = $"\"{part}\": {why}";
                    return false;
                }

                items.Add(parsed);
            }

            return true;
        });

    /// <summary>Any kind of value with a parser of its own.</summary>
    public static Setting<T> Custom<T>(string section, string key, string @default, string form, SettingParser<T> parse, string help) =>
        new(section, key, form, @default, help, parse);

    /// <summary>Item parser for lists of CIDR prefixes; host bits must be zero so that a typing error is not masked away.</summary>
    public static bool ParsePrefix(string text, out IpPrefix value, out string reason)
    {
        bool ok = InterfaceAddress.TryParse(text, out InterfaceAddress parsed) && parsed.Prefix.Address == parsed.Address;
        value = ok ? parsed.Prefix : default;
        reason = "expected a CIDR prefix without host bits, such as 10.0.0.0/8 or 2001:db8::/32";
        return ok;
    }

    public static bool ParseText(string text, out string value, out string reason)
    {
        value = text;
        reason = string.Empty;
        return true;
    }

    public static bool TryParseDuration(string text, out TimeSpan value)
    {
        value = default;
        int digits = text.AsSpan().IndexOfAnyExcept("0123456789.");
        ReadOnlySpan<char> number = digits < 0 ? text : text.AsSpan(0, digits);
        string unit = digits < 0 ? "s" : text[digits..].Trim();
        double? factor = unit switch { "ms" => 0.001, "s" or "" => 1, "m" => 60, "h" => 3600, "d" => 86400, _ => null };
        if (factor is null || !double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double amount) || amount * factor > 1e9)
        {
            return false;
        }

        value = TimeSpan.FromSeconds(amount * factor.Value);
        return true;
    }

    private static string Describe(TimeSpan span) =>
        span.TotalSeconds < 1 ? $"{span.TotalMilliseconds}ms" : span.TotalSeconds < 120 ? $"{span.TotalSeconds}s" : span.TotalMinutes < 120 ? $"{span.TotalMinutes}m" : $"{span.TotalHours}h";
}
