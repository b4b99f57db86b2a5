using System.Globalization;
using System.Text.Json.Nodes;

namespace Weft.Model.Yaml;

/// <summary>
/// Plain scalars by the core schema of YAML 1.2.2 (10.3.2): "no" and "on" are text, 010 is ten, 0o10 is eight. Quoted scalars never come here.
/// </summary>
internal static class YamlScalars
{
    /// <summary>Null for null; the problem is set for values that JSON cannot say.</summary>
    public static JsonNode? ToJson(string text, out string? problem)
    {
        problem = null;
        switch (text)
        {
            case "" or "~" or "null" or "Null" or "NULL":
                return null;
            case "true" or "True" or "TRUE":
                return JsonValue.Create(true);
            case "false" or "False" or "FALSE":
                return JsonValue.Create(false);
            case ".nan" or ".NaN" or ".NAN":
            case ".inf" or ".Inf" or ".INF" or "+.inf" or "+.Inf" or "+.INF" or "-.inf" or "-.Inf" or "-.INF":
                problem = $"\"{text}\" is a number that JSON cannot hold";
                return null;
        }

        return TryInteger(text) ?? TryFloat(text) ?? JsonValue.Create(text);
    }

    /// <summary>True when the text needs quotes to stay text, under this schema or under YAML 1.1, by which others may read what weft writes.</summary>
    public static bool NeedsQuotes(string text)
    {
        if (text.Length == 0 || char.IsWhiteSpace(text[0]) || char.IsWhiteSpace(text[^1]) || "-?:,[]{}#&*!|>'\"%@`=<~".Contains(text[0]) || text[^1] == ':')
        {
            return true;
        }

        // " *" inside plain text misleads the scanner of YamlDotNet 18.
        if (text.Contains(": ", StringComparison.Ordinal) || text.Contains(" #", StringComparison.Ordinal) || text.Contains(" *", StringComparison.Ordinal) || text.Any(c => c is < ' ' or '\u007f' or '\u0085' or '\u2028' or '\u2029' or '\ufeff'))
        {
            return true;
        }

        // YAML 1.1: booleans, binary, octal, sexagesimal numbers ("12:30"), numbers with "_", dates, merge and value keys.
        return text.ToLowerInvariant() is "y" or "n" or "yes" or "no" or "on" or "off" or "null" or "true" or "false"
            || (char.IsAsciiDigit(text[0]) && (text[0] == '0' && text.Length > 1 && "xXoObB".Contains(text[1]) || text.All(c => char.IsAsciiDigit(c) || "+-_.:eETtZz ".Contains(c))) && !IsDottedAddress(text))
            || text[0] is '.' or '+';
    }

    /// <summary>No number of any YAML has two dots.</summary>
    private static bool IsDottedAddress(string text) => text.AsSpan().Count('.') >= 2 && !text.Contains(':');

    private static JsonValue? TryInteger(string text)
    {
        if (text.StartsWith("0o", StringComparison.Ordinal))
        {
            return text.Length is > 2 and <= 23 && text.AsSpan(2).IndexOfAnyExceptInRange('0', '7') < 0 ? JsonValue.Create(text.AsSpan(2).ToArray().Aggregate(0L, (n, c) => (n * 8) + (c - '0'))) : null;
        }

        if (text.StartsWith("0x", StringComparison.Ordinal))
        {
            return long.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long hex) ? JsonValue.Create(hex) : null;
        }

        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number))
        {
            return JsonValue.Create(number);
        }

        return ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong large) ? JsonValue.Create(large) : null;
    }

    /// <summary>[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?.</summary>
    private static JsonValue? TryFloat(string text)
    {
        ReadOnlySpan<char> rest = text.AsSpan(text[0] is '-' or '+' ? 1 : 0);
        int whole = Digits(rest);
        rest = rest[whole..];
        int fraction = 0;
        if (rest is ['.', ..])
        {
            fraction = Digits(rest[1..]);
            rest = rest[(1 + fraction)..];
        }

        if (whole == 0 && fraction == 0)
        {
            return null;
        }

        if (rest is ['e' or 'E', ..])
        {
            rest = rest[1..];
            rest = rest is ['-' or '+', ..] ? rest[1..] : rest;
            int exponent = Digits(rest);
            if (exponent == 0)
            {
                return null;
            }

            rest = rest[exponent..];
        }

        return rest.IsEmpty && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number) ? JsonValue.Create(number) : null;
    }

    private static int Digits(ReadOnlySpan<char> text)
    {
        int end = text.IndexOfAnyExceptInRange('0', '9');
        return end < 0 ? text.Length : end;
    }
}
