using System.Buffers.Binary;
using Weft.Bgp.Policies;
using Weft.Bgp.Rib;
using Weft.Bgp.Tests.Support;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Rib;

/// <summary>
/// RFC 5065 from the middle of it: we are member 65101 of confederation 65000.
/// <code>
///   "ibgp" 65101 ---+--- us 65101 ---+--- "member" 65102
///                                    +--- "outside" 65200
/// </code>
/// </summary>
public sealed class ConfederationTests
{
    private static RibHarness Rib(Func<PeerSettings, PeerSettings>? outside = null, Func<PeerSettings, PeerSettings>? member = null)
    {
        var rib = new RibHarness(localAs: 65101, confederation: new Confederation { Id = 65000, Members = [65101, 65102, 65103] });
        rib.Up("ibgp", "10.0.0.10", 65101);
        rib.Up("member", "10.0.0.20", 65102, member);
        rib.Up("outside", "10.0.0.30", 65200, outside);
        return rib;
    }

    private static byte[] Segments(params (byte Type, uint[] Ases)[] segments)
    {
        List<byte> value = [];
        foreach ((byte type, uint[] ases) in segments)
        {
            value.AddRange([type, (byte)ases.Length]);
            foreach (uint number in ases)
            {
                byte[] octets = new byte[4];
                BinaryPrimitives.WriteUInt32BigEndian(octets, number);
                value.AddRange(octets);
            }
        }

        return [.. value];
    }

    private static void Announce(RibHarness rib, string peer, string prefix, byte[] path, params byte[] extra)
    {
        byte[] hop = [0x40, 3, 4, .. IpAddress.Parse(rib[peer].Settings.Address.ToString()).ToIPAddress().GetAddressBytes()];
        rib.Receive(peer, Messages.Update([], [.. Messages.Origin, 0x40, 2, (byte)path.Length, .. path, .. hop, .. extra], RibHarness.Nlri(prefix)));
        rib.Settle();
    }

    private static RouteSnapshot Route(RibHarness rib, string peer, string prefix)
    {
        uint cursor = 0;
        return rib.Rib.Query(new RouteQuery { Prefix = IpPrefix.Parse(prefix) }, rib[peer].Id, PeerId.None, ref cursor).Single();
    }

    private static readonly byte[] PreferenceAndMed = [0x80, 4, 4, 0, 0, 0, 7, 0x40, 5, 4, 0, 0, 0, 250];

    [Fact]
    public void RouteOfAMember_KeepsItsAttributesInside_AndNamesNoMemberOutside()
    {
        RibHarness rib = Rib();

        Announce(rib, "member", "10.1.0.0/24", Segments((3, [65102, 65103]), (2, [65300])), PreferenceAndMed);

        RouteSnapshot route = Route(rib, "member", "10.1.0.0/24");
        Assert.Equal(("(65102 65103) 65300", 250u, 7u, PathStanding.Best), (route.AsPath, route.LocalPreference, route.Med!.Value, route.Standing));
        Assert.Equal("(65102 65103) 65300", rib["ibgp"].Path("10.1.0.0/24"));
        Assert.Equal(PreferenceAndMed[10..], rib["ibgp"].Attribute("10.1.0.0/24", AttributeType.LocalPreference));
        Assert.Equal("10.0.0.20", rib["ibgp"].NextHop("10.1.0.0/24"));
        Assert.Equal("65000 65300", rib["outside"].Path("10.1.0.0/24"));
        Assert.Empty(rib["outside"].Attribute("10.1.0.0/24", AttributeType.LocalPreference));
        Assert.Empty(rib["outside"].Attribute("10.1.0.0/24", AttributeType.Med));
        Assert.Equal("10.0.0.1", rib["outside"].NextHop("10.1.0.0/24"));
        Assert.DoesNotContain("10.1.0.0/24", rib["member"].Prefixes);
    }

    [Fact]
    public void RouteFromOutside_GoesToMembersInASequenceOfTheirs_NextHopKept()
    {
        RibHarness rib = Rib();

        rib.Announce("outside", "10.1.0.0/24", "65200 65300", med: 9, extra: [0xC0, 16, 8, 0x43, 0, 0, 0, 0, 0, 0, 1]);
        rib.Settle();

        Assert.Equal("(65101) 65200 65300", rib["member"].Path("10.1.0.0/24"));
        Assert.Equal("10.0.0.30", rib["member"].NextHop("10.1.0.0/24"));
        Assert.Equal([0, 0, 0, 100], rib["member"].Attribute("10.1.0.0/24", AttributeType.LocalPreference));
        Assert.Equal([0, 0, 0, 9], rib["member"].Attribute("10.1.0.0/24", AttributeType.Med));
        Assert.Equal(8, rib["member"].Attribute("10.1.0.0/24", AttributeType.ExtendedCommunities).Length);
        Assert.Equal("65200 65300", rib["ibgp"].Path("10.1.0.0/24"));
    }

    [Fact]
    public void RouteOfOurOwnMember_IsPrepended_InTheSameSegment_AndLosesReflectionAttributes()
    {
        RibHarness rib = Rib();

        Announce(rib, "ibgp", "10.1.0.0/24", Segments((3, [65103])), [0x40, 5, 4, 0, 0, 0, 200, 0x80, 9, 4, 9, 9, 9, 9, 0x80, 10, 4, 8, 8, 8, 8]);

        Assert.Equal("(65101 65103)", rib["member"].Path("10.1.0.0/24"));
        Assert.Empty(rib["member"].Attribute("10.1.0.0/24", AttributeType.OriginatorId));
        Assert.Empty(rib["member"].Attribute("10.1.0.0/24", AttributeType.ClusterList));
        Assert.Equal("65000", rib["outside"].Path("10.1.0.0/24"));
    }

    [Theory]
    [InlineData("member", 3, 65102u, 65101u, true)]
    [InlineData("member", 4, 65102u, 65101u, true)]
    [InlineData("member", 3, 65102u, 65103u, false)]
    [InlineData("outside", 2, 65200u, 65000u, true)]
    [InlineData("outside", 2, 65200u, 65101u, false)]
    public void OwnMemberAmongMembers_AndTheConfederationAmongOthers_AreLoops(string peer, byte type, uint first, uint second, bool loops)
    {
        RibHarness rib = Rib();
        byte[] path = type == 4 ? Segments((3, [first]), (4, [second])) : Segments((type, [first, second]));

        Announce(rib, peer, "10.1.0.0/24", path);

        Assert.Equal(loops ? PathStanding.Loop : PathStanding.Best, Route(rib, peer, "10.1.0.0/24").Standing);
    }

    [Fact]
    public void MembersCountNothingInTheLengthOfAPath()
    {
        RibHarness rib = Rib();
        rib.Announce("outside", "10.1.0.0/24", "65200 65300");

        Announce(rib, "member", "10.1.0.0/24", Segments((3, [65102, 65103]), (4, [65104, 65105]), (2, [65400])), 0x40, 5, 4, 0, 0, 0, 100);

        Assert.Equal(PathStanding.Best, Route(rib, "member", "10.1.0.0/24").Standing);
        Assert.Equal(PathStanding.AsPathLength, Route(rib, "outside", "10.1.0.0/24").Standing);
    }

    [Fact]
    public void PathOfAMember_CountsAsInternal_TheExternalOneWins()
    {
        RibHarness rib = Rib();
        Announce(rib, "member", "10.1.0.0/24", Segments((3, [65102]), (2, [65200])), 0x40, 5, 4, 0, 0, 0, 100);

        rib.Announce("outside", "10.1.0.0/24", "65200");
        rib.Settle();

        Assert.Equal(PathStanding.ExternalOverInternal, Route(rib, "member", "10.1.0.0/24").Standing);
    }

    [Theory]
    [InlineData("outside", 3, 65200u)]
    [InlineData("outside", 4, 65200u)]
    [InlineData("member", 2, 65102u)]
    [InlineData("member", 4, 65102u)]
    [InlineData("member", 3, 65103u)]
    [InlineData("member", 5, 65102u)]
    public void SegmentsWhereTheyMustNotBe_WithdrawRoutes_KeepSession(string peer, byte type, uint first)
    {
        RibHarness rib = Rib();

        Announce(rib, peer, "10.1.0.0/24", Segments((type, [first])));

        Assert.Equal(0, rib.Rib.Describe(rib[peer].Id)!.Received);
    }

    [Fact]
    public void WithoutAConfederation_EvenAnInternalPeerSendsNoMembers()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65001);

        Announce(rib, "a", "10.1.0.0/24", Segments((3, [65102])));

        Assert.Equal(0, rib.Rib.Describe(rib["a"].Id)!.Received);
    }

    [Theory]
    [InlineData(WellKnownCommunities.NoExport, true, false)]
    [InlineData(WellKnownCommunities.NoExportSubconfed, false, false)]
    [InlineData(65000u << 16 | 1, true, true)]
    public void NoExport_EndsAtTheConfederation_NoExportSubconfedAtTheMember(uint community, bool member, bool outside)
    {
        RibHarness rib = Rib();

        Announce(rib, "ibgp", "10.1.0.0/24", [], [0xC0, 8, 4, (byte)(community >> 24), (byte)(community >> 16), (byte)(community >> 8), (byte)community]);

        Assert.Equal(member, rib["member"].Seen.Count == 1);
        Assert.Equal(outside, rib["outside"].Seen.Count == 1);
        Assert.Contains(member ? "Announced = True" : "another member AS", rib.Rib.Explain(IpPrefix.Parse("10.1.0.0/24"), PeerId.None, rib["member"].Id)[0].Export!.ToString());
    }

    [Fact]
    public void OwnAsPrependedByPolicy_StandsAmongItsKind()
    {
        var prepend = new RoutePolicy { Rules = [new PolicyRule { Edits = [RouteEdit.PrependOwnAs(2)], Verdict = PolicyVerdict.Accept }], Default = PolicyVerdict.Accept };
        RibHarness rib = Rib(s => s with { Export = prepend }, s => s with { Export = prepend });

        Announce(rib, "ibgp", "10.1.0.0/24", Segments((3, [65103]), (2, [65300])));

        Assert.Equal("(65101 65101 65101 65103) 65300", rib["member"].Path("10.1.0.0/24"));
        Assert.Equal("65000 65000 65000 65300", rib["outside"].Path("10.1.0.0/24"));
    }

    [Fact]
    public void TwoOctetSpeakers_GetNoMembersInAs4Path()
    {
        RibHarness rib = Rib();
        rib.Up("old", "10.0.0.40", 65103, session: s => s with { FourOctetAs = false });

        rib.Announce("outside", "10.1.0.0/24", "65200 4200000001");
        rib.Settle();

        Assert.Equal("(65101) 65200 4200000001", rib["old"].Path("10.1.0.0/24"));
    }
}
