using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Rib;

/// <summary>Peers that go away and come back: RFC 4724 as receiving speaker, RFC 9494, RFC 7313, RFC 8326, on a RIB driven by hand.</summary>
public sealed class RestartTests
{
    private static readonly TimeSpan s_restart = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_long = TimeSpan.FromHours(1);

    private static NegotiatedSession Graceful(NegotiatedSession s) =>
        s with { RestartFamilies = AddressFamilies.Both, ForwardingKept = AddressFamilies.Both, PeerRestartTime = s_restart };

    private static NegotiatedSession LongLived(NegotiatedSession s) => Graceful(s) with
    {
        PeerKnowsLongLived = true,
        LongLivedFamilies = AddressFamilies.Both,
        LongLivedKept = AddressFamilies.Both,
        LongLivedTimeIPv4 = s_long,
        LongLivedTimeIPv6 = s_long,
    };

    private static PeerSettings KeepsLong(PeerSettings s) => s with { LongLivedStaleTime = s_long };

    /// <summary>a announces two routes, b (external, without any capability) and c (internal) listen.</summary>
    private static RibHarness Build(Func<NegotiatedSession, NegotiatedSession> session, Func<PeerSettings, PeerSettings>? with = null)
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010, with, session);
        rib.Up("b", "10.0.0.20", 65020);
        rib.Up("c", "10.0.0.30", 65001, session: s => s with { PeerKnowsLongLived = true });
        rib.Announce("a", "10.1.0.0/24", "65010");
        rib.Announce("a", "10.2.0.0/24", "65010");
        rib.EndOfRib("a");
        rib.Settle();
        return rib;
    }

    private static void Return(RibHarness rib, Func<NegotiatedSession, NegotiatedSession> session) => rib.Up("a", "10.0.0.10", 65010, session: session);

    private static int Stale(RibHarness rib) => rib.Rib.Describe(rib["a"].Id)!.Stale;

    [Fact]
    public void RestartTimeOver_DropsStaleRoutes()
    {
        RibHarness rib = Build(Graceful);

        rib.Down("a", keep: true);
        rib.After(s_restart - TimeSpan.FromSeconds(1));
        Assert.Equal((2, 2), (rib["b"].Seen.Count, Stale(rib)));
        rib.After(TimeSpan.FromSeconds(2));

        Assert.Empty(rib["b"].Seen);
        Assert.Empty(rib.Forwarding.Routes);
        Assert.Equal(0, rib.Rib.Tables.Paths.Count);
    }

    [Fact]
    public void PeerReturnsWithoutForwardingBit_DropsStaleRoutesAtOnce()
    {
        RibHarness rib = Build(Graceful);
        rib.Down("a", keep: true);
        rib.Settle();

        Return(rib, s => Graceful(s) with { ForwardingKept = AddressFamilies.IPv6 });
        rib.Settle();

        Assert.Empty(rib["b"].Seen);
    }

    [Fact]
    public void PeerReturnsWithoutTheCapability_OrTheFamily_DropsStaleRoutesAtOnce()
    {
        RibHarness without = Build(Graceful);
        without.Down("a", keep: true);
        Return(without, static s => s);
        without.Settle();
        Assert.Empty(without["b"].Seen);

        RibHarness other = Build(Graceful);
        other.Down("a", keep: true);
        other.Rib.PeerUpWithout(other["a"].Id);
        other.Settle();
        Assert.Empty(other["b"].Seen);
    }

    [Fact]
    public void ReturnedPeerWithoutEndOfRib_LosesStaleRoutes_AfterTheStalePathTime()
    {
        RibHarness rib = Build(Graceful);
        rib.Down("a", keep: true);
        Return(rib, Graceful);
        rib.Announce("a", "10.1.0.0/24", "65010");
        rib.After(s_restart * 2);
        Assert.Equal(2, rib["b"].Seen.Count);

        rib.After(PeerRestarts.StalePathTime);

        Assert.Equal(["10.1.0.0/24"], rib["b"].Prefixes);
    }

    [Fact]
    public void SecondFailureWhileStale_KeepsOnlyTheLastSessionsRoutes()
    {
        RibHarness rib = Build(Graceful);
        rib.Down("a", keep: true);
        Return(rib, Graceful);
        rib.Announce("a", "10.1.0.0/24", "65010");
        rib.Settle();

        rib.Down("a", keep: true);
        rib.Settle();

        Assert.Equal(["10.1.0.0/24"], rib["b"].Prefixes);
        Assert.Equal(1, Stale(rib));
    }

    [Fact]
    public void ConsecutiveRestarts_ManyTimes_BeforeAnythingIsSwept_LeaveTheLastSessionsRoutes()
    {
        RibHarness rib = Build(Graceful);
        for (int i = 0; i < 9; i++)
        {
            rib.Down("a", keep: i % 3 != 2);
            Return(rib, Graceful);
            rib.Announce("a", $"10.3.{i}.0/24", "65010");
        }

        rib.Down("a", keep: true);
        rib.Settle();

        Assert.Equal(["10.3.8.0/24"], rib["b"].Prefixes);
        Assert.Equal((1, 1), (Stale(rib), rib.Rib.Tables.Paths.Count));
    }

    [Fact]
    public void SessionEndsForGood_RoutesOfTheNextAreNotTouched()
    {
        RibHarness rib = Build(Graceful);
        rib.Down("a");
        Return(rib, static s => s);
        rib.Announce("a", "10.2.0.0/24", "65010");
        rib.Announce("a", "10.3.0.0/24", "65010");

        rib.Settle();

        Assert.Equal(["10.2.0.0/24", "10.3.0.0/24"], rib["b"].Prefixes);
    }

    [Fact]
    public void FamilyNotInTheCapability_IsNotKept()
    {
        RibHarness rib = Build(s => Graceful(s) with { RestartFamilies = AddressFamilies.IPv6 });

        rib.Down("a", keep: true);
        rib.Settle();

        Assert.Empty(rib["b"].Seen);
    }

    // ---- RFC 9494 ----

    [Fact]
    public void LongLived_AfterTheRestartTime_RoutesAreMarked_AndToldToWhoKnows()
    {
        RibHarness rib = Build(LongLived, KeepsLong);
        rib.Down("a", keep: true);
        rib.After(s_restart + TimeSpan.FromSeconds(1));

        Assert.Equal(["10.1.0.0/24", "10.2.0.0/24"], rib["c"].Prefixes);
        Assert.Equal([0xFF, 0xFF, 0, 6], rib["c"].Attribute("10.1.0.0/24", AttributeType.Communities));
        Assert.Empty(rib["b"].Seen); // 4.6: b has not sent the capability.
        Assert.Equal(2, rib.Forwarding.Routes.Count);
        Assert.Equal((2, StalePhase.LongLived), (Stale(rib), rib.Rib.Describe(rib["a"].Id)!.StalePhase));

        rib.After(s_long);
        Assert.Empty(rib["c"].Seen);
        Assert.Equal(0, rib.Rib.Tables.Attributes.Count);
    }

    [Fact]
    public void LongLived_RestartTimeZero_BeginsAtOnce()
    {
        RibHarness rib = Build(s => LongLived(s) with { PeerRestartTime = TimeSpan.Zero }, KeepsLong);

        rib.Down("a", keep: true);
        rib.After(TimeSpan.FromMilliseconds(1));

        Assert.Equal([0xFF, 0xFF, 0, 6], rib["c"].Attribute("10.1.0.0/24", AttributeType.Communities));
    }

    [Fact]
    public void LongLived_OurSettingBoundsWhatThePeerAsks()
    {
        RibHarness rib = Build(LongLived, static s => s with { LongLivedStaleTime = TimeSpan.FromMinutes(5) });
        rib.Down("a", keep: true);
        rib.After(s_restart + TimeSpan.FromSeconds(1));
        Assert.Equal(2, rib["c"].Seen.Count);

        rib.After(TimeSpan.FromMinutes(5));

        Assert.Empty(rib["c"].Seen);
    }

    [Fact]
    public void LongLived_NoLlgrRoute_IsRemovedAtOnce()
    {
        RibHarness rib = Build(LongLived, KeepsLong);
        rib.Announce("a", "10.2.0.0/24", "65010", extra: [0xC0, 8, 4, 0xFF, 0xFF, 0, 7]);
        rib.Down("a", keep: true);
        rib.After(s_restart + TimeSpan.FromSeconds(1));

        Assert.Equal(["10.1.0.0/24"], rib["c"].Prefixes);
    }

    [Fact]
    public void LongLived_IsLeastPreferred_WhateverElseSpeaksForIt()
    {
        RibHarness rib = Build(LongLived, KeepsLong);
        rib.Announce("b", "10.1.0.0/24", "65020 7 7 7 7");
        rib.Settle();
        Assert.Equal("10.0.0.10", rib.Forwarding.Routes[IpPrefix.Parse("10.1.0.0/24")]);

        rib.Down("a", keep: true);
        rib.After(s_restart + TimeSpan.FromSeconds(1));

        Assert.Equal("10.0.0.20", rib.Forwarding.Routes[IpPrefix.Parse("10.1.0.0/24")]);
        Assert.Equal("10.0.0.10", rib.Forwarding.Routes[IpPrefix.Parse("10.2.0.0/24")]);
    }

    [Fact]
    public void LongLivedCommunityFromAPeer_IsLeastPreferred_ForANewcomerToo()
    {
        RibHarness rib = Build(Graceful);
        rib.Announce("b", "10.5.0.0/24", "65020 7 7");
        rib.Settle();

        rib.Announce("a", "10.5.0.0/24", "65010", extra: [0xC0, 8, 4, 0xFF, 0xFF, 0, 6]);
        rib.Settle();

        Assert.Equal("10.0.0.20", rib.Forwarding.Routes[IpPrefix.Parse("10.5.0.0/24")]);
    }

    [Fact]
    public void LongLived_PeerReturns_EndOfRibRemovesWhatStayedStale_TheRestLosesTheMark()
    {
        RibHarness rib = Build(LongLived, KeepsLong);
        rib.Down("a", keep: true);
        rib.After(s_restart + TimeSpan.FromSeconds(1));
        Return(rib, LongLived);
        rib.Settle();
        Assert.Equal(2, rib["c"].Seen.Count);

        rib.Announce("a", "10.1.0.0/24", "65010");
        rib.Settle();
        Assert.Empty(rib["c"].Attribute("10.1.0.0/24", AttributeType.Communities));
        Assert.Equal(["10.1.0.0/24"], rib["b"].Prefixes);
        rib.EndOfRib("a");
        rib.Settle();

        Assert.Equal(["10.1.0.0/24"], rib["c"].Prefixes);
        Assert.Equal(0, Stale(rib));
    }

    [Fact]
    public void LongLived_PeerReturnsWithoutItsForwardingBit_RemovesAtOnce()
    {
        RibHarness rib = Build(LongLived, KeepsLong);
        rib.Down("a", keep: true);
        rib.After(s_restart + TimeSpan.FromSeconds(1));

        Return(rib, s => LongLived(s) with { LongLivedKept = AddressFamilies.None });
        rib.Settle();

        Assert.Empty(rib["c"].Seen);
    }

    [Fact]
    public void LongLived_SecondFailureBeforeEndOfRib_KeepsAll_UnderTheFirstTimer()
    {
        RibHarness rib = Build(LongLived, KeepsLong);
        rib.Down("a", keep: true);
        rib.After(s_restart + TimeSpan.FromSeconds(1));
        Return(rib, LongLived);
        rib.Announce("a", "10.1.0.0/24", "65010");
        rib.After(s_long / 2);

        rib.Down("a", keep: true);
        rib.Settle();
        Assert.Equal(2, rib["c"].Seen.Count);
        Assert.Equal([0xFF, 0xFF, 0, 6], rib["c"].Attribute("10.1.0.0/24", AttributeType.Communities));
        rib.After(s_long / 2);

        Assert.Empty(rib["c"].Seen);
    }

    [Fact]
    public void LongLived_NewImportPolicyMeanwhile_KeepsTheMark()
    {
        RibHarness rib = Build(LongLived, KeepsLong);
        rib.Down("a", keep: true);
        rib.After(s_restart + TimeSpan.FromSeconds(1));

        rib.Rib.ImportAgain(rib["a"].Id);
        rib.Settle();

        Assert.Equal([0xFF, 0xFF, 0, 6], rib["c"].Attribute("10.1.0.0/24", AttributeType.Communities));
    }

    [Fact]
    public void LongLived_ToInternalPeerThatDoesNotKnow_OnlyWhenSet_WithNoExportAndLocalPreferenceZero()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010, KeepsLong, LongLived);
        rib.Up("plain", "10.0.0.40", 65001);
        rib.Up("told", "10.0.0.41", 65001, static s => s with { LongLivedToAll = true });
        rib.Announce("a", "10.1.0.0/24", "65010");
        rib.Down("a", keep: true);
        rib.After(s_restart + TimeSpan.FromSeconds(1));

        Assert.Empty(rib["plain"].Seen);
        Assert.Equal([0xFF, 0xFF, 0, 6, 0xFF, 0xFF, 0xFF, 1], rib["told"].Attribute("10.1.0.0/24", AttributeType.Communities));
        Assert.Equal([0, 0, 0, 0], rib["told"].Attribute("10.1.0.0/24", AttributeType.LocalPreference));
    }

    // ---- RFC 7313 ----

    private static NegotiatedSession Enhanced(NegotiatedSession s) => s with { EnhancedRouteRefresh = true };

    [Fact]
    public void Refresh_RemovesWhatWasNotToldAgain_AtItsEnd()
    {
        RibHarness rib = Build(Enhanced);
        rib.Mark("a", BatchRecordKind.BeginRefresh);
        rib.Announce("a", "10.1.0.0/24", "65010");
        rib.Settle();
        Assert.Equal(2, rib["b"].Seen.Count);
        Assert.Equal((1, 0), (rib.Rib.Describe(rib["a"].Id)!.Unrefreshed, Stale(rib)));

        rib.Mark("a", BatchRecordKind.EndRefresh);
        rib.Settle();

        Assert.Equal(["10.1.0.0/24"], rib["b"].Prefixes);
    }

    [Fact]
    public void RefreshWithoutEnd_IsEndedByTime_AndOneBegunAgainCountsAnew()
    {
        RibHarness rib = Build(Enhanced);
        for (int i = 0; i < 6; i++)
        {
            rib.Mark("a", BatchRecordKind.BeginRefresh);
            rib.Announce("a", "10.1.0.0/24", "65010");
            rib.Settle();
        }

        Assert.Equal(2, rib["b"].Seen.Count);
        rib.After(PeerRestarts.StalePathTime + TimeSpan.FromSeconds(1));

        Assert.Equal(["10.1.0.0/24"], rib["b"].Prefixes);
        Assert.Null(rib.Rib.Describe(rib["a"].Id)!.RefreshFor);
    }

    [Fact]
    public void EndOfRefreshWithoutBeginning_RemovesNothing()
    {
        RibHarness rib = Build(Enhanced);

        rib.Mark("a", BatchRecordKind.EndRefresh);
        rib.Settle();

        Assert.Equal(2, rib["b"].Seen.Count);
    }

    [Fact]
    public void RefreshBeforeEndOfRibOfARestart_IsIgnored()
    {
        RibHarness rib = Build(s => Enhanced(Graceful(s)));
        rib.Down("a", keep: true);
        Return(rib, s => Enhanced(Graceful(s)));

        rib.Mark("a", BatchRecordKind.BeginRefresh);
        rib.Mark("a", BatchRecordKind.EndRefresh);
        rib.Settle();

        Assert.Equal((2, 2), (rib["b"].Seen.Count, Stale(rib)));
    }

    [Fact]
    public void SessionEndsDuringARefresh_AllItsRoutesAreStale()
    {
        RibHarness rib = Build(s => Enhanced(Graceful(s)));
        rib.Mark("a", BatchRecordKind.BeginRefresh);
        rib.Announce("a", "10.1.0.0/24", "65010");

        rib.Down("a", keep: true);
        rib.Settle();

        Assert.Equal((2, 2), (rib["b"].Seen.Count, Stale(rib)));
    }

    [Fact]
    public void RefreshAskedFor_IsTold_BetweenBeginningAndEnd()
    {
        RibHarness rib = Build(static s => s);
        TestPeer peer = rib.Up("e", "10.0.0.50", 65050, session: Enhanced);
        rib.Settle();
        Assert.Equal(["+10.1.0.0/24", "+10.2.0.0/24", "end of rib"], peer.Heard);
        peer.Heard.Clear();

        rib.Rib.RefreshPeer(peer.Id);
        rib.Settle();
        rib.Rib.RefreshPeer(rib["b"].Id);
        rib.Settle();

        Assert.Equal(["begin", "+10.1.0.0/24", "+10.2.0.0/24", "end"], peer.Heard);
        Assert.DoesNotContain("begin", rib["b"].Heard);
        Assert.Equal(2, rib.Rib.Export.Groups.Count); // External and internal again: whoever was told everything anew is where it was.
    }

    [Fact]
    public void RefreshAskedForBeforeEndOfRib_FollowsIt()
    {
        RibHarness rib = Build(static s => s);
        TestPeer peer = rib.Up("e", "10.0.0.50", 65050, session: Enhanced);

        rib.Rib.RefreshPeer(peer.Id);
        rib.Settle();

        Assert.Equal(["+10.1.0.0/24", "+10.2.0.0/24", "end of rib", "begin", "+10.1.0.0/24", "+10.2.0.0/24", "end"], peer.Heard);
    }

    [Fact]
    public void RefreshOfAnEmptyTable_HasBeginningAndEnd()
    {
        var rib = new RibHarness();
        TestPeer peer = rib.Up("e", "10.0.0.50", 65050, session: Enhanced);
        rib.Settle();

        rib.Rib.RefreshPeer(peer.Id);
        rib.Settle();

        Assert.Equal(["end of rib", "begin", "end"], peer.Heard);
    }

    // ---- RFC 8326 ----

    [Fact]
    public void GracefulShutdownFromAnExternalPeer_IsTheLastChoice_UnlessTurnedOff()
    {
        byte[] community = [0xC0, 8, 4, 0xFF, 0xFF, 0, 0];
        RibHarness rib = Build(static s => s);
        rib.Announce("b", "10.1.0.0/24", "65020 7 7 7 7");
        rib.Announce("a", "10.1.0.0/24", "65010", extra: community);
        rib.Settle();
        Assert.Equal("10.0.0.20", rib.Forwarding.Routes[IpPrefix.Parse("10.1.0.0/24")]);

        RibHarness off = Build(static s => s, static s => s with { HonourGracefulShutdown = false });
        off.Announce("b", "10.1.0.0/24", "65020 7 7 7 7");
        off.Announce("a", "10.1.0.0/24", "65010", extra: community);
        off.Settle();
        Assert.Equal("10.0.0.10", off.Forwarding.Routes[IpPrefix.Parse("10.1.0.0/24")]);
    }

    [Fact]
    public void GracefulShutdown_AnnouncesEverythingAgain_WithTheCommunity_AndTakesItBack()
    {
        RibHarness rib = Build(static s => s);
        rib.Update("b", static s => s with { GracefulShutdown = true });
        rib.Update("c", static s => s with { GracefulShutdown = true });
        rib.Settle();
        Assert.Equal([0xFF, 0xFF, 0, 0], rib["b"].Attribute("10.1.0.0/24", AttributeType.Communities));
        Assert.Empty(rib["b"].Attribute("10.1.0.0/24", AttributeType.LocalPreference));
        Assert.Equal([0xFF, 0xFF, 0, 0], rib["c"].Attribute("10.2.0.0/24", AttributeType.Communities));
        Assert.Equal([0, 0, 0, 0], rib["c"].Attribute("10.2.0.0/24", AttributeType.LocalPreference));

        rib.Update("b", static s => s with { GracefulShutdown = false });
        rib.Update("c", static s => s with { GracefulShutdown = false });
        rib.Settle();

        Assert.Empty(rib["b"].Attribute("10.1.0.0/24", AttributeType.Communities));
        Assert.Equal([0, 0, 0, 100], rib["c"].Attribute("10.2.0.0/24", AttributeType.LocalPreference));
        Assert.Empty(rib["b"].WithdrawnUnknown);
    }

    [Fact]
    public void PolicyThatChangesNothing_HoldsNoReference()
    {
        var policy = new Bgp.Policies.RoutePolicy { Default = Bgp.Policies.PolicyVerdict.Accept, Rules = [new Bgp.Policies.PolicyRule { Edits = [Bgp.Policies.RouteEdit.AddCommunity(5)], Verdict = Bgp.Policies.PolicyVerdict.Accept }] };
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010, s => s with { Import = policy });
        rib.Announce("a", "10.1.0.0/24", "65010", extra: [0xC0, 8, 4, 0, 0, 0, 5]);
        rib.Settle();

        rib.Withdraw("a", "10.1.0.0/24");
        rib.Settle();

        Assert.Equal(0, rib.Rib.Tables.Attributes.Count);
    }
}
