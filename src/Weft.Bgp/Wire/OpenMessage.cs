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
    private const byte ParameterCapabilities = 2;

    private const byte CapabilityMultiprotocol = 1;
    private const byte CapabilityRouteRefresh = 2;
    private const byte CapabilityExtendedMessage = 6;
    private const byte CapabilityGracefulRestart = 64;
    private const byte CapabilityFourOctetAs = 65;
    private const byte CapabilityRouteRefreshOld = 128;

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

            if (!ReadCapabilities(parameters.Slice(header, length), ref open))
            {
                return new BgpError(ErrorCode.OpenMessage, 0);
            }

            parameters = parameters[(header + length)..];
        }

        return null;
    }

    /// <summary>A capability of the wrong length is ignored (RFC 5492 leaves it open; refusing the session over it helps nobody); only overruns are errors.</summary>
    private static bool ReadCapabilities(ReadOnlySpan<byte> capabilities, ref OpenMessage open)
    {
        while (!capabilities.IsEmpty)
        {
            if (capabilities.Length < 2 || capabilities[1] > capabilities.Length - 2)
            {
                return false;
            }

            ReadOnlySpan<byte> value = capabilities.Slice(2, capabilities[1]);
            open = (capabilities[0], value.Length) switch
            {
                (CapabilityMultiprotocol, 4) => open with
                {
                    HasMultiprotocol = true,
                    Families = open.Families | Family(BinaryPrimitives.ReadUInt16BigEndian(value), value[3]),
                },
                (CapabilityFourOctetAs, 4) => open with { FourOctetAs = true, As = BinaryPrimitives.ReadUInt32BigEndian(value) },
                (CapabilityRouteRefresh or CapabilityRouteRefreshOld, 0) => open with { RouteRefresh = true },
                (CapabilityExtendedMessage, 0) => open with { ExtendedMessages = true },
                (CapabilityGracefulRestart, >= 2) => ReadGracefulRestart(value, open),
                _ => open,
            };
            capabilities = capabilities[(2 + value.Length)..];
        }

        return true;
    }

    private static OpenMessage ReadGracefulRestart(ReadOnlySpan<byte> value, OpenMessage open)
    {
        ushort first = BinaryPrimitives.ReadUInt16BigEndian(value);
        AddressFamilies families = AddressFamilies.None;
        AddressFamilies kept = AddressFamilies.None;
        for (ReadOnlySpan<byte> rest = value[2..]; rest.Length >= 4; rest = rest[4..])
        {
            AddressFamilies family = Family(BinaryPrimitives.ReadUInt16BigEndian(rest), rest[2]);
            families |= family;
            kept |= (rest[3] & 0x80) != 0 ? family : AddressFamilies.None;
        }

        return open with
        {
            GracefulRestart = true,
            Restarting = (first & 0x8000) != 0,
            RestartTime = (ushort)(first & 0x0FFF),
            RestartFamilies = families,
            ForwardingKept = kept,
        };
    }

    /// <summary>The family of an AFI and SAFI pair; None when weft does not speak it.</summary>
    public static AddressFamilies Family(ushort afi, byte safi) => (afi, safi) switch
    {
        (1, 1) => AddressFamilies.IPv4,
        (2, 1) => AddressFamilies.IPv6,
        _ => AddressFamilies.None,
    };

    /// <summary>Writes the whole message; returns its length (at most 100 octets).</summary>
    public int Write(Span<byte> message)
    {
        Span<byte> body = message[MessageFramer.HeaderLength..];
        body[0] = 4;
        BinaryPrimitives.WriteUInt16BigEndian(body[1..], As > ushort.MaxValue ? AsTrans : (ushort)As);
        BinaryPrimitives.WriteUInt16BigEndian(body[3..], HoldTime);
        RouterId.CopyTo(body[5..]);
        int at = 12;
        foreach (AddressFamilies family in stackalloc AddressFamilies[] { AddressFamilies.IPv4, AddressFamilies.IPv6 })
        {
            if (HasMultiprotocol && (Families & family) != 0)
            {
                at += Put(body[at..], CapabilityMultiprotocol, [0, Afi(family), 0, 1]);
            }
        }

        if (RouteRefresh)
        {
            at += Put(body[at..], CapabilityRouteRefresh, []);
        }

        if (ExtendedMessages)
        {
            at += Put(body[at..], CapabilityExtendedMessage, []);
        }

        if (GracefulRestart)
        {
            at += PutGracefulRestart(body[at..]);
        }

        if (FourOctetAs)
        {
            Span<byte> value = stackalloc byte[4];
            BinaryPrimitives.WriteUInt32BigEndian(value, As);
            at += Put(body[at..], CapabilityFourOctetAs, value);
        }

        // All capabilities stand in one parameter; without any, there is none.
        body[9] = (byte)(at == 12 ? 0 : at - 10);
        body[10] = ParameterCapabilities;
        body[11] = (byte)(at - 12);
        int length = MessageFramer.HeaderLength + (at == 12 ? 10 : at);
        MessageFramer.WriteHeader(message, MessageType.Open, length);
        return length;
    }

    private int PutGracefulRestart(Span<byte> destination)
    {
        Span<byte> value = stackalloc byte[10];
        BinaryPrimitives.WriteUInt16BigEndian(value, (ushort)((Restarting ? 0x8000 : 0) | RestartTime & 0x0FFF));
        int length = 2;
        foreach (AddressFamilies family in stackalloc AddressFamilies[] { AddressFamilies.IPv4, AddressFamilies.IPv6 })
        {
            if ((RestartFamilies & family) != 0)
            {
                value[length] = 0;
                value[length + 1] = Afi(family);
                value[length + 2] = 1;
                value[length + 3] = (byte)((ForwardingKept & family) != 0 ? 0x80 : 0);
                length += 4;
            }
        }

        return Put(destination, CapabilityGracefulRestart, value[..length]);
    }

    private static byte Afi(AddressFamilies family) => family == AddressFamilies.IPv4 ? (byte)1 : (byte)2;

    private static int Put(Span<byte> destination, byte code, ReadOnlySpan<byte> value)
    {
        destination[0] = code;
        destination[1] = (byte)value.Length;
        value.CopyTo(destination[2..]);
        return 2 + value.Length;
    }
}
