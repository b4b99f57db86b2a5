namespace Weft.Primitives.Net;

/// <summary>An address together with the length of its subnet, host bits kept: what an interface carries ("172.16.1.2/24").</summary>
/// <param name="Address">The address itself.</param>
/// <param name="Length">Subnet length in bits, 0..32 or 0..128.</param>
public readonly record struct InterfaceAddress(IpAddress Address, int Length)
{
    /// <summary>The subnet: the address masked to <see cref="Length"/>.</summary>
    public IpPrefix Prefix => new(Address, Length);

    public static InterfaceAddress Parse(ReadOnlySpan<char> s) =>
        TryParse(s, out InterfaceAddress result) ? result : throw new FormatException($"\"{s}\" is not an address with a prefix length");

    /// <summary>Reads "address/length"; the length has no sign, no blanks and no leading zeros.</summary>
    public static bool TryParse(ReadOnlySpan<char> s, out InterfaceAddress result)
    {
        result = default;
        int slash = s.IndexOf('/');
        if (slash < 0 || !IpAddress.TryParse(s[..slash], out IpAddress address))
        {
            return false;
        }

        ReadOnlySpan<char> digits = s[(slash + 1)..];
        if (digits.Length is 0 or > 3 || digits.ContainsAnyExceptInRange('0', '9') || (digits.Length > 1 && digits[0] == '0'))
        {
            return false;
        }

        int length = int.Parse(digits);
        if (length > address.BitLength)
        {
            return false;
        }

        result = new InterfaceAddress(address, length);
        return true;
    }

    public override string ToString() => $"{Address}/{Length}";
}
