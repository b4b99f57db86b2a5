using System.Globalization;

namespace Weft.Primitives.Net;

/// <summary>A 48-bit Ethernet address, printed as aa:bb:cc:dd:ee:ff.</summary>
public readonly record struct MacAddress(ulong Value) : IComparable<MacAddress>
{
    /// <summary>What every host side of a pod's veth pair carries, so that one link-local gateway address fits all of them (Calico's choice).</summary>
    public static readonly MacAddress HostVeth = new(0xEEEE_EEEE_EEEE);

    public static MacAddress FromBytes(ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        foreach (byte b in bytes[..6])
        {
            value = value << 8 | b;
        }

        return new MacAddress(value);
    }

    /// <summary>Writes six bytes.</summary>
    public void CopyTo(Span<byte> destination)
    {
        for (int i = 0; i < 6; i++)
        {
            destination[i] = (byte)(Value >> (40 - 8 * i));
        }
    }

    public static MacAddress Parse(ReadOnlySpan<char> s) =>
        TryParse(s, out MacAddress result) ? result : throw new FormatException($"\"{s}\" is not a MAC address");

    /// <summary>Reads six pairs of hexadecimal digits separated by colons or hyphens.</summary>
    public static bool TryParse(ReadOnlySpan<char> s, out MacAddress result)
    {
        result = default;
        if (s.Length != 17)
        {
            return false;
        }

        ulong value = 0;
        for (int i = 0; i < 17; i += 3)
        {
            if (!byte.TryParse(s.Slice(i, 2), NumberStyles.AllowHexSpecifier, null, out byte b) || (i < 15 && s[i + 2] is not (':' or '-')))
            {
                return false;
            }

            value = value << 8 | b;
        }

        result = new MacAddress(value);
        return true;
    }

    public int CompareTo(MacAddress other) => Value.CompareTo(other.Value);

    public override string ToString() =>
        $"{Value >> 40 & 255:x2}:{Value >> 32 & 255:x2}:{Value >> 24 & 255:x2}:{Value >> 16 & 255:x2}:{Value >> 8 & 255:x2}:{Value & 255:x2}";
}
