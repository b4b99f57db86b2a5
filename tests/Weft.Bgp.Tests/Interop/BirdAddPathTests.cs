using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Bgp.Tests.Support;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Interop;

/// <summary>RFC 7911 with BIRD: one session of it tells two paths of a prefix, another one hears them from us.</summary>
public sealed class BirdAddPathTests
{
    private const string Own = "127.0.12.1";
    private const string Teller = "127.0.12.2";
    private const string Hearer = "127.0.12.3";

    /// <summary>BIRD keeps one session per address and port of a neighbour.</summary>
    private const string OwnToHearer = "127.0.12.4";

    private static string Configuration(int teller, int hearer, int weft) => $$"""
        router id 10.0.12.2;
        protocol device {}
        ipv4 table heard4; ipv6 table heard6;
        protocol static s4a { ipv4; route 192.0.2.0/24 blackhole { bgp_community.add((65002,1)); }; }
        protocol static s4b { ipv4 { preference 150; }; route 192.0.2.0/24 blackhole { bgp_community.add((65002,2)); bgp_path.prepend(65077); }; }
        protocol static s6a { ipv6; route 2001:db8:2::/48 blackhole { bgp_community.add((65002,1)); }; }
        protocol static s6b { ipv6 { preference 150; }; route 2001:db8:2::/48 blackhole { bgp_community.add((65002,2)); }; }
        template bgp peer { multihop; connect delay time 1; connect retry time 1; error wait time 1, 2; }
        protocol bgp tells from peer { local {{Teller}} port {{teller}} as 65002; neighbor {{Own}} port {{weft}} as 65001;
          ipv4 { add paths tx; import none; export where source = RTS_STATIC; next hop address 10.0.12.2; };
          ipv6 { add paths tx; import none; export where source = RTS_STATIC; next hop address 2001:db8::2; };
        }
        protocol bgp hears from peer { local {{Hearer}} port {{hearer}} as 65003; neighbor {{OwnToHearer}} port {{weft}} as 65001;
          ipv4 { table heard4; add paths rx; import all; export none; };
          ipv6 { table heard6; add paths rx; import all; export none; };
        }
        """;

    private static PeerSettings Peer(string name, string address, int port, uint remoteAs, AddPathMode mode) => new()
    {
        Name = name,
        Address = IpAddress.Parse(address),
        LocalAddress = IpAddress.Parse(address == Hearer ? OwnToHearer : Own),
        Port = port,
        RemoteAs = remoteAs,
        Families = AddressFamilies.Both,
        ConnectRetryTime = TimeSpan.FromSeconds(1),
        LocalIPv4 = IpAddress.Parse("10.0.12.1"),
        LocalIPv6 = IpAddress.Parse("2001:db8::1"),
        AddPath = mode,
    };

    [Fact]
    public async Task BothPaths_ArriveAndAreToldOn_OneIsWithdrawn()
    {
        int teller = BirdProcess.FreePort(Teller);
        int hearer = BirdProcess.FreePort(Hearer);
        using BirdProcess bird = await BirdProcess.StartAsync(Configuration(teller, hearer, BirdProcess.FreePort(Own)));
        using var stop = new CancellationTokenSource();
        var speaker = new BgpSpeaker(new SpeakerOptions { LocalAs = 65001, RouterId = IpAddress.Parse("10.0.12.1") }, new SocketTransport(), AllNextHopsReachable.Instance, TimeProvider.System, NullLogger.Instance);
        Task running = speaker.RunAsync(stop.Token);
        await speaker.AddPeerAsync(Peer("tells", Teller, teller, 65002, AddPathMode.Both));
        await speaker.AddPeerAsync(Peer("hears", Hearer, hearer, 65003, AddPathMode.Send));

        await Poll.UntilAsync(async () => (await speaker.GetRoutesAsync(new RouteQuery { FromPeer = "tells" }))!.Value.Length == 4, "four paths", () => DescribeAsync(speaker, bird));
        await Poll.UntilAsync(async () => Count(await bird.AskAsync("show route all table heard4"), "(65002,") == 2
            && Count(await bird.AskAsync("show route all table heard6"), "(65002,") == 2, "both paths of both families at BIRD", () => DescribeAsync(speaker, bird));

        ImmutableArray<RouteSnapshot> routes = (await speaker.GetRoutesAsync(new RouteQuery { FromPeer = "tells", Family = IpFamily.IPv4 }))!.Value;
        Assert.Equal(2, routes.Select(static r => r.PathId).Distinct().Count());
        Assert.Equal(["65002", "65002 65077"], routes.Select(static r => r.AsPath));
        ImmutableArray<PeerSnapshot> peers = await speaker.GetPeersAsync();
        Assert.Equal((AddressFamilies.Both, AddressFamilies.None), (peers[1].Negotiated!.AddPathReceive, peers[1].Negotiated!.AddPathSend));
        Assert.Equal((AddressFamilies.None, AddressFamilies.Both), (peers[0].Negotiated!.AddPathReceive, peers[0].Negotiated!.AddPathSend));
        Assert.All(peers[0].Families, static f => Assert.Equal((2, true), (f.Advertised, f.EndOfRibSent)));

        await bird.AskAsync("disable s4a");
        await bird.AskAsync("disable s6b");
        await Poll.UntilAsync(async () => await bird.AskAsync("show route all table heard4") is var ipv4 && ipv4.Contains("(65002,2)") && !ipv4.Contains("(65002,1)")
            && await bird.AskAsync("show route all table heard6") is var ipv6 && ipv6.Contains("(65002,1)") && !ipv6.Contains("(65002,2)"), "one path each", () => DescribeAsync(speaker, bird));

        await bird.AskAsync("enable s4a");
        await speaker.UpdatePeerAsync(Peer("hears", Hearer, hearer, 65003, AddPathMode.Send) with { AddPathLimit = 1 });
        await Poll.UntilAsync(async () => await bird.AskAsync("show route all table heard4") is var ipv4 && ipv4.Contains("(65002,1)") && !ipv4.Contains("(65002,2)"), "the best path alone",
            () => DescribeAsync(speaker, bird));

        await stop.CancelAsync();
        await running;
    }

    private static int Count(string text, string part) => text.Split(part).Length - 1;

    private static async Task<string> DescribeAsync(BgpSpeaker speaker, BirdProcess bird) =>
        string.Join('\n', (await speaker.GetPeersAsync()).Select(static p => $"{p.Settings.Name} {p.State} {p.LastError} {string.Join(',', p.Families)}"))
        + "\n" + await bird.AskAsync("show protocols all") + await bird.AskAsync("show route all table heard4") + await bird.AskAsync("show route all table heard6");
}
