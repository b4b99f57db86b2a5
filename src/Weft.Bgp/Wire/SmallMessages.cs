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

/// <summary>RFC 7313 3.2.</summary>
internal enum RouteRefreshSubtype : byte
{
    /// <summary>All routes are asked for (RFC 2918).</summary>
    Request = 0,

    /// <summary>BoRR: all routes follow.</summary>
    Begin = 1,

    /// <summary>EoRR: all routes have been told.</summary>
    End = 2,
}

/// <summary>ROUTE-REFRESH, RFC 2918: AFI, subtype (RFC 7313), SAFI.</summary>
internal static class RouteRefreshMessage
{
    public const int Length = 23;

    /// <summary>False when the message is too short to be read.</summary>
    public static bool TryRead(ReadOnlySpan<byte> message, out AddressFamilies family, out RouteRefreshSubtype subtype)
    {
        family = AddressFamilies.None;
        subtype = RouteRefreshSubtype.Request;
        if (message.Length < Length)
        {
            return false;
        }

        family = OpenMessage.Family(BinaryPrimitives.ReadUInt16BigEndian(message[19..]), message[22]);
        subtype = (RouteRefreshSubtype)message[21];
        return true;
    }

    public static int Write(Span<byte> message, AddressFamilies family, RouteRefreshSubtype subtype = RouteRefreshSubtype.Request)
    {
        message[19] = 0;
        message[20] = family == AddressFamilies.IPv4 ? (byte)1 : (byte)2;
        message[21] = (byte)subtype;
        message[22] = 1;
        MessageFramer.WriteHeader(message, MessageType.RouteRefresh, Length);
        return Length;
    }
}
