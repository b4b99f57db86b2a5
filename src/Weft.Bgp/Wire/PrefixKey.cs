using Weft.Primitives.Net;

namespace Weft.Bgp.Wire;

/// <summary>A prefix without its family, as tables of one family keep it: IPv4 in the low 32 bits. Host bits are zero.</summary>
internal readonly record struct PrefixKey(ulong High, ulong Low, byte Length)
{
    public static PrefixKey From(IpPrefix prefix)
    {
        UInt128 value = prefix.Address.Value;
        return new PrefixKey((ulong)(value >> 64), (ulong)value, (byte)prefix.Length);
    }

    public IpPrefix ToPrefix(IpFamily family) =>
        new(family == IpFamily.IPv4 ? IpAddress.FromIPv4((uint)Low) : IpAddress.FromIPv6(new UInt128(High, Low)), Length);
}
