using System.Globalization;

namespace Weft.Bgp.Policies;

/// <summary>
/// The link bandwidth community (draft-ietf-idr-link-bandwidth, 0x4004) as people write it: "bandwidth:65001:10G", in bits per second, where the community itself counts
/// bytes in a single-precision float.
/// </summary>
internal static class LinkBandwidthText
{
    public const string Word = "bandwidth";

    private const ulong Type = 0x4004UL << 48;

    private static readonly (char Letter, double Factor)[] s_units = [('t', 1e12), ('g', 1e9), ('m', 1e6), ('k', 1e3)];

    public static bool TryParse(string asText, string rateText, out ulong community)
    {
        community = 0;
        double factor = 1;
        string number = rateText;
        foreach ((char letter, double value) in s_units)
        {
            if (number.Length > 1 && char.ToLowerInvariant(number[^1]) == letter)
            {
                (number, factor) = (number[..^1], value);
                break;
            }
        }

        if (!ushort.TryParse(asText, NumberStyles.None, CultureInfo.InvariantCulture, out ushort @as)
            || !double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double rate))
        {
            return false;
        }

        float bytes = (float)(rate * factor / 8);
        community = Type | (ulong)@as << 32 | BitConverter.SingleToUInt32Bits(bytes);
        return float.IsNormal(bytes);
    }

    /// <summary>Null: it is another community, or one whose value cannot be written this way and read back.</summary>
    public static string? Format(ulong community)
    {
        if (community >> 48 != Type >> 48)
        {
            return null;
        }

        double bits = BitConverter.UInt32BitsToSingle((uint)community) * 8.0;
        (char letter, double factor) = s_units.FirstOrDefault(u => bits >= u.Factor, ('\0', 1));
        string asText = ((ushort)(community >> 32)).ToString(CultureInfo.InvariantCulture);
        string rate = (bits / factor).ToString("G9", CultureInfo.InvariantCulture) + (letter == '\0' ? string.Empty : char.ToUpperInvariant(letter));
        return TryParse(asText, rate, out ulong back) && back == community ? $"{Word}:{asText}:{rate}" : null;
    }
}
