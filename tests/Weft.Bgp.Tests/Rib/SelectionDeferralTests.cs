using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Rib;

/// <summary>RFC 4724 4.1, the restarting speaker: nothing before the neighbours have spoken, and no waiting without end.</summary>
public sealed class SelectionDeferralTests
{
    private static readonly TimeSpan s_deferral = TimeSpan.FromSeconds(120);

    private static NegotiatedSession Graceful(NegotiatedSession s) =>
        s with { RestartFamilies = AddressFamilies.Both, ForwardingKept = AddressFamilies.Both, PeerRestartTime = TimeSpan.FromSeconds(60) };

    /// <summary>After a restart: a and b are configured, a is up and has told one route, but not all.</summary>
    private static RibHarness Build(bool bComesUp = true, Func<NegotiatedSession, NegotiatedSession>? session = null)
    {
        var rib = new RibHarness(with: static o => o with { Restarting = true, RestartDeferral = s_deferral });
        rib.Add("a", "10.0.0.10", 65010);
        rib.Add("b", "10.0.0.20", 65020);
        rib.Rib.PeersComplete();
        rib.Up("a", "10.0.0.10", 65010, session: Graceful);
        if (bComesUp)
        {
            rib.Up("b", "10.0.0.20", 65020, session: session ?? Graceful);
        }

        rib.Rib.Originate(IpPrefix.Parse("10.9.0.0/24"), Bgp.Wire.CanonicalBuilder.Build(RouteAttributes.Default));
        rib.Announce("a", "10.1.0.0/24", "65010");
        rib.Settle();
        return rib;
    }

    private static void AssertSilent(RibHarness rib)
    {
        Assert.True(rib.Rib.IsDeferring);
        Assert.Empty(rib["a"].Heard);
        Assert.Empty(rib["b"].Heard);
        Assert.Empty(rib.Forwarding.Routes);
    }

    private static void AssertSelected(RibHarness rib, params string[] heardByB)
    {
        Assert.False(rib.Rib.IsDeferring);
        Assert.True(rib.Rib.DescribeSelection().IsComplete);
        Assert.Equal(["+10.1.0.0/24", "+10.9.0.0/24", "end of rib"], heardByB.Length == 0 ? rib["b"].Heard.Order() : heardByB);
        Assert.Equal("end of rib", rib["a"].Heard[^1]);
        Assert.Contains(IpPrefix.Parse("10.1.0.0/24"), rib.Forwarding.Routes.Keys);
    }

    [Fact]
    public void NothingIsSelectedOrTold_BeforeEveryEndOfRib()
    {
        RibHarness rib = Build();
        AssertSilent(rib);
        rib.EndOfRib("a");
        rib.Settle();
        AssertSilent(rib);
        Assert.Equal(["b"], rib.Rib.DescribeSelection().Awaited);

        rib.EndOfRib("b");
        rib.Settle();

        AssertSelected(rib);
    }

    [Fact]
    public void EndOfRibNeverComes_TimeEndsTheWait()
    {
        RibHarness rib = Build();
        rib.EndOfRib("a");
        rib.After(s_deferral - TimeSpan.FromSeconds(1));
        AssertSilent(rib);

        rib.After(TimeSpan.FromSeconds(1));

        AssertSelected(rib);
    }

    [Fact]
    public void PeerThatDoesNotComeBack_IsWaitedForAShortWhile()
    {
        RibHarness rib = Build(bComesUp: false);
        rib.EndOfRib("a");
        rib.Settle();
        AssertSilent(rib);

        rib.After(SelectionDeferral.ComeBackTime);

        AssertSelected(rib, "+10.1.0.0/24", "+10.9.0.0/24", "end of rib");
    }

    [Fact]
    public void PeerGoesDownMeanwhile_IsNotWaitedFor_ButIsAgainWhenItReturns()
    {
        RibHarness rib = Build();
        rib.EndOfRib("a");
        rib.Down("b");
        rib.Up("b", "10.0.0.20", 65020, session: Graceful);
        rib.Settle();
        AssertSilent(rib);

        rib.Down("b", keep: true);
        rib.Settle();

        Assert.False(rib.Rib.IsDeferring);
        Assert.Single(rib.Forwarding.Routes.Keys, IpPrefix.Parse("10.1.0.0/24"));
    }

    [Fact]
    public void PeerThatRestartsItself_OrKnowsNoRestarts_OrHasNotTheFamily_IsNotWaitedFor()
    {
        RibHarness restarting = Build(session: s => Graceful(s) with { PeerRestarted = true });
        restarting.EndOfRib("a");
        restarting.Settle();
        AssertSelected(restarting);

        RibHarness plain = Build(session: static s => s);
        plain.EndOfRib("a");
        plain.Settle();
        AssertSelected(plain);

        RibHarness other = Build(bComesUp: false);
        other.EndOfRib("a");
        other.Rib.PeerUpWithout(other["b"].Id);
        other.Settle();
        Assert.False(other.Rib.IsDeferring);
    }

    [Fact]
    public void WithoutPeers_SelectionBegins_WhenThatIsKnown()
    {
        var rib = new RibHarness(with: static o => o with { Restarting = true });
        rib.Rib.Originate(IpPrefix.Parse("10.9.0.0/24"), Bgp.Wire.CanonicalBuilder.Build(RouteAttributes.Default));
        rib.Settle();
        Assert.Empty(rib.Forwarding.Routes);

        rib.Rib.PeersComplete();
        rib.Settle();

        Assert.Single(rib.Forwarding.Routes);
    }

    [Fact]
    public void DeferralOfZero_OrNoRestart_DefersNothing()
    {
        Assert.False(new RibHarness(with: static o => o with { Restarting = true, RestartDeferral = TimeSpan.Zero }).Rib.IsDeferring);
        Assert.False(new RibHarness().Rib.IsDeferring);
    }

    [Fact]
    public void RouteWithdrawnDuringTheDeferral_IsNeverTold()
    {
        RibHarness rib = Build();
        rib.Withdraw("a", "10.1.0.0/24");
        rib.EndOfRib("a");
        rib.EndOfRib("b");
        rib.Settle();

        Assert.Equal(["+10.9.0.0/24", "end of rib"], rib["b"].Heard);
        Assert.Equal(1, rib.Rib.Tables.Prefixes.Count);
    }

    [Fact]
    public void EndOfRib_FollowsThousandsOfRoutes_NotTheFirstWindow()
    {
        RibHarness rib = Build();
        for (int i = 0; i < 5000; i++)
        {
            rib.Announce("a", $"10.{100 + i / 250}.{i % 250}.0/24", "65010");
        }

        rib.EndOfRib("a");
        rib.EndOfRib("b");
        rib.Settle();

        Assert.Equal(("end of rib", 5003), (rib["b"].Heard[^1], rib["b"].Heard.Count));
    }
}
