using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Wire;

/// <summary>Octets as the RFCs draw them.</summary>
public sealed class CapabilitiesTests
{
    [Fact]
    public void EveryCapability_IsReadFromItsOctets()
    {
        OpenMessage open = Read(
            "0104 0001 00 01", "0104 0002 00 01", "0200", "4600", "0600", "0506 0001 0001 0002", "0901 03",
            "400a C078 0001 01 80 0002 01 00", "4104 FA56EA01", "4508 0001 01 01 0002 01 03", "470e 0001 01 80 000E10 0002 01 00 FFFFFF");

        Assert.Equal(AddressFamilies.Both, open.Families);
        Assert.True(open is { RouteRefresh: true, EnhancedRouteRefresh: true, ExtendedMessages: true, FourOctetAs: true, As: 4200000001 });
        Assert.Equal((AddressFamilies.IPv4, BgpRole.Customer), (open.IPv6NextHops, open.Role));
        Assert.True(open is { GracefulRestart: true, Restarting: true, RestartNotifications: true, RestartTime: 120, RestartFamilies: AddressFamilies.Both, ForwardingKept: AddressFamilies.IPv4 });
        Assert.Equal((AddressFamilies.Both, AddressFamilies.IPv6), (open.AddPathReceive, open.AddPathSend));
        Assert.Equal((AddressFamilies.Both, AddressFamilies.IPv4, 3600u, 16777215u), (open.LongLivedFamilies, open.LongLivedKept, open.LongLivedTimeIPv4, open.LongLivedTimeIPv6));
    }

    [Theory]
    [InlineData("0506 0001 0001 0001")] // RFC 8950: an IPv4 next hop needs no capability.
    [InlineData("4504 0001 01 04")] // RFC 7911: other than 1, 2, 3.
    [InlineData("4504 0019 41 03")] // A family weft does not speak.
    [InlineData("4703 0001 01")] // Cut off inside an entry.
    [InlineData("E704 01020304")] // Unknown.
    public void WhatMeansNothing_ChangesNothing(string capability)
    {
        Assert.Equal(Read() with { HasMultiprotocol = false }, Read(capability));
    }

    [Fact]
    public void TwoRoles_Contradict()
    {
        Assert.False(Read("0901 00", "0901 00").RolesContradict);
        Assert.True(Read("0901 00", "0901 03").RolesContradict);
        Assert.True(Read("0901 05").RolesContradict); // Unassigned: it corresponds to nothing.
    }

    private static OpenMessage Read(params string[] capabilities)
    {
        var open = new OpenMessage { As = 65001, HoldTime = 90, RouterId = IpAddress.Parse("10.0.0.1") };
        Assert.True(Capabilities.Read(Convert.FromHexString(string.Concat(capabilities).Replace(" ", string.Empty)), ref open));
        return open;
    }
}
