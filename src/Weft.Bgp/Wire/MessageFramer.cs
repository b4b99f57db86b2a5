using System.Buffers;
using System.Buffers.Binary;

namespace Weft.Bgp.Wire;

/// <summary>What the framer found at the front of the bytes.</summary>
internal enum FrameStatus : byte
{
    /// <summary>Not a whole message yet.</summary>
    Incomplete,

    /// <summary>A message with a believable header.</summary>
    Complete,

    /// <summary>The header is wrong: the session must end.</summary>
    Bad,
}

/// <summary>
/// Cuts the byte stream into messages. Sequences end here: everything behind it reads spans (a message that straddles pipe segments is copied once).
/// <code>
///  0                16      18    19
///  | marker, all 1s | length | type | body ... length counts from the marker
/// </code>
/// </summary>
internal static class MessageFramer
{
    public const int HeaderLength = 19;
    public const int MaximumLength = 4096;

    /// <summary>Looks at the first message.</summary>
    /// <param name="buffer">Unread bytes.</param>
    /// <param name="maximumLength">4096, or 65535 where extended messages were negotiated (RFC 8654; OPEN and KEEPALIVE keep 4096).</param>
    /// <param name="message">The whole message with its header, when complete.</param>
    /// <param name="error">The NOTIFICATION to send, when bad.</param>
    public static FrameStatus TryRead(in ReadOnlySequence<byte> buffer, int maximumLength, out ReadOnlySequence<byte> message, out BgpError? error)
    {
        message = default;
        error = null;
        if (buffer.Length < HeaderLength)
        {
            return FrameStatus.Incomplete;
        }

        Span<byte> copy = stackalloc byte[HeaderLength];
        scoped ReadOnlySpan<byte> header = buffer.FirstSpan;
        if (header.Length < HeaderLength)
        {
            buffer.Slice(0, HeaderLength).CopyTo(copy);
            header = copy;
        }

        error = CheckHeader(header, maximumLength, out int length);
        if (error is not null)
        {
            return FrameStatus.Bad;
        }

        if (buffer.Length < length)
        {
            return FrameStatus.Incomplete;
        }

        message = buffer.Slice(0, length);
        return FrameStatus.Complete;
    }

    /// <summary>RFC 4271 6.1. Null: the header is good.</summary>
    public static BgpError? CheckHeader(ReadOnlySpan<byte> header, int maximumLength, out int length)
    {
        length = BinaryPrimitives.ReadUInt16BigEndian(header[16..]);
        if (header[..16].ContainsAnyExcept((byte)0xFF))
        {
            return new BgpError(ErrorCode.MessageHeader, Subcode.ConnectionNotSynchronized);
        }

        byte type = header[18];
        (int minimum, int maximum) = (MessageType)type switch
        {
            MessageType.Open => (29, MaximumLength),
            MessageType.Update => (23, maximumLength),
            MessageType.Notification => (21, maximumLength),
            MessageType.Keepalive => (HeaderLength, HeaderLength),
            MessageType.RouteRefresh => (RouteRefreshMessage.Length, maximumLength),
            _ => (0, 0),
        };
        if (maximum == 0)
        {
            // The length is checked first by the RFC's order; an absurd length of an unknown type still names the type, which helps more.
            return new BgpError(ErrorCode.MessageHeader, Subcode.BadMessageType, [type]);
        }

        if (length < minimum || length > maximum)
        {
            return new BgpError(ErrorCode.MessageHeader, Subcode.BadMessageLength, header.Slice(16, 2).ToArray());
        }

        return null;
    }

    /// <summary>Writes the header of a message whose body is in place already.</summary>
    public static void WriteHeader(Span<byte> message, MessageType type, int length)
    {
        message[..16].Fill(0xFF);
        BinaryPrimitives.WriteUInt16BigEndian(message[16..], (ushort)length);
        message[18] = (byte)type;
    }
}
