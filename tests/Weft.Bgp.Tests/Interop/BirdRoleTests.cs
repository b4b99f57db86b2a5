using Microsoft.Extensions.Logging.Abstractions;
using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Interop;

/// <summary>RFC 9234 against BIRD 2, which speaks it too.</summary>
public sealed class BirdRoleTests
{
    private const string Own = "127.0.9.11";
    private const string Bird = "127.0.9.12";

    private static string Configuration(int port, string role) => $$"""
        router id 10.0.9.12;
        protocol device {}
        protocol static s4 { ipv4; route 192.0.2.0/24 blackhole; route 198.51.100.0/24 blackhole { bgp_otc = 65099; }; }
        protocol bgp weft {
          local {{Bird}} port {{port}} as 65002;
          neighbor {{Own}} as 65001; passive;
          multihop; {{(role.Length == 0 ? "" : $"local role {role};")}}
          ipv4 { import keep filtered; import all; export where source = RTS_STATIC; next hop address 10.0.9.12; };
        }
        """;

    private static async Task RunAsync(string birdRole, BgpRole? role, bool strict, Func<BgpSpeaker, BirdProcess, Task> check)
    {
        int port = BirdProcess.FreePort(Bird);
        using BirdProcess bird = await BirdProcess.StartAsync(Configuration(port, birdRole));
        using var stop = new CancellationTokenSource();
        var options = new SpeakerOptions { LocalAs = 65001, RouterId = IpAddress.Parse("10.0.9.11") };
        var speaker = new BgpSpeaker(options, new SocketTransport(), AllNextHopsReachable.Instance, TimeProvider.System, NullLogger.Instance);
        Task running = speaker.RunAsync(stop.Token);
        await speaker.OriginateAsync(IpPrefix.Parse("10.65.0.0/26"), RouteAttributes.Default);
        await speaker.AddPeerAsync(new PeerSettings
        {
            Name = "bird",
            Address = IpAddress.Parse(Bird),
            LocalAddress = IpAddress.Parse(Own),
            Port = port,
            RemoteAs = 65002,
            ConnectRetryTime = TimeSpan.FromSeconds(1),
            LocalIPv4 = IpAddress.Parse("10.0.9.11"),
            Role = role,
            RoleStrict = strict,
        });

        await check(speaker, bird);

        await stop.CancelAsync();
        await running;
    }

    private static async Task<string> DescribeAsync(BgpSpeaker speaker, BirdProcess bird) =>
        $"{(await speaker.GetPeersAsync())[0]}\n{await bird.AskAsync("show protocols all weft")}{await bird.AskAsync("show route all")}";

    [Fact]
    public Task WeAreTheProvider_OurRouteIsMarked_TheLeakIsRefused() => RunAsync("customer", BgpRole.Provider, strict: true, async (speaker, bird) =>
    {
        await Poll.UntilAsync(async () => (await bird.AskAsync("show route all 10.65.0.0/26")).Contains("BGP.otc: 65001"), "our mark at BIRD", () => DescribeAsync(speaker, bird));
        await Poll.UntilAsync(async () => (await speaker.GetRoutesAsync(new RouteQuery { FromPeer = "bird" }))!.Value.Length >= 1, "routes", () => DescribeAsync(speaker, bird));
        Assert.Equal(BgpRole.Customer, (await speaker.GetPeersAsync())[0].Negotiated?.RemoteRole);
        Assert.Contains("Role: customer", (await bird.AskAsync("show protocols all weft")));

        // BIRD holds back marked routes of other neighbours, not its own.
        await Poll.UntilAsync(async () => (await speaker.GetRoutesAsync(new RouteQuery { FromPeer = "bird" }))!.Value.Length == 2, "both routes", () => DescribeAsync(speaker, bird));
        Assert.Equal([PathStanding.Best, PathStanding.Leak], (await speaker.GetRoutesAsync(new RouteQuery { FromPeer = "bird" }))!.Value.Select(static r => r.Standing));
    });

    [Fact]
    public Task WeAreTheProvider_ButBirdKnowsNoRoles_TheLeakIsRefused() => RunAsync("", BgpRole.Provider, strict: false, async (speaker, bird) =>
    {
        await Poll.UntilAsync(async () => (await speaker.GetRoutesAsync(new RouteQuery { FromPeer = "bird" }))!.Value.Length == 2, "routes", () => DescribeAsync(speaker, bird));

        RouteSnapshot leak = (await speaker.GetRoutesAsync(new RouteQuery { FromPeer = "bird" }))!.Value.Single(r => r.OnlyToCustomer is not null);
        Assert.Equal((65099u, PathStanding.Leak), (leak.OnlyToCustomer!.Value, leak.Standing));
    });

    [Fact]
    public Task WeAreTheCustomer_BirdsRoutesCarryItsMark() => RunAsync("provider", BgpRole.Customer, strict: true, async (speaker, bird) =>
    {
        await Poll.UntilAsync(async () => (await speaker.GetRoutesAsync(new RouteQuery { FromPeer = "bird" }))!.Value.Length == 2, "routes", () => DescribeAsync(speaker, bird));

        Assert.Equal([65002u, 65099u], (await speaker.GetRoutesAsync(new RouteQuery { FromPeer = "bird" }))!.Value.Select(static r => r.OnlyToCustomer!.Value).Order());
        await Poll.UntilAsync(async () => (await bird.AskAsync("show route 10.65.0.0/26")).Contains("weft"), "our own route at BIRD", () => DescribeAsync(speaker, bird));
    });

    [Theory]
    [InlineData("peer", BgpRole.Provider, false)]
    [InlineData("provider", BgpRole.Provider, false)]
    [InlineData("", BgpRole.Peer, true)]
    public Task RolesThatDoNotFit_EndIn2_11(string birdRole, BgpRole role, bool strict) => RunAsync(birdRole, role, strict, async (speaker, bird) =>
        await Poll.UntilAsync(async () => (await speaker.GetPeersAsync())[0].LastError?.Contains("(2/11) Role Mismatch") == true, "the mismatch", () => DescribeAsync(speaker, bird)));
}
