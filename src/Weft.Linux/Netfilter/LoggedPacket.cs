using System.Buffers.Binary;
using Weft.Primitives.Net;

namespace Weft.Linux.Netfilter;

/// <summary>The flow that a packet belongs to, as its headers say.</summary>
/// <param name="Source">Unset when the packet is no IP packet or too short.</param>
/// <param name="Destination">Likewise.</param>
/// <param name="Protocol">IANA number; of IPv6 the first next header that is no extension.</param>
/// <param name="SourcePort">0 for protocols without ports and for fragments behind the first.</param>
/// <param name="DestinationPort">Likewise; for ICMP type and code, type in the high octet.</param>
public readonly record struct PacketFlow(IpAddress Source, IpAddress Destination, byte Protocol, ushort SourcePort, ushort DestinationPort)
{
    private const byte Icmp = 1, Tcp = 6, Udp = 17, Icmpv6 = 58, Sctp = 132, UdpLite = 136;
    private const byte HopByHop = 0, Routing = 43, Fragment = 44, DestinationOptions = 60;

    /// <summary>Reads what is there; never fails.</summary>
    public static PacketFlow Of(ReadOnlySpan<byte> packet) => packet switch
    {
        { Length: >= 20 } when packet[0] >> 4 == 4 => OfIPv4(packet),
        { Length: >= 40 } when packet[0] >> 4 == 6 => OfIPv6(packet),
        _ => default,
    };

    private static PacketFlow OfIPv4(ReadOnlySpan<byte> packet)
    {
        bool isFirst = (BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x1fff) == 0;
        int header = (packet[0] & 15) * 4;
        return WithPorts(IpAddress.FromBytes(packet.Slice(12, 4)), IpAddress.FromBytes(packet.Slice(16, 4)), packet[9], isFirst && header <= packet.Length ? packet[header..] : default);
    }

    private static PacketFlow OfIPv6(ReadOnlySpan<byte> packet)
    {
        byte next = packet[6];
        ReadOnlySpan<byte> rest = packet[40..];
        bool isFirst = true;
        while (next is HopByHop or Routing or Fragment or DestinationOptions && rest.Length >= 8)
        {
            int length = next == Fragment ? 8 : (rest[1] + 1) * 8;
            isFirst &= next != Fragment || (BinaryPrimitives.ReadUInt16BigEndian(rest[2..]) & 0xfff8) == 0;
            next = rest[0];
            rest = length <= rest.Length ? rest[length..] : default;
        }

        return WithPorts(IpAddress.FromBytes(packet.Slice(8, 16)), IpAddress.FromBytes(packet.Slice(24, 16)), next, isFirst ? rest : default);
    }

    private static PacketFlow WithPorts(IpAddress source, IpAddress destination, byte protocol, ReadOnlySpan<byte> transport) => protocol switch
    {
        Tcp or Udp or Sctp or UdpLite when transport.Length >= 4 =>
            new(source, destination, protocol, BinaryPrimitives.ReadUInt16BigEndian(transport), BinaryPrimitives.ReadUInt16BigEndian(transport[2..])),
        Icmp or Icmpv6 when transport.Length >= 2 => new(source, destination, protocol, 0, BinaryPrimitives.ReadUInt16BigEndian(transport)),
        _ => new(source, destination, protocol, 0, 0),
    };
}

/// <summary>A packet that a rule sent to NFLOG.</summary>
/// <param name="Prefix">What the rule says along with it.</param>
/// <param name="Flow">Of its headers.</param>
/// <param name="InLink">Index of the link it came by; 0 for none.</param>
/// <param name="OutLink">Index of the link it would leave by; 0 for none.</param>
public readonly record struct LoggedPacket(string Prefix, PacketFlow Flow, int InLink, int OutLink);
