using Microsoft.Extensions.Logging.Abstractions;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests;

/// <summary>Peers that come from a range of addresses, unasked.</summary>
public sealed class SpeakerRangeTests : IAsyncDisposable
{
    private readonly ManualTime _time = new();
    private readonly PairedNetwork _network = new();
    private readonly Dictionary<BgpSpeaker, (CancellationTokenSource Stop, Task Running)> _speakers = [];

    private BgpSpeaker Speaker(string address, uint localAs, params string[] routes)
    {
        var options = new SpeakerOptions { LocalAs = localAs, RouterId = IpAddress.Parse(address) };
        var speaker = new BgpSpeaker(options, _network.From(IpAddress.Parse(address)), AllNextHopsReachable.Instance, _time, NullLogger.Instance);
        _network.Register(IpAddress.Parse(address), speaker);
        var stop = new CancellationTokenSource();
        _speakers[speaker] = (stop, speaker.RunAsync(stop.Token));
        foreach (string route in routes)
        {
            speaker.OriginateAsync(IpPrefix.Parse(route), RouteAttributes.Default).AsTask().Wait();
        }

        return speaker;
    }

    private static PeerSettings Hub(uint remoteAs = 65001) => new() { Name = "hub", Address = IpAddress.Parse("10.0.0.1"), RemoteAs = remoteAs, ConnectRetryTime = TimeSpan.FromSeconds(1) };

    private static PeerSettings Range(string range = "10.0.0.0/24", AsRanges? accepted = null) => new()
    {
        Name = "leaves",
        Address = IpPrefix.Parse(range).Address,
        Range = IpPrefix.Parse(range),
        RemoteAs = 0,
        AcceptedAs = accepted ?? AsRanges.Any,
    };

    private async Task StopAsync(BgpSpeaker speaker)
    {
        await _speakers[speaker].Stop.CancelAsync();
        await UntilAsync(() => Task.FromResult(_speakers[speaker].Running.IsCompleted), "stopped");
        await _speakers[speaker].Running;
        _speakers.Remove(speaker);
    }

    private async Task UntilAsync(Func<Task<bool>> condition, string what) => await Poll.UntilAsync(
        async () =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(200));
            return await condition();
        },
        what);

    private static async Task<string> Peers(BgpSpeaker hub) => string.Join(' ', (await hub.GetPeersAsync()).Where(static p => p.State == SessionState.Established).Select(static p => p.Settings.Name));

    private static async Task<string> Known(BgpSpeaker hub) => string.Join(' ', (await hub.GetPeersAsync()).Select(static p => p.Settings.Name));

    private static async Task<int> Routes(BgpSpeaker hub) => (await hub.GetRoutesAsync(new RouteQuery()))!.Value.Length;

    [Fact]
    public async Task PeersOfTheRange_ComeByName_AndAreForgottenWithTheirRoutes()
    {
        BgpSpeaker hub = Speaker("10.0.0.1", 65001, "10.9.0.0/16");
        await hub.AddPeerAsync(Range());
        BgpSpeaker one = Speaker("10.0.0.2", 65002, "10.2.0.0/16");
        BgpSpeaker two = Speaker("10.0.0.3", 65001, "10.3.0.0/16");
        await one.AddPeerAsync(Hub());
        await two.AddPeerAsync(Hub());

        await UntilAsync(async () => await Peers(hub) == "leaves@10.0.0.2 leaves@10.0.0.3" && await Routes(hub) == 3, "both");
        await UntilAsync(async () => await Routes(one) == 3 && await Routes(two) == 3, "routes of everybody");

        PeerSnapshot internalOne = (await hub.GetPeersAsync()).Single(static p => p.Settings.Name == "leaves@10.0.0.3");
        Assert.True(internalOne.Negotiated!.IsInternal);
        PeerSnapshot range = (await hub.GetPeersAsync()).Single(static p => p.Settings.IsRange);
        Assert.Equal(("leaves", 2), (range.Settings.Name, range.Neighbors));

        await one.RemovePeerAsync("hub");
        await UntilAsync(async () => await Known(hub) == "leaves leaves@10.0.0.3", "the first is forgotten");
        Assert.Equal(2, await Routes(hub));
        Assert.Matches("^leaves@10.0.0.2: received NOTIFICATION .*Cease .6/3", (await hub.GetPeersAsync())[0].LastError);

        await one.AddPeerAsync(Hub());
        await UntilAsync(async () => await Peers(hub) == "leaves@10.0.0.2 leaves@10.0.0.3", "back");
    }

    [Fact]
    public async Task AsOutsideTheList_IsRefused_WithBadPeerAs()
    {
        BgpSpeaker hub = Speaker("10.0.0.1", 65001);
        await hub.AddPeerAsync(Range(accepted: new AsRanges { Ranges = [(65010, 65020), (65030, 65030)] }));
        BgpSpeaker wrong = Speaker("10.0.0.2", 65002);
        BgpSpeaker right = Speaker("10.0.0.3", 65030);
        await wrong.AddPeerAsync(Hub());
        await right.AddPeerAsync(Hub());

        await UntilAsync(async () => await Peers(hub) == "leaves@10.0.0.3", "the right one");
        await UntilAsync(async () => (await wrong.GetPeersAsync())[0].LastError?.Contains("(2/2) Bad Peer AS") == true, "the wrong one hears why");
        await UntilAsync(async () => (await hub.GetPeersAsync())[0].LastError?.Contains("configured is AS 65010-65020, 65030") == true, "and the operator too");
    }

    [Fact]
    public async Task FullRange_RefusesTheNext_AndPeersOutsideAreStrangers()
    {
        BgpSpeaker hub = Speaker("10.0.0.1", 65001);
        await hub.AddPeerAsync(Range("10.0.0.0/29") with { MaximumNeighbors = 1 });
        BgpSpeaker one = Speaker("10.0.0.2", 65002);
        BgpSpeaker two = Speaker("10.0.0.3", 65003);
        BgpSpeaker stranger = Speaker("10.0.0.9", 65009);
        await one.AddPeerAsync(Hub());
        await UntilAsync(async () => await Peers(hub) == "leaves@10.0.0.2", "the first");
        await two.AddPeerAsync(Hub());
        await stranger.AddPeerAsync(Hub());

        await UntilAsync(async () => (await two.GetPeersAsync())[0].LastError?.Contains("(6/5)") == true, "refused");
        await UntilAsync(async () => (await stranger.GetPeersAsync())[0].LastError?.Contains("(6/5)") == true, "refused");
        Assert.True((await hub.GetPeersAsync())[0].Refused > 0);

        await hub.UpdatePeerAsync(Range("10.0.0.0/29") with { MaximumNeighbors = 2 });
        await UntilAsync(async () => await Peers(hub) == "leaves@10.0.0.2 leaves@10.0.0.3", "room for both");
        Assert.Equal(1, (await one.GetPeersAsync())[0].EstablishedCount);
    }

    [Fact]
    public async Task RoutesKeptForTheReturnOfAPeer_KeepThePeer_UntilItsTimeIsOver()
    {
        BgpSpeaker hub = Speaker("10.0.0.1", 65001);
        await hub.AddPeerAsync(Range());
        BgpSpeaker one = Speaker("10.0.0.2", 65002, "10.2.0.0/16");
        await one.AddPeerAsync(Hub());
        await UntilAsync(async () => await Peers(hub) == "leaves@10.0.0.2" && await Routes(hub) == 1, "route");

        one.StopGracefully();
        await StopAsync(one);
        for (int i = 0; i < 30; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(2);
        }

        Assert.Equal("leaves leaves@10.0.0.2", await Known(hub));
        Assert.True((await hub.GetRoutesAsync(new RouteQuery()))!.Value.Single().IsStale);
        _time.Advance(TimeSpan.FromSeconds(100));
        await UntilAsync(async () => await Known(hub) == "leaves" && await Routes(hub) == 0, "forgotten");
    }

    [Fact]
    public async Task NarrowerRange_DisabledRange_NoRange_EndSessions()
    {
        BgpSpeaker hub = Speaker("10.0.0.1", 65001);
        await hub.AddPeerAsync(Range());
        BgpSpeaker one = Speaker("10.0.0.2", 65002);
        BgpSpeaker two = Speaker("10.0.0.200", 65003);
        await one.AddPeerAsync(Hub());
        await two.AddPeerAsync(Hub());
        await UntilAsync(async () => await Peers(hub) == "leaves@10.0.0.2 leaves@10.0.0.200", "both");

        await hub.UpdatePeerAsync(Range("10.0.0.0/25"));
        await UntilAsync(async () => (await two.GetPeersAsync())[0].LastError?.Contains("(6/3)") == true || (await two.GetPeersAsync())[0].LastReceived?.Reason.Contains("(6/") == true, "two hears it");
        Assert.Equal("leaves leaves@10.0.0.2", await Known(hub));
        Assert.Equal(1, (await one.GetPeersAsync())[0].EstablishedCount);

        await hub.UpdatePeerAsync(Range("10.0.0.0/25") with { Import = Weft.Bgp.Policies.RoutePolicy.RejectAll });
        Assert.Equal("leaves@10.0.0.2", await Peers(hub));

        await hub.UpdatePeerAsync(Range("10.0.0.0/25") with { Enabled = false, ShutdownMessage = "closed on Mondays" });
        await UntilAsync(async () => (await one.GetPeersAsync())[0].LastReceived?.Reason.Contains("closed on Mondays") == true || (await one.GetPeersAsync())[0].LastError?.Contains("(6/5)") == true, "one hears it");
        await UntilAsync(async () => await Known(hub) == "leaves", "forgotten");

        await hub.UpdatePeerAsync(Range("10.0.0.0/25"));
        await UntilAsync(async () => await Peers(hub) == "leaves@10.0.0.2", "back");
        Assert.Equal(PeerChange.Done, await hub.RemovePeerAsync("leaves"));
        Assert.Empty(await hub.GetPeersAsync());
    }

    [Fact]
    public async Task NeighbourWithASectionOfItsOwn_LeavesTheRange()
    {
        BgpSpeaker hub = Speaker("10.0.0.1", 65001);
        await hub.AddPeerAsync(Range());
        BgpSpeaker one = Speaker("10.0.0.2", 65002);
        await one.AddPeerAsync(Hub());
        await UntilAsync(async () => await Peers(hub) == "leaves@10.0.0.2", "of the range");

        await hub.AddPeerAsync(new PeerSettings { Name = "own", Address = IpAddress.Parse("10.0.0.2"), RemoteAs = 65002, Connect = ConnectMode.Passive });

        await UntilAsync(async () => await Peers(hub) == "own", "by its own name");
        Assert.Equal("leaves own", await Known(hub));
    }

    [Fact]
    public async Task PeerThatIsHeldDown_IsNotForgotten_SoItCannotComeBackBefore()
    {
        BgpSpeaker hub = Speaker("10.0.0.1", 65001);
        await hub.AddPeerAsync(Range() with { PrefixLimit = new PrefixLimit { IPv4 = 1, RestartTime = TimeSpan.FromMinutes(5) } });
        BgpSpeaker one = Speaker("10.0.0.2", 65002, "10.2.0.0/16", "10.3.0.0/16");
        await one.AddPeerAsync(Hub());
        await UntilAsync(async () => (await hub.GetPeersAsync()).Any(static p => p.HeldDown is not null), "held down");

        for (int i = 0; i < 60; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(2);
        }

        Assert.Equal(1, (await hub.GetPeersAsync())[1].EstablishedCount);
        Assert.NotNull((await hub.GetPeersAsync())[1].HeldDown);
        Assert.Equal(1, (await one.GetPeersAsync())[0].EstablishedCount);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (BgpSpeaker speaker in _speakers.Keys.ToArray())
        {
            await StopAsync(speaker);
        }
    }
}
