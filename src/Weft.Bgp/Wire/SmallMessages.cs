using System.Buffers.Binary;

namespace Weft.Bgp.Wire;

/// <summary>NOTIFICATION, RFC 4271 4.5.</summary>
internal static class NotificationMessage
{
    /// <summary>Reads a whole message of checked length.</summary>
    public static BgpError Read(ReadOnlySpan<byte> message) =>
        new((ErrorCode)message[19], message[20], message[21..].ToArray());

    /// <summary>Writes the whole message; data that does not fit 4096 octets is cut.</summary>
    public static int Write(Span<byte> message, BgpError error)
    {
        int data = Math.Min(error.Data.Length, Math.Min(message.Length, MessageFramer.MaximumLength) - 21);
        message[19] = (byte)error.Code;
        message[20] = error.Subcode;
        error.Data.AsSpan(0, data).CopyTo(message[21..]);
        MessageFramer.WriteHeader(message, MessageType.Notification, 21 + data);
        return 21 + data;
    }
}

/// <summary>KEEPALIVE: a header alone.</summary>
internal static class KeepaliveMessage
{
    public const int Length = MessageFramer.HeaderLength;

    public static int Write(Span<byte> message)
    {
        MessageFramer.WriteHeader(message, MessageType.Keepalive, Length);
        return Length;
    }
}

/// <summary>ROUTE-REFRESH, RFC 2918: AFI, subtype (RFC 7313), SAFI.</summary>
internal static class RouteRefreshMessage
{
    public const int Length = 23;

    /// <summary>False when the message is not exactly AFI, subtype and SAFI long, and has subtype 0.</summary>
    public static bool TryRead(ReadOnlySpan<byte> message, out AddressFamilies family, out byte subtype)
    {
        family = AddressFamilies.None;
        subtype = 0;
        if (message.Length < Length)
        {
            return false;
        }

        family = OpenMessage.Family(BinaryPrimitives.ReadUInt16BigEndian(message[19..]), message[22]);
        subtype = message[21];

        // A subtype other than 0 (outbound route filters, RFC 5291) may be longer; it is ignored by whoever gets it.
        return message.Length == Length || subtype != 0;
    }

    public static int Write(Span<byte> message, AddressFamilies family)
    {
        message[19] = 0;
        message[20] = family == AddressFamilies.IPv4 ? (byte)1 : (byte)2;
        message[21] = 0;
        message[22] = 1;
        MessageFramer.WriteHeader(message, MessageType.RouteRefresh, Length);
        return Length;
    }
}
