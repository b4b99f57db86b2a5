using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests;

/// <summary>What a speaker does with peers that ask too much of it, on a clock the test moves.</summary>
public sealed class SpeakerLimitTests : IAsyncDisposable
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

    private async Task UntilAsync(Func<Task<bool>> condition, string what) => await Poll.UntilAsync(
        async () =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            return await condition();
        },
        what);

    private static async Task<PeerSnapshot> First(BgpSpeaker speaker) => (await speaker.GetPeersAsync())[0];

    [Fact]
    public async Task PeerThatDoesNotRead_LosesItsSession_WhenTheSendHoldTimerExpires()
    {
        BgpSpeaker speaker = Speaker("10.0.0.1", 65001);
        for (int i = 0; i < 4000; i++)
        {
            // One message each, 64 KB and more in all: what a pipe or a socket buffers is not yet a reader.
            await speaker.OriginateAsync(IpPrefix.Parse($"10.{i / 250}.{i % 250}.0/24"), new RouteAttributes { Med = (uint)i });
        }

        await speaker.AddPeerAsync(Peer("10.0.0.2", 65002) with { Connect = ConnectMode.Passive, SendHoldTime = TimeSpan.FromSeconds(30) });
        RawPeer peer = await RawPeer.EstablishAsync(speaker, "10.0.0.2", "10.0.0.1", RawPeer.Open(65002, "10.0.0.2"));
        await UntilAsync(async () => (await First(speaker)).State == SessionState.Established, "established");

        int seconds = 0;
        while ((await First(speaker)).State == SessionState.Established && seconds++ < 60)
        {
            await peer.KeepaliveAsync();
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1);
        }

        PeerSnapshot after = await First(speaker);
        Assert.InRange(seconds, 25, 36);
        Assert.Equal("Send Hold Timer Expired (8/0): the peer has taken nothing for 30 s", after.LastError);
        Assert.Equal(after.LastError, after.LastSent?.Reason);
        await UntilAsync(() => Task.FromResult(peer.IsClosed(out _)), "the connection is closed");
    }

    [Theory]
    [InlineData(PrefixLimitAction.Restart)]
    [InlineData(PrefixLimitAction.Reset)]
    public async Task PrefixLimit_KeepsTheSessionDown_UntilItsTimeOrTheOperator(PrefixLimitAction action)
    {
        BgpSpeaker left = Speaker("10.0.0.1", 65001);
        BgpSpeaker right = Speaker("10.0.0.2", 65002);
        for (int i = 0; i < 5; i++)
        {
            await right.OriginateAsync(IpPrefix.Parse($"10.2.{i}.0/24"), RouteAttributes.Default);
        }

        var limit = new PrefixLimit { IPv4 = 3, Action = action, RestartTime = TimeSpan.FromMinutes(5) };
        PeerSettings settings = Peer("10.0.0.2", 65002) with { PrefixLimit = limit };
        await left.AddPeerAsync(settings);
        await right.AddPeerAsync(Peer("10.0.0.1", 65001));
        await UntilAsync(async () => (await First(left)).HeldDown is not null, "held down");

        for (int i = 0; i < 200; i++)
        {
            // The other side goes on trying all the time.
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1);
        }

        PeerSnapshot held = await First(left);
        Assert.Equal((SessionState.Idle, 1), (held.State, held.EstablishedCount));
        Assert.Equal("more than 3 IPv4 prefixes received", held.HeldDown);
        Assert.Contains("Maximum Number of Prefixes Reached: 3 of AFI 1 SAFI 1", held.LastError);
        Assert.Equal(action == PrefixLimitAction.Restart, held.NextConnect is not null);
        Assert.Empty((await left.GetRoutesAsync(new RouteQuery()))!.Value);

        if (action == PrefixLimitAction.Restart)
        {
            _time.Advance(TimeSpan.FromSeconds(110));
        }
        else
        {
            await left.ResetPeerAsync("10.0.0.2");
        }

        await UntilAsync(async () => (await First(left)).EstablishedCount == 2, "another try");
        await UntilAsync(async () => (await First(left)).HeldDown is not null, "held down again");

        Assert.Equal(PeerChange.Done, await left.UpdatePeerAsync(settings with { PrefixLimit = limit with { IPv4 = 5 } }));
        await UntilAsync(async () => (await First(left)).Families[0].Received == 5, "a higher limit lets it up at once");
        Assert.Null((await First(left)).HeldDown);
    }

    [Fact]
    public async Task LimitOfOneFamily_DoesNotCountTheOther_AndALowerOneActsAtOnce()
    {
        BgpSpeaker left = Speaker("10.0.0.1", 65001);
        BgpSpeaker right = Speaker("10.0.0.2", 65002);
        for (int i = 0; i < 5; i++)
        {
            await right.OriginateAsync(IpPrefix.Parse($"10.2.{i}.0/24"), RouteAttributes.Default);
            await right.OriginateAsync(IpPrefix.Parse($"2001:db8:{i}::/48"), RouteAttributes.Default);
        }

        PeerSettings settings = Peer("10.0.0.2", 65002) with { PrefixLimit = new PrefixLimit { IPv4 = 5, IPv6 = 100 } };
        await left.AddPeerAsync(settings);
        await right.AddPeerAsync(Peer("10.0.0.1", 65001) with { Connect = ConnectMode.Passive });
        await UntilAsync(async () => (await First(left)).Families.Sum(f => f.Received) == 10, "all routes");

        await left.UpdatePeerAsync(settings with { PrefixLimit = new PrefixLimit { IPv4 = 5, IPv6 = 4 } });

        await UntilAsync(async () => (await First(left)).HeldDown is not null, "held down");
        Assert.Equal("more than 4 IPv6 prefixes received", (await First(left)).HeldDown);
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
