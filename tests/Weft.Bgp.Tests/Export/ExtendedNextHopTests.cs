using Weft.Bgp.Export;
using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Export;

/// <summary>RFC 8950: IPv4 routes whose next hop is an IPv6 address.</summary>
public sealed class ExtendedNextHopTests
{
    private const string Prefix = "10.1.0.0/24";

    private static NegotiatedSession OverIPv6(NegotiatedSession s) => s with { IPv6NextHops = AddressFamilies.IPv4, LocalAddress = IpAddress.Parse("2001:db8::1"), LocalLinkLocal = IpAddress.Parse("fe80::1") };

    private static byte[] Reach(string prefix, params byte[] nextHop)
    {
        byte[] nlri = RibHarness.Nlri(prefix);
        return [0x80, 14, (byte)(5 + nextHop.Length + nlri.Length), 0, 1, 1, (byte)nextHop.Length, .. nextHop, 0, .. nlri];
    }

    private static byte[] Octets(params string[] addresses)
    {
        byte[] octets = new byte[16 * addresses.Length];
        for (int i = 0; i < addresses.Length; i++)
        {
            IpAddress.Parse(addresses[i]).CopyTo(octets.AsSpan(16 * i));
        }

        return octets;
    }

    private static byte[] Announcement(params string[] nextHop) => Messages.Update([], [.. Reach(Prefix, Octets(nextHop)), .. Messages.Origin, .. Messages.AsPath(65010)], []);

    [Theory]
    [InlineData("2001:db8::10", new[] { "2001:db8::10" })]
    [InlineData("2001:db8::10", new[] { "2001:db8::10", "fe80::10" })]
    [InlineData("fe80::10", new[] { "::", "fe80::10" })]
    public void IPv4RouteWithIPv6NextHop_IsForwardedThere(string forwarded, string[] nextHop)
    {
        var rib = new RibHarness();
        rib.Up("a", "2001:db8::10", 65010, session: OverIPv6);
        rib.Receive("a", Announcement(nextHop));
        rib.Settle();

        Assert.Equal(forwarded, rib.Forwarding.Routes[IpPrefix.Parse(Prefix)]);

        rib.Receive("a", Messages.Update(RibHarness.Nlri(Prefix), [], []));
        rib.Settle();

        Assert.Empty(rib.Forwarding.Routes);
    }

    [Fact]
    public void BetweenLinkLocalNeighbours_TheLinkLocalHalfCounts()
    {
        var rib = new RibHarness();
        rib.Up("a", "fe80::10", 65010, s => s with { Interface = "eth0" }, OverIPv6);
        rib.Receive("a", Announcement("2001:db8:ffff::10", "fe80::10"));
        rib.Settle();

        Assert.Equal("fe80::10", rib.Forwarding.Routes[IpPrefix.Parse(Prefix)]);
    }

    [Fact]
    public void WithoutTheCapability_SuchANextHopEndsTheSession()
    {
        (DecodeResult result, _) = Messages.Decode(Announcement("2001:db8::10"), Messages.Session());

        Assert.Equal(DecodeAction.SessionReset, result.Action);
    }

    [Fact]
    public void ToAPeerOverIPv6_OwnAddressesStandInMpReach_AndWithdrawalsAreUnderstood()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010);
        rib.Up("b", "2001:db8::20", 65020, session: OverIPv6);
        rib.Announce("a", Prefix, "65010");
        rib.Settle();

        Assert.Equal(["2001:db8::1", "fe80::1"], Hops(rib["b"]));

        rib.Withdraw("a", Prefix);
        rib.Settle();

        Assert.Empty(rib["b"].Seen);
        Assert.Empty(rib["b"].WithdrawnUnknown);
    }

    [Fact]
    public void ToAPeerOverIPv4_TheIPv4AddressStays()
    {
        var rib = new RibHarness();
        rib.Up("a", "2001:db8::10", 65010, session: OverIPv6);
        rib.Up("b", "10.0.0.20", 65020, session: s => s with { IPv6NextHops = AddressFamilies.IPv4 });
        rib.Up("c", "10.0.0.30", 65030);
        rib.Receive("a", Announcement("2001:db8::10"));
        rib.Settle();

        Assert.Equal(("10.0.0.1", "10.0.0.1"), (rib["b"].NextHop(Prefix), rib["c"].NextHop(Prefix)));
    }

    [Fact]
    public void Reflector_KeepsTheIPv6NextHop_WhereTheClientTakesIt()
    {
        var rib = new RibHarness();
        rib.Up("a", "2001:db8::10", 65001, s => s with { RouteReflectorClient = true }, OverIPv6);
        rib.Up("b", "2001:db8::20", 65001, s => s with { RouteReflectorClient = true }, OverIPv6);
        rib.Up("c", "10.0.0.30", 65001, s => s with { RouteReflectorClient = true });
        rib.Up("d", "10.0.0.40", 65001, s => s with { RouteReflectorClient = true });
        rib.Receive("a", Announcement("2001:db8::10"));
        rib.Announce("d", "10.2.0.0/24", "65010");
        rib.Settle();

        Assert.Equal(["2001:db8::10"], Hops(rib["b"]));
        Assert.Equal("10.0.0.1", rib["c"].NextHop(Prefix));
        Assert.Equal("10.0.0.40", rib["b"].NextHop("10.2.0.0/24"));
    }

    private static string[] Hops(TestPeer peer)
    {
        byte[] octets = new CanonicalAttributes(peer.Seen[IpPrefix.Parse(Prefix)]).NextHop.ToArray();
        return [.. octets.Chunk(octets.Length == 4 ? 4 : 16).Select(static o => IpAddress.FromBytes(o).ToString())];
    }
}
