using Weft.Linux.Netlink;
using Weft.Node.Router;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Router;

public sealed class HostViewTests
{
    /// <summary>eth0 10.0.1.1/24 and fd01::1/64; a static route to 10.9.0.0/16 through 10.0.1.9.</summary>
    internal static HostView View()
    {
        LinkInfo link = new() { Index = 2, Name = "eth0", IsUp = true, HasCarrier = true };
        RouteInfo Connected(string prefix) => new() { Destination = IpPrefix.Parse(prefix), Hop = new RouteHop(default, 2) };
        return new HostView(
            [link],
            [Address("10.0.1.1/24"), Address("fd01::1/64"), Address("fe80::1/64")],
            [Connected("10.0.1.0/24"), Connected("fd01::/64"), new RouteInfo { Destination = IpPrefix.Parse("10.9.0.0/16"), Hop = new RouteHop(IpAddress.Parse("10.0.1.9"), 2) }]);
    }

    private static AddressInfo Address(string text) => new(2, InterfaceAddress.Parse(text), RouteScope.Universe, IsUsable: true, IsPermanent: true);

    [Theory]
    [InlineData("10.0.1.7", IpFamily.IPv4, "10.0.1.0/24")]
    [InlineData("10.0.1.7", IpFamily.IPv6, "fd01::/64")]
    [InlineData("fd01::7", IpFamily.IPv6, "fd01::/64")]
    [InlineData("10.9.0.7", IpFamily.IPv4, "none")]
    [InlineData("192.0.2.1", IpFamily.IPv4, "none")]
    public void SharedSubnet_IsThatOfTheLink_OfDirectNeighboursOnly(string neighbor, IpFamily family, string expected)
    {
        IpPrefix shared = View().SharedWith(IpAddress.Parse(neighbor), family);

        Assert.Equal(expected, shared.Family == IpFamily.None ? "none" : shared.ToString());
    }
}
