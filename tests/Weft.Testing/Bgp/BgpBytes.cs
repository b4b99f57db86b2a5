using System.Buffers.Binary;
using System.Net;

namespace Weft.Testing.Bgp;

/// <summary>
/// BGP messages octet by octet, written from the RFCs and from nothing of weft's: what these tests send must not share a mistake with what they test. It builds
/// wrong messages as willingly as right ones.
/// </summary>
public static class BgpBytes
{
    public const int HeaderLength = 19;

    /// <summary><code>| marker 16 | length 2 | type 1 | body |</code></summary>
    public static byte[] Message(byte type, params ReadOnlySpan<byte> body)
    {
        byte[] message = new byte[HeaderLength + body.Length];
        message.AsSpan(0, 16).Fill(0xFF);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(16), (ushort)message.Length);
        message[18] = type;
        body.CopyTo(message.AsSpan(HeaderLength));
        return message;
    }

    public static byte[] Open(uint autonomousSystem, string routerId, ushort holdTime, params byte[][] capabilities)
    {
        byte[] all = [.. capabilities.SelectMany(static c => c)];
        return Message(
            1,
            [
                4, .. Number16((ushort)(autonomousSystem > ushort.MaxValue ? 23456 : autonomousSystem)), .. Number16(holdTime), .. Address(routerId),
                (byte)(all.Length == 0 ? 0 : all.Length + 2), .. all.Length == 0 ? [] : (byte[])[2, (byte)all.Length, .. all],
            ]);
    }

    public static byte[] Capability(byte code, params ReadOnlySpan<byte> value) => [code, (byte)value.Length, .. value];

    public static byte[] Multiprotocol(ushort afi) => Capability(1, 0, (byte)afi, 0, 1);

    public static byte[] FourOctetAs(uint autonomousSystem) => Capability(65, Number32(autonomousSystem));

    public static byte[] Keepalive() => Message(4);

    public static byte[] Notification(byte code, byte subcode, params ReadOnlySpan<byte> data) => Message(3, [code, subcode, .. data]);

    public static byte[] RouteRefresh(ushort afi, byte subtype = 0) => Message(5, [0, (byte)afi, subtype, 1]);

    /// <summary><code>| withdrawn length 2 | withdrawn | attributes length 2 | attributes | NLRI |</code></summary>
    public static byte[] Update(ReadOnlySpan<byte> withdrawn, ReadOnlySpan<byte> attributes, ReadOnlySpan<byte> nlri) =>
        Message(2, [.. Number16((ushort)withdrawn.Length), .. withdrawn, .. Number16((ushort)attributes.Length), .. attributes, .. nlri]);

    public static byte[] EndOfRib(ushort afi) => afi == 1 ? Update([], [], []) : Update([], Attribute(0x80, 15, [0, (byte)afi, 1]), []);

    /// <summary>The extended length flag is set where the value needs it.</summary>
    public static byte[] Attribute(byte flags, byte type, params ReadOnlySpan<byte> value) => value.Length > 255
        ? [(byte)(flags | 0x10), type, .. Number16((ushort)value.Length), .. value]
        : [flags, type, (byte)value.Length, .. value];

    public static byte[] Origin(byte value = 0) => Attribute(0x40, 1, value);

    public static byte[] AsPath(params ReadOnlySpan<uint> path)
    {
        byte[] value = path.IsEmpty ? [] : new byte[2 + 4 * path.Length];
        if (!path.IsEmpty)
        {
            value[0] = 2;
            value[1] = (byte)path.Length;
            for (int i = 0; i < path.Length; i++)
            {
                BinaryPrimitives.WriteUInt32BigEndian(value.AsSpan(2 + 4 * i), path[i]);
            }
        }

        return Attribute(0x40, 2, value);
    }

    public static byte[] NextHop(string address) => Attribute(0x40, 3, Address(address));

    public static byte[] Communities(params ReadOnlySpan<uint> communities)
    {
        byte[] value = new byte[4 * communities.Length];
        for (int i = 0; i < communities.Length; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(value.AsSpan(4 * i), communities[i]);
        }

        return Attribute(0xC0, 8, value);
    }

    public static byte[] MpReach(ushort afi, ReadOnlySpan<byte> nextHop, ReadOnlySpan<byte> nlri) =>
        Attribute(0x80, 14, [0, (byte)afi, 1, (byte)nextHop.Length, .. nextHop, 0, .. nlri]);

    public static byte[] MpUnreach(ushort afi, ReadOnlySpan<byte> nlri) => Attribute(0x80, 15, [0, (byte)afi, 1, .. nlri]);

    /// <summary>NLRI of prefixes written as text.</summary>
    public static byte[] Nlri(params string[] prefixes) => [.. prefixes.SelectMany(static p => Prefix(IPNetwork.Parse(p)))];

    public static byte[] Address(string text) => IPAddress.Parse(text).GetAddressBytes();

    public static byte[] Number16(ushort value) => [(byte)(value >> 8), (byte)value];

    public static byte[] Number32(uint value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];

    private static byte[] Prefix(IPNetwork network) =>
        [(byte)network.PrefixLength, .. network.BaseAddress.GetAddressBytes().AsSpan(0, (network.PrefixLength + 7) / 8)];
}
