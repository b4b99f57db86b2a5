using Weft.Interop.Peers;

namespace Weft.Interop;

/// <summary>One implementation beside weft: how a test gets the pair, and what it may wait for. One class per implementation and subject, so that they run side by side.</summary>
public abstract class PeerTests
{
    private protected abstract IPeer NewPeer();

    private protected async Task<(IPeer Peer, Router Weft)> StartAsync(Lab lab, PeerPlan plan, string moreSettings = "")
    {
        IPeer peer = NewPeer();
        if (peer.Missing is { } reason)
        {
            // What Debian's own suite has must be there; what has to be fetched from the next one may be missing, and says why.
            Assert.SkipWhen(peer.Name == "BIRD 3", $"{peer.Name}: {reason}");
            Assert.Fail($"{peer.Name}: {reason}");
        }

        Router weft = Router.Start(lab, plan.WeftSettings() + "\n" + moreSettings);
        await peer.StartAsync(lab, plan);
        return (peer, weft);
    }

    /// <summary>The session stands and each side has the other's routes.</summary>
    private protected static async Task SettledAsync(IPeer peer, Router weft, PeerPlan plan)
    {
        await Eventually("the session is up", () => weft.IsEstablishedAsync(), peer, weft, 30);
        await Eventually("its routes here", async () => Holds(await weft.RoutesAsync(), plan.PeerRoutes), peer, weft);
        await Eventually("our routes there", async () => Holds(await peer.RoutesAsync(), plan.WeftRoutes), peer, weft);
    }

    private protected static bool Holds(string text, IEnumerable<string> all) => all.All(text.Contains);

    private protected static Task Eventually(string what, Func<Task<bool>> condition, IPeer peer, Router weft, double seconds = 20) => Shell.EventuallyAsync(
        $"{peer.Name}: {what}", condition, async () => $"{await weft.DescribeAsync()}\n{await peer.SessionAsync()}\n{await peer.RoutesAsync()}\n{peer.Log}", seconds);
}
