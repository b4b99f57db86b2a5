using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Session;

/// <summary>What one state machine needs to know of its peer.</summary>
internal sealed record SessionConfig
{
    public required PeerSettings Settings { get; init; }

    /// <summary>What we say; its hold time is what we offer.</summary>
    public required OpenMessage LocalOpen { get; init; }

    /// <summary>Null: we are in none.</summary>
    public Confederation? Confederation { get; init; }

}

/// <summary>
/// RFC 4271 8.2.2: state and event give the next state and actions. Pure: no clock, no socket, no thread. One machine per connection; a second one exists only while
/// two connections of one peer collide.
/// <code>
///   Idle -> Connect &lt;-> Active -> OpenSent -> OpenConfirm -> Established;  every error -> Idle
/// </code>
/// </summary>
internal sealed class SessionFsm
{
    /// <summary>RFC 4271 8.2.2: the hold timer before an OPEN was seen.</summary>
    private static readonly TimeSpan LargeHoldTime = TimeSpan.FromMinutes(4);

    /// <summary>RFC 9687 4.4: what a send hold time is at least, unless the operator says otherwise.</summary>
    private static readonly TimeSpan DefaultSendHoldTime = TimeSpan.FromMinutes(8);

    private SessionConfig _config;
    private OpenMessage? _received;
    private bool _openDelayRunning;
    private bool _hasConnection;

    public SessionFsm(SessionConfig config) => _config = config;

    public SessionState State { get; private set; }

    /// <summary>New settings that need no new session.</summary>
    public void Reconfigure(SessionConfig config) => _config = config;

    /// <summary>RFC 4271 8.1.1 ConnectRetryCounter: failures since the last session that held.</summary>
    public int Failures { get; set; }

    /// <summary>The smaller of both sides' hold times; zero: no keepalives.</summary>
    public TimeSpan HoldTime => _received is null ? LargeHoldTime : TimeSpan.FromSeconds(Math.Min(_received.HoldTime, _config.LocalOpen.HoldTime));

    public TimeSpan KeepaliveTime
    {
        get
        {
            TimeSpan third = HoldTime / 3;
            TimeSpan asked = _config.Settings.KeepaliveTime;
            return asked > TimeSpan.Zero && asked < third ? asked : third;
        }
    }

    /// <summary>RFC 9687: how long a peer may take nothing of what we send; zero: for ever, as without keepalives nothing need be sent.</summary>
    public TimeSpan SendHoldTime => HoldTime == TimeSpan.Zero ? TimeSpan.Zero
        : _config.Settings.SendHoldTime ?? (HoldTime * 2 > DefaultSendHoldTime ? HoldTime * 2 : DefaultSendHoldTime);

    public void Step<TActions>(in SessionInput input, ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        switch (input.Event)
        {
            case SessionEvent.Start:
                OnStart(ref actions);
                break;
            case SessionEvent.Stop:
                OnStop(in input, ref actions);
                break;
            case SessionEvent.ConnectRetryExpired:
                OnConnectRetry(ref actions);
                break;
            case SessionEvent.HoldExpired when State >= SessionState.OpenSent:
                Fail(new BgpError(ErrorCode.HoldTimerExpired, 0), $"hold timer expired: nothing heard for {HoldTime.TotalSeconds:0} s", ref actions);
                break;
            case SessionEvent.SendHoldExpired when State == SessionState.Established:
                // RFC 9687 3: no NOTIFICATION. It could only queue behind what the peer does not take.
                var sendHold = new BgpError(ErrorCode.SendHoldTimerExpired, 0);
                GoIdle($"{sendHold}: the peer has taken nothing for {SendHoldTime.TotalSeconds:0} s", sendHold, KeepsRoutes(sendHold), ref actions);
                break;
            case SessionEvent.KeepaliveExpired when State >= SessionState.OpenConfirm:
                SendKeepalive(ref actions);
                break;
            case SessionEvent.OpenDelayExpired when _openDelayRunning:
                _openDelayRunning = false;
                SendOpen(ref actions);
                break;
            case SessionEvent.Connected:
                OnConnected(ref actions);
                break;
            case SessionEvent.ConnectionFailed:
                OnConnectionFailed(in input, ref actions);
                break;
            case SessionEvent.Open:
                OnOpen(in input, ref actions);
                break;
            case SessionEvent.MessageError when _hasConnection:
                Fail(input.Error!, input.Text ?? input.Error!.ToString(), ref actions);
                break;
            case SessionEvent.CollisionDump when _hasConnection:
                Fail(new BgpError(ErrorCode.Cease, Subcode.CollisionResolution), "another connection of this peer is kept", ref actions);
                break;
            case SessionEvent.Notification when _hasConnection:
                GoIdle($"received NOTIFICATION {input.Error}", null, KeepsRoutes(input.Error!), ref actions);
                break;
            case SessionEvent.Keepalive when State == SessionState.OpenConfirm:
                State = SessionState.Established;
                ArmHold(ref actions);
                if (SendHoldTime > TimeSpan.Zero)
                {
                    actions.Arm(SessionTimer.SendHold, SendHoldTime);
                }

                actions.Established(_received!);
                break;
            case SessionEvent.Keepalive or SessionEvent.Update when _hasConnection && State != SessionState.Established:
                FailUnexpected(ref actions);
                break;
            default:
                // RFC 4271 8.2.2: any other event is ignored in this state (an expired timer of a former state, a KEEPALIVE in Established).
                break;
        }
    }

    private void OnStart<TActions>(ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        if (State != SessionState.Idle)
        {
            return;
        }

        actions.Disarm(SessionTimer.IdleHold);
        if (_config.Settings.Connect == ConnectMode.Passive)
        {
            State = SessionState.Active;
            return;
        }

        State = SessionState.Connect;
        ArmConnectRetry(ref actions);
        actions.Connect();
    }

    private void OnStop<TActions>(in SessionInput input, ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        bool opened = State >= SessionState.OpenSent;
        bool keep = false;
        if (opened && input.Error is BgpError error)
        {
            error = Harden(error, input.Hard);
            keep = KeepsRoutes(error);
            SendNotification(error, ref actions);
        }

        Leave(keep, ref actions);
        Failures = 0;
        actions.Down(input.Text ?? "stopped", opened ? input.Error : null);
    }

    private void OnConnectRetry<TActions>(ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        if (State is not (SessionState.Connect or SessionState.Active) || _config.Settings.Connect == ConnectMode.Passive)
        {
            return;
        }

        Drop(keepRoutes: false, ref actions);
        State = SessionState.Connect;
        ArmConnectRetry(ref actions);
        actions.Connect();
    }

    private void OnConnected<TActions>(ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        if (State >= SessionState.OpenSent)
        {
            return;
        }

        // An accepted connection in Idle (the peer dials while we hold off) is a start of its own: refusing it would only make both sides wait.
        actions.Disarm(SessionTimer.IdleHold);
        actions.Disarm(SessionTimer.ConnectRetry);
        _hasConnection = true;
        State = State == SessionState.Idle ? SessionState.Active : State;
        if (_config.Settings.OpenDelay > TimeSpan.Zero)
        {
            _openDelayRunning = true;
            actions.Arm(SessionTimer.OpenDelay, _config.Settings.OpenDelay);
            return;
        }

        SendOpen(ref actions);
    }

    private void OnConnectionFailed<TActions>(in SessionInput input, ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        string reason = input.Text ?? "connection closed by the peer";
        if (State >= SessionState.OpenConfirm || State == SessionState.Idle)
        {
            if (State != SessionState.Idle)
            {
                GoIdle(reason, null, keepRoutes: true, ref actions);
            }

            return;
        }

        // RFC 4271 lets Connect fall to Idle here; like every implementation we go on listening and dial again when the timer says so.
        Drop(keepRoutes: false, ref actions);
        actions.Disarm(SessionTimer.Hold);
        State = SessionState.Active;
        ArmConnectRetry(ref actions);
        actions.Down(reason, null);
    }

    private void OnOpen<TActions>(in SessionInput input, ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        bool expected = State == SessionState.OpenSent || (_openDelayRunning && _hasConnection);
        if (!expected)
        {
            if (_hasConnection)
            {
                FailUnexpected(ref actions);
            }

            return;
        }

        OpenMessage open = input.Open!;
        if (Refuse(open, out string reason) is BgpError error)
        {
            Fail(error, reason, ref actions);
            return;
        }

        if (_openDelayRunning)
        {
            _openDelayRunning = false;
            actions.Disarm(SessionTimer.OpenDelay);
            SendOpen(ref actions);
        }

        if (!actions.Survives(open))
        {
            Fail(new BgpError(ErrorCode.Cease, Subcode.CollisionResolution), "another connection of this peer is kept", ref actions);
            return;
        }

        _received = open;
        State = SessionState.OpenConfirm;
        SendKeepalive(ref actions);
        ArmHold(ref actions);
    }

    /// <summary>RFC 4271 6.2, RFC 6286. Null: the OPEN is good.</summary>
    private BgpError? Refuse(OpenMessage open, out string reason)
    {
        PeerSettings settings = _config.Settings;
        if (!settings.Accepts(open.As))
        {
            reason = $"the peer says it is AS {open.As}, configured is AS {(settings.RemoteAs != 0 ? settings.RemoteAs : settings.AcceptedAs)}";
            return new BgpError(ErrorCode.OpenMessage, Subcode.BadPeerAs);
        }

        if (open.RouterId.IsUnspecified || (open.As == _config.LocalOpen.As && open.RouterId == _config.LocalOpen.RouterId))
        {
            reason = $"the peer's router id {open.RouterId} is zero or our own";
            return new BgpError(ErrorCode.OpenMessage, Subcode.BadBgpIdentifier);
        }

        if (open.HoldTime is 1 or 2)
        {
            reason = $"the peer asks for a hold time of {open.HoldTime} s; the least is 3 s";
            return new BgpError(ErrorCode.OpenMessage, Subcode.UnacceptableHoldTime);
        }

        if (_config.LocalOpen.Role is BgpRole role && open.As != _config.LocalOpen.As && RoleProblem(role, settings.RoleStrict, open) is string mismatch)
        {
            reason = mismatch;
            return new BgpError(ErrorCode.OpenMessage, Subcode.RoleMismatch);
        }

        if (CommonFamilies(open) == AddressFamilies.None)
        {
            reason = $"no address family in common: we offer {settings.Families}, the peer {FamiliesOf(open)}";
            return new BgpError(ErrorCode.OpenMessage, Subcode.UnsupportedCapability, [1, 4, 0, (settings.Families & AddressFamilies.IPv4) != 0 ? (byte)1 : (byte)2, 0, 1]);
        }

        reason = string.Empty;
        return null;
    }

    /// <summary>RFC 9234 4.2. Null: both sides see their relationship alike, or the peer says nothing and need not.</summary>
    private static string? RoleProblem(BgpRole own, bool strict, OpenMessage open) =>
        open.RolesContradict ? "the peer names two roles, or one that nobody knows"
        : open.Role is not BgpRole theirs ? strict ? $"we are its {own}, and the peer does not say what it is to us" : null
        : OnlyToCustomer.Correspond(own, theirs) ? null
        : $"we say we are its {own}, the peer says it is our {theirs}";

    private AddressFamilies CommonFamilies(OpenMessage open) => FamiliesOf(open) & _config.LocalOpen.Families;

    /// <summary>RFC 4760 8: without the capability a speaker speaks IPv4 unicast.</summary>
    private static AddressFamilies FamiliesOf(OpenMessage open) => open.HasMultiprotocol ? open.Families : AddressFamilies.IPv4;

    /// <summary>What both OPENs agreed on; only after <see cref="ISessionActions.Established"/>.</summary>
    public NegotiatedSession Negotiate(IpAddress localAddress, IpAddress remoteAddress, IpAddress localLinkLocal)
    {
        OpenMessage open = _received!;
        OpenMessage own = _config.LocalOpen;
        AddressFamilies common = CommonFamilies(open);
        bool member = _config.Confederation?.IsOtherMember(open.As, own.As) == true && own.As != _config.Confederation.Id;
        bool restart = own.GracefulRestart && open.GracefulRestart;
        return new NegotiatedSession
        {
            LocalAs = own.As,
            RemoteAs = open.As,
            RemoteRouterId = open.RouterId,
            LocalAddress = localAddress,
            RemoteAddress = remoteAddress,
            LocalLinkLocal = localLinkLocal,
            HoldTime = HoldTime,
            KeepaliveTime = KeepaliveTime,
            Families = common,
            FourOctetAs = own.FourOctetAs && open.FourOctetAs,
            RouteRefresh = own.RouteRefresh && open.RouteRefresh,
            ExtendedMessages = own.ExtendedMessages && open.ExtendedMessages,
            RestartFamilies = restart ? open.RestartFamilies & common : AddressFamilies.None,
            ForwardingKept = restart ? open.ForwardingKept & common : AddressFamilies.None,
            PeerRestarted = open.Restarting,
            PeerRestartTime = TimeSpan.FromSeconds(open.RestartTime),
            RestartNotifications = restart && own.RestartNotifications && open.RestartNotifications,
            PeerKnowsLongLived = open.GracefulRestart && open.LongLived,
            LongLivedFamilies = restart ? own.LongLivedFamilies & open.LongLivedFamilies & common : AddressFamilies.None,
            LongLivedKept = restart ? own.LongLivedFamilies & open.LongLivedKept & common : AddressFamilies.None,
            LongLivedTimeIPv4 = TimeSpan.FromSeconds(open.LongLivedTimeIPv4),
            LongLivedTimeIPv6 = TimeSpan.FromSeconds(open.LongLivedTimeIPv6),
            EnhancedRouteRefresh = own.RouteRefresh && open.RouteRefresh && own.EnhancedRouteRefresh && open.EnhancedRouteRefresh,
            AddPathReceive = own.AddPathReceive & open.AddPathSend & common,
            AddPathSend = own.AddPathSend & open.AddPathReceive & common,
            IPv6NextHops = own.IPv6NextHops & open.IPv6NextHops & common,
            IsConfederation = member,
            HasConfederation = _config.Confederation is not null && (member || open.As == own.As),
            LocalRole = member || open.As == own.As ? null : own.Role,
            RemoteRole = open.Role,
        };
    }

    private void SendOpen<TActions>(ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        Span<byte> message = stackalloc byte[OpenMessage.MaximumLength];
        int length = _config.LocalOpen.Write(message);
        State = SessionState.OpenSent;
        actions.Arm(SessionTimer.Hold, LargeHoldTime);
        actions.Send(message[..length]);
    }

    private void SendKeepalive<TActions>(ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        Span<byte> message = stackalloc byte[KeepaliveMessage.Length];
        KeepaliveMessage.Write(message);
        actions.Send(message);
        if (HoldTime > TimeSpan.Zero)
        {
            actions.Arm(SessionTimer.Keepalive, Jittered(KeepaliveTime, ref actions));
        }
    }

    private static void SendNotification<TActions>(BgpError error, ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        Span<byte> message = stackalloc byte[MessageFramer.MaximumLength];
        int length = NotificationMessage.Write(message, error);
        actions.Send(message[..length]);
    }

    private void ArmHold<TActions>(ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        if (HoldTime > TimeSpan.Zero)
        {
            actions.Arm(SessionTimer.Hold, HoldTime);
        }
        else
        {
            actions.Disarm(SessionTimer.Hold);
        }
    }

    private void ArmConnectRetry<TActions>(ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        if (_config.Settings.Connect == ConnectMode.Active)
        {
            actions.Arm(SessionTimer.ConnectRetry, Jittered(_config.Settings.ConnectRetryTime, ref actions));
        }
    }

    private void FailUnexpected<TActions>(ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        // RFC 6608.
        byte subcode = State switch
        {
            SessionState.OpenSent => Subcode.UnexpectedInOpenSent,
            SessionState.OpenConfirm => Subcode.UnexpectedInOpenConfirm,
            SessionState.Established => Subcode.UnexpectedInEstablished,
            _ => 0,
        };
        Fail(new BgpError(ErrorCode.FiniteStateMachine, subcode), $"unexpected message in {State}", ref actions);
    }

    private void Fail<TActions>(BgpError error, string reason, ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        error = Harden(error, hard: false);
        SendNotification(error, ref actions);
        GoIdle($"{reason}; sent NOTIFICATION {error}", error, KeepsRoutes(error), ref actions);
    }

    /// <summary>RFC 8538 2: both sides keep routes through a NOTIFICATION.</summary>
    private bool SparesRoutes => State == SessionState.Established && _received is { GracefulRestart: true, RestartNotifications: true }
        && _config.LocalOpen is { GracefulRestart: true, RestartNotifications: true };

    private bool KeepsRoutes(BgpError notification) => SparesRoutes && notification is not { Code: ErrorCode.Cease, Subcode: Subcode.HardReset };

    /// <summary>RFC 8538 3: an end that is meant to last is told as a hard reset, with what it was about inside.</summary>
    private BgpError Harden(BgpError error, bool hard) =>
        SparesRoutes && (hard || error is { Code: ErrorCode.Cease, Subcode: Subcode.MaximumPrefixes or Subcode.AdministrativeShutdown or Subcode.PeerDeconfigured })
        ? new BgpError(ErrorCode.Cease, Subcode.HardReset, [(byte)error.Code, error.Subcode, .. error.Data])
        : error;

    private void GoIdle<TActions>(string reason, BgpError? sent, bool keepRoutes, ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        Leave(keepRoutes, ref actions);

        // DampPeerOscillations: the pause doubles with every failure.
        TimeSpan hold = _config.Settings.IdleHoldTime * Math.Pow(2, Math.Min(Failures, 16));
        Failures++;
        actions.Arm(SessionTimer.IdleHold, Jittered(hold < _config.Settings.IdleHoldMaximum ? hold : _config.Settings.IdleHoldMaximum, ref actions));
        actions.Down(reason, sent);
    }

    private void Leave<TActions>(bool keepRoutes, ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        Drop(keepRoutes, ref actions);
        actions.Disarm(SessionTimer.ConnectRetry);
        actions.Disarm(SessionTimer.Hold);
        actions.Disarm(SessionTimer.Keepalive);
        actions.Disarm(SessionTimer.SendHold);
        actions.Disarm(SessionTimer.IdleHold);
        State = SessionState.Idle;
        _received = null;
    }

    private void Drop<TActions>(bool keepRoutes, ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct
    {
        if (_openDelayRunning)
        {
            _openDelayRunning = false;
            actions.Disarm(SessionTimer.OpenDelay);
        }

        _hasConnection = false;
        actions.Disconnect(keepRoutes);
    }

    /// <summary>RFC 4271 10: three quarters to all of the interval.</summary>
    private static TimeSpan Jittered<TActions>(TimeSpan interval, ref TActions actions)
        where TActions : struct, ISessionActions, allows ref struct => interval * (0.75 + 0.25 * actions.Jitter());
}
