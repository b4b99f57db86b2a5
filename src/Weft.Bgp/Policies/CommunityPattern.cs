using System.Buffers.Binary;
using System.Globalization;
using Weft.Primitives.Net;

namespace Weft.Bgp.Policies;

/// <summary>Which of the three attributes a community stands in.</summary>
public enum CommunityKind : byte
{
    /// <summary>RFC 1997, four octets.</summary>
    Standard,

    /// <summary>RFC 8092, twelve octets.</summary>
    Large,

    /// <summary>RFC 4360, eight octets.</summary>
    Extended,
}

/// <summary>
/// A community, or all that look like one.
/// <code>
///   65000:100   65000:*   *:100   65000:100-199   no-export          standard
///   65000:1:2   65000:*:*                                            large
///   rt:65000:100   soo:10.0.0.1:5   rt:65000:*   ext:0x0002fde800000064   ext:0x0002*       extended (route target, site of origin, raw)
///   *           every standard community;  *:*:*  every large one;  ext:*  every extended one
/// </code>
/// </summary>
public readonly record struct CommunityPattern
{
    public const string Form = "65000:100, 65000:1:2, rt:65000:100, soo:65000:100, bandwidth:65000:10G, ext:0x0002fde800000064, a well-known name; * and 100-199 stand for many";

    /// <summary>Types 0 to 2 of RFC 4360 and RFC 5668 by the form of the administrator: two octets of AS, an address, four octets of AS.</summary>
    private const int TwoOctetAs = 0, Address = 1, FourOctetAs = 2;

    public CommunityKind Kind { get; private init; }

    /// <summary>Standard: upper 16 bits; large: global administrator.</summary>
    public NumberRange First { get; private init; }

    /// <summary>Standard: lower 16 bits; large: local data 1.</summary>
    public NumberRange Second { get; private init; }

    /// <summary>Large: local data 2.</summary>
    public NumberRange Third { get; private init; }

    /// <summary>Extended: what the bits of <see cref="Mask"/> must be.</summary>
    public ulong Value { get; private init; }

    public ulong Mask { get; private init; }

    public static CommunityPattern Of(uint community) => new() { Kind = CommunityKind.Standard, First = NumberRange.Of(community >> 16), Second = NumberRange.Of(community & 0xFFFF) };

    public static CommunityPattern Of(LargeCommunity community) => new()
    {
        Kind = CommunityKind.Large, First = NumberRange.Of(community.GlobalAdministrator), Second = NumberRange.Of(community.LocalData1), Third = NumberRange.Of(community.LocalData2),
    };

    public static CommunityPattern OfExtended(ulong community) => new() { Kind = CommunityKind.Extended, Value = community, Mask = ulong.MaxValue };

    public static CommunityPattern All(CommunityKind kind) => new() { Kind = kind, First = NumberRange.All, Second = NumberRange.All, Third = NumberRange.All };

    /// <summary>True when exactly one community fits, so that it can be added to a route.</summary>
    public bool IsExact => Kind switch
    {
        CommunityKind.Standard => IsOne(First) && IsOne(Second),
        CommunityKind.Large => IsOne(First) && IsOne(Second) && IsOne(Third),
        _ => Mask == ulong.MaxValue,
    };

    /// <summary>The standard community; good when <see cref="IsExact"/>.</summary>
    public uint Standard => First.Low << 16 | Second.Low;

    public LargeCommunity Large => new(First.Low, Second.Low, Third.Low);

    public ulong Extended => Value;

    public static bool TryParse(string text, out CommunityPattern pattern)
    {
        pattern = default;
        string word = text.ToLowerInvariant();
        if (WellKnown(word) is uint known)
        {
            pattern = Of(known);
            return true;
        }

        if (word == "*")
        {
            pattern = All(CommunityKind.Standard);
            return true;
        }

        string[] parts = word.Split(':');
        switch (parts)
        {
            case ["rt" or "soo" or "ro", var admin, var local]:
                return TryExtended(parts[0] == "rt" ? (byte)2 : (byte)3, admin, local, out pattern);
            case [LinkBandwidthText.Word, var admin, var rate]:
                bool isRate = LinkBandwidthText.TryParse(admin, rate, out ulong bandwidth);
                pattern = OfExtended(bandwidth);
                return isRate;
            case ["ext", var raw]:
                return TryRaw(raw, out pattern);
            case [var high, var low] when TryRange(high, ushort.MaxValue, out NumberRange first) && TryRange(low, ushort.MaxValue, out NumberRange second):
                pattern = new CommunityPattern { Kind = CommunityKind.Standard, First = first, Second = second };
                return true;
            case [var high, var middle, var low]
                when TryRange(high, uint.MaxValue, out NumberRange first) && TryRange(middle, uint.MaxValue, out NumberRange second) && TryRange(low, uint.MaxValue, out NumberRange third):
                pattern = new CommunityPattern { Kind = CommunityKind.Large, First = first, Second = second, Third = third };
                return true;
            default:
                return false;
        }
    }

    /// <summary>Whether one entry of the attribute (4, 12 or 8 octets) fits.</summary>
    internal bool Fits(ReadOnlySpan<byte> entry) => Kind switch
    {
        CommunityKind.Standard => First.Contains(BinaryPrimitives.ReadUInt16BigEndian(entry)) && Second.Contains(BinaryPrimitives.ReadUInt16BigEndian(entry[2..])),
        CommunityKind.Large => First.Contains(BinaryPrimitives.ReadUInt32BigEndian(entry)) && Second.Contains(BinaryPrimitives.ReadUInt32BigEndian(entry[4..]))
            && Third.Contains(BinaryPrimitives.ReadUInt32BigEndian(entry[8..])),
        _ => (BinaryPrimitives.ReadUInt64BigEndian(entry) & Mask) == Value,
    };

    internal static int EntryLength(CommunityKind kind) => kind switch { CommunityKind.Standard => 4, CommunityKind.Large => 12, _ => 8 };

    internal bool FitsAny(ReadOnlySpan<byte> communities)
    {
        int length = EntryLength(Kind);
        for (int at = 0; at + length <= communities.Length; at += length)
        {
            if (Fits(communities.Slice(at, length)))
            {
                return true;
            }
        }

        return false;
    }

    public override string ToString() => Kind switch
    {
        CommunityKind.Standard when this == All(CommunityKind.Standard) => "*",
        CommunityKind.Standard when IsExact => WellKnownCommunities.ToText(Standard),
        CommunityKind.Standard => $"{First}:{Second}",
        CommunityKind.Large => $"{First}:{Second}:{Third}",
        _ => ExtendedText(Value, Mask),
    };

    /// <summary>A community of eight octets as it is written in filters.</summary>
    public static string ExtendedText(ulong community) => ExtendedText(community, ulong.MaxValue);

    private static string ExtendedText(ulong value, ulong mask)
    {
        int type = (int)(value >> 56);
        string? name = (mask >> 48) != 0xFFFF ? null : (value >> 48 & 0xFF) switch { 2 => "rt", 3 => "soo", _ => null };
        if (name is not null && type is TwoOctetAs or Address or FourOctetAs)
        {
            int width = type == TwoOctetAs ? 32 : 16;
            uint admin = (uint)(type == TwoOctetAs ? value >> 32 & 0xFFFF : value >> 16);
            bool exact = mask == ulong.MaxValue;
            if (exact || mask == ulong.MaxValue << width)
            {
                string local = exact ? $"{value & (ulong.MaxValue >> (64 - width))}" : "*";
                return $"{name}:{(type == Address ? IpAddress.FromIPv4(admin) : type == FourOctetAs && admin <= ushort.MaxValue ? $"0.{admin}" : admin)}:{local}";
            }
        }

        if (mask == ulong.MaxValue && LinkBandwidthText.Format(value) is { } bandwidth)
        {
            return bandwidth;
        }

        return mask == ulong.MaxValue ? $"ext:0x{value:x16}" : mask == 0 ? "ext:*" : $"ext:0x{value.ToString("x16", CultureInfo.InvariantCulture)[..(int)(ulong.PopCount(mask) / 4)]}*";
    }

    private static bool TryExtended(byte subtype, string adminText, string localText, out CommunityPattern pattern)
    {
        pattern = default;
        uint admin;
        int type;
        if (IpAddress.TryParse(adminText, out IpAddress address) && address.IsIPv4)
        {
            (type, admin) = (Address, (uint)address.Value);
        }
        else if (uint.TryParse(adminText, NumberStyles.None, CultureInfo.InvariantCulture, out admin))
        {
            type = admin <= ushort.MaxValue ? TwoOctetAs : FourOctetAs;
        }
        else if (adminText.Split('.') is [var high, var low] && ushort.TryParse(high, NumberStyles.None, CultureInfo.InvariantCulture, out ushort h) && ushort.TryParse(low, NumberStyles.None, CultureInfo.InvariantCulture, out ushort l))
        {
            // The dotted form asks for four octets, which a small AS can have as well.
            (type, admin) = (FourOctetAs, (uint)h << 16 | l);
        }
        else
        {
            return false;
        }

        int width = type == TwoOctetAs ? 32 : 16;
        ulong value = (ulong)type << 56 | (ulong)subtype << 48 | (ulong)admin << width;
        if (localText == "*")
        {
            pattern = new CommunityPattern { Kind = CommunityKind.Extended, Value = value, Mask = ulong.MaxValue << width };
            return true;
        }

        bool ok = uint.TryParse(localText, NumberStyles.None, CultureInfo.InvariantCulture, out uint local) && (width == 32 || local <= ushort.MaxValue);
        pattern = OfExtended(value | local);
        return ok;
    }

    private static bool TryRaw(string raw, out CommunityPattern pattern)
    {
        pattern = All(CommunityKind.Extended);
        if (raw == "*")
        {
            return true;
        }

        bool open = raw.EndsWith('*');
        string digits = raw.StartsWith("0x", StringComparison.Ordinal) ? raw[2..(open ? ^1 : ^0)] : string.Empty;
        if (digits.Length == 0 || (open ? digits.Length > 15 : digits.Length != 16) || !ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value))
        {
            return false;
        }

        int free = 64 - 4 * digits.Length;
        pattern = new CommunityPattern { Kind = CommunityKind.Extended, Value = value << (free & 63), Mask = ulong.MaxValue << (free & 63) };
        return true;
    }

    private static bool TryRange(string text, uint maximum, out NumberRange range)
    {
        range = new NumberRange(0, uint.MaxValue);
        if (text == "*")
        {
            return true;
        }

        string[] ends = text.Split('-');
        bool ok = ends.Length <= 2 && uint.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out uint low)
            && uint.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out uint high)
            && high <= maximum && low <= high && Set(out range, low, high);
        return ok;
    }

    private static bool Set(out NumberRange range, uint low, uint high)
    {
        range = new NumberRange(low, high);
        return true;
    }

    private static bool IsOne(NumberRange range) => range.Low == range.High;

    private static uint? WellKnown(string word) => word switch
    {
        "no-export" => WellKnownCommunities.NoExport,
        "no-advertise" => WellKnownCommunities.NoAdvertise,
        "no-export-subconfed" => WellKnownCommunities.NoExportSubconfed,
        "graceful-shutdown" => 0xFFFF0000,
        "blackhole" => 0xFFFF029A,
        "llgr-stale" => 0xFFFF0006,
        "no-llgr" => 0xFFFF0007,
        _ => null,
    };
}
