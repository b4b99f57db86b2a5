using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Bgp.Rib;
using Weft.Linux.Namespaces;
using Weft.Linux.Netlink;
using Weft.Linux.Processes;
using Weft.Node.Router;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Router;

/// <summary>From best routes to the routes of a real kernel, in a namespace with two links: eth1 (10.0.1.1/24, fd01::1/64) and eth2 (10.0.2.1/24).</summary>
public sealed class FibFeederTests : IAsyncDisposable
{
    private const byte Protocol = 81;

    private readonly Space _space = new("fib");
    private Router _router;

    public FibFeederTests()
    {
        foreach (int i in (int[])[1, 2])
        {
            _space.Ip($"link add eth{i} type veth peer name far{i}");
            _space.Ip($"address add 10.0.{i}.1/24 dev eth{i}");
            _space.Ip($"-6 address add fd0{i}::1/64 dev eth{i} nodad");
            _space.Ip($"link set eth{i} up");
            _space.Ip($"link set far{i} up");
        }

        _router = new Router(_space);
    }

    public async ValueTask DisposeAsync()
    {
        await _router.DisposeAsync();
        _space.Dispose();
    }

    /// <summary>The part of the role below the speaker, with loops of its own.</summary>
    private sealed class Router : IAsyncDisposable, IHostListener
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly HostWatcher _watcher;
        private readonly Task _running;

        public Router(Space space)
        {
            Fib = new FibFeeder(new KernelFib(RouteSocket.Open(space.Namespace), Protocol, TimeProvider.System, NullLoggerFactory.Instance), TimeProvider.System, NullLogger.Instance);
            _watcher = space.Namespace.Run(() => new HostWatcher(Protocol, this, NullLogger.Instance));
            Fib.Host = () => _watcher.Current;
            Use(Settings);
            _running = Task.WhenAll(Fib.RunAsync(_stop.Token), _watcher.RunAsync(_stop.Token));
        }

        public FibFeeder Fib { get; }

        public static FibSettings Settings => new()
        {
            InstallRoutes = true, Protocol = Protocol, MetricIPv4 = 1024, MetricIPv6 = 1024, Rules = KernelRules.InstallEverything, Blackholes = [],
            HostRoutes = System.Collections.Immutable.ImmutableSortedDictionary<IpPrefix, IpAddress>.Empty, ResolveViaDefault = false,
        };

        public void Use(FibSettings settings) => Fib.TryPost(new FibMessage(FibEvent.Settings, settings));

        public void Best(string prefix, params string[] nextHops)
        {
            RouteNextHop[] hops = [.. nextHops.Select(h => new RouteNextHop(IpAddress.Parse(h), default, "peer", null))];
            IpPrefix parsed = IpPrefix.Parse(prefix);
            Fib.OnBestChanged(new BestChange { Prefix = parsed, NextHops = hops, IsLocal = false, IsInternal = false });
            Fib.OnBatchEnd(parsed.Family);
        }

        public void OnHostChanged() => Fib.TryPost(new FibMessage(FibEvent.Host));

        public void OnOwnRouteRemoved(IpPrefix prefix, uint metric) => Fib.TryPost(new FibMessage(FibEvent.OwnRouteRemoved, (prefix, metric)));

        public void OnOwnRoutesInDoubt() => Fib.DoubtKernel();

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _running;
            _watcher.Dispose();
            Fib.Dispose();
        }
    }

    private Task RoutesBecome(params string[] expected) => Poll.UntilEqual(string.Join('\n', expected), () => string.Join('\n', _space.Routes(Protocol)));

    [Fact]
    public async Task BestRoutes_AreInstalled_Replaced_AndWithdrawn()
    {
        _router.Best("10.9.0.0/16", "10.0.1.2");
        _router.Best("fd09::/48", "fd01::2");
        await RoutesBecome("10.9.0.0/16 via 10.0.1.2 dev eth1 metric 1024", "fd09::/48 via fd01::2 dev eth1 metric 1024");

        _router.Best("10.9.0.0/16", "10.0.2.2");
        await RoutesBecome("10.9.0.0/16 via 10.0.2.2 dev eth2 metric 1024", "fd09::/48 via fd01::2 dev eth1 metric 1024");

        _router.Best("10.9.0.0/16");
        _router.Best("fd09::/48");
        await RoutesBecome();
    }

    [Fact]
    public async Task EqualPaths_AreOneRouteWithSeveralHops()
    {
        _router.Best("10.9.0.0/16", "10.0.1.2", "10.0.2.2");
        _router.Best("fd09::/48", "fd01::2", "fd02::2");

        await RoutesBecome("10.9.0.0/16 via 10.0.1.2 dev eth1 via 10.0.2.2 dev eth2 metric 1024", "fd09::/48 via fd01::2 dev eth1 via fd02::2 dev eth2 metric 1024");
    }

    [Fact]
    public async Task Restart_KeepsEveryRoute_UntilSettled_ThenOnlyWhatWasConfirmed()
    {
        _router.Best("10.8.0.0/16", "10.0.1.2");
        _router.Best("10.9.0.0/16", "10.0.1.2", "10.0.2.2");
        await RoutesBecome("10.8.0.0/16 via 10.0.1.2 dev eth1 metric 1024", "10.9.0.0/16 via 10.0.1.2 dev eth1 via 10.0.2.2 dev eth2 metric 1024");

        await _router.DisposeAsync();
        _router = new Router(_space);
        _router.Best("10.9.0.0/16", "10.0.2.2");
        await RoutesBecome("10.8.0.0/16 via 10.0.1.2 dev eth1 metric 1024", "10.9.0.0/16 via 10.0.2.2 dev eth2 metric 1024");
        FibAnswer before = await _router.Fib.AskAsync([IpPrefix.Parse("10.8.0.0/16"), IpPrefix.Parse("10.9.0.0/16")], default);

        _router.Fib.TryPost(new FibMessage(FibEvent.Settled));
        await RoutesBecome("10.9.0.0/16 via 10.0.2.2 dev eth2 metric 1024");
        Assert.Equal((2, 1), (before.Count, before.Stale));
        Assert.Equal([IpPrefix.Parse("10.9.0.0/16")], before.Installed);
    }

    [Fact]
    public async Task NewSpeaker_KeepsRoutes_UntilSettled()
    {
        _router.Best("10.8.0.0/16", "10.0.1.2");
        await RoutesBecome("10.8.0.0/16 via 10.0.1.2 dev eth1 metric 1024");

        _router.Fib.IsFrozen = true;
        _router.Best("10.8.0.0/16");
        _router.Fib.TryPost(new FibMessage(FibEvent.NewSpeaker));
        await _router.Fib.AskAsync([], default);
        Assert.Single(_space.Routes(Protocol));

        _router.Fib.TryPost(new FibMessage(FibEvent.Settled));
        await RoutesBecome();
    }

    [Fact]
    public async Task LinkDown_TakesItsRoutes_LinkUp_BringsThemBack()
    {
        _router.Best("10.9.0.0/16", "10.0.1.2", "10.0.2.2");
        _router.Best("10.8.0.0/16", "10.0.1.2");
        await RoutesBecome("10.8.0.0/16 via 10.0.1.2 dev eth1 metric 1024", "10.9.0.0/16 via 10.0.1.2 dev eth1 via 10.0.2.2 dev eth2 metric 1024");

        _space.Ip("link set far1 down");
        await RoutesBecome("10.9.0.0/16 via 10.0.2.2 dev eth2 metric 1024");

        _space.Ip("link set eth1 down");
        _space.Ip("link set eth1 up");
        _space.Ip("link set far1 up");
        await RoutesBecome("10.8.0.0/16 via 10.0.1.2 dev eth1 metric 1024", "10.9.0.0/16 via 10.0.1.2 dev eth1 via 10.0.2.2 dev eth2 metric 1024");
    }

    [Fact]
    public async Task RouteRemovedByHand_ComesBack()
    {
        _router.Best("10.9.0.0/16", "10.0.1.2");
        await RoutesBecome("10.9.0.0/16 via 10.0.1.2 dev eth1 metric 1024");

        _space.Ip("route del 10.9.0.0/16");

        await RoutesBecome("10.9.0.0/16 via 10.0.1.2 dev eth1 metric 1024");
    }

    [Fact]
    public async Task RouteOfSomebodyElse_IsLeftAlone()
    {
        _space.Ip("route add 10.9.0.0/16 via 10.0.2.9 metric 1024");

        _router.Best("10.9.0.0/16", "10.0.1.2");
        _router.Best("10.8.0.0/16", "10.0.1.2");
        await RoutesBecome("10.8.0.0/16 via 10.0.1.2 dev eth1 metric 1024");

        Assert.Empty((await _router.Fib.AskAsync([IpPrefix.Parse("10.9.0.0/16")], default)).Installed);
    }

    [Fact]
    public async Task Blackholes_AndPoolRules_AreWritten_AndChangeWithTheSettings()
    {
        _router.Best("10.9.0.0/16", "10.0.1.2");
        _router.Use(Router.Settings with { Blackholes = [IpPrefix.Parse("10.7.0.0/26"), IpPrefix.Parse("fd07::/122")] });
        await RoutesBecome("blackhole 10.7.0.0/26 metric 1024", "10.9.0.0/16 via 10.0.1.2 dev eth1 metric 1024", "blackhole fd07::/122 metric 1024");

        _router.Use(Router.Settings with { MetricIPv4 = 500, Rules = new KernelRules([new KernelRule(IpPrefix.Parse("10.7.0.0/16"), KernelAction.Skip)], default) });
        await RoutesBecome("10.9.0.0/16 via 10.0.1.2 dev eth1 metric 500");

        _router.Use(Router.Settings with { InstallRoutes = false });
        await RoutesBecome();
    }

    [Fact]
    public async Task NextHopBehindAGateway_LeadsThroughIt_ButNotThroughADefaultRoute_UnlessAllowed()
    {
        _space.Ip("route add 10.0.3.0/24 via 10.0.2.9");
        _space.Ip("route add default via 10.0.1.9");

        _router.Best("10.9.0.0/16", "10.0.3.3");
        _router.Best("10.8.0.0/16", "10.0.4.4");
        await RoutesBecome("10.9.0.0/16 via 10.0.2.9 dev eth2 metric 1024");

        _router.Use(Router.Settings with { ResolveViaDefault = true });
        await RoutesBecome("10.8.0.0/16 via 10.0.1.9 dev eth1 metric 1024", "10.9.0.0/16 via 10.0.2.9 dev eth2 metric 1024");
    }
}
