using System.Collections.Immutable;
using Weft.Bgp.Rib;
using Weft.Linux.Netlink;
using Weft.Node.Router;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Router;

public sealed class RecursiveHopsTests
{
    private readonly RecursiveHops _hops = new();
    private readonly LearnedRoutes _learned = new();
    private readonly NextHopSets _sets = new();
    private readonly NextHopSets.Cache _numbers;
    private readonly Clock _clock = new();

    public RecursiveHopsTests() => _numbers = new NextHopSets.Cache(_sets);

    [Fact]
    public void LongestLearntRoute_Leads_ButNotPastALongerOneOfTheHost()
    {
        Learn("10.50.0.0/16", "10.0.1.2");
        Learn("10.50.1.0/24", "10.0.1.3");
        Learn("10.9.0.0/12", "10.0.1.3");
        _hops.Track(IpAddress.Parse("10.50.1.1"));
        _hops.Track(IpAddress.Parse("10.9.0.1"));

        Assert.True(Update());

        Assert.Equal("10.0.1.3", Way("10.50.1.1"));
        Assert.Null(Way("10.9.0.1")); // The host's own 10.9.0.0/16 decides.
    }

    [Fact]
    public void RouteOverItsOwnNextHop_AndRouteOverAnotherSuchOne_LeadNowhere()
    {
        Learn("10.50.0.0/16", "10.50.0.1");
        Learn("10.60.0.0/16", "10.70.0.1");
        Learn("10.70.0.0/16", "10.60.0.1");
        _hops.Track(IpAddress.Parse("10.50.0.1"));
        _hops.Track(IpAddress.Parse("10.60.0.1"));
        _hops.Track(IpAddress.Parse("10.70.0.1"));

        Assert.False(Update());
    }

    [Fact]
    public void OnlyRoutesOverATrackedNextHop_Concern()
    {
        Assert.False(_hops.Concerns(IpPrefix.Parse("10.50.0.0/16")));

        _hops.Track(IpAddress.Parse("10.50.0.1"));
        Update();

        Assert.True(_hops.Concerns(IpPrefix.Parse("10.50.0.0/16")));
        Assert.False(_hops.Concerns(IpPrefix.Parse("10.51.0.0/16")));
    }

    [Fact]
    public void NextHopThatComesAndGoes_IsGivenUp_AndTriedAgainLater()
    {
        _hops.Track(IpAddress.Parse("10.50.0.1"));
        bool isGivenUp = false;
        int changes = 0;
        for (int i = 0; i < 20; i++)
        {
            Learn("10.50.0.0/16", i % 2 == 0 ? "10.0.1.2" : null);
            changes += Update(out isGivenUp) ? 1 : 0;
        }

        Assert.True(isGivenUp);
        Assert.InRange(changes, 8, 9);

        Learn("10.50.0.0/16", "10.0.1.2");
        _clock.Now += RecursiveHops.Patience;

        Assert.True(Update(out isGivenUp));
        Assert.False(isGivenUp);
        Assert.Equal("10.0.1.2", Way("10.50.0.1"));
    }

    [Fact]
    public void FullList_MakesRoomByThoseThatNobodyNamesAnyMore()
    {
        for (int i = 0; i < 5000; i++)
        {
            _hops.Track(IpAddress.FromIPv4(0x0B000000u + (uint)i));
        }

        Learn("10.50.0.0/16", "10.0.1.2");
        _hops.Track(IpAddress.Parse("10.50.0.1"));
        Assert.False(Update());

        _hops.Release(IpAddress.Parse("11.0.0.0"));
        _hops.Track(IpAddress.Parse("10.50.0.1"));

        Assert.True(Update());
    }

    private void Learn(string prefix, string? nextHop) =>
        _learned.Set(LearnedRoute.From(IpPrefix.Parse(prefix), nextHop is null ? 0 : _numbers.IdOf([new RouteNextHop(IpAddress.Parse(nextHop), default, "peer", null)])), IpFamily.IPv4);

    private string? Way(string nextHop) => _hops.TryResolve(IpAddress.Parse(nextHop), out ResolvedHop way) ? way.Hop.Gateway.ToString() : null;

    private bool Update() => Update(out _);

    private bool Update(out bool isGivenUp) => _hops.Update(HostViewTests.View(), s_settings, _learned, _sets, _clock, out isGivenUp);

    private static readonly FibSettings s_settings = new()
    {
        InstallRoutes = true,
        Protocol = 81,
        MetricIPv4 = 1024,
        MetricIPv6 = 1024,
        Rules = KernelRules.InstallEverything,
        Blackholes = [],
        HostRoutes = ImmutableSortedDictionary<IpPrefix, IpAddress>.Empty,
        ResolveViaDefault = false,
    };

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; } = TimeSpan.FromHours(1);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
