using System.Globalization;
using Weft.Model.Selectors;
using Weft.Primitives.Net;

namespace Weft.Model.Validation;

/// <summary>The formats that fields.schema names, and others that the rules of more than one kind need.</summary>
internal static class TextFormats
{
    /// <summary>What was expected, or null when the text has the format.</summary>
    public static string? Problem(string format, string text) => format switch
    {
        "cidr" => IpPrefix.TryParse(text, out _) ? null : "expected a CIDR prefix such as 10.0.0.0/16 or fd00:10::/64",
        "community" => IsCommunity(text) ? null : "expected a community AA:NN (0..65535 each) or AA:NN:MM (0..4294967295 each)",
        "duration" => IsDuration(text) ? null : "expected a duration such as 500ms, 90s, 5m or 1h30m",
        "durationOrAuto" => text == "Auto" || IsDuration(text) ? null : "expected a duration such as 500ms, 90s or 5m, or Auto",
        "features" => IsPairs(text, v => v is "true" or "false") ? null : "expected NAME=true|false, separated by commas",
        "gates" => IsPairs(text, v => v.Length > 0) ? null : "expected NAME=VALUE, separated by commas",
        "rate" => IsRate(text) ? null : "expected N/second, N/minute, N/hour or N/day, N from 1 to 9999",
        "logPrefix" => text.All(c => char.IsAsciiLetterOrDigit(c) || "%: /_-".Contains(c)) ? null : "expected letters, digits and the characters % : / _ - and blank",
        "time" => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out _) ? null : "expected a time such as 2026-01-02T03:04:05Z",
        "selector" => Selector.TryParse(text, out _, out string? error) ? null : $"not a selector: {error}",
        _ => throw new InvalidDataException($"fields.schema: unknown format {format}"),
    };

    /// <summary>RFC 1997 (16 bits each) or RFC 8092 (32 bits each).</summary>
    public static bool IsCommunity(string text)
    {
        string[] parts = text.Split(':');
        uint limit = parts.Length == 2 ? ushort.MaxValue : uint.MaxValue;
        return parts.Length is 2 or 3 && parts.All(p => uint.TryParse(p, NumberStyles.None, CultureInfo.InvariantCulture, out uint n) && n <= limit);
    }

    /// <summary>As Go's ParseDuration reads it: one or more of NUMBER UNIT, or a bare 0.</summary>
    public static bool IsDuration(string text)
    {
        ReadOnlySpan<char> rest = text;
        if (rest is "0")
        {
            return true;
        }

        while (rest.Length > 0)
        {
            int digits = rest.IndexOfAnyExcept("0123456789.");
            if (digits <= 0 || rest[..digits].Count('.') > 1 || rest[..digits] is ".")
            {
                return false;
            }

            rest = rest[digits..];
            int unit = rest.StartsWith("ms") || rest.StartsWith("us") || rest.StartsWith("ns") || rest.StartsWith("µs") ? 2 : rest[0] is 'h' or 'm' or 's' ? 1 : 0;
            if (unit == 0)
            {
                return false;
            }

            rest = rest[unit..];
        }

        return text.Length > 0;
    }

    public static bool IsIPv4(string text) => IpAddress.TryParse(text, out IpAddress address) && address.IsIPv4;

    public static bool IsIPv6(string text) => IpAddress.TryParse(text, out IpAddress address) && address.IsIPv6;

    /// <summary>"address/length" or a bare address.</summary>
    public static bool IsNet(string text) => IpPrefix.TryParseNet(text, out _);

    private static bool IsPairs(string text, Func<string, bool> isValue) =>
        text.TrimEnd(',').Split(',').All(p => p.Split('=') is [{ Length: > 0 } name, var value] && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_') && isValue(value));

    private static bool IsRate(string text) =>
        text.Split('/') is [{ Length: >= 1 and <= 4 } count, "second" or "minute" or "hour" or "day"] && count[0] != '0' && count.All(char.IsAsciiDigit);
}
