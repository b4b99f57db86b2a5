using Weft.Bgp.Session;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Session;

/// <summary>RFC 4271 8.2.2 as a table: state, event, next state, actions.</summary>
public sealed class SessionFsmTests
{
    private static readonly OpenMessage GoodOpen = new()
    {
        As = 65002,
        HoldTime = 30,
        RouterId = IpAddress.Parse("10.0.0.2"),
        HasMultiprotocol = true,
        Families = AddressFamilies.Both,
        FourOctetAs = true,
    };

    private static SessionConfig Config(ConnectMode mode = ConnectMode.Active, TimeSpan openDelay = default) => new()
    {
        Settings = new PeerSettings { Name = "p", Address = IpAddress.Parse("10.0.0.2"), RemoteAs = 65002, Connect = mode, OpenDelay = openDelay, Families = AddressFamilies.Both },
        LocalOpen = new OpenMessage
        {
            As = 65001,
            HoldTime = 90,
            RouterId = IpAddress.Parse("10.0.0.1"),
            HasMultiprotocol = true,
            Families = AddressFamilies.Both,
            FourOctetAs = true,
        },
    };

    /// <summary>Walks a machine into a state by good events.</summary>
    private static SessionFsm In(SessionState state, SessionConfig? config = null, OpenMessage? open = null)
    {
        var fsm = new SessionFsm(config ?? Config());
        SessionInput[] way = [new(SessionEvent.Start), new(SessionEvent.Connected), new(SessionEvent.Open, open ?? GoodOpen), new(SessionEvent.Keepalive)];
        if (state == SessionState.Active)
        {
            way = [new(SessionEvent.Start), new(SessionEvent.ConnectionFailed)];
        }

        foreach (SessionInput input in way)
        {
            if (fsm.State != state)
            {
                Step(fsm, input);
            }
        }

        Assert.Equal(state, fsm.State);
        return fsm;
    }

    private static List<string> Step(SessionFsm fsm, SessionInput input, bool survives = true)
    {
        var recorder = new Recorder([], survives);
        fsm.Step(in input, ref recorder);
        return recorder.Log;
    }

    private static SessionInput Input(string name) => name switch
    {
        "Open" => new SessionInput(SessionEvent.Open, GoodOpen),
        "OpenWrongAs" => new SessionInput(SessionEvent.Open, GoodOpen with { As = 65009 }),
        "OpenBadHold" => new SessionInput(SessionEvent.Open, GoodOpen with { HoldTime = 2 }),
        "OpenBadId" => new SessionInput(SessionEvent.Open, GoodOpen with { RouterId = IpAddress.Parse("0.0.0.0") }),
        "MessageError" => new SessionInput(SessionEvent.MessageError, Error: new BgpError(ErrorCode.UpdateMessage, 1)),
        "Notification" => new SessionInput(SessionEvent.Notification, Error: new BgpError(ErrorCode.Cease, 2)),
        "Stop" => new SessionInput(SessionEvent.Stop, Error: new BgpError(ErrorCode.Cease, 2)),
        _ => new SessionInput(Enum.Parse<SessionEvent>(name)),
    };

    [Theory]
    [InlineData("Idle", "Start", "Connect", "arm ConnectRetry, connect")]
    [InlineData("Idle", "ConnectRetryExpired", "Idle", "")]
    [InlineData("Idle", "Notification", "Idle", "")]
    [InlineData("Connect", "Connected", "OpenSent", "send Open")]
    [InlineData("Connect", "ConnectionFailed", "Active", "arm ConnectRetry, down")]
    [InlineData("Connect", "ConnectRetryExpired", "Connect", "drop, connect")]
    [InlineData("Connect", "Stop", "Idle", "drop, disarm ConnectRetry")]
    [InlineData("Active", "ConnectRetryExpired", "Connect", "connect")]
    [InlineData("Active", "Connected", "OpenSent", "disarm ConnectRetry, arm Hold, send Open")]
    [InlineData("Active", "HoldExpired", "Active", "")]
    [InlineData("OpenSent", "Open", "OpenConfirm", "send Keepalive, arm Keepalive, arm Hold")]
    [InlineData("OpenSent", "OpenWrongAs", "Idle", "send Notification 2/2, drop, arm IdleHold, down")]
    [InlineData("OpenSent", "OpenBadHold", "Idle", "send Notification 2/6")]
    [InlineData("OpenSent", "OpenBadId", "Idle", "send Notification 2/3")]
    [InlineData("OpenSent", "ConnectionFailed", "Active", "drop, arm ConnectRetry")]
    [InlineData("OpenSent", "HoldExpired", "Idle", "send Notification 4/0")]
    [InlineData("OpenSent", "Keepalive", "Idle", "send Notification 5/1")]
    [InlineData("OpenSent", "Update", "Idle", "send Notification 5/1")]
    [InlineData("OpenSent", "CollisionDump", "Idle", "send Notification 6/7")]
    [InlineData("OpenSent", "Stop", "Idle", "send Notification 6/2")]
    [InlineData("OpenConfirm", "Keepalive", "Established", "arm Hold, arm SendHold 480, established")]
    [InlineData("OpenConfirm", "SendHoldExpired", "OpenConfirm", "")]
    [InlineData("OpenConfirm", "KeepaliveExpired", "OpenConfirm", "send Keepalive, arm Keepalive")]
    [InlineData("OpenConfirm", "HoldExpired", "Idle", "send Notification 4/0")]
    [InlineData("OpenConfirm", "Open", "Idle", "send Notification 5/2")]
    [InlineData("OpenConfirm", "Update", "Idle", "send Notification 5/2")]
    [InlineData("OpenConfirm", "Notification", "Idle", "drop, arm IdleHold, down")]
    [InlineData("OpenConfirm", "ConnectionFailed", "Idle", "drop, arm IdleHold, down")]
    [InlineData("OpenConfirm", "CollisionDump", "Idle", "send Notification 6/7")]
    [InlineData("Established", "KeepaliveExpired", "Established", "send Keepalive, arm Keepalive")]
    [InlineData("Established", "Keepalive", "Established", "")]
    [InlineData("Established", "HoldExpired", "Idle", "send Notification 4/0, drop, arm IdleHold, down")]
    [InlineData("Established", "SendHoldExpired", "Idle", "drop, disarm SendHold, arm IdleHold, down Send Hold Timer Expired (8/0)")]
    [InlineData("Established", "MessageError", "Idle", "send Notification 3/1")]
    [InlineData("Established", "Notification", "Idle", "drop, arm IdleHold, down")]
    [InlineData("Established", "ConnectionFailed", "Idle", "drop, arm IdleHold, down")]
    [InlineData("Established", "Open", "Idle", "send Notification 5/3")]
    [InlineData("Established", "Stop", "Idle", "send Notification 6/2, drop")]
    public void EventInState_GivesNextState_AndActionsInThisOrder(string state, string input, string next, string actions)
    {
        SessionFsm fsm = In(Enum.Parse<SessionState>(state));

        List<string> log = Step(fsm, Input(input));

        Assert.Equal(Enum.Parse<SessionState>(next), fsm.State);
        int at = 0;
        foreach (string action in actions.Split(", ", StringSplitOptions.RemoveEmptyEntries))
        {
            at = log.FindIndex(at, l => l.StartsWith(action, StringComparison.Ordinal));
            Assert.True(at >= 0, $"\"{action}\" is missing in: {string.Join(", ", log)}");
        }

        if (actions.Length == 0)
        {
            Assert.Empty(log);
        }
    }

    [Fact]
    public void EveryEventInEveryState_IsAnswered_AndNeverThrows()
    {
        foreach (SessionState state in Enum.GetValues<SessionState>())
        {
            foreach (SessionEvent @event in Enum.GetValues<SessionEvent>())
            {
                string name = @event is SessionEvent.MessageError or SessionEvent.Notification or SessionEvent.Open or SessionEvent.Stop ? @event.ToString() : "";
                SessionFsm fsm = In(state);

                List<string> log = Step(fsm, name.Length != 0 ? Input(name) : new SessionInput(@event));

                // Whoever falls to Idle by an error must come back by itself.
                bool fell = state != SessionState.Idle && fsm.State == SessionState.Idle && @event != SessionEvent.Stop;
                Assert.Equal(fell, log.Exists(static l => l.StartsWith("arm IdleHold", StringComparison.Ordinal)));
            }
        }
    }

    /// <summary>RFC 9234 4.2, table 2: rows are what we say, columns what the peer says.</summary>
    [Theory]
    [InlineData(BgpRole.Provider, BgpRole.Customer)]
    [InlineData(BgpRole.Customer, BgpRole.Provider)]
    [InlineData(BgpRole.RouteServer, BgpRole.RouteServerClient)]
    [InlineData(BgpRole.RouteServerClient, BgpRole.RouteServer)]
    [InlineData(BgpRole.Peer, BgpRole.Peer)]
    public void Roles_MustCorrespond(BgpRole own, BgpRole fitting)
    {
        SessionConfig config = Config();
        config = config with { LocalOpen = config.LocalOpen with { Role = own } };
        foreach (BgpRole theirs in Enum.GetValues<BgpRole>())
        {
            SessionFsm fsm = In(SessionState.OpenSent, config);

            List<string> log = Step(fsm, new SessionInput(SessionEvent.Open, GoodOpen with { Role = theirs }));

            Assert.Equal(theirs == fitting ? SessionState.OpenConfirm : SessionState.Idle, fsm.State);
            Assert.Equal(theirs != fitting, log.Contains("send Notification 2/11"));
        }
    }

    [Theory]
    [InlineData(false, false, true)]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    public void PeerWithoutARole_IsTakenUnlessStrict_OneWithTwoNever(bool strict, bool contradicts, bool taken)
    {
        SessionConfig config = Config();
        config = config with { LocalOpen = config.LocalOpen with { Role = BgpRole.Customer }, Settings = config.Settings with { RoleStrict = strict } };
        SessionFsm fsm = In(SessionState.OpenSent, config);

        List<string> log = Step(fsm, new SessionInput(SessionEvent.Open, GoodOpen with { RolesContradict = contradicts }));

        Assert.Equal(taken, fsm.State == SessionState.OpenConfirm);
        Assert.Equal(!taken, log.Contains("send Notification 2/11"));
    }

    [Fact]
    public void PassivePeer_NeverDials_ButTakesAConnection()
    {
        var fsm = new SessionFsm(Config(ConnectMode.Passive));

        List<string> started = Step(fsm, new SessionInput(SessionEvent.Start));
        List<string> retried = Step(fsm, new SessionInput(SessionEvent.ConnectRetryExpired));
        Step(fsm, new SessionInput(SessionEvent.Connected));

        Assert.DoesNotContain("connect", started);
        Assert.Empty(retried);
        Assert.Equal(SessionState.OpenSent, fsm.State);
    }

    [Fact]
    public void OpenDelay_WaitsWithOurOpen_UntilTheirsOrTheTimer()
    {
        var first = new SessionFsm(Config(openDelay: TimeSpan.FromSeconds(5)));
        Step(first, new SessionInput(SessionEvent.Start));
        Assert.DoesNotContain("send Open", Step(first, new SessionInput(SessionEvent.Connected)));
        Assert.Contains("send Open", Step(first, new SessionInput(SessionEvent.OpenDelayExpired)));

        var second = new SessionFsm(Config(openDelay: TimeSpan.FromSeconds(5)));
        Step(second, new SessionInput(SessionEvent.Start));
        Step(second, new SessionInput(SessionEvent.Connected));
        List<string> log = Step(second, Input("Open"));

        Assert.Equal(SessionState.OpenConfirm, second.State);
        Assert.True(log.IndexOf("send Open") < log.IndexOf("send Keepalive"));
    }

    [Theory]
    [InlineData("Notification", true, "drop keeping")] // RFC 8538 2: any NOTIFICATION that is no hard reset.
    [InlineData("NotificationHard", true, "drop")]
    [InlineData("HoldExpired", true, "send Notification 4/0, drop keeping")]
    [InlineData("MessageError", true, "send Notification 3/1, drop keeping")]
    [InlineData("Update", true, "")]
    [InlineData("Stop", true, "send Notification 6/9, drop")] // 6/2 inside: an administrative shutdown is meant to last.
    [InlineData("StopReset", true, "send Notification 6/4, drop keeping")]
    [InlineData("StopResetHard", true, "send Notification 6/9, drop")]
    [InlineData("ConnectionFailed", true, "drop keeping")]
    [InlineData("Notification", false, "drop")] // RFC 4724 alone: only a connection that breaks.
    [InlineData("HoldExpired", false, "send Notification 4/0, drop")]
    [InlineData("MessageError", false, "send Notification 3/1, drop")]
    [InlineData("Stop", false, "send Notification 6/2, drop")]
    [InlineData("StopReset", false, "send Notification 6/4, drop")]
    [InlineData("ConnectionFailed", false, "drop keeping")]
    public void EndOfASession_KeepsRoutes_AsBothSidesAgreed(string input, bool notifications, string actions)
    {
        SessionConfig config = Config();
        config = config with { LocalOpen = config.LocalOpen with { GracefulRestart = true, RestartNotifications = true } };
        SessionFsm fsm = In(SessionState.Established, config, GoodOpen with { GracefulRestart = true, RestartNotifications = notifications });

        List<string> log = Step(fsm, input switch
        {
            "NotificationHard" => new SessionInput(SessionEvent.Notification, Error: new BgpError(ErrorCode.Cease, Subcode.HardReset, [6, 2])),
            "StopReset" => new SessionInput(SessionEvent.Stop, Error: new BgpError(ErrorCode.Cease, Subcode.AdministrativeReset)),
            "StopResetHard" => new SessionInput(SessionEvent.Stop, Error: new BgpError(ErrorCode.Cease, Subcode.AdministrativeReset), Hard: true),
            _ => Input(input),
        });

        Assert.Equal(actions, string.Join(", ", log.Where(static l => l.StartsWith("send", StringComparison.Ordinal) || l.StartsWith("drop", StringComparison.Ordinal))));
    }

    [Fact]
    public void HardReset_CarriesWhatItWouldHaveBeen_AndIsToldInWords()
    {
        var error = new BgpError(ErrorCode.Cease, Subcode.HardReset, [6, 2, 5, .. "later"u8]);

        Assert.Equal("Cease (6/9) Hard Reset: Cease (6/2) Administrative Shutdown: \"later\"", error.ToString());
    }

    [Fact]
    public void LostCollision_SendsCease7()
    {
        SessionFsm fsm = In(SessionState.OpenSent);

        List<string> log = Step(fsm, Input("Open"), survives: false);

        Assert.Contains("send Notification 6/7", log);
        Assert.Equal(SessionState.Idle, fsm.State);
    }

    [Fact]
    public void RepeatedFailures_DoubleThePause_UpToItsLimit()
    {
        SessionFsm fsm = In(SessionState.OpenSent);
        List<double> pauses = [];
        for (int i = 0; i < 9; i++)
        {
            List<string> log = Step(fsm, Input("OpenWrongAs"));
            pauses.Add(double.Parse(log.Single(static l => l.StartsWith("arm IdleHold", StringComparison.Ordinal)).Split(' ')[2]));
            Step(fsm, new SessionInput(SessionEvent.Start));
            Step(fsm, new SessionInput(SessionEvent.Connected));
        }

        Assert.Equal([1, 2, 4, 8, 16, 32, 60, 60, 60], pauses);
    }

    [Fact]
    public void HoldTimeOfZero_ArmsNeitherHoldNorKeepalive()
    {
        SessionFsm fsm = In(SessionState.OpenSent);

        List<string> log = Step(fsm, new SessionInput(SessionEvent.Open, GoodOpen with { HoldTime = 0 }));

        Assert.DoesNotContain(log, static l => l.StartsWith("arm", StringComparison.Ordinal));
        Assert.Contains("disarm Hold", log);
    }

    [Theory]
    [InlineData(30, null, "arm SendHold 480")]
    [InlineData(300, null, "arm SendHold 600")]
    [InlineData(30, 45, "arm SendHold 45")]
    [InlineData(30, 0, null)]
    [InlineData(0, null, null)]
    public void SendHoldTime_IsEightMinutesOrTwiceTheHoldTime_OrWhatTheOperatorSays(ushort hold, int? configured, string? armed)
    {
        SessionConfig config = Config();
        config = config with
        {
            Settings = config.Settings with { SendHoldTime = configured is int seconds ? TimeSpan.FromSeconds(seconds) : null },
            LocalOpen = config.LocalOpen with { HoldTime = 300 },
        };
        SessionFsm fsm = In(SessionState.OpenSent, config);
        Step(fsm, new SessionInput(SessionEvent.Open, GoodOpen with { HoldTime = hold }));

        List<string> log = Step(fsm, new SessionInput(SessionEvent.Keepalive));

        Assert.Equal(armed, log.Find(static l => l.StartsWith("arm SendHold", StringComparison.Ordinal)));
    }

    private readonly struct Recorder(List<string> log, bool survives) : ISessionActions
    {
        public List<string> Log => log;

        public void Connect() => log.Add("connect");

        public void Disconnect(bool keepRoutes) => log.Add(keepRoutes ? "drop keeping" : "drop");

        public void Send(scoped ReadOnlySpan<byte> message)
        {
            var type = (MessageType)message[18];
            log.Add(type == MessageType.Notification ? $"send Notification {message[19]}/{message[20]}" : $"send {type}");
        }

        public void Arm(SessionTimer timer, TimeSpan after) => log.Add($"arm {timer} {after.TotalSeconds}");

        public void Disarm(SessionTimer timer) => log.Add($"disarm {timer}");

        public bool Survives(OpenMessage open) => survives;

        public void Established(OpenMessage open) => log.Add("established");

        public void Down(string reason, BgpError? sent) => log.Add($"down {reason}");

        public double Jitter() => 1;
    }
}
