using Weft.Interop.Peers;

namespace Weft.Interop;

/// <summary>A side dies and comes back (RFC 4724): traffic flows on meanwhile.</summary>
public abstract class RestartTests : PeerTests
{
    [Fact]
    public async Task PeerKilledAndRestarted_KernelRoutesNeverVanish()
    {
        await using Lab lab = await Lab.CreateAsync();
        PeerPlan plan = new() { GracefulRestart = true };
        (IPeer peer, Router weft) = await StartAsync(lab, plan);
        await SettledAsync(peer, weft, plan);
        await Eventually("the kernel has its routes", async () => Holds(await lab.KernelAsync(), plan.PeerRoutes), peer, weft);
        using var stop = new CancellationTokenSource();
        Task<string?> watching = WatchKernelAsync(lab, plan, stop.Token);

        await peer.KillAndStartAgainAsync();
        await Eventually("the session is new", async () => await weft.EstablishedCountAsync() == 2, peer, weft, 40);
        await SettledAsync(peer, weft, plan);
        await Eventually("nothing is stale any more", async () => !(await weft.RoutesAsync()).Contains("\"stale\":true"), peer, weft, 30);

        await stop.CancelAsync();
        Assert.True(await watching is null, $"{await watching}\n{weft.Process.Log}");
    }

    [Fact]
    public async Task WeftKilledAndRestarted_KernelAndPeerKeepTheRoutes()
    {
        await using Lab lab = await Lab.CreateAsync();
        PeerPlan plan = new() { GracefulRestart = true };
        (IPeer peer, Router weft) = await StartAsync(lab, plan);
        await SettledAsync(peer, weft, plan);
        await Eventually("the kernel has its routes", async () => Holds(await lab.KernelAsync(), plan.PeerRoutes), peer, weft);
        using var stop = new CancellationTokenSource();
        Task<string?> watching = WatchKernelAsync(lab, plan, stop.Token);

        weft.Process.Kill();
        await Eventually("the peer has closed the dead session", async () => await lab.ConnectionsAsync() == 0, peer, weft);
        string meanwhile = await peer.RoutesAsync();
        weft.StartAgain();
        await Eventually("the session is back", () => weft.IsEstablishedAsync(), peer, weft, 40);
        await SettledAsync(peer, weft, plan);

        await stop.CancelAsync();
        Assert.Null(await watching);
        Assert.True(Holds(meanwhile, plan.WeftRoutes), meanwhile);
    }

    [Fact]
    public async Task WeftStoppedAndRestarted_RoutesLeaveThePeerOnlyWithoutGracefulRestart()
    {
        await using Lab lab = await Lab.CreateAsync();
        PeerPlan plan = new() { RouterExtra = "restart-time = 0s" };
        (IPeer peer, Router weft) = await StartAsync(lab, plan);
        await SettledAsync(peer, weft, plan);

        await weft.Process.StopAsync();
        await Eventually("our routes have left", async () => await peer.RoutesAsync() is var routes && !plan.WeftRoutes.Any(routes.Contains), peer, weft);

        weft.StartAgain();
        await SettledAsync(peer, weft, plan);
    }

    /// <summary>Reads the kernel over and over; what it says the moment a route was missing, else null.</summary>
    private static async Task<string?> WatchKernelAsync(Lab lab, PeerPlan plan, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            string kernel = await lab.KernelAsync();
            if (!Holds(kernel, plan.PeerRoutes))
            {
                return $"at {DateTimeOffset.UtcNow:O} the kernel held only: {kernel}";
            }

            await Task.Delay(100, CancellationToken.None);
        }

        return null;
    }
}
