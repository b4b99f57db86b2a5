using System.Buffers;
using System.IO.Pipelines;
using Microsoft.Extensions.Logging;
using Weft.Bgp.Rib;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Session;

/// <summary>How a connection ended, as its receiver saw it.</summary>
internal enum ReceiveEnd : byte
{
    /// <summary>The stream ended without a NOTIFICATION from either side.</summary>
    Lost,

    /// <summary>The session loop closed it, or a message made it do so.</summary>
    Closed,
}

/// <summary>What the receiver reports to its session. Called on the receiver's task.</summary>
internal interface IReceiverEvents
{
    /// <summary>
    /// A message before the session is established. The reader waits for the answer, so that nothing is decoded before it is known how: null is "go on", a session
    /// is "established".
    /// </summary>
    ValueTask<HandshakeAnswer> OnHandshakeAsync(byte[] message, CancellationToken stop);

    /// <summary>A fatal event of an established session.</summary>
    ValueTask OnFatalAsync(SessionInput input, CancellationToken stop);

    ValueTask OnRouteRefreshAsync(AddressFamilies family, CancellationToken stop);

    /// <summary>A batch is ready; ownership passes.</summary>
    ValueTask PostAsync(UpdateBatch batch, CancellationToken stop);
}

/// <summary>The session loop's answer to a message of the handshake.</summary>
/// <param name="Continue">False: stop reading.</param>
internal readonly record struct HandshakeAnswer(bool Continue, NegotiatedSession? Session);

/// <summary>
/// Reads one connection: first message by message with the session loop, then on its own, decoding UPDATEs with the negotiated snapshot into batches. Posting waits
/// while the RIB is busy; then nothing is read and TCP slows the peer.
/// </summary>
internal sealed class SessionReceiver
{
    private readonly PipeReader _pipe;
    private readonly PeerId _peer;
    private readonly PeerSettings _settings;
    private readonly UpdateBatchPool _pool;
    private readonly MessageTally _received;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private UpdateDecoder? _decoder;
    private byte[] _copy = []; // For messages that lie in two buffers; as long as the longest one so far needed.
    private long _lastHeard;

    public SessionReceiver(PipeReader pipe, PeerId peer, PeerSettings settings, UpdateBatchPool pool, MessageTally received, TimeProvider time, ILogger logger)
    {
        _pipe = pipe;
        _peer = peer;
        _settings = settings;
        _pool = pool;
        _received = received;
        _time = time;
        _logger = logger;
        _lastHeard = time.GetTimestamp();
    }

    /// <summary>When the last whole message came; the hold timer asks this instead of being restarted for every message.</summary>
    public long LastHeard => Volatile.Read(ref _lastHeard);

    public NegotiatedSession? Session { get; private set; }

    /// <summary>Why the stream ended, for the operator.</summary>
    public string EndText { get; private set; } = "connection closed by the peer";

    /// <summary>Reads to the end. Never throws for what the peer does.</summary>
    public async Task<ReceiveEnd> RunAsync(IReceiverEvents events, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                ReadResult read = await _pipe.ReadAsync(stop);
                ReadOnlySequence<byte> buffer = read.Buffer;
                while (true)
                {
                    FrameStatus status = MessageFramer.TryRead(in buffer, MaximumLength, out ReadOnlySequence<byte> message, out BgpError? error);
                    if (status == FrameStatus.Incomplete)
                    {
                        break;
                    }

                    if (status == FrameStatus.Bad)
                    {
                        await PostBatchesAsync(events, stop);
                        await events.OnFatalAsync(new SessionInput(SessionEvent.MessageError, Error: error), stop);
                        return ReceiveEnd.Closed;
                    }

                    buffer = buffer.Slice(message.Length);
                    Volatile.Write(ref _lastHeard, _time.GetTimestamp());
                    if (_decoder is null)
                    {
                        HandshakeAnswer answer = await events.OnHandshakeAsync(message.ToArray(), stop);
                        _received.Count((MessageType)HeaderType(message));
                        if (!answer.Continue)
                        {
                            return ReceiveEnd.Closed;
                        }

                        Begin(answer.Session);
                        continue;
                    }

                    SessionInput? fatal = Take(in message, out AddressFamilies refresh);
                    if (fatal is SessionInput input)
                    {
                        await PostBatchesAsync(events, stop);
                        await events.OnFatalAsync(input, stop);
                        return ReceiveEnd.Closed;
                    }

                    if (refresh != AddressFamilies.None)
                    {
                        await events.OnRouteRefreshAsync(refresh, stop);
                    }

                    if (_decoder.HasFullBatch)
                    {
                        await PostBatchesAsync(events, stop);
                    }
                }

                await PostBatchesAsync(events, stop);
                _pipe.AdvanceTo(buffer.Start, buffer.End);
                if (read.IsCompleted || read.IsCanceled)
                {
                    return ReceiveEnd.Lost;
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return ReceiveEnd.Closed;
        }
        catch (IOException failure)
        {
            EndText = $"connection lost: {failure.Message}";
            return ReceiveEnd.Lost;
        }
        finally
        {
            DropBatches();
        }
    }

    private int MaximumLength => Session?.MaximumMessageLength ?? MessageFramer.MaximumLength;

    private void Begin(NegotiatedSession? session)
    {
        if (session is not null)
        {
            Session = session;
            _decoder = new UpdateDecoder(_pool, _peer, session, _settings, _logger);
        }
    }

    /// <summary>One message of an established session. An input back means the session is over.</summary>
    private SessionInput? Take(in ReadOnlySequence<byte> sequence, out AddressFamilies refresh)
    {
        refresh = AddressFamilies.None;
        ReadOnlySpan<byte> message = sequence.FirstSpan;
        if (!sequence.IsSingleSegment)
        {
            if (_copy.Length < sequence.Length)
            {
                _copy = new byte[Math.Max((int)sequence.Length, Math.Min(MessageFramer.MaximumLength, MaximumLength))];
            }

            sequence.CopyTo(_copy);
            message = _copy.AsSpan(0, (int)sequence.Length);
        }

        var type = (MessageType)message[18];
        _received.Count(type);
        switch (type)
        {
            case MessageType.Update:
                DecodeResult result = _decoder!.Decode(message, out byte[] data);
                return result.Action == DecodeAction.SessionReset
                    ? new SessionInput(SessionEvent.MessageError, Error: new BgpError(result.Code, result.Subcode, data))
                    : null;
            case MessageType.Keepalive:
                return null;
            case MessageType.RouteRefresh:
                return TakeRefresh(message, out refresh);
            case MessageType.Notification:
                return new SessionInput(SessionEvent.Notification, Error: NotificationMessage.Read(message));
            default:
                return new SessionInput(SessionEvent.MessageError, Error: new BgpError(ErrorCode.FiniteStateMachine, Subcode.UnexpectedInEstablished));
        }
    }

    private SessionInput? TakeRefresh(ReadOnlySpan<byte> message, out AddressFamilies asked)
    {
        asked = AddressFamilies.None;
        bool whole = RouteRefreshMessage.TryRead(message, out AddressFamilies family, out RouteRefreshSubtype subtype);
        bool demarcates = subtype is RouteRefreshSubtype.Begin or RouteRefreshSubtype.End && Session!.EnhancedRouteRefresh;
        if (demarcates && message.Length != RouteRefreshMessage.Length)
        {
            // RFC 7313 5: the data field holds the whole message.
            return new SessionInput(SessionEvent.MessageError, Error: new BgpError(ErrorCode.RouteRefreshMessage, Subcode.InvalidRefreshLength, message.ToArray()));
        }

        // RFC 2918 4: for a family we do not run it is ignored; so is a subtype we do not know (RFC 7313 5), and a longer request (outbound filters, RFC 5291).
        family &= Session!.Families;
        if (whole && family != AddressFamilies.None && demarcates)
        {
            _decoder!.AddRefreshMark(family, subtype == RouteRefreshSubtype.Begin ? BatchRecordKind.BeginRefresh : BatchRecordKind.EndRefresh);
        }

        asked = whole && subtype == RouteRefreshSubtype.Request && message.Length == RouteRefreshMessage.Length ? family : AddressFamilies.None;
        return null;
    }

    private async ValueTask PostBatchesAsync(IReceiverEvents events, CancellationToken stop)
    {
        if (_decoder is not UpdateDecoder decoder)
        {
            return;
        }

        if (decoder.IPv4 is { IsEmpty: false } ipv4)
        {
            decoder.IPv4 = null;
            await events.PostAsync(ipv4, stop);
        }

        if (decoder.IPv6 is { IsEmpty: false } ipv6)
        {
            decoder.IPv6 = null;
            await events.PostAsync(ipv6, stop);
        }
    }

    private void DropBatches()
    {
        if (_decoder?.IPv4 is UpdateBatch ipv4)
        {
            _pool.Return(ipv4);
        }

        if (_decoder?.IPv6 is UpdateBatch ipv6)
        {
            _pool.Return(ipv6);
        }

        _decoder = null;
    }

    private static byte HeaderType(in ReadOnlySequence<byte> message) => message.Slice(18, 1).FirstSpan[0];
}
