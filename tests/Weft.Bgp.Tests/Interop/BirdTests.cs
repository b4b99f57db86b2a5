using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Interop;

/// <summary>The speaker against a real BIRD over loopback TCP.</summary>
public sealed class BirdTests
{
    private const string Own = "127.0.9.1";
    private const string Bird = "127.0.9.2";

    private static string Configuration(int birdPort, int weftPort, uint weftAs, uint birdAs, string extra = "") => $$"""
        router id 10.0.9.2;
        protocol device {}
        protocol static s4 { ipv4; route 192.0.2.0/24 blackhole { bgp_community.add((65002,10)); bgp_large_community.add((65002,1,2)); }; route 198.51.100.0/24 blackhole; }
        protocol static s6 { ipv6; route 2001:db8:2::/48 blackhole; }
        protocol bgp weft {
          local {{Bird}} port {{birdPort}} as {{birdAs}};
          neighbor {{Own}} port {{weftPort}} as {{weftAs}};
          multihop; connect delay time 1; connect retry time 1; error wait time 1, 2;
          {{extra}}
          ipv4 { import all; export where source = RTS_STATIC; next hop address 10.0.9.2; };
          ipv6 { import all; export where source = RTS_STATIC; next hop address 2001:db8::2; };
        }
        """;

    private static SpeakerOptions Options(uint localAs) => new() { LocalAs = localAs, RouterId = IpAddress.Parse("10.0.9.1") };

    private static PeerSettings Peer(int port, uint remoteAs) => new()
    {
        Name = "bird",
        Address = IpAddress.Parse(Bird),
        LocalAddress = IpAddress.Parse(Own),
        Port = port,
        RemoteAs = remoteAs,
        Families = AddressFamilies.Both,
        ConnectRetryTime = TimeSpan.FromSeconds(1),
        LocalIPv4 = IpAddress.Parse("10.0.9.1"),
        LocalIPv6 = IpAddress.Parse("2001:db8::1"),
    };

    [Theory]
    [InlineData(65001u, 65002u)]
    [InlineData(4200000001u, 65002u)]
    [InlineData(65002u, 65002u)]
    public async Task SessionComesUp_RoutesGoBothWays_WithdrawalsToo(uint weftAs, uint birdAs)
    {
        int birdPort = BirdProcess.FreePort(Bird);
        using BirdProcess bird = await BirdProcess.StartAsync(Configuration(birdPort, BirdProcess.FreePort(Own), weftAs, birdAs));
        using var stop = new CancellationTokenSource();
        var speaker = new BgpSpeaker(Options(weftAs), new SocketTransport(), AllNextHopsReachable.Instance, TimeProvider.System, NullLogger.Instance);
        var table = new ForwardingTable();
        Task running = speaker.RunAsync(stop.Token);
        await speaker.SubscribeAsync(table);
        await speaker.OriginateAsync(IpPrefix.Parse("10.65.0.0/26"), new RouteAttributes { Communities = [65001u << 16 | 7], Med = 30 });
        await speaker.OriginateAsync(IpPrefix.Parse("2001:db8:1::/64"), RouteAttributes.Default);

        await speaker.AddPeerAsync(Peer(birdPort, birdAs));
        await Poll.UntilAsync(() => Task.FromResult(table.Count == 5), "three routes of BIRD and two of our own", async () => await DescribeAsync(speaker, bird));
        await Poll.UntilAsync(
            async () => (await bird.AskAsync("show route all 10.65.0.0/26")).Contains("(65001,7)") && (await bird.AskAsync("show route 2001:db8:1::/64")).Contains("weft"),
            "our routes at BIRD",
            async () => await DescribeAsync(speaker, bird));

        PeerSnapshot peer = Assert.Single(await speaker.GetPeersAsync());
        Assert.Equal(SessionState.Established, peer.State);
        Assert.Equal(2, peer.Families.Single(f => f.Family == IpFamily.IPv4).Received);
        Assert.True(peer.Families.All(f => f.EndOfRibReceived && f.EndOfRibSent));
        ImmutableArray<RouteSnapshot> routes = (await speaker.GetRoutesAsync(new RouteQuery { Prefix = IpPrefix.Parse("192.0.2.0/24") }))!.Value;
        RouteSnapshot route = Assert.Single(routes);
        Assert.Equal([65002u << 16 | 10], route.Communities);
        Assert.Equal([new LargeCommunity(65002, 1, 2)], route.LargeCommunities);
        Assert.Equal(weftAs == birdAs ? "" : "65002", route.AsPath);
        Assert.Equal(IpAddress.Parse("10.0.9.2"), route.NextHop);

        await speaker.WithdrawAsync(IpPrefix.Parse("10.65.0.0/26"));
        await bird.AskAsync("disable s6");
        await Poll.UntilAsync(() => Task.FromResult(table.Count == 3), "one IPv6 route less", async () => await DescribeAsync(speaker, bird));
        await Poll.UntilAsync(async () => !(await bird.AskAsync("show route")).Contains("10.65.0.0/26"), "our withdrawal at BIRD");

        await stop.CancelAsync();
        await running;
        await Poll.UntilAsync(async () => (await bird.AskAsync("show protocols all weft")).Contains("Administrative shutdown"), "the Cease at BIRD",
            () => bird.AskAsync("show protocols all weft"));
    }

    [Fact]
    public async Task WrongAs_SendsNotification22_ReportedOnBothSides()
    {
        int birdPort = BirdProcess.FreePort(Bird);
        using BirdProcess bird = await BirdProcess.StartAsync(Configuration(birdPort, BirdProcess.FreePort(Own), 65001, 65009));
        using var stop = new CancellationTokenSource();
        var speaker = new BgpSpeaker(Options(65001), new SocketTransport(), AllNextHopsReachable.Instance, TimeProvider.System, NullLogger.Instance);
        Task running = speaker.RunAsync(stop.Token);

        await speaker.AddPeerAsync(Peer(birdPort, 65002));
        await Poll.UntilAsync(async () => (await speaker.GetPeersAsync())[0].LastError?.Contains("(2/2)") == true, "the error is reported",
            async () => await DescribeAsync(speaker, bird));

        PeerSnapshot peer = (await speaker.GetPeersAsync())[0];
        Assert.Contains("AS 65009", peer.LastError);
        Assert.True(peer.Sent.Notifications > 0);
        await Poll.UntilAsync(async () => (await bird.AskAsync("show protocols all weft")).Contains("Bad peer AS"), "BIRD got it", () => bird.AskAsync("show protocols all weft"));

        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task BothSidesDial_OneSessionStays_ShutdownMessageIsReported()
    {
        int birdPort = BirdProcess.FreePort(Bird);
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Parse(Own), 0));
        listener.Listen();
        int port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        using BirdProcess bird = await BirdProcess.StartAsync(Configuration(birdPort, port, 65001, 65002));
        using var stop = new CancellationTokenSource();
        var speaker = new BgpSpeaker(Options(65001), new SocketTransport(), AllNextHopsReachable.Instance, TimeProvider.System, NullLogger.Instance);
        Task running = speaker.RunAsync(stop.Token);
        Task listening = SocketTransport.ListenAsync(listener, speaker, stop.Token);

        await speaker.AddPeerAsync(Peer(birdPort, 65002));
        await Poll.UntilAsync(async () => (await speaker.GetPeersAsync())[0].Families.Sum(f => f.Received) == 3, "all routes", async () => await DescribeAsync(speaker, bird));
        await Task.Delay(1500);
        Assert.Equal(1, (await speaker.GetPeersAsync())[0].EstablishedCount);
        await bird.AskAsync("disable weft \"back at noon\"");
        await Poll.UntilAsync(async () => (await speaker.GetPeersAsync())[0].LastError?.Contains("back at noon") == true, "the shutdown message",
            async () => await DescribeAsync(speaker, bird));
        await Poll.UntilAsync(async () => (await speaker.GetRoutesAsync(new RouteQuery()))!.Value.IsEmpty, "its routes are gone");

        await stop.CancelAsync();
        await Task.WhenAll(running, listening);
    }

    private static async Task<string> DescribeAsync(BgpSpeaker speaker, BirdProcess bird)
    {
        ImmutableArray<PeerSnapshot> peers = await speaker.GetPeersAsync();
        return string.Join('\n', peers.Select(static p => $"{p.State} {p.LastError} {string.Join(',', p.Families)} in {p.Received} out {p.Sent}"))
            + "\n" + await bird.AskAsync("show protocols all weft") + await bird.AskAsync("show route all");
    }

    /// <summary>What the kernel would hold.</summary>
    private sealed class ForwardingTable : IRibListener
    {
        private readonly Lock _gate = new();
        private readonly Dictionary<IpPrefix, IpAddress> _routes = [];

        public int Count
        {
            get
            {
                lock (_gate)
                {
                    return _routes.Count;
                }
            }
        }

        public void OnBestChanged(in BestChange change)
        {
            lock (_gate)
            {
                if (change.IsWithdrawn)
                {
                    Assert.True(_routes.Remove(change.Prefix));
                }
                else
                {
                    _routes[change.Prefix] = change.NextHops[0].Address;
                }
            }
        }

        public void OnBatchEnd(IpFamily family)
        {
        }
    }
}
