using System.Buffers.Binary;
using Weft.Bgp.Policies;
using Weft.Bgp.Rib;
using Weft.Bgp.Tests.Support;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Export;

/// <summary>Who hears what, in which words, and what slow readers change about it.</summary>
public sealed class UpdateGroupTests
{
    private const string Prefix = "10.1.0.0/24";

    [Fact]
    public void ToExternalPeer_OwnAsIsPrepended_NextHopIsOurs_LocalPreferenceAndForeignMedStay()
    {
        var rib = new RibHarness();
        rib.Up("i", "10.0.0.10", 65001);
        rib.Up("x", "10.0.0.20", 65020);
        rib.Announce("i", Prefix, "7", med: 5, localPreference: 150);
        rib.Rib.Originate(IpPrefix.Parse("10.2.0.0/24"), CanonicalBuilder.Build(new RouteAttributes { Med = 9, LocalPreference = 50 }));
        rib.Settle();

        TestPeer x = rib["x"];

        Assert.Equal("65001 7", x.Path(Prefix));
        Assert.Equal("10.0.0.1", x.NextHop(Prefix));
        Assert.Empty(x.Attribute(Prefix, AttributeType.LocalPreference));
        Assert.Empty(x.Attribute(Prefix, AttributeType.Med));
        Assert.Equal("65001", x.Path("10.2.0.0/24"));
        Assert.Equal([0, 0, 0, 9], x.Attribute("10.2.0.0/24", AttributeType.Med));
    }

    [Fact]
    public void InternalRoute_DoesNotReachInternalPeers_UnlessReflected()
    {
        var rib = new RibHarness();
        rib.Up("source", "10.0.0.10", 65001);
        rib.Up("plain", "10.0.0.20", 65001);
        rib.Up("client", "10.0.0.30", 65001, s => s with { RouteReflectorClient = true });
        rib.Announce("source", Prefix, "7", nextHop: "10.0.0.77");
        rib.Announce("client", "10.2.0.0/24", "8");
        rib.Settle();

        Assert.DoesNotContain(Prefix, rib["plain"].Prefixes);
        Assert.Equal([Prefix], rib["client"].Prefixes);
        Assert.Equal([10, 0, 0, 10], rib["client"].Attribute(Prefix, AttributeType.OriginatorId));
        Assert.Equal([10, 0, 0, 1], rib["client"].Attribute(Prefix, AttributeType.ClusterList));
        Assert.Equal("10.0.0.77", rib["client"].NextHop(Prefix));
        Assert.Equal("7", rib["client"].Path(Prefix));
        Assert.Equal(["10.2.0.0/24"], rib["plain"].Prefixes);
        Assert.Equal(["10.2.0.0/24"], rib["source"].Prefixes);
    }

    /// <summary>RFC 8654 4: what fits only into an extended message is told to those that take such, and withdrawn from the others.</summary>
    [Fact]
    public void RouteOfMoreThan4096Octets_IsToldInAnExtendedMessage_AndWithdrawnFromWhoTakesNone()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010);
        rib.Up("wide", "10.0.0.20", 65020);
        rib.Up("narrow", "10.0.0.30", 65030, session: static s => s with { ExtendedMessages = false });
        rib.Announce("a", Prefix, "65010");
        rib.Announce("a", "10.2.0.0/24", "65010");
        rib.Settle();
        Assert.Equal((2, 2), (rib["wide"].Seen.Count, rib["narrow"].Seen.Count));
        byte[] communities = new byte[4 * 1100];
        for (int i = 0; i < 1100; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(communities.AsSpan(4 * i), 0xFDF20000u | (uint)i);
        }

        rib.Announce("a", Prefix, "65010", extra: [0xD0, 8, (byte)(communities.Length >> 8), (byte)communities.Length, .. communities]);
        rib.Settle();

        Assert.Equal(communities, rib["wide"].Attribute(Prefix, AttributeType.Communities));
        Assert.Equal(["10.2.0.0/24"], rib["narrow"].Prefixes);

        rib.Announce("a", Prefix, "65010");
        rib.Settle();

        Assert.Equal((2, 2), (rib["wide"].Seen.Count, rib["narrow"].Seen.Count));
    }

    [Fact]
    public void AdvertisementInterval_TellsManyChangesOnce_WhenItIsOver()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010);
        rib.Up("patient", "10.0.0.20", 65020, s => s with { AdvertisementInterval = TimeSpan.FromSeconds(30) });
        rib.Up("eager", "10.0.0.30", 65030);
        rib.Settle();
        rib.Announce("a", Prefix, "65010 1");
        rib.Settle();
        int patient = rib["patient"].Messages, eager = rib["eager"].Messages;

        for (uint i = 2; i < 12; i++)
        {
            rib.Announce("a", Prefix, $"65010 {i}");
            rib.Settle();
        }

        Assert.Equal(("65001 65010 1", patient), (rib["patient"].Path(Prefix), rib["patient"].Messages));
        Assert.Equal(("65001 65010 11", eager + 10), (rib["eager"].Path(Prefix), rib["eager"].Messages));

        rib.After(TimeSpan.FromSeconds(31));

        Assert.Equal(("65001 65010 11", patient + 1), (rib["patient"].Path(Prefix), rib["patient"].Messages));
    }

    [Fact]
    public void ThirdPartyNextHop_IsKeptOnASharedSubnet_ButNeverThePeersOwn()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010);
        rib.Up("b", "10.0.0.20", 65020, s => s with { SharedSubnetIPv4 = IpPrefix.Parse("10.0.0.0/24") });
        rib.Up("far", "10.8.0.20", 65030);
        rib.Announce("a", Prefix, "65010");
        rib.Announce("a", "10.2.0.0/24", "65010", nextHop: "10.0.0.20");
        rib.Settle();

        Assert.Equal("10.0.0.10", rib["b"].NextHop(Prefix));
        Assert.Equal("10.0.0.1", rib["b"].NextHop("10.2.0.0/24"));
        Assert.Equal("10.0.0.1", rib["far"].NextHop(Prefix));
    }

    [Fact]
    public void ThirdPartyNextHop_IsTheSameForAGroupAndForOneThatComesBack()
    {
        var rib = new RibHarness();
        static PeerSettings Shared(PeerSettings s) => s with { SharedSubnetIPv4 = IpPrefix.Parse("10.0.0.0/24") };
        rib.Up("a", "10.0.0.10", 65010, Shared);
        rib.Up("b", "10.0.0.20", 65020, Shared);
        rib.Announce("a", Prefix, "65010");
        rib.Settle();
        string before = rib["b"].NextHop(Prefix);
        rib.Down("b");
        rib.Up("b", "10.0.0.20", 65020, Shared);
        rib.Settle();

        Assert.Equal(("10.0.0.10", "10.0.0.10"), (before, rib["b"].NextHop(Prefix)));
    }

    [Fact]
    public void ReflectedRoute_KeepsItsNextHop_AlsoWhenItsSourceIsInTheGroup()
    {
        var rib = new RibHarness();
        rib.Up("one", "10.0.0.10", 65001, s => s with { RouteReflectorClient = true });
        rib.Up("two", "10.0.0.20", 65001, s => s with { RouteReflectorClient = true });
        rib.Announce("one", Prefix, "7");
        rib.Settle();

        Assert.Equal("10.0.0.10", rib["two"].NextHop(Prefix));
    }

    /// <summary>RFC 4271 5.1.3, where the next hop is kept: what names the receiver as next hop is not told to it, and taken back when it was told otherwise before.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void KeptNextHop_IsNotToldToThePeerItNames(bool reflected)
    {
        (uint First, uint Second) ases = reflected ? (65001u, 65001u) : (65002u, 65003u);
        var rib = new RibHarness(confederation: reflected ? null : new Confederation { Id = 100, Members = [65001, 65002, 65003] });
        rib.Up("one", "10.0.0.10", ases.First, s => s with { RouteReflectorClient = reflected });
        rib.Up("two", "10.0.0.20", ases.Second, s => s with { RouteReflectorClient = reflected });
        rib.Up("three", "10.0.0.30", ases.Second, s => s with { RouteReflectorClient = reflected });
        rib.Settle();
        int before = rib["two"].Messages;

        Announce("10.0.0.20", med: 1);

        Assert.Equal(("10.0.0.20", before), (rib["three"].NextHop(Prefix), rib["two"].Messages));
        Assert.Empty(rib["two"].Prefixes);

        Announce("10.0.0.77", med: 2);

        Assert.Equal(("10.0.0.77", "10.0.0.77"), (rib["three"].NextHop(Prefix), rib["two"].NextHop(Prefix)));

        Announce("10.0.0.20", med: 3);

        Assert.Equal("10.0.0.20", rib["three"].NextHop(Prefix));
        Assert.Empty(rib["two"].Prefixes);

        rib.Down("two");
        rib.Up("two", "10.0.0.20", ases.Second);
        rib.Settle();

        Assert.Empty(rib["two"].Prefixes);
        Assert.Single(rib.Rib.Export.Groups);

        rib.Withdraw("one", Prefix);
        rib.Settle();

        Assert.Empty(rib["three"].Prefixes);

        void Announce(string nextHop, uint med)
        {
            if (reflected)
            {
                rib.Announce("one", Prefix, "7", med: med, nextHop: nextHop);
            }
            else
            {
                byte[] hop = [0x40, 3, 4, .. IpAddress.Parse(nextHop).ToIPAddress().GetAddressBytes()];
                rib.Receive("one", Messages.Update([], [0x40, 1, 1, 0, 0x40, 2, 6, 3, 1, 0, 0, 0xFD, 0xEA, .. hop, 0x80, 4, 4, 0, 0, 0, (byte)med, 0x40, 5, 4, 0, 0, 0, 100], RibHarness.Nlri(Prefix)));
            }

            rib.Settle();
        }
    }

    [Theory]
    [InlineData(WellKnownCommunities.NoAdvertise, false, false)]
    [InlineData(WellKnownCommunities.NoExport, false, true)]
    [InlineData(65001u << 16 | 1, true, true)]
    public void WellKnownCommunities_LimitWhoHears(uint community, bool external, bool @internal)
    {
        var rib = new RibHarness();
        rib.Up("x", "10.0.0.10", 65010);
        rib.Up("i", "10.0.0.20", 65001);
        rib.Rib.Originate(IpPrefix.Parse(Prefix), CanonicalBuilder.Build(new RouteAttributes { Communities = [community] }));
        rib.Settle();

        Assert.Equal((external, @internal), (rib["x"].Seen.Count == 1, rib["i"].Seen.Count == 1));
    }

    [Fact]
    public void SourceHearsNothingOfItsRoutes_NotEvenThatTheyGo()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010);
        rib.Up("b", "10.0.0.20", 65020);
        rib.Settle();
        int before = rib["a"].Messages;
        rib.Announce("a", Prefix, "65010");
        rib.Settle();
        rib.Withdraw("a", Prefix);
        rib.Settle();

        Assert.Equal(before, rib["a"].Messages);
        Assert.Empty(rib["b"].Prefixes);
    }

    [Fact]
    public void PeerThatBecomesTheSource_ForgetsWhatItWasTold()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010);
        rib.Up("b", "10.0.0.20", 65020);
        rib.Announce("a", Prefix, "65010 1 2");
        rib.Settle();
        Assert.Equal([Prefix], rib["b"].Prefixes);

        rib.Announce("b", Prefix, "65020");
        rib.Settle();

        Assert.Empty(rib["b"].Prefixes);
        Assert.Equal("65001 65020", rib["a"].Path(Prefix));
    }

    [Fact]
    public void EndOfRib_FollowsTheInitialTable_Once()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010);
        rib.Announce("a", Prefix, "65010");
        rib.Settle();
        TestPeer late = rib.Up("b", "10.0.0.20", 65020);
        rib.Settle();
        rib.Announce("a", "10.2.0.0/24", "65010");
        rib.Settle();

        Assert.Equal(1, late.EndOfRibs);
        Assert.Equal([Prefix, "10.2.0.0/24"], late.Prefixes);
        Assert.Single(rib.Rib.Export.Groups);
    }

    [Fact]
    public void PeersOfOneProfile_ShareAGroup_AndItsBytes()
    {
        var rib = new RibHarness();
        for (int i = 0; i < 20; i++)
        {
            rib.Up($"p{i}", $"10.0.0.{10 + i}", 65100u + (uint)i);
        }

        for (int i = 0; i < 500; i++)
        {
            rib.Announce("p0", $"10.1.{i >> 4}.{(i & 15) << 4}/28", "65100");
        }

        rib.Settle();

        Assert.Single(rib.Rib.Export.Groups);
        Assert.Equal(500, rib["p7"].Seen.Count);

        // One End-of-RIB and few full messages: prefixes with equal attributes travel together.
        Assert.True(rib["p7"].Messages < 8, $"{rib["p7"].Messages} messages");
    }

    [Fact]
    public void SlowPeer_HoldsUpOthersForALimitedTime_ThenCatchesUpAlone_AndRejoins()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010);
        rib.Up("fast", "10.0.0.20", 65020);
        TestPeer slow = rib.Up("slow", "10.0.0.30", 65030);
        rib.Settle();
        slow.Slow = true;
        for (int round = 0; round < 12; round++)
        {
            rib.Announce("a", Prefix, $"65010 {round + 1}");
            rib.Settle();
            rib.Time.Advance(TimeSpan.FromSeconds(0.5));
        }

        rib.Settle();
        Assert.Equal("65001 65010 12", rib["fast"].Path(Prefix));
        Assert.NotEqual("65001 65010 12", slow.Path(Prefix));
        Assert.Equal(2, rib.Rib.Export.Groups.Count);

        slow.Slow = false;
        slow.ReturnCredits();
        rib.Settle();
        Assert.Equal("65001 65010 12", slow.Path(Prefix));
        Assert.Single(rib.Rib.Export.Groups);
    }

    [Fact]
    public void ExportPolicy_EditsAndRejects_AndANewOneWithdrawsWhatItRefuses()
    {
        var policy = new RoutePolicy
        {
            Rules = [new PolicyRule { Prefixes = [PrefixMatch.Exactly(IpPrefix.Parse(Prefix))], Edits = [RouteEdit.PrependAs(65001), RouteEdit.SetMed(77)], Verdict = PolicyVerdict.Accept }],
            Default = PolicyVerdict.Accept,
        };
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010);
        TestPeer b = rib.Up("b", "10.0.0.20", 65020, s => s with { Export = policy });
        rib.Announce("a", Prefix, "65010");
        rib.Announce("a", "10.2.0.0/24", "65010");
        rib.Settle();
        Assert.Equal("65001 65001 65010", b.Path(Prefix));
        Assert.Equal([0, 0, 0, 77], b.Attribute(Prefix, AttributeType.Med));
        Assert.Equal("65001 65010", b.Path("10.2.0.0/24"));

        rib.Rib.UpdatePeer(b.Id, b.Settings with { Export = policy with { Default = PolicyVerdict.Reject } });
        rib.Settle();
        Assert.Equal([Prefix], b.Prefixes);
    }

    [Fact]
    public void TwoOctetPeer_GetsAsTrans_AndTheFullPathBeside()
    {
        var rib = new RibHarness(localAs: 4200000001);
        rib.Up("a", "10.0.0.10", 65010);
        TestPeer old = rib.Up("old", "10.0.0.20", 65020, session: s => s with { FourOctetAs = false, LocalAs = 4200000001 });
        rib.Announce("a", Prefix, "65010 4200000009", extra: [0xC0, 7, 8, 0xFA, 0x56, 0xEA, 0x09, 1, 2, 3, 4]);
        rib.Settle();

        // The harness decodes with AS4_PATH merged, as the peer beyond would see it.
        Assert.Equal("4200000001 65010 4200000009", old.Path(Prefix));
        Assert.Equal([0xFA, 0x56, 0xEA, 0x09, 1, 2, 3, 4], old.Attribute(Prefix, AttributeType.Aggregator));
    }

    [Fact]
    public void IPv6Routes_TravelInMpReach_WithOurNextHops()
    {
        var rib = new RibHarness(IpFamily.IPv6);
        TestPeer x = rib.Up("x", "2001:db8::2", 65020, session: s => s with
        {
            LocalAddress = IpAddress.Parse("2001:db8::1"), LocalLinkLocal = IpAddress.Parse("fe80::1"), RemoteAddress = IpAddress.Parse("2001:db8::2"),
        });
        for (int i = 0; i < 300; i++)
        {
            rib.Rib.Originate(IpPrefix.Parse($"2001:db8:{i:x}::/48"), CanonicalBuilder.Build(RouteAttributes.Default));
        }

        rib.Settle();

        Assert.Equal(300, x.Seen.Count);
        Assert.Equal("2001:db8::1", x.NextHop("2001:db8:1::/48"));
        Assert.Equal("65001", x.Path("2001:db8:12b::/48"));

        rib.Rib.WithdrawLocal(IpPrefix.Parse("2001:db8:5::/48"));
        rib.Settle();
        Assert.Equal(299, x.Seen.Count);
    }
}
