using System.Buffers.Binary;
using Weft.Primitives.Net;

namespace Weft.Bgp.Wire;

/// <summary>
/// An OPEN with the capabilities weft knows, for both directions. Sessions open rarely, so this one is an object.
/// <code>
///  | version 4 | my AS 2 octets | hold time | BGP identifier 4 | opt length | parameters: type, length, value ... |
///  RFC 9072: opt length 255 and first type 255 mean two-octet lengths.
/// </code>
/// </summary>
internal sealed record OpenMessage
{
    /// <summary>Octets of the longest OPEN written: every capability, both families.</summary>
    public const int MaximumLength = 160;

    private const byte ParameterCapabilities = 2;

    /// <summary>RFC 6793: stands in two octets for an AS that needs four.</summary>
    public const ushort AsTrans = 23456;

    /// <summary>The four-octet AS when the capability came, else the two octets of the fixed part.</summary>
    public required uint As { get; init; }

    /// <summary>Seconds, as on the wire.</summary>
    public required ushort HoldTime { get; init; }

    public required IpAddress RouterId { get; init; }

    /// <summary>From the multiprotocol capability; a peer without it speaks IPv4 alone (<see cref="HasMultiprotocol"/> false).</summary>
    public AddressFamilies Families { get; init; }

    public bool HasMultiprotocol { get; init; }

    public bool FourOctetAs { get; init; }

    public bool RouteRefresh { get; init; }

    public bool ExtendedMessages { get; init; }

    public bool GracefulRestart { get; init; }

    /// <summary>RFC 4724: the sender restarted and waits for End-of-RIB.</summary>
    public bool Restarting { get; init; }

    /// <summary>Seconds, 0..4095.</summary>
    public ushort RestartTime { get; init; }

    public AddressFamilies RestartFamilies { get; init; }

    /// <summary>Families with the forwarding bit.</summary>
    public AddressFamilies ForwardingKept { get; init; }

    /// <summary>RFC 8538: NOTIFICATIONs and hold timers keep routes too.</summary>
    public bool RestartNotifications { get; init; }

    /// <summary>RFC 9494: the capability is there, with families or without.</summary>
    public bool LongLived { get; init; }

    /// <summary>RFC 9494: families whose stale routes may be kept long.</summary>
    public AddressFamilies LongLivedFamilies { get; init; }

    /// <summary>RFC 9494: families with the forwarding bit.</summary>
    public AddressFamilies LongLivedKept { get; init; }

    /// <summary>RFC 9494 stale time of IPv4 routes, seconds, 0..16777215.</summary>
    public uint LongLivedTimeIPv4 { get; init; }

    /// <summary>RFC 9494 stale time of IPv6 routes, seconds, 0..16777215.</summary>
    public uint LongLivedTimeIPv6 { get; init; }

    /// <summary>RFC 7313: ROUTE-REFRESH with beginning and end.</summary>
    public bool EnhancedRouteRefresh { get; init; }

    /// <summary>RFC 7911: families in which the sender takes several paths of one prefix.</summary>
    public AddressFamilies AddPathReceive { get; init; }

    /// <summary>RFC 7911: families in which the sender may send several paths of one prefix.</summary>
    public AddressFamilies AddPathSend { get; init; }

    /// <summary>RFC 8950: families whose next hops may be IPv6 addresses although they are not.</summary>
    public AddressFamilies IPv6NextHops { get; init; }

    /// <summary>RFC 9234: what the sender is to the receiver; null: not said.</summary>
    public BgpRole? Role { get; init; }

    /// <summary>RFC 9234 4.2: the sender named two different roles, or one that nobody knows.</summary>
    public bool RolesContradict { get; init; }

    /// <summary>Reads a whole message (header included, checked before). Null and an error when the NOTIFICATION must be sent.</summary>
    public static OpenMessage? Read(ReadOnlySpan<byte> message, out BgpError? error)
    {
        ReadOnlySpan<byte> body = message[MessageFramer.HeaderLength..];
        if (body[0] != 4)
        {
            // RFC 4271 6.2: the data holds the version we support.
            error = new BgpError(ErrorCode.OpenMessage, Subcode.UnsupportedVersion, [0, 4]);
            return null;
        }

        var open = new OpenMessage
        {
            As = BinaryPrimitives.ReadUInt16BigEndian(body[1..]),
            HoldTime = BinaryPrimitives.ReadUInt16BigEndian(body[3..]),
            RouterId = IpAddress.FromBytes(body.Slice(5, 4)),
        };
        ReadOnlySpan<byte> parameters = body[10..];
        int declared = body[9];
        bool extended = declared == 255 && parameters.Length >= 3 && parameters[0] == 255;
        if (extended)
        {
            declared = BinaryPrimitives.ReadUInt16BigEndian(parameters[1..]);
            parameters = parameters[3..];
        }

        if (declared != parameters.Length)
        {
            error = new BgpError(ErrorCode.OpenMessage, 0);
            return null;
        }

        error = ReadParameters(parameters, extended, ref open);
        return error is null ? open : null;
    }

    private static BgpError? ReadParameters(ReadOnlySpan<byte> parameters, bool extended, ref OpenMessage open)
    {
        int header = extended ? 3 : 2;
        while (!parameters.IsEmpty)
        {
            if (parameters.Length < header)
            {
                return new BgpError(ErrorCode.OpenMessage, 0);
            }

            int length = extended ? BinaryPrimitives.ReadUInt16BigEndian(parameters[1..]) : parameters[1];
            if (length > parameters.Length - header)
            {
                return new BgpError(ErrorCode.OpenMessage, 0);
            }

            if (parameters[0] != ParameterCapabilities)
            {
                return new BgpError(ErrorCode.OpenMessage, Subcode.UnsupportedOptionalParameter);
            }

            if (!Capabilities.Read(parameters.Slice(header, length), ref open))
            {
                return new BgpError(ErrorCode.OpenMessage, 0);
            }

            parameters = parameters[(header + length)..];
        }

        return null;
    }

    /// <summary>The family of an AFI and SAFI pair; None when weft does not speak it.</summary>
    public static AddressFamilies Family(ushort afi, byte safi) => (afi, safi) switch
    {
        (1, 1) => AddressFamilies.IPv4,
        (2, 1) => AddressFamilies.IPv6,
        _ => AddressFamilies.None,
    };

    /// <summary>Writes the whole message; returns its length (at most <see cref="MaximumLength"/>).</summary>
    public int Write(Span<byte> message)
    {
        Span<byte> body = message[MessageFramer.HeaderLength..];
        body[0] = 4;
        BinaryPrimitives.WriteUInt16BigEndian(body[1..], As > ushort.MaxValue ? AsTrans : (ushort)As);
        BinaryPrimitives.WriteUInt16BigEndian(body[3..], HoldTime);
        RouterId.CopyTo(body[5..]);

        // All capabilities stand in one parameter; without any, there is none.
        int capabilities = Capabilities.Write(this, body[12..]);
        body[9] = (byte)(capabilities == 0 ? 0 : capabilities + 2);
        body[10] = ParameterCapabilities;
        body[11] = (byte)capabilities;
        int length = MessageFramer.HeaderLength + 10 + body[9];
        MessageFramer.WriteHeader(message, MessageType.Open, length);
        return length;
    }
}
