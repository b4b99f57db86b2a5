using System.Buffers.Binary;
using Weft.Bgp.Rib;
using Weft.Bgp.Tests.Support;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Rib;

/// <summary>RFC 9234 5: what the Only to Customer attribute does to routes that come and go.</summary>
public sealed class RoleTests
{
    private const uint Us = 65001;
    private const uint Them = 65010;

    private static byte[] Otc(uint number, byte flags = 0xC0) => [flags, 35, 4, (byte)(number >> 24), (byte)(number >> 16), (byte)(number >> 8), (byte)number];

    private static RibHarness Rib(BgpRole? source, BgpRole? target)
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", Them, session: s => s with { LocalRole = source });
        rib.Up("b", "10.0.0.20", 65020, session: s => s with { LocalRole = target });
        return rib;
    }

    private static uint? OtcAt(RibHarness rib, string peer, string prefix) =>
        rib[peer].Attribute(prefix, AttributeType.OnlyToCustomer) is { Length: 4 } value ? BinaryPrimitives.ReadUInt32BigEndian(value) : null;

    private static RouteSnapshot Route(RibHarness rib)
    {
        uint cursor = 0;
        return Assert.Single(rib.Rib.Query(new RouteQuery { Prefix = IpPrefix.Parse("10.1.0.0/24") }, PeerId.None, PeerId.None, ref cursor));
    }

    [Theory]
    [InlineData(BgpRole.Provider, null, false)]
    [InlineData(BgpRole.Provider, Them, true)]
    [InlineData(BgpRole.RouteServer, null, false)]
    [InlineData(BgpRole.RouteServer, 65099u, true)]
    [InlineData(BgpRole.Peer, null, false)]
    [InlineData(BgpRole.Peer, Them, false)]
    [InlineData(BgpRole.Peer, 65099u, true)]
    [InlineData(BgpRole.Customer, 65099u, false)]
    [InlineData(BgpRole.RouteServerClient, 65099u, false)]
    [InlineData(null, 65099u, false)]
    public void Ingress_RefusesLeaks_AndSaysSo(BgpRole? role, uint? otc, bool leak)
    {
        RibHarness rib = Rib(role, null);

        rib.Announce("a", "10.1.0.0/24", "65010", extra: otc is uint number ? Otc(number) : null);
        rib.Settle();

        RouteSnapshot route = Route(rib);
        Assert.Equal(leak ? PathStanding.Leak : PathStanding.Best, route.Standing);
        Assert.Equal(leak, rib.Forwarding.Routes.Count == 0);
        Assert.Equal((1, leak ? 0 : 1), (rib.Rib.Describe(rib["a"].Id)!.Received, rib.Rib.Describe(rib["a"].Id)!.Accepted));
    }

    [Theory]
    [InlineData(BgpRole.Customer, Them)]
    [InlineData(BgpRole.Peer, Them)]
    [InlineData(BgpRole.RouteServerClient, Them)]
    [InlineData(BgpRole.Provider, null)]
    [InlineData(BgpRole.RouteServer, null)]
    [InlineData(null, null)]
    public void Ingress_MarksWhatComesFromAbove(BgpRole? role, uint? expected)
    {
        RibHarness rib = Rib(role, null);

        // Attributes around the new one: it goes to its place among them.
        rib.Announce("a", "10.1.0.0/24", "65010", extra: [0xC0, 8, 4, 1, 2, 3, 4, 0xE0, 40, 1, 9, 0xE0, 250, 1, 8]);
        rib.Settle();

        Assert.Equal(expected, Route(rib).OnlyToCustomer);
        Assert.Equal(expected, OtcAt(rib, "b", "10.1.0.0/24"));
        Assert.Equal([9], rib["b"].Attribute("10.1.0.0/24", (AttributeType)40));
        Assert.Equal([8], rib["b"].Attribute("10.1.0.0/24", (AttributeType)250));
    }

    [Fact]
    public void Ingress_KeepsTheMarkThatIsThere()
    {
        RibHarness rib = Rib(BgpRole.Customer, null);

        rib.Announce("a", "10.1.0.0/24", "65010", extra: Otc(65099));
        rib.Settle();

        Assert.Equal(65099u, OtcAt(rib, "b", "10.1.0.0/24"));
    }

    [Theory]
    [InlineData(BgpRole.Provider, Us, true)]
    [InlineData(BgpRole.RouteServer, Us, true)]
    [InlineData(BgpRole.Peer, Us, false)]
    [InlineData(BgpRole.Customer, null, false)]
    [InlineData(BgpRole.RouteServerClient, null, false)]
    [InlineData(null, null, true)]
    public void Egress_MarksWhatGoesDown_AndHoldsBackWhatIsMarked(BgpRole? role, uint? mark, bool passesMarked)
    {
        RibHarness rib = Rib(null, role);

        rib.Announce("a", "10.1.0.0/24", "65010");
        rib.Announce("a", "10.2.0.0/24", "65010", extra: Otc(65099));
        rib.Settle();

        Assert.Equal(mark, OtcAt(rib, "b", "10.1.0.0/24"));
        Assert.Equal(passesMarked, rib["b"].Seen.ContainsKey(IpPrefix.Parse("10.2.0.0/24")));
        if (passesMarked)
        {
            Assert.Equal(65099u, OtcAt(rib, "b", "10.2.0.0/24"));
        }
    }

    [Fact]
    public void OwnRoute_IsMarkedToCustomers()
    {
        RibHarness rib = Rib(null, BgpRole.Provider);

        rib.Rib.Originate(IpPrefix.Parse("10.9.0.0/24"), CanonicalBuilder.Build(RouteAttributes.Default));
        rib.Settle();

        Assert.Equal(Us, OtcAt(rib, "b", "10.9.0.0/24"));
        Assert.False(rib["a"].Attribute("10.9.0.0/24", AttributeType.OnlyToCustomer).Length != 0);
    }

    [Fact]
    public void MarkedRouteThatWasUnmarked_IsWithdrawnFromThePeer()
    {
        RibHarness rib = Rib(null, BgpRole.Peer);
        rib.Announce("a", "10.1.0.0/24", "65010");
        rib.Settle();
        Assert.Equal(["10.1.0.0/24"], rib["b"].Prefixes);

        rib.Announce("a", "10.1.0.0/24", "65010", extra: Otc(65099));
        rib.Settle();

        Assert.Empty(rib["b"].Prefixes);
        Assert.Contains("for customers only", Assert.Single(rib.Rib.Explain(IpPrefix.Parse("10.1.0.0/24"), PeerId.None, rib["b"].Id)).Export!.Barred);
    }

    [Theory]
    [InlineData(new byte[] { 0xC0, 35, 3, 0, 0, 1 }, true)]
    [InlineData(new byte[] { 0xC0, 35, 0 }, true)]
    [InlineData(new byte[] { 0xC0, 35, 8, 0, 0, 0, 1, 0, 0, 0, 2 }, true)]
    [InlineData(new byte[] { 0x80, 35, 4, 0, 0, 0, 1 }, true)]
    [InlineData(new byte[] { 0xC0, 35, 4, 0, 0, 0, 1 }, false)]
    [InlineData(new byte[] { 0xE0, 35, 4, 0, 0, 0, 1 }, false)]
    public void MalformedOtc_WithdrawsRoutes_KeepsSession(byte[] attribute, bool malformed)
    {
        byte[] message = Messages.Update([], [.. Messages.Origin, .. Messages.AsPath(65002), .. Messages.NextHop, .. attribute], RibHarness.Nlri("10.1.0.0/24"));

        (DecodeResult result, Decoded routes) = Messages.Decode(message, Messages.Session());

        Assert.Equal(malformed ? DecodeAction.TreatAsWithdraw : DecodeAction.None, result.Action);
        Assert.Equal(malformed ? 1 : 0, routes.Withdrawn.Count);
    }

    [Fact]
    public void TwoUpdatesOfOneBatch_AreBothMarked()
    {
        RibHarness rib = Rib(BgpRole.Customer, null);
        for (int i = 0; i < 50; i++)
        {
            rib.Announce("a", $"10.1.{i}.0/24", "65010 " + (100 + i));
        }

        rib.Settle();

        Assert.All(Enumerable.Range(0, 50), i => Assert.Equal(Them, OtcAt(rib, "b", $"10.1.{i}.0/24")));
    }
}
