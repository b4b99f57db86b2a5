using System.Buffers.Binary;
using Weft.Bgp.Wire;

namespace Weft.Bgp.Session;

/// <summary>Messages of one direction of one peer, over all its sessions. Plain fields of one writer, read on scrape; a reading may be one behind.</summary>
internal sealed class MessageTally
{
    private long _opens;
    private long _updates;
    private long _notifications;
    private long _keepalives;
    private long _refreshes;

    public MessageCounters Snapshot() => new(
        Volatile.Read(ref _opens), Volatile.Read(ref _updates), Volatile.Read(ref _notifications), Volatile.Read(ref _keepalives), Volatile.Read(ref _refreshes));

    public void Count(MessageType type)
    {
        switch (type)
        {
            case MessageType.Open:
                _opens++;
                break;
            case MessageType.Update:
                _updates++;
                break;
            case MessageType.Notification:
                _notifications++;
                break;
            case MessageType.Keepalive:
                _keepalives++;
                break;
            default:
                _refreshes++;
                break;
        }
    }

    /// <summary>Counts the messages of a block.</summary>
    public void CountUpdates(ReadOnlySpan<byte> messages)
    {
        while (!messages.IsEmpty)
        {
            Count((MessageType)messages[18]);
            messages = messages[BinaryPrimitives.ReadUInt16BigEndian(messages[16..])..];
        }
    }
}
