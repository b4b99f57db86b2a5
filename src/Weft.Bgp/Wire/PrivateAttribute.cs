using System.Buffers.Binary;
using System.Text;

namespace Weft.Bgp.Wire;

/// <summary>
/// What weft alone knows of a route, kept in its canonical block so that it is interned and follows the route. Never sent.
/// <code>
///   | flags 0 | type 0 | length | weight 4 | source 1 | name of the link, for a route taken over from the kernel |
/// </code>
/// No peer can put it there: with the Optional bit clear an unknown type is an error (RFC 4271 6.3), so flags 0 are ours alone. It stands first.
/// </summary>
internal static class PrivateAttribute
{
    public const byte Type = 0;

    /// <summary>Values of the source octet.</summary>
    public const byte FromConfiguration = 0, FromKernel = 1;

    private const int HeaderLength = 3;
    private const int FixedLength = 5;

    /// <summary>True when the attribute a reader stands on is ours.</summary>
    public static bool Is(byte type, byte flags) => type == Type && flags == 0;

    /// <summary>The value; empty when the route has none.</summary>
    public static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> block)
    {
        ReadOnlySpan<byte> rest = block[(1 + block[0])..];
        return rest.Length >= HeaderLength && Is(rest[1], rest[0]) ? rest.Slice(HeaderLength, rest[2]) : default;
    }

    /// <summary>0 when absent.</summary>
    public static uint Weight(ReadOnlySpan<byte> value) => value.IsEmpty ? 0 : BinaryPrimitives.ReadUInt32BigEndian(value);

    public static byte Source(ReadOnlySpan<byte> value) => value.IsEmpty ? FromConfiguration : value[4];

    /// <summary>ASCII; empty when unknown.</summary>
    public static ReadOnlySpan<byte> Link(ReadOnlySpan<byte> value) => value.IsEmpty ? default : value[FixedLength..];

    public static int WithWeight(uint weight, ReadOnlySpan<byte> block, Span<byte> destination)
    {
        ReadOnlySpan<byte> old = Find(block);
        int start = 1 + block[0];
        block[..start].CopyTo(destination);
        ReadOnlySpan<byte> rest = block[(start + (old.IsEmpty ? 0 : HeaderLength + old.Length))..];
        byte source = Source(old);
        ReadOnlySpan<byte> link = Link(old);
        int length = start;
        if (weight != 0 || source != FromConfiguration || !link.IsEmpty)
        {
            length += Write(weight, source, link, destination[start..]);
        }

        rest.CopyTo(destination[length..]);
        return length + rest.Length;
    }

    /// <summary>Writes the attribute; returns its octets.</summary>
    public static int Write(uint weight, byte source, ReadOnlySpan<byte> link, Span<byte> destination)
    {
        destination[0] = 0;
        destination[1] = Type;
        destination[2] = (byte)(FixedLength + link.Length);
        BinaryPrimitives.WriteUInt32BigEndian(destination[HeaderLength..], weight);
        destination[HeaderLength + 4] = source;
        link.CopyTo(destination[(HeaderLength + FixedLength)..]);
        return HeaderLength + FixedLength + link.Length;
    }

    /// <summary>For a route of our own; nothing when there is nothing to say.</summary>
    public static byte[] Describe(byte source, string? link)
    {
        if (source == FromConfiguration && string.IsNullOrEmpty(link))
        {
            return [];
        }

        byte[] name = Encoding.ASCII.GetBytes(link ?? string.Empty);
        byte[] attribute = new byte[HeaderLength + FixedLength + Math.Min(name.Length, 64)];
        Write(0, source, name.AsSpan(0, Math.Min(name.Length, 64)), attribute);
        return attribute;
    }
}
