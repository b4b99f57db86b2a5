using Weft.Bgp.Wire;

namespace Weft.Bgp.Session;

/// <summary>One state machine with its connection and timers. Owned by its <see cref="PeerSession"/>.</summary>
internal sealed class SessionSlot
{
    public static readonly TimeSpan EndingRetry = TimeSpan.FromMilliseconds(100);

    private readonly PeerSession _peer;
    private readonly SessionLoop _loop;
    private readonly TimerWheel.Entry[] _timers = new TimerWheel.Entry[6];

    public SessionSlot(PeerSession peer, SessionLoop loop, SessionConfig config)
    {
        _peer = peer;
        _loop = loop;
        Fsm = new SessionFsm(config);
        for (int i = 0; i < _timers.Length; i++)
        {
            var timer = (SessionTimer)i;
            _timers[i] = new TimerWheel.Entry(() => OnTimer(timer));
        }
    }

    public SessionFsm Fsm { get; }

    public Connection? Connection { get; set; }

    /// <summary>The attempt under way.</summary>
    public CancellationTokenSource? Dialling { get; set; }

    /// <summary>The peer dialled.</summary>
    public bool IsIncoming { get; set; }

    public void Step(in SessionInput input)
    {
        var actions = new Actions(this, Fsm.State == SessionState.Established);
        Fsm.Step(in input, ref actions);
    }

    /// <summary>How long until it dials again by itself; null when nothing is planned.</summary>
    public TimeSpan? NextConnect
    {
        get
        {
            long? due = _loop.Wheel.DueOf(_timers[(int)SessionTimer.IdleHold]) ?? _loop.Wheel.DueOf(_timers[(int)SessionTimer.ConnectRetry]);
            return due is { } tick ? TimeSpan.FromSeconds(Math.Max(0, tick - _loop.Now) / (double)_loop.Ticks(TimeSpan.FromSeconds(1))) : null;
        }
    }

    public void StartAfter(TimeSpan pause) => Arm(SessionTimer.IdleHold, pause);

    public void CancelDial()
    {
        CancellationTokenSource? dialling = Dialling;
        Dialling = null;
        dialling?.Cancel();
    }

    public void DisarmAll()
    {
        foreach (TimerWheel.Entry timer in _timers)
        {
            _loop.Wheel.Disarm(timer);
        }
    }

    private void Arm(SessionTimer timer, TimeSpan after) => _loop.Wheel.Arm(_timers[(int)timer], _loop.Now + _loop.Ticks(after));

    private void OnTimer(SessionTimer timer)
    {
        switch (timer)
        {
            case SessionTimer.Hold when Connection is Connection connection && Fsm.State >= SessionState.OpenConfirm:
                // The receiver notes when it last heard; only silence for the whole hold time counts.
                long silence = _loop.Now - connection.LastHeard;
                long hold = _loop.Ticks(Fsm.HoldTime);
                if (silence < hold)
                {
                    _loop.Wheel.Arm(_timers[(int)timer], connection.LastHeard + hold);
                    return;
                }

                Step(new SessionInput(SessionEvent.HoldExpired));
                break;
            case SessionTimer.SendHold when Connection is Connection sending:
                // KEEPALIVEs go out all the time: only a transport that takes nothing lets this grow.
                long stuck = _loop.Now - sending.Sender.LastSent;
                long sendHold = _loop.Ticks(Fsm.SendHoldTime);
                if (sendHold == 0)
                {
                    break; // Switched off while the session runs.
                }

                if (stuck < sendHold)
                {
                    _loop.Wheel.Arm(_timers[(int)timer], sending.Sender.LastSent + sendHold);
                    return;
                }

                sending.Abandon();
                Step(new SessionInput(SessionEvent.SendHoldExpired));
                break;
            case SessionTimer.Hold:
                Step(new SessionInput(SessionEvent.HoldExpired));
                break;
            case SessionTimer.IdleHold when !_peer.MayStart:
                Arm(SessionTimer.IdleHold, EndingRetry);
                break;
            case SessionTimer.IdleHold:
                _peer.OnStarting();
                Step(new SessionInput(SessionEvent.Start));
                break;
            case SessionTimer.ConnectRetry:
                Step(new SessionInput(SessionEvent.ConnectRetryExpired));
                break;
            case SessionTimer.Keepalive:
                Step(new SessionInput(SessionEvent.KeepaliveExpired));
                break;
            case SessionTimer.OpenDelay:
                Step(new SessionInput(SessionEvent.OpenDelayExpired));
                break;
            default:
                break;
        }
    }

    /// <summary>The machine's hands.</summary>
    private readonly struct Actions(SessionSlot slot, bool wasEstablished) : ISessionActions
    {
        public void Connect() => slot._peer.Dial(slot);

        public void Disconnect(bool keepRoutes)
        {
            slot.CancelDial();
            Connection? connection = slot.Connection;
            slot.Connection = null;
            connection?.Close(keepRoutes);
        }

        public void Send(scoped ReadOnlySpan<byte> message) => slot.Connection?.Sender.Send(message);

        public void Arm(SessionTimer timer, TimeSpan after) => slot.Arm(timer, after);

        public void Disarm(SessionTimer timer) => slot._loop.Wheel.Disarm(slot._timers[(int)timer]);

        public bool Survives(OpenMessage open) => slot._peer.Survives(slot, open);

        public void Established(OpenMessage open) => slot._peer.OnEstablished(slot);

        public void Down(string reason, BgpError? sent) => slot._peer.OnDown(slot, wasEstablished, reason, sent);

        public double Jitter() => slot._peer.Services.Jitter();
    }
}
