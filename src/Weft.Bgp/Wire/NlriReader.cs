using System.Buffers.Binary;
using Weft.Primitives.Net;

namespace Weft.Bgp.Wire;

/// <summary>
/// Walks prefixes in NLRI form: a length octet in bits, then as many octets as it needs. Bits beyond the length are masked (RFC 4271 4.3: they are irrelevant).
/// With ADD-PATH (RFC 7911 3) four octets of path identifier stand before each.
/// </summary>
internal ref struct NlriReader
{
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly bool _ipv6;
    private readonly int _idLength;
    private int _at;

    public NlriReader(ReadOnlySpan<byte> bytes, IpFamily family, bool hasPathIds = false)
    {
        _bytes = bytes;
        _ipv6 = family == IpFamily.IPv6;
        _idLength = hasPathIds ? PathIdLength : 0;
    }

    /// <summary>Octets of a path identifier.</summary>
    public const int PathIdLength = 4;

    public PrefixKey Current { get; private set; }

    /// <summary>RFC 7911: the identifier before the current prefix; 0 without ADD-PATH.</summary>
    public uint CurrentPathId { get; private set; }

    /// <summary>True after <see cref="MoveNext"/> stopped at a length beyond the family's or at missing octets.</summary>
    public bool Failed { get; private set; }

    /// <summary>Offset of the next prefix, or of the bad one.</summary>
    public readonly int Offset => _at;

    public bool MoveNext()
    {
        int at = _at + _idLength;
        if (at >= _bytes.Length)
        {
            Failed = _at < _bytes.Length;
            return false;
        }

        int length = _bytes[at];
        int octets = (length + 7) >> 3;
        if (length > (_ipv6 ? 128 : 32) || octets > _bytes.Length - at - 1)
        {
            Failed = true;
            return false;
        }

        ReadOnlySpan<byte> address = _bytes.Slice(at + 1, octets);
        Current = _ipv6 ? ReadIPv6(address, length) : ReadIPv4(address, length);
        if (_idLength != 0)
        {
            CurrentPathId = BinaryPrimitives.ReadUInt32BigEndian(_bytes[_at..]);
        }

        _at = at + 1 + octets;
        return true;
    }

    /// <summary>Checks a whole NLRI field and counts its prefixes; -1 when it is malformed.</summary>
    public static int Count(ReadOnlySpan<byte> bytes, IpFamily family, bool hasPathIds = false)
    {
        int limit = family == IpFamily.IPv6 ? 128 : 32;
        int idLength = hasPathIds ? PathIdLength : 0;
        int count = 0;
        int at = 0;
        while (at < bytes.Length)
        {
            at += idLength;
            if (at >= bytes.Length)
            {
                return -1;
            }

            int length = bytes[at];
            at += 1 + (length + 7 >> 3);
            if (length > limit)
            {
                return -1;
            }

            count++;
        }

        return at == bytes.Length ? count : -1;
    }

    private static PrefixKey ReadIPv4(ReadOnlySpan<byte> address, int length)
    {
        uint value = 0;
        for (int i = 0; i < address.Length; i++)
        {
            value |= (uint)address[i] << (24 - 8 * i);
        }

        return new PrefixKey(0, length == 0 ? 0 : value & uint.MaxValue << (32 - length), (byte)length);
    }

    private static PrefixKey ReadIPv6(ReadOnlySpan<byte> address, int length)
    {
        Span<byte> whole = stackalloc byte[16];
        whole.Clear();
        address.CopyTo(whole);
        ulong high = BinaryPrimitives.ReadUInt64BigEndian(whole);
        ulong low = BinaryPrimitives.ReadUInt64BigEndian(whole[8..]);
        if (length <= 64)
        {
            high = length == 0 ? 0 : high & ulong.MaxValue << (64 - length);
            low = 0;
        }
        else
        {
            low = length == 128 ? low : low & ulong.MaxValue << (128 - length);
        }

        return new PrefixKey(high, low, (byte)length);
    }

    /// <summary>Writes one prefix; returns the octets written (at most 17).</summary>
    public static int Write(Span<byte> destination, in PrefixKey key, IpFamily family)
    {
        int octets = key.Length + 7 >> 3;
        destination[0] = key.Length;
        if (family == IpFamily.IPv4)
        {
            Span<byte> four = stackalloc byte[4];
            BinaryPrimitives.WriteUInt32BigEndian(four, (uint)key.Low);
            four[..octets].CopyTo(destination[1..]);
        }
        else
        {
            Span<byte> sixteen = stackalloc byte[16];
            BinaryPrimitives.WriteUInt64BigEndian(sixteen, key.High);
            BinaryPrimitives.WriteUInt64BigEndian(sixteen[8..], key.Low);
            sixteen[..octets].CopyTo(destination[1..]);
        }

        return 1 + octets;
    }
}
