using System.Diagnostics.CodeAnalysis;

namespace Weft.Primitives.Net;

/// <summary>
/// A CIDR prefix, always masked: <c>IpPrefix.Parse("10.1.2.3/8")</c> is 10.0.0.0/8. Ordered by family, address, then length, so that a covering
/// prefix sorts directly before what it covers. Where the host bits matter (an interface address), use <see cref="InterfaceAddress"/>.
/// </summary>
public readonly struct IpPrefix : IEquatable<IpPrefix>, IComparable<IpPrefix>, ISpanFormattable, ISpanParsable<IpPrefix>
{
    private readonly byte _length;

    /// <summary>Masks <paramref name="address"/> to <paramref name="length"/> bits.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Length outside 0..32 or 0..128.</exception>
    public IpPrefix(IpAddress address, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, address.BitLength);
        UInt128 masked = address.Value & IpAddress.Mask(address.Family, length);
        Address = address.Family switch
        {
            IpFamily.IPv4 => IpAddress.FromIPv4((uint)masked),
            IpFamily.IPv6 => IpAddress.FromIPv6(masked),
            _ => default,
        };
        _length = (byte)length;
    }

    /// <summary>The network address (host bits are zero).</summary>
    public IpAddress Address { get; }

    public int Length => _length;

    public IpFamily Family => Address.Family;

    public bool IsIPv4 => Address.IsIPv4;

    public bool IsIPv6 => Address.IsIPv6;

    /// <summary>/32 or /128.</summary>
    public bool IsHost => Family != IpFamily.None && Length == Address.BitLength;

    /// <summary>0.0.0.0/0 or ::/0.</summary>
    public bool IsDefault => Family != IpFamily.None && Length == 0;

    /// <summary>How many addresses the prefix holds; for ::/0, whose 2^128 do not fit, <see cref="UInt128.MaxValue"/>.</summary>
    public UInt128 Size => Address.BitLength - Length == 128 ? UInt128.MaxValue : UInt128.One << (Address.BitLength - Length);

    public IpAddress LastAddress => IsIPv6 && IsDefault ? IpAddress.FromIPv6(UInt128.MaxValue) : Address.Add(Size - 1);

    public bool Contains(IpAddress address) =>
        address.Family == Family && (address.Value & IpAddress.Mask(Family, Length)) == Address.Value;

    /// <summary>True when <paramref name="other"/> is this prefix or lies inside it.</summary>
    public bool Contains(IpPrefix other) => other.Length >= Length && Contains(other.Address);

    public bool Overlaps(IpPrefix other) => Contains(other) || other.Contains(this);

    public static IpPrefix Parse(string s) => Parse(s.AsSpan());

    public static IpPrefix Parse(string s, IFormatProvider? provider) => Parse(s.AsSpan());

    public static IpPrefix Parse(ReadOnlySpan<char> s, IFormatProvider? provider = null) =>
        TryParse(s, out IpPrefix result) ? result : throw new FormatException($"\"{s}\" is not a CIDR prefix");

    public static bool TryParse([NotNullWhen(true)] string? s, out IpPrefix result) => TryParse(s.AsSpan(), out result);

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out IpPrefix result) => TryParse(s.AsSpan(), out result);

    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out IpPrefix result) => TryParse(s, out result);

    /// <summary>Reads "address/length". A bare address is refused: see <see cref="TryParseNet"/>. Host bits are masked away.</summary>
    public static bool TryParse(ReadOnlySpan<char> s, out IpPrefix result)
    {
        bool ok = InterfaceAddress.TryParse(s, out InterfaceAddress parsed);
        result = ok ? parsed.Prefix : default;
        return ok;
    }

    /// <summary>Reads "address/length" or a bare address, which becomes /32 or /128 (Calico's "net").</summary>
    public static bool TryParseNet(ReadOnlySpan<char> s, out IpPrefix result)
    {
        if (TryParse(s, out result))
        {
            return true;
        }

        bool ok = IpAddress.TryParse(s, out IpAddress address);
        result = ok ? address.ToPrefix() : default;
        return ok;
    }

    public override string ToString() => Family == IpFamily.None ? string.Empty : $"{Address}/{Length}";

    public string ToString(string? format, IFormatProvider? formatProvider) => ToString();

    public bool TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider)
    {
        if (Family == IpFamily.None)
        {
            charsWritten = 0;
            return true;
        }

        return destination.TryWrite($"{Address}/{Length}", out charsWritten);
    }

    public bool Equals(IpPrefix other) => _length == other._length && Address == other.Address;

    public override bool Equals(object? obj) => obj is IpPrefix other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(Address, _length);

    public int CompareTo(IpPrefix other)
    {
        int byAddress = Address.CompareTo(other.Address);
        return byAddress != 0 ? byAddress : _length.CompareTo(other._length);
    }

    public static bool operator ==(IpPrefix left, IpPrefix right) => left.Equals(right);

    public static bool operator !=(IpPrefix left, IpPrefix right) => !left.Equals(right);

    public static bool operator <(IpPrefix left, IpPrefix right) => left.CompareTo(right) < 0;

    public static bool operator >(IpPrefix left, IpPrefix right) => left.CompareTo(right) > 0;

    public static bool operator <=(IpPrefix left, IpPrefix right) => left.CompareTo(right) <= 0;

    public static bool operator >=(IpPrefix left, IpPrefix right) => left.CompareTo(right) >= 0;
}
