using System.Text.Json.Nodes;
using Weft.Interop.Peers;

namespace Weft.Interop;

/// <summary>Sessions of every make: who dials, over which family, with which AS; and how they end.</summary>
public abstract class SessionTests : PeerTests
{
    [Theory]
    [InlineData(false, 65001u, false, false)] // external, weft dials
    [InlineData(true, 4200000001u, true, false)] // over IPv6, four-octet AS, the peer dials
    [InlineData(false, 65002u, false, true)] // internal, both dial
    public async Task BothFamiliesOnOneSession_RoutesGoBothWays(bool overIPv6, uint weftAs, bool weftWaits, bool bothDial)
    {
        await using Lab lab = await Lab.CreateAsync();
        PeerPlan plan = new() { OverIPv6 = overIPv6, WeftAs = weftAs, WeftWaits = weftWaits, PeerWaits = !weftWaits && !bothDial };
        (IPeer peer, Router weft) = await StartAsync(lab, plan);

        await SettledAsync(peer, weft, plan);

        JsonNode session = (await weft.NeighborAsync())!["session"]!;
        Assert.Equal(["ipv4", "ipv6"], session["families"]!.AsArray().Select(static f => (string)f!));
        Assert.True((bool)session["fourOctetAs"]!);
        await Eventually("the kernel has its routes", async () => Holds(await lab.KernelAsync(), plan.PeerRoutes), peer, weft);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task OneFamily_OverItsOwnTransport_TheOtherIsNotSpoken(bool ipv6)
    {
        await using Lab lab = await Lab.CreateAsync();
        PeerPlan plan = new() { OverIPv6 = ipv6, IPv4 = !ipv6, IPv6 = ipv6 };
        (IPeer peer, Router weft) = await StartAsync(lab, plan);

        await SettledAsync(peer, weft, plan);

        Assert.Equal([ipv6 ? "ipv6" : "ipv4"], (await weft.NeighborAsync())!["session"]!["families"]!.AsArray().Select(static f => (string)f!));
    }

    [Fact]
    public async Task ShutdownWords_ArriveOnBothSides()
    {
        await using Lab lab = await Lab.CreateAsync();
        PeerPlan plan = new();
        (IPeer peer, Router weft) = await StartAsync(lab, plan);
        await SettledAsync(peer, weft, plan);

        await weft.OperateAsync("shutdown", "peer", "gone-fishing");
        await Eventually("our words there", async () => (await peer.SessionAsync() + peer.Log).Contains("gone-fishing"), peer, weft);
        await Eventually("its routes left the kernel", async () => (await lab.KernelAsync()).Length == 0, peer, weft);

        await weft.OperateAsync("enable", "peer");
        await SettledAsync(peer, weft, plan);
        await peer.ShutDownAsync("back-at-noon");
        await Eventually("its words here", async () => ((string?)(await weft.NeighborAsync())?["lastError"])?.Contains("back-at-noon") == true, peer, weft);
    }
}
