using System.Globalization;
using System.Text.Json.Serialization;
using Weft.Model.Json;

namespace Weft.Model.Resources;

/// <summary>
/// A port of a rule: one number, an inclusive range, or the name of a port that endpoints declare. In JSON an integer, "min:max", or the name.
/// </summary>
[JsonConverter(typeof(PortConverter))]
public readonly record struct Port
{
    /// <summary>One number, 0..65535 (0 is refused by validation).</summary>
    public Port(ushort number)
        : this(number, number)
    {
    }

    public Port(ushort min, ushort max)
    {
        (Min, Max, Name) = (min, max, null);
    }

    public Port(string name)
    {
        (Min, Max, Name) = (0, 0, name);
    }

    public ushort Min { get; }

    public ushort Max { get; }

    /// <summary>Null for numbers.</summary>
    public string? Name { get; }

    public bool IsNamed => Name is not null;

    /// <summary>Reads "80", "80:90" or a name of [a-zA-Z0-9_.-]{1,128}.</summary>
    public static bool TryParse(string text, out Port port)
    {
        port = default;
        if (text.Length is 0 or > 128)
        {
            return false;
        }

        string[] parts = text.Split(':');
        if (parts.Length == 2)
        {
            if (!TryNumber(parts[0], out ushort min) || !TryNumber(parts[1], out ushort max) || min > max)
            {
                return false;
            }

            port = new Port(min, max);
            return true;
        }

        if (text.AsSpan().IndexOfAnyExceptInRange('0', '9') < 0)
        {
            if (!TryNumber(text, out ushort number))
            {
                return false;
            }

            port = new Port(number);
            return true;
        }

        foreach (char c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('_' or '.' or '-'))
            {
                return false;
            }
        }

        port = new Port(text);
        return true;
    }

    public override string ToString() => Name ?? (Min == Max ? Min.ToString(CultureInfo.InvariantCulture) : $"{Min}:{Max}");

    private static bool TryNumber(string text, out ushort number) => ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
