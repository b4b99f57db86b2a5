using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests;

/// <summary>Whole speakers against each other over paired pipes, on a clock the test moves.</summary>
public sealed class SpeakerTests : IAsyncDisposable
{
    private readonly ManualTime _time = new();
    private readonly PairedNetwork _network = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _running = [];

    private BgpSpeaker Speaker(string address, uint localAs)
    {
        var options = new SpeakerOptions { LocalAs = localAs, RouterId = IpAddress.Parse(address) };
        var speaker = new BgpSpeaker(options, _network.From(IpAddress.Parse(address)), AllNextHopsReachable.Instance, _time, NullLogger.Instance);
        _network.Register(IpAddress.Parse(address), speaker);
        _running.Add(speaker.RunAsync(_stop.Token));
        return speaker;
    }

    private static PeerSettings Peer(string address, uint remoteAs) => new()
    {
        Name = address,
        Address = IpAddress.Parse(address),
        RemoteAs = remoteAs,
        Families = AddressFamilies.Both,
        LocalIPv6 = IpAddress.Parse("2001:db8::1"),
    };

    private async Task UntilAsync(Func<Task<bool>> condition, string what, TimeSpan? step = null) => await Poll.UntilAsync(
        async () =>
        {
            _time.Advance(step ?? TimeSpan.FromMilliseconds(100));
            return await condition();
        },
        what);

    private static async Task<PeerSnapshot> First(BgpSpeaker speaker) => (await speaker.GetPeersAsync())[0];

    private static async Task<bool> IsUp(BgpSpeaker speaker) => (await First(speaker)).State == SessionState.Established;

    [Fact]
    public async Task TwoSpeakers_DialEachOther_OneSessionStays_RoutesOfBothFamiliesArrive()
    {
        BgpSpeaker left = Speaker("10.0.0.1", 65001);
        BgpSpeaker right = Speaker("10.0.0.2", 65002);
        await left.OriginateAsync(IpPrefix.Parse("10.1.0.0/24"), RouteAttributes.Default);
        await left.OriginateAsync(IpPrefix.Parse("2001:db8:1::/48"), RouteAttributes.Default);
        await left.AddPeerAsync(Peer("10.0.0.2", 65002));
        await right.AddPeerAsync(Peer("10.0.0.1", 65001));

        await UntilAsync(async () => await IsUp(left) && await IsUp(right), "established");
        await UntilAsync(async () => (await right.GetRoutesAsync(new RouteQuery()))!.Value.Length == 2, "two routes");

        ImmutableArray<RouteSnapshot> routes = (await right.GetRoutesAsync(new RouteQuery()))!.Value;
        Assert.Equal(["10.1.0.0/24", "2001:db8:1::/48"], routes.Select(static r => r.Prefix.ToString()));
        Assert.All(routes, static r => Assert.Equal(("65001", true), (r.AsPath, r.IsBest)));
        Assert.Equal(["10.0.0.1", "2001:db8::1"], routes.Select(static r => r.NextHop.ToString()));
        Assert.Equal(1, (await First(right)).EstablishedCount);
        Assert.Equal(["10.1.0.0/24", "2001:db8:1::/48"],
            (await left.GetRoutesAsync(new RouteQuery { AdvertisedTo = "10.0.0.2" }))!.Value.Select(static r => r.Prefix.ToString()));

        await left.WithdrawAsync(IpPrefix.Parse("10.1.0.0/24"));
        await UntilAsync(async () => (await right.GetRoutesAsync(new RouteQuery()))!.Value.Length == 1, "one route");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public async Task WallClockJumpsByAYear_SessionStays(int direction)
    {
        BgpSpeaker left = Speaker("10.0.0.1", 65001);
        BgpSpeaker right = Speaker("10.0.0.2", 65002);
        await left.AddPeerAsync(Peer("10.0.0.2", 65002) with { HoldTime = TimeSpan.FromSeconds(9) });
        await right.AddPeerAsync(Peer("10.0.0.1", 65001) with { Connect = ConnectMode.Passive });
        await UntilAsync(async () => await IsUp(left) && await IsUp(right), "established");

        _time.WallClockJump = TimeSpan.FromDays(365) * direction;
        for (int second = 0; second < 60; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            Assert.True(await IsUp(left) && await IsUp(right), $"down after {second} s");
            await Task.Delay(1);
        }

        Assert.Equal(1, (await First(left)).EstablishedCount);
    }

    [Fact]
    public async Task IdleSession_LivesOnKeepalives_ForHours()
    {
        BgpSpeaker left = Speaker("10.0.0.1", 65001);
        BgpSpeaker right = Speaker("10.0.0.2", 65002);
        await left.AddPeerAsync(Peer("10.0.0.2", 65002) with { HoldTime = TimeSpan.FromSeconds(9) });
        await right.AddPeerAsync(Peer("10.0.0.1", 65001) with { Connect = ConnectMode.Passive });
        await UntilAsync(async () => await IsUp(left) && await IsUp(right), "established");

        for (int i = 0; i < 400; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await First(left);
            await First(right);
            await Task.Delay(1);
        }

        PeerSnapshot peer = await First(left);
        Assert.Equal((SessionState.Established, 1), (peer.State, peer.EstablishedCount));
        Assert.True(peer.Received.Keepalives > 100, $"{peer.Received}");
    }

    [Fact]
    public async Task RemovedPeer_GetsCease3_ItsRoutesGo_AndItMayBeAddedAgain()
    {
        BgpSpeaker left = Speaker("10.0.0.1", 65001);
        BgpSpeaker right = Speaker("10.0.0.2", 65002);
        await right.OriginateAsync(IpPrefix.Parse("10.2.0.0/24"), RouteAttributes.Default);
        await left.AddPeerAsync(Peer("10.0.0.2", 65002));
        await right.AddPeerAsync(Peer("10.0.0.1", 65001) with { Connect = ConnectMode.Passive });
        await UntilAsync(async () => (await left.GetRoutesAsync(new RouteQuery()))!.Value.Length == 1, "route");

        Assert.Equal(PeerChange.Done, await left.RemovePeerAsync("10.0.0.2"));
        Assert.Equal(PeerChange.NotFound, await left.RemovePeerAsync("10.0.0.2"));

        Assert.Empty((await left.GetRoutesAsync(new RouteQuery()))!.Value);
        await UntilAsync(async () => (await First(right)).LastError?.Contains("(6/3)") == true, "the reason at the other side");
        Assert.Equal(PeerChange.Done, await left.AddPeerAsync(Peer("10.0.0.2", 65002)));
        await UntilAsync(async () => (await left.GetRoutesAsync(new RouteQuery()))!.Value.Length == 1, "route again");
    }

    [Fact]
    public async Task ResetPeer_TellsTheMessage_AndComesUpAgain()
    {
        BgpSpeaker left = Speaker("10.0.0.1", 65001);
        BgpSpeaker right = Speaker("10.0.0.2", 65002);
        await left.AddPeerAsync(Peer("10.0.0.2", 65002));
        await right.AddPeerAsync(Peer("10.0.0.1", 65001) with { Connect = ConnectMode.Passive });
        await UntilAsync(async () => await IsUp(left) && await IsUp(right), "established");

        await left.ResetPeerAsync("10.0.0.2", "new filters");

        await UntilAsync(async () => (await First(right)).LastError?.Contains("new filters") == true, "the message");
        await UntilAsync(async () => await IsUp(left) && (await First(left)).EstablishedCount == 2, "up again");
    }

    [Fact]
    public async Task PrefixLimit_ClosesTheSession_WithCease1()
    {
        BgpSpeaker left = Speaker("10.0.0.1", 65001);
        BgpSpeaker right = Speaker("10.0.0.2", 65002);
        for (int i = 0; i < 5; i++)
        {
            await right.OriginateAsync(IpPrefix.Parse($"10.2.{i}.0/24"), RouteAttributes.Default);
        }

        await left.AddPeerAsync(Peer("10.0.0.2", 65002) with { PrefixLimit = new PrefixLimit { IPv4 = 3 } });
        await right.AddPeerAsync(Peer("10.0.0.1", 65001) with { Connect = ConnectMode.Passive });

        await UntilAsync(async () => (await First(right)).LastError?.Contains("(6/1)") == true, "Cease/1 at the other side");
        Assert.Contains("more than 3", (await First(left)).LastError);
    }

    [Fact]
    public async Task UnknownPeer_IsRefused()
    {
        BgpSpeaker left = Speaker("10.0.0.1", 65001);
        BgpSpeaker right = Speaker("10.0.0.2", 65002);
        await left.AddPeerAsync(Peer("10.0.0.2", 65002));

        await UntilAsync(async () => (await First(left)).LastError?.Contains("(6/5)") == true, "Cease/5");
        Assert.Empty(await right.GetPeersAsync());
    }

    [Fact]
    public async Task PolicyUpdate_KeepsTheSession_OtherHoldTime_ResetsIt()
    {
        BgpSpeaker left = Speaker("10.0.0.1", 65001);
        BgpSpeaker right = Speaker("10.0.0.2", 65002);
        await right.OriginateAsync(IpPrefix.Parse("10.2.0.0/24"), RouteAttributes.Default);
        PeerSettings settings = Peer("10.0.0.2", 65002);
        await left.AddPeerAsync(settings);
        await right.AddPeerAsync(Peer("10.0.0.1", 65001) with { Connect = ConnectMode.Passive });
        await UntilAsync(async () => (await left.GetRoutesAsync(new RouteQuery { BestOnly = true }))!.Value.Length == 1, "route");

        Assert.Equal(PeerChange.Done, await left.UpdatePeerAsync(settings with { Import = Weft.Bgp.Policies.RoutePolicy.RejectAll }));
        await UntilAsync(async () => (await left.GetRoutesAsync(new RouteQuery()))!.Value.Single().Standing == Bgp.Rib.PathStanding.RejectedByPolicy, "rejected");
        Assert.Equal(1, (await First(left)).EstablishedCount);

        Assert.Equal(PeerChange.SessionReset, await left.UpdatePeerAsync(settings with { HoldTime = TimeSpan.FromSeconds(30) }));
        await UntilAsync(async () => (await First(left)).Negotiated?.HoldTime == TimeSpan.FromSeconds(30), "new hold time");
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
