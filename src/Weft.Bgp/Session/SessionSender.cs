using System.Buffers;
using System.IO.Pipelines;
using System.Threading.Channels;
using Weft.Bgp.Export;
using Weft.Bgp.Rib;
using Weft.Bgp.Wire;

namespace Weft.Bgp.Session;

/// <summary>
/// The only writer of one connection's pipe. Takes small messages from the session loop and blocks from the RIB loops; flushing returns the blocks' credits.
/// </summary>
internal sealed class SessionSender : IBlockSink
{
    /// <summary>Bytes put into the pipe before a flush.</summary>
    private const int FlushBytes = EncodedBlock.Size;

    private readonly record struct Item(byte[]? Message, EncodedBlock? Block, GroupMember? Member);

    private readonly PipeWriter _pipe;
    private readonly PeerId _peer;
    private readonly MessageTally _sent;

    // Bounded by the credits of both families (4 blocks each) and by small messages: OPEN, NOTIFICATION, and at most one KEEPALIVE at a time.
    private readonly Channel<Item> _items = Channel.CreateUnbounded<Item>(new UnboundedChannelOptions { SingleReader = true });
    private readonly List<Item> _unflushed = [];
    private int _keepaliveQueued;
    private readonly TimeProvider _time;
    private long _lastSent;

    public SessionSender(PipeWriter pipe, PeerId peer, MessageTally sent, TimeProvider time)
    {
        _pipe = pipe;
        _peer = peer;
        _sent = sent;
        _time = time;
        _lastSent = time.GetTimestamp();
    }

    /// <summary>When messages last went to the transport, all that were written with them; the send hold timer asks this (RFC 9687).</summary>
    public long LastSent => Volatile.Read(ref _lastSent);

    /// <summary>Queues a copy of a small message.</summary>
    public void Send(ReadOnlySpan<byte> message)
    {
        bool keepalive = message[18] == (byte)MessageType.Keepalive;
        if (keepalive && Interlocked.Exchange(ref _keepaliveQueued, 1) == 1)
        {
            // One waits already: the peer does not read, and another would not help.
            return;
        }

        _items.Writer.TryWrite(new Item(message.ToArray(), null, null));
    }

    public void Send(EncodedBlock block, GroupMember member)
    {
        if (!_items.Writer.TryWrite(new Item(null, block, member)))
        {
            // The connection is closing: nobody will read it.
            block.Release();
            member.Returned();
        }
    }

    /// <summary>What is queued still leaves, then <see cref="RunAsync"/> ends.</summary>
    public void Complete() => _items.Writer.TryComplete();

    /// <summary>Writes until completed, until the pipe's reader goes away, or until <paramref name="stop"/> fires.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            ChannelReader<Item> items = _items.Reader;
            while (await items.WaitToReadAsync(stop))
            {
                int bytes = 0;
                while (bytes < FlushBytes && items.TryRead(out Item item))
                {
                    bytes += Write(in item);
                    _unflushed.Add(item);
                }

                FlushResult flushed = await _pipe.FlushAsync(stop);
                Volatile.Write(ref _lastSent, _time.GetTimestamp());
                ReturnUnflushed();
                if (flushed.IsCompleted)
                {
                    break;
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The connection is being dropped.
        }
        catch (IOException)
        {
            // The receiver sees the same end of the connection and reports it.
        }
        finally
        {
            _items.Writer.TryComplete();
            ReturnUnflushed();
            while (_items.Reader.TryRead(out Item item))
            {
                Return(in item);
            }
        }
    }

    private int Write(in Item item)
    {
        if (item.Message is byte[] message)
        {
            if (message[18] == (byte)MessageType.Keepalive)
            {
                Volatile.Write(ref _keepaliveQueued, 0);
            }

            _sent.Count((MessageType)message[18]);
            _pipe.Write(message);
            return message.Length;
        }

        int bytes = 0;
        EncodedBlock block = item.Block!;
        foreach (ref readonly BlockSegment segment in block.Segments)
        {
            if (segment.IsFor(_peer))
            {
                ReadOnlySpan<byte> messages = block.Bytes.AsSpan(segment.Start, segment.End - segment.Start);
                _pipe.Write(messages);
                _sent.CountUpdates(messages);
                bytes += messages.Length;
            }
        }

        return bytes;
    }

    private void ReturnUnflushed()
    {
        foreach (Item item in _unflushed)
        {
            Return(in item);
        }

        _unflushed.Clear();
    }

    private static void Return(in Item item)
    {
        if (item.Block is EncodedBlock block)
        {
            block.Release();
            item.Member!.Returned();
        }
    }
}
