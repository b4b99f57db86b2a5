using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Rib;

/// <summary>RFC 7911, receiving: several paths of one prefix from one peer, told apart by identifiers.</summary>
public sealed class AddPathReceiveTests
{
    private const string Prefix = "10.1.0.0/24";

    private static NegotiatedSession WithIds(NegotiatedSession s) => s with { AddPathReceive = AddressFamilies.Both };

    private static RibHarness Build(int maximumPaths = 1)
    {
        var rib = new RibHarness(maximumPaths: maximumPaths);
        rib.Up("a", "10.0.0.10", 65010, session: WithIds);
        rib.Up("b", "10.0.0.20", 65020);
        return rib;
    }

    private static RouteSnapshot[] Routes(RibHarness rib)
    {
        uint cursor = 0;
        return [.. rib.Rib.Query(new RouteQuery(), PeerId.None, PeerId.None, ref cursor)];
    }

    [Fact]
    public void SeveralPaths_AreKept_TheBestOfThemWins()
    {
        RibHarness rib = Build();
        rib.Announce("a", Prefix, "65010 7 8", pathId: 1);
        rib.Announce("a", Prefix, "65010 7", pathId: 2, nextHop: "10.0.0.12");
        rib.Announce("a", Prefix, "65010 7 8 9", pathId: 3);
        rib.Settle();

        Assert.Equal("10.0.0.12", rib.Forwarding.Routes[IpPrefix.Parse(Prefix)]);
        Assert.Equal("65001 65010 7", rib["b"].Path(Prefix));
        Assert.Equal([2u, 1u, 3u], Routes(rib).OrderBy(static r => r.AsPath.Length).Select(static r => r.PathId));
        Assert.Equal(3, rib.Rib.Describe(rib["a"].Id)!.Received);
    }

    [Fact]
    public void AnnouncementReplacesThePathOfItsId_WithdrawalTakesOnlyThatPath()
    {
        RibHarness rib = Build();
        rib.Announce("a", Prefix, "65010 7", pathId: 1);
        rib.Announce("a", Prefix, "65010 8 8", pathId: 2);
        rib.Announce("a", Prefix, "65010 9 9 9", pathId: 1);
        rib.Settle();

        Assert.Equal("65001 65010 8 8", rib["b"].Path(Prefix));

        rib.Withdraw("a", Prefix, pathId: 2);
        rib.Withdraw("a", Prefix, pathId: 77);
        rib.Settle();

        Assert.Equal("65001 65010 9 9 9", rib["b"].Path(Prefix));

        rib.Withdraw("a", Prefix, pathId: 1);
        rib.Settle();

        Assert.Empty(rib["b"].Seen);
        Assert.Equal((0, 0, 0), (rib.Rib.Tables.Paths.Count, rib.Rib.Tables.Prefixes.Count, rib.Rib.Describe(rib["a"].Id)!.Received));
    }

    [Fact]
    public void PathsOfOnePeer_ShareTheTraffic()
    {
        RibHarness rib = Build(maximumPaths: 4);
        rib.Announce("a", Prefix, "65010 7", pathId: 1, nextHop: "10.0.0.11");
        rib.Announce("a", Prefix, "65010 7", pathId: 2, nextHop: "10.0.0.12");
        rib.Settle();

        Assert.Equal("10.0.0.11,10.0.0.12", rib.Forwarding.Routes[IpPrefix.Parse(Prefix)]);

        rib.Withdraw("a", Prefix, pathId: 1);
        rib.Settle();

        Assert.Equal("10.0.0.12", rib.Forwarding.Routes[IpPrefix.Parse(Prefix)]);
    }

    [Theory]
    [InlineData(1u, 2u)]
    [InlineData(2u, 1u)]
    public void EqualPathsOfOnePeer_AreChosenByTheLowerId_WhateverCameFirst(uint first, uint second)
    {
        RibHarness rib = Build();
        rib.Announce("a", Prefix, "65010 7", pathId: first, nextHop: $"10.0.0.{10 + first}");
        rib.Settle();
        rib.Announce("a", Prefix, "65010 7", pathId: second, nextHop: $"10.0.0.{10 + second}");
        rib.Settle();

        Assert.Equal("10.0.0.11", rib.Forwarding.Routes[IpPrefix.Parse(Prefix)]);
    }

    [Fact]
    public void MalformedAttribute_WithdrawsThePathItNames_AndNoOther()
    {
        RibHarness rib = Build();
        rib.Announce("a", Prefix, "65010 7", pathId: 1);
        rib.Announce("a", Prefix, "65010 8", pathId: 2);
        rib.Announce("a", Prefix, "65010 9", origin: 9, pathId: 1);
        rib.Settle();

        Assert.Equal([2u], Routes(rib).Select(static r => r.PathId));
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 1 })]
    [InlineData(new byte[] { 0, 0, 0 })]
    [InlineData(new byte[] { 0, 0, 0, 1, 33, 10, 0, 0, 0, 0 })]
    [InlineData(new byte[] { 0, 0, 0, 1, 24, 10, 0 })]
    public void NlriThatDoesNotFit_EndsTheSession(byte[] nlri)
    {
        (DecodeResult result, _) = Messages.Decode(Messages.Update(nlri, [], []), WithIds(Messages.Session()));

        Assert.Equal((DecodeAction.SessionReset, Subcode.InvalidNetworkField), (result.Action, result.Subcode));
    }

    [Fact]
    public void IPv6_IdsStandInMpReachAndMpUnreach()
    {
        byte[] nlri = [.. RibHarness.Nlri("2001:db8:1::/48", 5), .. RibHarness.Nlri("2001:db8:1::/48", 6)];
        byte[] reach = [0x80, 14, (byte)(21 + nlri.Length), 0, 2, 1, 16, 0x20, 1, 0xD, 0xB8, .. new byte[10], 0, 9, 0, .. nlri];
        byte[] unreach = [0x80, 15, (byte)(3 + nlri.Length), 0, 2, 1, .. nlri];

        (_, Decoded announced) = Messages.Decode(Messages.Update([], [.. reach, .. Messages.Origin, .. Messages.AsPath(65002)], []), WithIds(Messages.Session()));
        (_, Decoded withdrawn) = Messages.Decode(Messages.Update([], unreach, []), WithIds(Messages.Session()));

        Assert.Equal([5u, 6u], announced.AnnouncedIds);
        Assert.Equal([5u, 6u], withdrawn.WithdrawnIds);
    }

    [Fact]
    public void NextSessionWithoutIds_LeavesNothingOfTheOldOne()
    {
        RibHarness rib = Build();
        rib.Announce("a", Prefix, "65010 7", pathId: 1);
        rib.Announce("a", Prefix, "65010 8", pathId: 2);
        rib.Settle();
        rib.Down("a");
        rib.Up("a", "10.0.0.10", 65010);
        rib.Announce("a", Prefix, "65010 9 9");
        rib.Settle();

        Assert.Equal("65001 65010 9 9", rib["b"].Path(Prefix));
        Assert.Equal(1, rib.Rib.Tables.Paths.Count);

        rib.Withdraw("a", Prefix);
        rib.Settle();

        Assert.Equal((0, 0), (rib.Rib.Tables.Paths.Count, rib.Rib.Tables.Attributes.Count));
    }

    [Fact]
    public void StalePaths_AreConfirmedByTheirIds_TheOthersGoAtEndOfRib()
    {
        static NegotiatedSession Restarts(NegotiatedSession s) => WithIds(s) with
        {
            RestartFamilies = AddressFamilies.Both, ForwardingKept = AddressFamilies.Both, PeerRestartTime = TimeSpan.FromSeconds(120),
        };
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010, session: Restarts);
        rib.Announce("a", Prefix, "65010 7", pathId: 1);
        rib.Announce("a", Prefix, "65010 8", pathId: 2);
        rib.Settle();
        rib.Down("a", keep: true);
        rib.Settle();

        Assert.Equal(2, rib.Rib.Describe(rib["a"].Id)!.Stale);

        rib.Up("a", "10.0.0.10", 65010, session: Restarts);
        rib.Announce("a", Prefix, "65010 8", pathId: 2);
        rib.Receive("a", Messages.Update([], [], []));
        rib.Settle();

        Assert.Equal([2u], Routes(rib).Select(static r => r.PathId));
        Assert.Equal(0, rib.Rib.Describe(rib["a"].Id)!.Stale);
    }
}
