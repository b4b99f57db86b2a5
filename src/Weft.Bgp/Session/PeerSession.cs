using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Weft.Bgp.Rib;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Session;

/// <summary>What all sessions of a speaker share.</summary>
internal sealed record SessionServices(
    SpeakerOptions Options, IPeerTransport Transport, RibLoops Ribs, UpdateBatchPool Batches, TimeProvider Time, ILogger Logger,
    Func<double> Jitter, Action<Exception> Fault)
{
    /// <summary>Told when a peer of a range has no connection any more.</summary>
    public Action<PeerSession> Ended { get; init; } = static _ => { };
}

/// <summary>
/// One configured peer: its state machine, timers and connections. While two connections collide there are two machines (RFC 4271 6.8). All members run on the
/// session loop that owns it.
/// </summary>
internal sealed class PeerSession
{
    private readonly SessionServices _services;
    private readonly SessionLoop _loop;
    private readonly MessageTally _received = new();
    private readonly MessageTally _sent = new();
    private SessionSlot _main;
    private SessionSlot? _second;
    private IPeerConnection? _waiting;
    private int _ending;
    private bool _removed;
    private bool _resumes;
    private TaskCompletionSource? _allEnded;
    private DateTimeOffset _since;
    private long _sinceTimestamp; // The same moment on the monotonic clock: what is shown may jump with the wall clock, what is decided may not.
    private int _establishedCount;
    private string? _lastError;
    private DateTimeOffset? _lastErrorAt;
    private string? _heldDown; // Why neither side may start the session now.
    private (string Reason, DateTimeOffset At)? _lastSent;
    private (string Reason, DateTimeOffset At)? _lastReceived;

    public PeerSession(PeerId id, PeerSettings settings, SessionLoop loop, SessionServices services)
    {
        Id = id;
        Settings = settings;
        _loop = loop;
        _services = services;
        _main = new SessionSlot(this, loop, Configure());
        MarkChange();
    }

    public PeerId Id { get; }

    public PeerSettings Settings { get; private set; }

    public SessionLoop Loop => _loop;

    internal SessionServices Services => _services;

    public void Start()
    {
        if (!Settings.Enabled)
        {
            return;
        }

        _heldDown = null;
        if (MayStart)
        {
            _main.Step(new SessionInput(SessionEvent.Start));
        }
        else
        {
            // The old connection is still being taken down; its routes must be gone before new ones come.
            _main.StartAfter(SessionSlot.EndingRetry);
        }
    }

    /// <summary>Ends the session; it does not come back by itself.</summary>
    /// <param name="cease">Null: without a NOTIFICATION, so that the peer keeps our routes (RFC 4724).</param>
    /// <param name="hard">RFC 8538: neither side keeps routes.</param>
    public void Stop(BgpError? cease, string text, bool hard = false)
    {
        var input = new SessionInput(SessionEvent.Stop, Error: cease, Text: text, Hard: hard);
        _second?.Step(in input);
        _main.Step(in input);
        Discard(ref _waiting);
    }

    /// <summary>Completes when no connection of this peer is open any more.</summary>
    public Task WhenEnded()
    {
        _removed = true;
        _allEnded ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_ending == 0)
        {
            _allEnded.TrySetResult();
        }

        return _allEnded.Task;
    }

    /// <summary>Asks whether a peer of a range may be forgotten; from then on it takes no connection.</summary>
    public (Retirement Retirement, string? Reason) TryRetire()
    {
        if (_ending != 0 || _waiting is not null || _main.Connection is not null || _second is not null)
        {
            return (Retirement.Alive, null);
        }

        if (_heldDown is not null && Settings.Enabled)
        {
            return (Retirement.Later, null);
        }

        _removed = true;
        return (Retirement.Done, _lastError);
    }

    public void Reset(string? message)
    {
        var cease = new BgpError(ErrorCode.Cease, Subcode.AdministrativeReset, ErrorText.ShutdownCommunication(message));
        Stop(cease, "reset by the operator");
        Start();
    }

    /// <summary>RFC 9384: BFD has lost the peer. Nothing passes between us any more, so that nobody may keep routes over it: a hard reset where RFC 8538 is spoken.</summary>
    public void LostByBfd()
    {
        Stop(new BgpError(ErrorCode.Cease, Subcode.BfdDown), "BFD does not reach the peer any more", hard: true);
        Start();
    }

    /// <summary>RFC 2918: asks for all routes again. Not null: why the peer cannot be asked.</summary>
    public string? AskForRoutes()
    {
        if (_main is not { Fsm.State: SessionState.Established, Connection: { Session: { } session } connection })
        {
            return $"the session with {Settings.Name} is not established";
        }

        if (!session.RouteRefresh)
        {
            return $"{Settings.Name} does not know route refresh (RFC 2918): only a reset brings its routes again";
        }

        Span<byte> message = stackalloc byte[RouteRefreshMessage.Length];
        foreach (AddressFamilies family in stackalloc AddressFamilies[] { AddressFamilies.IPv4, AddressFamilies.IPv6 })
        {
            if ((session.Families & family) != 0)
            {
                RouteRefreshMessage.Write(message, family);
                connection.Sender.Send(message);
            }
        }

        return null;
    }

    /// <summary>True when the session had to be closed for the new settings. What was stopped starts by <see cref="Resume"/>, when the RIBs have the settings too.</summary>
    public bool Update(PeerSettings settings)
    {
        bool reset = SessionOffer.Differs(Settings, settings);
        bool release = _heldDown is not null && settings.PrefixLimit != Settings.PrefixLimit;
        if (reset)
        {
            byte subcode = settings.Enabled ? Subcode.OtherConfigurationChange : Subcode.AdministrativeShutdown;
            byte[] message = settings.Enabled ? [] : ErrorText.ShutdownCommunication(settings.ShutdownMessage);
            Stop(new BgpError(ErrorCode.Cease, subcode, message), settings.Enabled ? "settings changed" : "disabled by the operator",
                hard: (Settings.RemoteAs, Settings.LocalAs, Settings.GracefulRestart) != (settings.RemoteAs, settings.LocalAs, settings.GracefulRestart));
        }

        Settings = settings;
        _main.Fsm.Reconfigure(Configure());
        _resumes |= reset || release;
        return reset;
    }

    /// <summary>Ends <see cref="Update"/>.</summary>
    public void Resume()
    {
        if (!_resumes)
        {
            return;
        }

        _resumes = false;
        Start();
        TakeWaiting();
    }

    /// <summary>An incoming connection. False: not wanted; the caller refuses it.</summary>
    public bool Accept(IPeerConnection transport)
    {
        if (!Settings.Enabled || _removed || _heldDown is not null)
        {
            return false;
        }

        if ((_ending > 0 || _resumes) && _main.Connection is null)
        {
            // The old connection is still being taken down: its routes first. Or the RIBs do not know the new settings yet.
            Discard(ref _waiting);
            _waiting = transport;
            return true;
        }

        switch (_main.Fsm.State)
        {
            case SessionState.Established when _main.Connection?.Session?.RestartFamilies is not (null or AddressFamilies.None):
                // RFC 4724 4.2: the peer restarted and we have not noticed; the new connection is the true one.
                _main.Connection.KeepRoutes = true;
                _main.Step(new SessionInput(SessionEvent.ConnectionFailed, Text: "the peer restarted: it opened a new connection"));
                Discard(ref _waiting);
                _waiting = transport;
                return true;
            case SessionState.Established:
                return false;
            case SessionState.Idle or SessionState.Connect or SessionState.Active when _main.Connection is null:
                Attach(_main, transport, incoming: true);
                return true;
            default:
                if (_second is not null)
                {
                    return false;
                }

                _second = new SessionSlot(this, _loop, Configure());
                Attach(_second, transport, incoming: true);
                return true;
        }
    }

    public void OnInput(Connection connection, in SessionInput input)
    {
        if (SlotOf(connection) is SessionSlot slot && !connection.IsClosed)
        {
            slot.Step(in input);
        }
    }

    public void OnConnectionLost(Connection connection, string text) =>
        OnInput(connection, new SessionInput(SessionEvent.ConnectionFailed, Text: text));

    public void OnConnectionEnded(Connection connection)
    {
        _ending--;
        if (_ending == 0)
        {
            _allEnded?.TrySetResult();
        }

        TakeWaiting();
        if (Settings.RangeName is not null && _ending == 0 && !_removed)
        {
            _services.Ended(this);
        }
    }

    private void TakeWaiting()
    {
        if (_ending == 0 && !_resumes && _waiting is IPeerConnection transport)
        {
            _waiting = null;
            if (!Accept(transport))
            {
                RefusalOf(transport);
            }
        }
    }

    /// <summary>RFC 4486 4: Cease/1 with the family and the limit.</summary>
    public void OnLimitExceeded(Connection connection, IpFamily family)
    {
        if (SlotOf(connection) is not SessionSlot slot || connection.IsClosed || Settings.PrefixLimit is not PrefixLimit limit)
        {
            return;
        }

        bool restarts = limit.Action == PrefixLimitAction.Restart;
        string then = restarts ? $"comes back after {limit.RestartTime.TotalSeconds:0} s" : "stays down until the operator resets it";
        string reason = $"more than {limit.Of(family)} {family} prefixes received";
        Log.PrefixLimit(_services.Logger, Settings.Name, limit.Of(family), family, then);
        byte[] data = [0, family == IpFamily.IPv4 ? (byte)1 : (byte)2, 1, 0, 0, 0, 0];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(data.AsSpan(3), (uint)limit.Of(family));
        var cease = new BgpError(ErrorCode.Cease, Subcode.MaximumPrefixes, data);
        slot.Step(new SessionInput(SessionEvent.Stop, Error: cease, Text: $"{reason}; sent NOTIFICATION {cease}; the session {then}"));
        _heldDown = reason;
        if (restarts)
        {
            _main.StartAfter(limit.RestartTime);
        }
    }

    public PeerSnapshot Describe(ImmutableArray<PeerFamilySnapshot> families) => new()
    {
        Settings = Settings,
        State = _main.Fsm.State,
        Since = _since,
        EstablishedCount = _establishedCount,
        LastError = _lastError,
        LastErrorAt = _lastErrorAt,
        Received = _received.Snapshot(),
        Sent = _sent.Snapshot(),
        Negotiated = _main.Fsm.State == SessionState.Established ? _main.Connection?.Session : null,
        Families = families,
        NextConnect = _main.Fsm.State == SessionState.Established ? null : _main.NextConnect,
        HeldDown = _heldDown,
        LastSent = _lastSent,
        LastReceived = _lastReceived,
    };

    // ---- what the slots ask for ----

    internal void Dial(SessionSlot slot)
    {
        var stop = new CancellationTokenSource();
        slot.Dialling = stop;
        _ = DialAsync(slot, stop);
    }

    private async Task DialAsync(SessionSlot slot, CancellationTokenSource stop)
    {
        IPeerConnection? transport = null;
        string text = string.Empty;
        try
        {
            transport = await _services.Transport.ConnectAsync(Settings, stop.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            stop.Dispose();
            return;
        }
        catch (Exception failure) when (failure is IOException or System.ComponentModel.Win32Exception or InvalidOperationException or OperationCanceledException)
        {
            text = failure.Message;
        }
        catch (Exception failure)
        {
            _services.Fault(failure);
            return;
        }

        await _loop.PostAsync(() => OnDialled(slot, stop, transport, text), CancellationToken.None);
    }

    private void OnDialled(SessionSlot slot, CancellationTokenSource stop, IPeerConnection? transport, string text)
    {
        bool wanted = ReferenceEquals(slot.Dialling, stop);
        if (wanted)
        {
            slot.Dialling = null;
        }

        stop.Dispose();
        if (!wanted)
        {
            Discard(ref transport);
        }
        else if (transport is null)
        {
            slot.Step(new SessionInput(SessionEvent.ConnectionFailed, Text: text));
        }
        else
        {
            Attach(slot, transport, incoming: false);
        }
    }

    private void Attach(SessionSlot slot, IPeerConnection transport, bool incoming)
    {
        // What the OPEN says of restarts changes as time goes by.
        slot.Fsm.Reconfigure(Configure());
        slot.CancelDial();
        var sender = new SessionSender(transport.Pipe.Output, Id, _sent, _services.Time);
        var receiver = new SessionReceiver(transport.Pipe.Input, Id, Settings, _services.Batches, _received, _services.Time, _services.Logger);
        var connection = new Connection(this, _loop, _services.Ribs, transport, receiver, sender, _services.Time);
        slot.Connection = connection;
        slot.IsIncoming = incoming;
        _ending++;
        slot.Step(new SessionInput(SessionEvent.Connected));
        _ = connection.RunAsync();
    }

    /// <summary>RFC 4271 6.8: of two connections with good OPENs, the one dialled by the higher router id stays.</summary>
    internal bool Survives(SessionSlot slot, OpenMessage open)
    {
        SessionSlot? other = ReferenceEquals(slot, _main) ? _second : _main;
        if (other is null || other.Fsm.State < SessionState.OpenConfirm)
        {
            return true;
        }

        if (other.Fsm.State == SessionState.Established)
        {
            return false;
        }

        // RFC 6286 2.3: equal identifiers (of different ASes) are told apart by the AS.
        uint local = RibPeer.Number(_services.Options.RouterId);
        uint remote = RibPeer.Number(open.RouterId);
        bool keepIncoming = local < remote || (local == remote && LocalAs < open.As);
        if (keepIncoming != slot.IsIncoming)
        {
            return false;
        }

        other.Step(new SessionInput(SessionEvent.CollisionDump));
        return true;
    }

    internal void OnEstablished(SessionSlot slot)
    {
        Connection connection = slot.Connection!;
        IPeerConnection transport = connection.Transport;
        NegotiatedSession session = slot.Fsm.Negotiate(transport.LocalAddress, transport.RemoteAddress, transport.LocalLinkLocal);
        connection.Session = session;
        if (!ReferenceEquals(slot, _main))
        {
            // The other machine is in an earlier state and has nothing worth keeping.
            SessionSlot old = _main;
            _main = slot;
            _second = null;
            old.Step(new SessionInput(SessionEvent.Stop, Error: new BgpError(ErrorCode.Cease, Subcode.CollisionResolution), Text: "another connection is established"));
        }

        MarkChange();
        _establishedCount++;
        Log.Established(_services.Logger, Settings.Name, session.RemoteAs, session.RemoteRouterId, session.Families, session.HoldTime);
    }

    private void MarkChange()
    {
        _since = _services.Time.GetUtcNow();
        _sinceTimestamp = _services.Time.GetTimestamp();
    }

    internal void OnDown(SessionSlot slot, bool wasEstablished, string reason, BgpError? sent)
    {
        bool collision = sent is { Code: ErrorCode.Cease, Subcode: Subcode.CollisionResolution };
        if (!collision)
        {
            _lastError = reason;
            _lastErrorAt = _services.Time.GetUtcNow();
            ref (string, DateTimeOffset)? last = ref sent is null ? ref _lastReceived : ref _lastSent;
            last = (reason, _lastErrorAt.Value);
        }

        if (wasEstablished)
        {
            slot.Fsm.Failures = _services.Time.GetElapsedTime(_sinceTimestamp) > TimeSpan.FromSeconds(30) ? 1 : slot.Fsm.Failures;
            MarkChange();
            Log.SessionEnded(_services.Logger, Settings.Name, reason);
        }
        else
        {
            Log.AttemptFailed(_services.Logger, Settings.Name, reason);
        }

        if (ReferenceEquals(slot, _second))
        {
            slot.DisarmAll();
            _second = null;
        }
        else if (ReferenceEquals(slot, _main) && _second is SessionSlot second)
        {
            slot.DisarmAll();
            slot.CancelDial();
            _main = second;
            _second = null;
        }
    }

    /// <summary>The time a session was kept down for is over.</summary>
    internal void OnStarting() => _heldDown = null;

    internal bool MayStart => _ending == 0 && Settings.Enabled && !_removed;

    private SessionSlot? SlotOf(Connection connection) =>
        ReferenceEquals(_main.Connection, connection) ? _main : ReferenceEquals(_second?.Connection, connection) ? _second : null;

    private uint LocalAs => Settings.LocalAs != 0 ? Settings.LocalAs : _services.Options.LocalAsTowards(Settings.RemoteAs);

    private SessionConfig Configure() => SessionOffer.Make(Settings, _services, LocalAs, hasBeenUp: _establishedCount > 0);

    private static void Discard(ref IPeerConnection? transport)
    {
        if (transport is IPeerConnection unwanted)
        {
            transport = null;
            _ = unwanted.DisposeAsync().AsTask();
        }
    }

    private static void RefusalOf(IPeerConnection transport) => _ = Refusal.SendAsync(transport);
}
