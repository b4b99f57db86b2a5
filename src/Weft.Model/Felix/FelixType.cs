using System.Globalization;
using System.Text.Json.Nodes;
using Weft.Primitives.Net;

namespace Weft.Model.Felix;

/// <summary>Who wrote a value: the two differ in how durations and lists are written.</summary>
public enum FelixSyntax : byte
{
    /// <summary>A field of FelixConfiguration: "90s", JSON lists.</summary>
    Api,

    /// <summary>Environment and file: plain seconds, lists with commas, "none" for nothing.</summary>
    Local,
}

/// <summary>How the values of a parameter are read, whoever wrote them, into one form: that of FelixConfiguration, lists and maps as JSON.</summary>
public abstract record FelixType
{
    /// <summary>From the notation of felix.parameters.</summary>
    internal static FelixType Parse(string text)
    {
        string[] parts = text.Split(' ', 2);
        return parts[0] switch
        {
            "bool" => new FelixFlag(),
            "int" => FelixNumber.Range(parts.Length > 1 ? parts[1] : ".."),
            "seconds" => new FelixDuration(TimeSpan.FromSeconds(1)),
            "millis" => new FelixDuration(TimeSpan.FromMilliseconds(1)),
            "one" => new FelixWord(parts[1].Split('|')),
            "ipv4" => new FelixAddress(IpFamily.IPv4),
            "ipv6" => new FelixAddress(IpFamily.IPv6),
            "mask" => new FelixMask(),
            "portRange" => new FelixPortRange(),
            "ports" => new FelixFailsafePorts(),
            "list" or "map" => new FelixList(parts[0] == "map"),
            "text" or "pattern" => new FelixText(),
            _ => throw new FormatException($"felix.parameters: unknown type {text}"),
        };
    }

    /// <param name="text">As written; "none" and nothing at all give an empty value.</param>
    /// <param name="syntax">Who wrote it.</param>
    /// <param name="value">The value in the form of FelixConfiguration; empty for none.</param>
    /// <param name="expected">What would have been right.</param>
    public bool TryRead(string text, FelixSyntax syntax, out string value, out string expected)
    {
        (value, expected) = (string.Empty, string.Empty);
        string trimmed = text.Trim();
        return trimmed.Length == 0
            || (trimmed.Equals("none", StringComparison.OrdinalIgnoreCase) ? TryNothing(out value) : TryReadValue(trimmed, syntax, out value, out expected));
    }

    /// <summary>A duration in the form of FelixConfiguration: numbers with units, "1h", "1.5s", "1m30s", "50ms".</summary>
    public static bool TryDuration(string text, out TimeSpan duration) => FelixDuration.TryGo(text, out duration);

    private protected abstract bool TryReadValue(string text, FelixSyntax syntax, out string value, out string expected);

    /// <summary>The zero of the type.</summary>
    private protected virtual bool TryNothing(out string value)
    {
        value = string.Empty;
        return true;
    }
}

internal sealed record FelixText : FelixType
{
    private protected override bool TryReadValue(string text, FelixSyntax syntax, out string value, out string expected)
    {
        (value, expected) = (text, string.Empty);
        return true;
    }
}

internal sealed record FelixFlag : FelixType
{
    private protected override bool TryReadValue(string text, FelixSyntax syntax, out string value, out string expected)
    {
        expected = "true or false";
        value = text.ToLowerInvariant() switch { "true" or "1" or "yes" or "y" or "t" => "true", "false" or "0" or "no" or "n" or "f" => "false", _ => string.Empty };
        return value.Length > 0;
    }

    private protected override bool TryNothing(out string value)
    {
        value = "false";
        return true;
    }
}

internal sealed record FelixNumber(long Min, long Max) : FelixType
{
    public static FelixNumber Range(string text)
    {
        string[] ends = text.Split("..");
        return new FelixNumber(
            ends[0].Length == 0 ? int.MinValue : long.Parse(ends[0], CultureInfo.InvariantCulture), ends[1].Length == 0 ? int.MaxValue : long.Parse(ends[1], CultureInfo.InvariantCulture));
    }

    private protected override bool TryReadValue(string text, FelixSyntax syntax, out string value, out string expected)
    {
        bool ok = long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) && number >= Min && number <= Max;
        (value, expected) = (number.ToString(CultureInfo.InvariantCulture), $"a number from {Min} to {Max}");
        return ok;
    }

    private protected override bool TryNothing(out string value)
    {
        value = "0";
        return true;
    }
}

/// <summary>A bare number counts units; otherwise as Go writes durations ("1m30s").</summary>
internal sealed record FelixDuration(TimeSpan Unit) : FelixType
{
    private protected override bool TryReadValue(string text, FelixSyntax syntax, out string value, out string expected)
    {
        expected = "a duration such as 90s";
        TimeSpan duration = default;
        bool ok = (syntax == FelixSyntax.Local && TryNumber(text, out duration)) || TryGo(text, out duration);
        value = ok ? Text(duration) : string.Empty;
        return ok;
    }

    private protected override bool TryNothing(out string value)
    {
        value = Text(TimeSpan.Zero);
        return true;
    }

    private bool TryNumber(string text, out TimeSpan duration)
    {
        bool ok = double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) && number < 1e9;
        duration = ok ? Unit * number : default;
        return ok;
    }

    /// <summary>Numbers with units, largest first or not: "1h", "1.5s", "1m30s", "50ms".</summary>
    internal static bool TryGo(string text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        int at = 0;
        while (at < text.Length)
        {
            int digits = at;
            while (digits < text.Length && (char.IsAsciiDigit(text[digits]) || text[digits] == '.'))
            {
                digits++;
            }

            int unit = digits;
            while (unit < text.Length && char.IsAsciiLetter(text[unit]))
            {
                unit++;
            }

            double seconds = text[digits..unit] switch { "h" => 3600, "m" => 60, "s" => 1, "ms" => 0.001, "us" => 0.000001, "ns" => 0.000000001, _ => 0 };
            if (digits == at || seconds == 0 || !double.TryParse(text.AsSpan(at, digits - at), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number)
                || number * seconds > 1e9)
            {
                return false;
            }

            duration += TimeSpan.FromSeconds(number * seconds);
            at = unit;
        }

        return text.Length > 0;
    }

    private static string Text(TimeSpan duration) => duration.TotalMilliseconds % 1000 == 0
        ? string.Create(CultureInfo.InvariantCulture, $"{(long)duration.TotalSeconds}s")
        : string.Create(CultureInfo.InvariantCulture, $"{duration.TotalMilliseconds}ms");
}

internal sealed record FelixWord(string[] Words) : FelixType
{
    private protected override bool TryReadValue(string text, FelixSyntax syntax, out string value, out string expected)
    {
        expected = $"one of {string.Join(", ", Words)}";
        value = Array.Find(Words, w => w.Equals(text, StringComparison.OrdinalIgnoreCase)) ?? string.Empty;
        return value.Length > 0;
    }
}

internal sealed record FelixAddress(IpFamily Family) : FelixType
{
    private protected override bool TryReadValue(string text, FelixSyntax syntax, out string value, out string expected)
    {
        (value, expected) = (text, Family == IpFamily.IPv4 ? "an IPv4 address" : "an IPv6 address");
        return IpAddress.TryParse(text, out IpAddress address) && address.Family == Family;
    }
}

/// <summary>32 bits, hexadecimal or decimal.</summary>
internal sealed record FelixMask : FelixType
{
    private protected override bool TryReadValue(string text, FelixSyntax syntax, out string value, out string expected)
    {
        bool ok = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? uint.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint mask)
            : uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out mask);
        (value, expected) = ($"0x{mask:x8}", "a mask of 32 bits such as 0xffff0000");
        return ok && mask != 0;
    }
}

/// <summary>One port, or two with a colon between them.</summary>
internal sealed record FelixPortRange : FelixType
{
    private protected override bool TryReadValue(string text, FelixSyntax syntax, out string value, out string expected)
    {
        (value, expected) = (text, "a port, or two as 1024:65535");
        return Resources.Port.TryParse(text, out Resources.Port port) && !port.IsNamed;
    }
}

/// <summary>Comma lists of values, or of KEY=VALUE, become JSON; JSON stays as it is.</summary>
internal sealed record FelixList(bool IsMap) : FelixType
{
    private protected override bool TryReadValue(string text, FelixSyntax syntax, out string value, out string expected)
    {
        (value, expected) = (text, IsMap ? "KEY=VALUE with commas between them" : "values with commas between them");
        if (syntax == FelixSyntax.Api)
        {
            return true;
        }

        string[] parts = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (!IsMap)
        {
            value = new JsonArray([.. parts.Select(p => (JsonNode)p)]).ToJsonString();
            return true;
        }

        JsonObject map = [];
        foreach (string part in parts)
        {
            if (part.Split('=', 2) is not [{ Length: > 0 } key, var item])
            {
                return false;
            }

            map[key] = item;
        }

        value = map.ToJsonString();
        return true;
    }
}
