using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace Weft.Primitives.Net;

/// <summary>
/// An IPv4 or IPv6 address as a value: no object per address, ordered by family and then numerically, usable as a dictionary key.
/// A scope id (the zone of a link-local address) is not part of the address; whoever needs it carries the link beside it.
/// </summary>
public readonly struct IpAddress : IEquatable<IpAddress>, IComparable<IpAddress>, ISpanFormattable, ISpanParsable<IpAddress>
{
    private readonly UInt128 _value;

    private IpAddress(UInt128 value, IpFamily family)
    {
        _value = value;
        Family = family;
    }

    public IpFamily Family { get; }

    /// <summary>The address as a number: 32 significant bits for IPv4, 128 for IPv6.</summary>
    public UInt128 Value => _value;

    /// <summary>32 for IPv4, 128 for IPv6, 0 for the default value.</summary>
    public int BitLength => Family switch { IpFamily.IPv4 => 32, IpFamily.IPv6 => 128, _ => 0 };

    /// <summary>4 for IPv4, 16 for IPv6, 0 for the default value.</summary>
    public int ByteLength => BitLength / 8;

    public bool IsIPv4 => Family == IpFamily.IPv4;

    public bool IsIPv6 => Family == IpFamily.IPv6;

    /// <summary>0.0.0.0 or ::.</summary>
    public bool IsUnspecified => Family != IpFamily.None && _value == 0;

    /// <summary>127.0.0.0/8 or ::1.</summary>
    public bool IsLoopback => IsIPv4 ? (uint)_value >> 24 == 127 : IsIPv6 && _value == 1;

    /// <summary>169.254.0.0/16 or fe80::/10.</summary>
    public bool IsLinkLocal => IsIPv4 ? (uint)_value >> 16 == 0xA9FE : IsIPv6 && (uint)(_value >> 118) == 0x3FA;

    /// <summary>224.0.0.0/4 or ff00::/8.</summary>
    public bool IsMulticast => IsIPv4 ? (uint)_value >> 28 == 0xE : IsIPv6 && (uint)(_value >> 120) == 0xFF;

    public static IpAddress FromIPv4(uint value) => new(value, IpFamily.IPv4);

    public static IpAddress FromIPv6(UInt128 value) => new(value, IpFamily.IPv6);

    /// <summary>Reads 4 or 16 bytes in network order.</summary>
    /// <exception cref="ArgumentException">The span is neither 4 nor 16 bytes long.</exception>
    public static IpAddress FromBytes(ReadOnlySpan<byte> bytes) => bytes.Length switch
    {
        4 => FromIPv4(BinaryPrimitives.ReadUInt32BigEndian(bytes)),
        16 => FromIPv6(BinaryPrimitives.ReadUInt128BigEndian(bytes)),
        _ => throw new ArgumentException($"an address has 4 or 16 bytes, not {bytes.Length}", nameof(bytes)),
    };

    /// <summary>Writes 4 or 16 bytes in network order and returns how many.</summary>
    public int CopyTo(Span<byte> destination)
    {
        switch (Family)
        {
            case IpFamily.IPv4:
                BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)_value);
                return 4;
            case IpFamily.IPv6:
                BinaryPrimitives.WriteUInt128BigEndian(destination, _value);
                return 16;
            default:
                return 0;
        }
    }

    public static IpAddress From(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int written);
        return FromBytes(bytes[..written]);
    }

    public IPAddress ToIPAddress()
    {
        Span<byte> bytes = stackalloc byte[16];
        return new IPAddress(bytes[..CopyTo(bytes)]);
    }

    /// <summary>The host prefix of this address: /32 or /128.</summary>
    public IpPrefix ToPrefix() => new(this, BitLength);

    /// <summary>The address <paramref name="offset"/> places further on; wraps at the end of the family's space.</summary>
    public IpAddress Add(UInt128 offset) => IsIPv4 ? FromIPv4((uint)(_value + offset)) : FromIPv6(_value + offset);

    /// <summary>The bits of an address that a prefix of this length keeps.</summary>
    internal static UInt128 Mask(IpFamily family, int length)
    {
        int bits = family == IpFamily.IPv4 ? 32 : 128;
        if (length == 0)
        {
            return 0;
        }

        UInt128 all = family == IpFamily.IPv4 ? uint.MaxValue : UInt128.MaxValue;
        return all << (bits - length) & all;
    }

    public static IpAddress Parse(string s) => Parse(s, null);

    public static IpAddress Parse(string s, IFormatProvider? provider) => Parse(s.AsSpan(), provider);

    public static IpAddress Parse(ReadOnlySpan<char> s, IFormatProvider? provider = null) =>
        TryParse(s, out IpAddress result) ? result : throw new FormatException($"\"{s}\" is not an IP address");

    public static bool TryParse([NotNullWhen(true)] string? s, out IpAddress result) => TryParse(s.AsSpan(), out result);

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out IpAddress result) => TryParse(s.AsSpan(), out result);

    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out IpAddress result) => TryParse(s, out result);

    /// <summary>Dotted quad with four decimal parts, or RFC 4291 text without a zone. "10.1", "0x7f.1" and leading zeros are refused.</summary>
    public static bool TryParse(ReadOnlySpan<char> s, out IpAddress result)
    {
        result = default;
        if (s.Contains(':'))
        {
            if (s.ContainsAny('%', '[', ']') || !IPAddress.TryParse(s, out IPAddress? parsed) || parsed.AddressFamily != AddressFamily.InterNetworkV6)
            {
                return false;
            }

            result = From(parsed);
            return true;
        }

        uint value = 0;
        int parts = 0;
        while (true)
        {
            int dot = s.IndexOf('.');
            ReadOnlySpan<char> part = dot < 0 ? s : s[..dot];
            if (part.Length is 0 or > 3 || part.ContainsAnyExceptInRange('0', '9') || (part.Length > 1 && part[0] == '0'))
            {
                return false;
            }

            uint octet = uint.Parse(part);
            if (octet > 255 || ++parts > 4)
            {
                return false;
            }

            value = value << 8 | octet;
            if (dot < 0)
            {
                break;
            }

            s = s[(dot + 1)..];
        }

        result = FromIPv4(value);
        return parts == 4;
    }

    public override string ToString()
    {
        Span<char> text = stackalloc char[46];
        return TryFormat(text, out int written, default, null) ? text[..written].ToString() : string.Empty;
    }

    public string ToString(string? format, IFormatProvider? formatProvider) => ToString();

    public bool TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider)
    {
        switch (Family)
        {
            case IpFamily.IPv4:
                uint v = (uint)_value;
                return destination.TryWrite($"{v >> 24}.{v >> 16 & 255}.{v >> 8 & 255}.{v & 255}", out charsWritten);
            case IpFamily.IPv6:
                return ToIPAddress().TryFormat(destination, out charsWritten);
            default:
                charsWritten = 0;
                return true;
        }
    }

    public bool Equals(IpAddress other) => _value == other._value && Family == other.Family;

    public override bool Equals(object? obj) => obj is IpAddress other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(_value, Family);

    public int CompareTo(IpAddress other)
    {
        int byFamily = Family.CompareTo(other.Family);
        return byFamily != 0 ? byFamily : _value.CompareTo(other._value);
    }

    public static bool operator ==(IpAddress left, IpAddress right) => left.Equals(right);

    public static bool operator !=(IpAddress left, IpAddress right) => !left.Equals(right);

    public static bool operator <(IpAddress left, IpAddress right) => left.CompareTo(right) < 0;

    public static bool operator >(IpAddress left, IpAddress right) => left.CompareTo(right) > 0;

    public static bool operator <=(IpAddress left, IpAddress right) => left.CompareTo(right) <= 0;

    public static bool operator >=(IpAddress left, IpAddress right) => left.CompareTo(right) >= 0;
}
