using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests;

/// <summary>Restarts, refreshes and maintenance between whole speakers over paired pipes, on a clock the test moves.</summary>
public sealed class SpeakerRestartTests : IAsyncDisposable
{
    private readonly ManualTime _time = new();
    private readonly PairedNetwork _network = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _running = [];

    private BgpSpeaker Speaker(string address, uint localAs, bool restarting = false, CancellationToken? stop = null)
    {
        var options = new SpeakerOptions { LocalAs = localAs, RouterId = IpAddress.Parse(address), Restarting = restarting };
        var speaker = new BgpSpeaker(options, _network.From(IpAddress.Parse(address)), AllNextHopsReachable.Instance, _time, NullLogger.Instance);
        _network.Register(IpAddress.Parse(address), speaker);
        _running.Add(speaker.RunAsync(stop ?? _stop.Token));
        return speaker;
    }

    private static PeerSettings Peer(string address, uint remoteAs) => new()
    {
        Name = address,
        Address = IpAddress.Parse(address),
        RemoteAs = remoteAs,
        Families = AddressFamilies.IPv4,
    };

    private async Task UntilAsync(Func<Task<bool>> condition, string what, Func<Task<string>>? describe = null) => await Poll.UntilAsync(
        async () =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            return await condition();
        },
        what,
        describe);

    private static async Task<PeerSnapshot> First(BgpSpeaker speaker) => (await speaker.GetPeersAsync())[0];

    private static async Task<ImmutableArray<RouteSnapshot>> Routes(BgpSpeaker speaker) => (await speaker.GetRoutesAsync(new RouteQuery()))!.Value;

    /// <summary>left announces 10.1.0.0/24 to right; both are up.</summary>
    private async Task<(BgpSpeaker Left, BgpSpeaker Right)> PairAsync()
    {
        BgpSpeaker left = Speaker("10.0.0.1", 65001);
        BgpSpeaker right = Speaker("10.0.0.2", 65002);
        await left.OriginateAsync(IpPrefix.Parse("10.1.0.0/24"), RouteAttributes.Default);
        await left.AddPeerAsync(Peer("10.0.0.2", 65002));
        await right.AddPeerAsync(Peer("10.0.0.1", 65001) with { Connect = ConnectMode.Passive });
        await UntilAsync(async () => (await Routes(right)).Length == 1 && (await First(right)).Families[0].EndOfRibReceived, "the route");
        return (left, right);
    }

    [Fact]
    public async Task Shutdown_IsAHardReset_RoutesGo()
    {
        (BgpSpeaker left, BgpSpeaker right) = await PairAsync();
        Assert.True((await First(right)).Negotiated!.RestartNotifications);

        await left.UpdatePeerAsync(Peer("10.0.0.2", 65002) with { Enabled = false, ShutdownMessage = "maintenance" });

        await UntilAsync(async () => (await First(right)).LastError is { } error && error.Contains("(6/9)") && error.Contains("(6/2)") && error.Contains("maintenance"), "hard reset",
            async () => (await First(right)).LastError ?? "no error");
        await UntilAsync(async () => (await Routes(right)).IsEmpty, "no route");
    }

    [Fact]
    public async Task BfdDown_IsAHardResetWithCease10_RoutesGo_AndTheSessionMayComeBack()
    {
        (BgpSpeaker left, BgpSpeaker right) = await PairAsync();
        var heard = new Listener();
        await right.SubscribeAsync(heard);

        await left.PeerLostByBfdAsync("10.0.0.2");

        await UntilAsync(async () => (await First(right)).LastError is { } error && error.Contains("(6/9)") && error.Contains("(6/10) BFD Down"), "Cease/10 in a hard reset",
            async () => (await First(right)).LastError ?? "no error");
        await UntilAsync(async () => await First(right) is { EstablishedCount: 2, State: SessionState.Established }, "up again");
        Assert.True(heard.Withdrawn > 0);
    }

    [Fact]
    public async Task Reset_KeepsRoutes_AndNobodyHearsOfIt()
    {
        (BgpSpeaker left, BgpSpeaker right) = await PairAsync();
        var heard = new Listener();
        await right.SubscribeAsync(heard);

        await left.ResetPeerAsync("10.0.0.2");
        await UntilAsync(async () => await First(right) is { EstablishedCount: 2, State: SessionState.Established } p && p.Families[0] is { Stale: 0, EndOfRibReceived: true }, "up again");

        Assert.Single(await Routes(right));
        Assert.Equal(0, heard.Withdrawn);
    }

    [Fact]
    public async Task ConnectionLost_RoutesAreStale_UntilTheRestartTimeIsOver()
    {
        using var leftStop = new CancellationTokenSource();
        BgpSpeaker left = Speaker("10.0.0.1", 65001, stop: leftStop.Token);
        BgpSpeaker right = Speaker("10.0.0.2", 65002);
        await left.OriginateAsync(IpPrefix.Parse("10.1.0.0/24"), RouteAttributes.Default);
        await left.AddPeerAsync(Peer("10.0.0.2", 65002));
        await right.AddPeerAsync(Peer("10.0.0.1", 65001) with { Connect = ConnectMode.Passive });
        await UntilAsync(async () => (await Routes(right)).Length == 1, "the route");

        left.StopGracefully();
        await leftStop.CancelAsync();
        await UntilAsync(async () => (await First(right)).Families[0] is { Stale: 1, StalePhase: StalePhase.PeerAway }, "stale");
        Assert.True((await Routes(right)).Single().IsStale);
        for (int i = 0; i < 130; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        await UntilAsync(async () => (await Routes(right)).IsEmpty, "no route");
    }

    [Fact]
    public async Task MiddleRestarts_NeitherEndHearsAWithdrawal_NorAnEmptyTable()
    {
        BgpSpeaker left = Speaker("10.0.0.1", 65001);
        BgpSpeaker right = Speaker("10.0.0.3", 65003);
        using var firstStop = new CancellationTokenSource();
        BgpSpeaker first = Speaker("10.0.0.2", 65002, stop: firstStop.Token);
        for (int i = 0; i < 20; i++)
        {
            await left.OriginateAsync(IpPrefix.Parse($"10.1.{i}.0/24"), RouteAttributes.Default);
            await right.OriginateAsync(IpPrefix.Parse($"10.3.{i}.0/24"), RouteAttributes.Default);
        }

        await left.AddPeerAsync(Peer("10.0.0.2", 65002) with { Connect = ConnectMode.Passive });
        await right.AddPeerAsync(Peer("10.0.0.2", 65002) with { Connect = ConnectMode.Passive });
        await first.AddPeerAsync(Peer("10.0.0.1", 65001));
        await first.AddPeerAsync(Peer("10.0.0.3", 65003));
        await UntilAsync(async () => (await Routes(left)).Length == 40 && (await Routes(right)).Length == 40, "everything everywhere");
        (Listener leftHeard, Listener rightHeard) = (new Listener(), new Listener());
        await left.SubscribeAsync(leftHeard);
        await right.SubscribeAsync(rightHeard);

        first.StopGracefully();
        await firstStop.CancelAsync();
        await UntilAsync(async () => (await First(left)).State != SessionState.Established && (await First(right)).State != SessionState.Established, "both see the end");
        BgpSpeaker second = Speaker("10.0.0.2", 65002, restarting: true);
        var selected = new Listener();
        await second.SubscribeAsync(selected);
        await second.AddPeerAsync(Peer("10.0.0.1", 65001));
        await UntilAsync(async () => (await Routes(second)).Length == 20, "what the left end says");
        Assert.Equal(0, selected.Told);
        Assert.Contains(await second.GetSelectionAsync(), static s => s is { Family: IpFamily.IPv4, IsDeferred: true });

        await second.AddPeerAsync(Peer("10.0.0.3", 65003));
        await second.PeersCompleteAsync();
        await UntilAsync(async () => (await First(left)).Families[0] is { EndOfRibReceived: true, Stale: 0 } && (await First(right)).Families[0] is { EndOfRibReceived: true, Stale: 0 }, "both ends of rib",
            async () => string.Join("; ", (await second.GetPeersAsync()).Select(p => $"{p.Settings.Name} {p.State} {p.LastError}")));

        Assert.Equal((40, 40), ((await Routes(left)).Length, (await Routes(right)).Length));
        Assert.Equal((0, 0), (leftHeard.Withdrawn, rightHeard.Withdrawn));
        Assert.True((await First(left)).Negotiated!.PeerRestarted);
        Assert.All(await second.GetSelectionAsync(), static s => Assert.True(s.IsComplete));

        // A session that comes up later is no restart any more, but forwarding went on (4.1, 3).
        await left.ResetPeerAsync("10.0.0.2");
        await UntilAsync(async () => await First(left) is { EstablishedCount: 3, State: SessionState.Established }, "up again");
        NegotiatedSession session = (await First(left)).Negotiated!;
        Assert.Equal((false, AddressFamilies.IPv4), (session.PeerRestarted, session.ForwardingKept));
    }

    [Fact]
    public async Task AskedForRoutes_PeerTellsThemAgain_BetweenBeginningAndEnd()
    {
        (BgpSpeaker left, BgpSpeaker right) = await PairAsync();

        Assert.Null(await right.AskForRoutesAsync("10.0.0.1"));

        await UntilAsync(async () => (await First(right)).Received.RouteRefreshes == 2, "BoRR and EoRR");
        await UntilAsync(async () => (await First(right)).Families[0] is { RefreshFor: null, Received: 1 }, "the end");
        Assert.Equal((1, 2), ((await First(left)).Received.RouteRefreshes, (await First(left)).Sent.RouteRefreshes));
        Assert.Contains("no peer", await right.AskForRoutesAsync("10.0.0.9"));
    }

    [Fact]
    public async Task Drain_LowersTheRouteAtTheOtherSide_AndIsTakenBack()
    {
        (BgpSpeaker left, BgpSpeaker right) = await PairAsync();

        Assert.Equal(PeerChange.Done, await left.UpdatePeerAsync(Peer("10.0.0.2", 65002) with { GracefulShutdown = true }));
        await UntilAsync(async () => (await Routes(right)).Single() is { LocalPreference: 0 } r && r.Communities.Contains(WellKnownCommunities.GracefulShutdown), "drained");

        await left.UpdatePeerAsync(Peer("10.0.0.2", 65002));
        await UntilAsync(async () => (await Routes(right)).Single() is { LocalPreference: 100, Communities.IsEmpty: true }, "taken back");
        Assert.Equal(1, (await First(right)).EstablishedCount);
    }

    [Fact]
    public async Task LongLivedStaleTime_IsNegotiated_AndOutlivesTheRestartTime()
    {
        using var leftStop = new CancellationTokenSource();
        BgpSpeaker left = Speaker("10.0.0.1", 65001, stop: leftStop.Token);
        BgpSpeaker right = Speaker("10.0.0.2", 65002);
        await left.OriginateAsync(IpPrefix.Parse("10.1.0.0/24"), RouteAttributes.Default);
        await left.AddPeerAsync(Peer("10.0.0.2", 65002) with { LongLivedStaleTime = TimeSpan.FromHours(1) });
        await right.AddPeerAsync(Peer("10.0.0.1", 65001) with { Connect = ConnectMode.Passive, LongLivedStaleTime = TimeSpan.FromHours(2) });
        await UntilAsync(async () => (await Routes(right)).Length == 1, "the route");
        Assert.Equal((AddressFamilies.IPv4, TimeSpan.FromHours(1)), ((await First(right)).Negotiated!.LongLivedFamilies, (await First(right)).Negotiated!.LongLivedTimeIPv4));

        left.StopGracefully();
        await leftStop.CancelAsync();
        await UntilAsync(async () => (await First(right)).Families[0].Stale == 1, "stale");
        _time.Advance(TimeSpan.FromSeconds(121));

        await UntilAsync(async () => (await Routes(right)).Single().Communities.Contains(WellKnownCommunities.LongLivedStale), "long-lived");
        Assert.Equal(StalePhase.LongLived, (await First(right)).Families[0].StalePhase);
    }

    private sealed class Listener : IRibListener
    {
        private int _withdrawn;
        private int _told;

        public int Withdrawn => Volatile.Read(ref _withdrawn);

        public int Told => Volatile.Read(ref _told);

        public void OnBestChanged(in BestChange change)
        {
            Interlocked.Increment(ref _told);
            if (change.IsWithdrawn)
            {
                Interlocked.Increment(ref _withdrawn);
            }
        }

        public void OnBatchEnd(IpFamily family)
        {
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Task all = Task.WhenAll(_running);
        for (int i = 0; i < 200 && !all.IsCompleted; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(5);
        }

        await all.WaitAsync(TimeSpan.FromSeconds(10));
        _stop.Dispose();
    }
}
