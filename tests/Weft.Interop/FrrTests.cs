using Weft.Interop.Peers;

namespace Weft.Interop;

/// <summary>weft beside Debian's FRR.</summary>
public static class FrrTests
{
    public sealed class Sessions : SessionTests
    {
        private protected override IPeer NewPeer() => new Frr();
    }

    public sealed class Protection : ProtectionTests
    {
        private protected override IPeer NewPeer() => new Frr();
    }

    public sealed class Routes : RouteTests
    {
        private protected override IPeer NewPeer() => new Frr();
    }

    public sealed class Unnumbered : PeerTests
    {
        private protected override IPeer NewPeer() => new Frr();

        /// <summary>Both send router advertisements, and find each other by them; IPv4 routes go by IPv6 next hops (RFC 8950).</summary>
        [Fact]
        public async Task KnownByTheLinkAlone_BothFindEachOther_AndRoutesGoBothWays()
        {
            await using Lab lab = await Lab.CreateAsync();
            PeerPlan plan = new() { Unnumbered = true };
            (IPeer peer, Router weft) = await StartAsync(lab, plan);

            await SettledAsync(peer, weft, plan);

            await Eventually("IPv4 routes lead to a link-local address", async () => (await lab.KernelAsync()).Contains($"{plan.PeerIPv4Route} via inet6 fe80::", StringComparison.Ordinal), peer, weft);
            Assert.Equal(["ipv4"], (await weft.NeighborAsync())!["session"]!["extendedNextHop"]!.AsArray().Select(static f => (string)f!));
        }
    }

    public sealed class Restarts : RestartTests
    {
        private protected override IPeer NewPeer() => new Frr();
    }
}
