using Weft.Bgp.Rib;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Session;

/// <summary>The RIBs a session speaks to, by family.</summary>
internal sealed record RibLoops(RibLoop IPv4, RibLoop IPv6)
{
    public RibLoop Of(IpFamily family) => family == IpFamily.IPv4 ? IPv4 : IPv6;
}

/// <summary>
/// One transport connection with its receiver and sender. Begins with <see cref="RunAsync"/> and ends once: the RIBs hear of the end from the same task that posted
/// the batches, so nothing of a dead session can come after it.
/// </summary>
internal sealed class Connection : IReceiverEvents
{
    /// <summary>How long a last NOTIFICATION may take to leave.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(2);

    private readonly PeerSession _owner;
    private readonly SessionLoop _loop;
    private readonly RibLoops _ribs;
    private readonly IPeerConnection _transport;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _receiveStop = new();
    private readonly CancellationTokenSource _sendStop = new();
    private readonly SessionReceiver _receiver;

    public Connection(PeerSession owner, SessionLoop loop, RibLoops ribs, IPeerConnection transport, SessionReceiver receiver, SessionSender sender, TimeProvider time)
    {
        _owner = owner;
        _loop = loop;
        _ribs = ribs;
        _transport = transport;
        _receiver = receiver;
        Sender = sender;
        _time = time;
    }

    public SessionSender Sender { get; }

    public IPeerConnection Transport => _transport;

    public long LastHeard => _receiver.LastHeard;

    /// <summary>Set on the session loop when the state machine reaches Established, before the receiver gets its answer.</summary>
    public NegotiatedSession? Session { get; set; }

    /// <summary>RFC 4724: routes stay when this connection ends, whoever ends it.</summary>
    public bool KeepRoutes { get; set; }

    public bool IsClosed { get; private set; }

    /// <summary>On the session loop, before <see cref="Close"/>: nothing of what is queued needs to leave.</summary>
    public void Abandon() => _sendStop.Cancel();

    /// <summary>On the session loop: stop reading, let what is queued leave, then close.</summary>
    /// <param name="keepRoutes">See <see cref="KeepRoutes"/>.</param>
    public void Close(bool keepRoutes)
    {
        if (!IsClosed)
        {
            IsClosed = true;
            KeepRoutes |= keepRoutes;
            Sender.Complete();
            _receiveStop.Cancel();
        }
    }

    /// <summary>Never fails: what no peer can cause is a fault of the whole speaker and is reported as that.</summary>
    public async Task RunAsync()
    {
        try
        {
            await ServeAsync();
        }
        catch (Exception failure)
        {
            _owner.Services.Fault(failure);
        }
    }

    private async Task ServeAsync()
    {
        Task sending = Sender.RunAsync(_sendStop.Token);
        ReceiveEnd end = await _receiver.RunAsync(this, _receiveStop.Token);
        if (end == ReceiveEnd.Lost)
        {
            await _loop.PostAsync(() => _owner.OnConnectionLost(this, _receiver.EndText), CancellationToken.None);
        }

        if (_receiver.Session is NegotiatedSession session)
        {
            bool keep = KeepRoutes || end == ReceiveEnd.Lost;
            await ForFamiliesAsync(session.Families, rib => rib.PeerDown(_owner.Id, session, keep), CancellationToken.None);
        }

        Sender.Complete();
        if (await Task.WhenAny(sending, Task.Delay(Linger, _time, CancellationToken.None)) != sending)
        {
            await _sendStop.CancelAsync();
        }

        await sending;
        await _transport.DisposeAsync();
        await _loop.PostAsync(() => _owner.OnConnectionEnded(this), CancellationToken.None);
    }

    public async ValueTask<HandshakeAnswer> OnHandshakeAsync(byte[] message, CancellationToken stop)
    {
        SessionInput input = Interpret(message);
        var answer = new TaskCompletionSource<HandshakeAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        await _loop.PostAsync(
            () =>
            {
                _owner.OnInput(this, in input);
                answer.SetResult(new HandshakeAnswer(!IsClosed, Session));
            },
            stop);
        HandshakeAnswer result = await answer.Task;
        if (result is { Continue: true, Session: NegotiatedSession session })
        {
            await ForFamiliesAsync(session.Families, rib => rib.PeerUp(_owner.Id, session, Sender, () => OnLimitExceeded(rib.Family)), stop);

            // RFC 4724 4.2: of a family the peer no longer speaks nothing may stay.
            await ForFamiliesAsync(AddressFamilies.Both & ~session.Families, rib => rib.PeerUpWithout(_owner.Id), stop);
        }

        return result;
    }

    /// <summary>Waits until the state machine has answered: what follows closes the sender, and the NOTIFICATION must be in it by then.</summary>
    public async ValueTask OnFatalAsync(SessionInput input, CancellationToken stop)
    {
        var answered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await _loop.PostAsync(
            () =>
            {
                _owner.OnInput(this, in input);
                answered.SetResult();
            },
            stop);
        await answered.Task;
    }

    public async ValueTask OnRouteRefreshAsync(AddressFamilies family, CancellationToken stop)
    {
        RibLoop rib = family == AddressFamilies.IPv4 ? _ribs.IPv4 : _ribs.IPv6;
        await rib.PostAsync(() => rib.RefreshPeer(_owner.Id), stop);
    }

    public ValueTask PostAsync(UpdateBatch batch, CancellationToken stop) => _ribs.Of(batch.Family).PostAsync(batch, stop);

    private void OnLimitExceeded(IpFamily family) => _loop.TryPost(() => _owner.OnLimitExceeded(this, family));

    private async ValueTask ForFamiliesAsync(AddressFamilies families, Action<RibLoop> action, CancellationToken stop)
    {
        if ((families & AddressFamilies.IPv4) != 0)
        {
            await _ribs.IPv4.PostAsync(() => action(_ribs.IPv4), stop);
        }

        if ((families & AddressFamilies.IPv6) != 0)
        {
            await _ribs.IPv6.PostAsync(() => action(_ribs.IPv6), stop);
        }
    }

    private static SessionInput Interpret(byte[] message)
    {
        switch ((MessageType)message[18])
        {
            case MessageType.Open:
                return OpenMessage.Read(message, out BgpError? error) is OpenMessage open
                    ? new SessionInput(SessionEvent.Open, Open: open)
                    : new SessionInput(SessionEvent.MessageError, Error: error);
            case MessageType.Keepalive:
                return new SessionInput(SessionEvent.Keepalive);
            case MessageType.Notification:
                return new SessionInput(SessionEvent.Notification, Error: NotificationMessage.Read(message));
            default:
                return new SessionInput(SessionEvent.Update);
        }
    }
}
