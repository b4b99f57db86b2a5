using Microsoft.Extensions.Logging.Abstractions;
using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Interop;

/// <summary>RFC 5065: we stand between a BIRD in another member AS and one outside the confederation.</summary>
public sealed class BirdConfederationTests
{
    private const string Own = "127.0.9.21";
    private const string Member = "127.0.9.22";
    private const string Outside = "127.0.9.23";

    private static string Configuration(string address, string local, uint weftAs, string route, string extra) => $$"""
        router id 10.0.9.{{address[(address.LastIndexOf('.') + 1)..]}};
        protocol device {}
        protocol static s4 { ipv4; route {{route}} blackhole { bgp_local_pref = 250; bgp_med = 7; bgp_community.add((65000,10)); }; }
        protocol bgp weft {
          local {{address}} {{local}};
          neighbor {{Own}} as {{weftAs}}; passive; multihop; {{extra}}
          ipv4 { import all; export where source = RTS_STATIC; next hop address 10.0.9.{{address[(address.LastIndexOf('.') + 1)..]}}; };
        }
        """;

    private static PeerSettings Peer(string name, string address, int port, uint remoteAs) => new()
    {
        Name = name,
        Address = IpAddress.Parse(address),
        LocalAddress = IpAddress.Parse(Own),
        Port = port,
        RemoteAs = remoteAs,
        ConnectRetryTime = TimeSpan.FromSeconds(1),
        LocalIPv4 = IpAddress.Parse("10.0.9.21"),
    };

    [Fact]
    public async Task RoutesCrossTheConfederation_AsBirdUnderstandsIt()
    {
        int memberPort = BirdProcess.FreePort(Member);
        int outsidePort = BirdProcess.FreePort(Outside);
        using BirdProcess member = await BirdProcess.StartAsync(Configuration(
            Member, $"port {memberPort} as 65102", 65101, "192.0.2.0/24", "confederation 65000; confederation member yes;"));
        using BirdProcess outside = await BirdProcess.StartAsync(Configuration(Outside, $"port {outsidePort} as 65200", 65000, "198.51.100.0/24", ""));
        using var stop = new CancellationTokenSource();
        var options = new SpeakerOptions
        {
            LocalAs = 65101,
            RouterId = IpAddress.Parse("10.0.9.21"),
            Confederation = new Confederation { Id = 65000, Members = [65102] },
        };
        var speaker = new BgpSpeaker(options, new SocketTransport(), AllNextHopsReachable.Instance, TimeProvider.System, NullLogger.Instance);
        Task running = speaker.RunAsync(stop.Token);
        await speaker.OriginateAsync(IpPrefix.Parse("10.65.0.0/26"), RouteAttributes.Default);
        await speaker.AddPeerAsync(Peer("member", Member, memberPort, 65102));
        await speaker.AddPeerAsync(Peer("outside", Outside, outsidePort, 65200));
        async Task<string> Describe() => $"{string.Join('\n', await speaker.GetPeersAsync())}\n{await member.AskAsync("show route all")}\n{await outside.AskAsync("show route all")}";

        await Poll.UntilAsync(async () => (await speaker.GetRoutesAsync(new RouteQuery()))!.Value.Length == 3, "both routes and our own", Describe);
        await Poll.UntilAsync(async () => (await member.AskAsync("show route")).Contains("198.51.100.0/24") && (await outside.AskAsync("show route")).Contains("192.0.2.0/24"), "the other's route", Describe);

        RouteSnapshot fromMember = (await speaker.GetRoutesAsync(new RouteQuery { FromPeer = "member" }))!.Value.Single();
        Assert.Equal(("(65102)", 250u, 7u), (fromMember.AsPath, fromMember.LocalPreference, fromMember.Med!.Value));
        string atMember = await member.AskAsync("show route all 198.51.100.0/24");
        Assert.Contains("BGP.as_path: (65101) 65200", atMember);
        Assert.Contains("BGP.local_pref: 100", atMember);
        Assert.Contains("BGP.next_hop: 10.0.9.23", atMember);
        Assert.Contains("BGP.as_path: (65101)", await member.AskAsync("show route all 10.65.0.0/26"));
        string atOutside = await outside.AskAsync("show route all 192.0.2.0/24");
        Assert.Contains("BGP.as_path: 65000\n", atOutside);
        Assert.Contains("(65000,10)", atOutside);
        Assert.DoesNotContain("BGP.med", atOutside);
        Assert.Contains("BGP.as_path: 65000\n", await outside.AskAsync("show route all 10.65.0.0/26"));
        Assert.True((await speaker.GetPeersAsync()).Single(p => p.Settings.Name == "member").Negotiated!.IsConfederation);

        await stop.CancelAsync();
        await running;
    }
}
