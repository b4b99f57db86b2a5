using System.Globalization;
using System.Text.Json.Serialization;
using Weft.Model.Json;

namespace Weft.Model.Resources;

/// <summary>A 4-octet AS number (RFC 6793). In JSON a number or a string, plain or dotted ("1.10"); printed plain.</summary>
[JsonConverter(typeof(AsNumberConverter))]
public readonly record struct AsNumber(uint Value)
{
    public static bool TryParse(string text, out AsNumber number)
    {
        number = default;
        int dot = text.IndexOf('.');
        if (dot < 0)
        {
            bool ok = uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint plain);
            number = new AsNumber(plain);
            return ok;
        }

        if (!ushort.TryParse(text.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out ushort high)
            || !ushort.TryParse(text.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort low))
        {
            return false;
        }

        number = new AsNumber((uint)high << 16 | low);
        return true;
    }

    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}
