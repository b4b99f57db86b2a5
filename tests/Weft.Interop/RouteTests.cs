using System.Text.Json.Nodes;
using Weft.Interop.Peers;

namespace Weft.Interop;

/// <summary>Routes over a session that stands: announced, changed, withdrawn, asked for again, carried on, limited.</summary>
public abstract class RouteTests : PeerTests
{
    [Fact]
    public async Task AnnouncedAndWithdrawn_TheOtherSideFollows_AndTheSessionStays()
    {
        await using Lab lab = await Lab.CreateAsync();
        PeerPlan plan = new();
        (IPeer peer, Router weft) = await StartAsync(lab, plan);
        await SettledAsync(peer, weft, plan);

        foreach ((string added, string gone) in new[] { ("198.51.100.0/24", plan.PeerIPv4Route), ("2001:db8:51::/48", plan.PeerIPv6Route) })
        {
            await peer.AnnounceAsync(added);
            await Eventually($"{added} in the kernel", async () => (await lab.KernelAsync()).Contains(added), peer, weft);
            await peer.WithdrawAsync(gone);
            await Eventually($"{gone} has left the kernel", async () => !(await lab.KernelAsync()).Contains(gone), peer, weft);
        }

        await weft.ReloadAsync(plan.WeftSettings().Replace("10.65.0.0/26, 2001:db8:65::/64", "10.66.0.0/26, 2001:db8:66::/64"));
        await Eventually("our new routes there", async () => Holds(await peer.RoutesAsync(), ["10.66.0.0/26", "2001:db8:66::/64"]), peer, weft);
        await Eventually("our old routes gone there", async () => await peer.RoutesAsync() is var routes && !plan.WeftRoutes.Any(routes.Contains), peer, weft);
        Assert.Equal(1, await weft.EstablishedCountAsync());
    }

    [Fact]
    public async Task RouteRefresh_IsAnsweredWithTheWholeTable()
    {
        await using Lab lab = await Lab.CreateAsync();
        PeerPlan plan = new();
        (IPeer peer, Router weft) = await StartAsync(lab, plan);
        await SettledAsync(peer, weft, plan);
        int before = (int)(await weft.NeighborAsync())!["messagesSent"]!["updates"]!;

        if (!await peer.AskRefreshAsync())
        {
            // It never asks, so weft shows that it can: the table is sent again.
            await weft.OperateAsync("reset", "peer", "soft", "out");
        }

        await Eventually("both routes are sent again", async () => (int)(await weft.NeighborAsync())!["messagesSent"]!["updates"]! >= before + 2, peer, weft);
        await SettledAsync(peer, weft, plan);
        Assert.Equal(1, await weft.EstablishedCountAsync());
    }

    /// <summary>The peer's routes go through weft to a BIRD of a third AS, and that one's to the peer.</summary>
    [Fact]
    public async Task CommunitiesOfEveryKind_PassThroughUnchanged()
    {
        await using Lab lab = await Lab.CreateAsync();
        PeerPlan plan = new() { WeftExtra = "next-hop-self = yes" };
        PeerPlan third = plan with { PeerHost = 3, PeerPort = 1179, WeftWaits = true, PeerAs = 65003, PeerIPv4Route = "203.0.113.0/24", PeerIPv6Route = "2001:db8:3::/48" };
        (IPeer peer, Router weft) = await StartAsync(lab, plan, third.NeighborSettings("third"));
        Bird observer = Bird.Two();
        await observer.StartAsync(lab, third);
        await SettledAsync(peer, weft, plan);

        foreach ((IPeer at, PeerPlan from) in new (IPeer, PeerPlan)[] { (observer, plan), (peer, third) })
        {
            foreach (string route in from.PeerRoutes)
            {
                await Eventually($"{route} with its communities at {at.Name}", async () => Holds(await at.RouteAsync(route), at.Texts(from.Marks)), at, weft);
            }
        }

        JsonNode seen = (await weft.ShowAsync("route", plan.PeerIPv4Route))!["routes"]![0]!;
        Assert.Equal([plan.Marks.Standard, plan.Marks.Large], seen["communities"]!.AsArray().Select(static c => (string)c!));
        Assert.Equal(["rt:" + plan.Marks.RouteTarget], seen["extendedCommunities"]!.AsArray().Select(static c => (string)c!));
    }

    [Fact]
    public async Task MoreRoutesThanTheLimit_EndTheSessionWithCease()
    {
        await using Lab lab = await Lab.CreateAsync();
        PeerPlan plan = new() { WeftExtra = "maximum-prefixes = 2" };
        (IPeer peer, Router weft) = await StartAsync(lab, plan);
        await SettledAsync(peer, weft, plan);

        foreach (int i in Enumerable.Range(1, 3))
        {
            await peer.AnnounceAsync($"198.51.{i}.0/24");
        }

        await Eventually("weft says why", async () => ((string?)(await weft.NeighborAsync())?["lastError"])?.Contains("6/1") == true, peer, weft);
    }
}
