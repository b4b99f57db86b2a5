using Weft.Model.Keys;
using Weft.Policy.Conversion;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using static Weft.Policy.Tests.Build;

namespace Weft.Policy.Tests;

public sealed class RouteTests
{
    [Fact]
    public void Blocks_InheritTheirPool_AndLeadToTheirNode()
    {
        Replay state = States.Run(
            Pool("10.0.0.0/16", "Always", nat: true), Node(ThisNode, "192.168.0.1/24"), Node("node2", "192.168.1.2/24"), Block("10.0.1.0/26", ThisNode), Block("10.0.2.0/26", "node2"));

        Assert.Equal(Route("10.0.0.0/16", RouteTypes.None, null, null, RouteTraits.NatOutgoing), state.Routes[IpPrefix.Parse("10.0.0.0/16")]);
        Assert.Equal(Route("10.0.1.0/26", RouteTypes.LocalWorkload, ThisNode, "192.168.0.1", RouteTraits.NatOutgoing), state.Routes[IpPrefix.Parse("10.0.1.0/26")]);
        Assert.Equal(Route("10.0.2.0/26", RouteTypes.RemoteWorkload, "node2", "192.168.1.2", RouteTraits.NatOutgoing), state.Routes[IpPrefix.Parse("10.0.2.0/26")]);
        Assert.Equal(Route("192.168.0.1/32", RouteTypes.LocalHost, ThisNode, "192.168.0.1", pool: IpPoolType.None), state.Routes[IpPrefix.Parse("192.168.0.1/32")]);
        Assert.Equal(Route("192.168.1.2/32", RouteTypes.RemoteHost, "node2", "192.168.1.2", pool: IpPoolType.None), state.Routes[IpPrefix.Parse("192.168.1.2/32")]);
        Assert.Equal(Encapsulations.Vxlan, state.Encapsulation);
    }

    [Fact]
    public void CrossSubnet_MarksNodesOfTheOwnSubnet_BothFamilies()
    {
        Replay state = States.Run(
            Pool("10.0.0.0/16", "CrossSubnet"), Pool("fd10::/48", "CrossSubnet"), Node(ThisNode, "192.168.0.1/24", bgp6: "fd00::1/64"),
            Node("near", "192.168.0.2/24", bgp6: "fd00::2/64"), Node("far", "192.168.1.2/24", bgp6: "fd00:0:0:1::2/64"), Block("10.0.1.0/26", "near"), Block("10.0.2.0/26", "far"),
            Block("fd10::/122", "near"), Block("fd10::40/122", "far"));

        Assert.Equal(RouteTraits.SameSubnet, state.Routes[IpPrefix.Parse("10.0.1.0/26")].Traits);
        Assert.Equal(RouteTraits.None, state.Routes[IpPrefix.Parse("10.0.2.0/26")].Traits);
        Assert.Equal(RouteTraits.SameSubnet, state.Routes[IpPrefix.Parse("fd10::/122")].Traits);
        Assert.Equal(RouteTraits.None, state.Routes[IpPrefix.Parse("fd10::40/122")].Traits);
        Assert.Equal(IpAddress.Parse("fd00::2"), state.Routes[IpPrefix.Parse("fd10::/122")].NodeAddress);
    }

    [Fact]
    public void BorrowedAddresses_LeadToTheBorrower()
    {
        Replay state = States.Run(
            Pool("10.0.0.0/16", "Always"), Node(ThisNode, "192.168.0.1/24"), Node("node2", "192.168.0.2/24"), Block("10.0.1.0/26", ThisNode, "5=node2", "6=node1"),
            Block("10.0.2.0/26", null, "1=node2"));

        Assert.Equal(Route("10.0.1.5/32", RouteTypes.RemoteWorkload, "node2", "192.168.0.2", RouteTraits.Borrowed), state.Routes[IpPrefix.Parse("10.0.1.5/32")]);
        Assert.False(state.Routes.ContainsKey(IpPrefix.Parse("10.0.1.6/32")));
        Assert.False(state.Routes.ContainsKey(IpPrefix.Parse("10.0.2.0/26")));
        Assert.Equal(Route("10.0.2.1/32", RouteTypes.RemoteWorkload, "node2", "192.168.0.2"), state.Routes[IpPrefix.Parse("10.0.2.1/32")]);
    }

    [Fact]
    public void LocalWorkloads_AreKnownOneByOne_RemoteOnesOnlyByBlock()
    {
        Replay state = States.Run(
            Pool("10.0.0.0/16", "Always"), Node(ThisNode, "192.168.0.1/24"), Block("10.0.1.0/26", ThisNode), Block("10.0.2.0/26", "node2"),
            Workload("a", "", "10.0.1.1"), Workload("b", "", "10.0.2.1"), Workload("c", "", "10.0.2.9", node: "node2"));

        Assert.Equal(Route("10.0.1.1/32", RouteTypes.LocalWorkload, ThisNode, "192.168.0.1", RouteTraits.LocalWorkload), state.Routes[IpPrefix.Parse("10.0.1.1/32")]);
        Assert.Equal(
            Route("10.0.2.1/32", RouteTypes.LocalWorkload, ThisNode, "192.168.0.1", RouteTraits.LocalWorkload | RouteTraits.Borrowed), state.Routes[IpPrefix.Parse("10.0.2.1/32")]);
        Assert.False(state.Routes.ContainsKey(IpPrefix.Parse("10.0.2.9/32")));
    }

    [Fact]
    public void RouteSourceWorkloadIPs_IgnoresBlocks_KnowsEveryWorkload()
    {
        Replay state = States.Run(
            Felix("default", "routeSource=WorkloadIPs"), Pool("10.0.0.0/16", "Always"), Node("node2", "192.168.0.2/24"), Block("10.0.2.0/26", "node2"),
            Workload("c", "", "10.0.2.9", node: "node2"));

        Assert.False(state.Routes.ContainsKey(IpPrefix.Parse("10.0.2.0/26")));
        Assert.Equal(Route("10.0.2.9/32", RouteTypes.RemoteWorkload, "node2", "192.168.0.2"), state.Routes[IpPrefix.Parse("10.0.2.9/32")]);
    }

    [Fact]
    public void TunnelAddresses_AreNoWorkloads()
    {
        Replay state = States.Run(
            Pool("10.0.0.0/16", "Always"), Node(ThisNode, "192.168.0.1/24", "10.0.1.0"), Node("node2", "192.168.0.2/24", "10.0.2.0"),
            Block("10.0.1.0/26", ThisNode, "0=node1"), Block("10.0.2.0/26", "node2", "0=node2"));

        Assert.Equal(Route("10.0.1.0/32", RouteTypes.LocalTunnel, ThisNode, "192.168.0.1", tunnels: TunnelTypes.Vxlan), state.Routes[IpPrefix.Parse("10.0.1.0/32")]);
        Assert.Equal(Route("10.0.2.0/32", RouteTypes.RemoteTunnel, "node2", "192.168.0.2", tunnels: TunnelTypes.Vxlan), state.Routes[IpPrefix.Parse("10.0.2.0/32")]);
    }

    [Theory]
    [InlineData("remotehostname2", IpFamily.IPv4, "66:40:18:59:1f:16")]
    [InlineData("remotehostname", IpFamily.IPv4, "66:3e:ca:a4:db:65")]
    [InlineData("remotehostname", IpFamily.IPv6, "66:a0:68:c9:4c:79")]
    public void TunnelMac_IsDerivedFromTheNodesName(string node, IpFamily family, string expected) =>
        Assert.Equal(MacAddress.Parse(expected), NodeConversion.DerivedMac(node, family));

    [Fact]
    public void Vteps_NeedBothAddressesOfAFamily()
    {
        Replay state = States.Run(
            Node("a", "192.168.0.1/24", "10.0.1.0", "fd00::1/64", s => (s.Ipv6VXLANTunnelAddr, s.VxlanTunnelMACAddr) = ("fd10::1", "02:00:00:00:00:01")),
            Node("b", null, "10.0.2.0", "fd00::2/64"), Node("c", "192.168.0.3/24"));

        Assert.Equal(
            new VXLANTunnelEndpointUpdate(
                "a", MacAddress.Parse("02:00:00:00:00:01"), IpAddress.Parse("10.0.1.0"), IpAddress.Parse("192.168.0.1"),
                NodeConversion.DerivedMac("a", IpFamily.IPv6), IpAddress.Parse("fd10::1"), IpAddress.Parse("fd00::1")),
            Assert.Single(state.Vteps.Values));
    }

    [Fact]
    public void ChangedVtep_IsRemovedFirst_RoutesFollowTheNode()
    {
        PolicyGraph graph = new(ThisNode);
        List<DataplaneUpdate> sent = [];
        Recorder sink = new(sent);
        graph.OnInSync();
        graph.OnUpdate(Node("node2", "192.168.0.2/24", "10.0.2.0"));
        graph.OnUpdate(Block("10.0.2.0/26", "node2"));
        graph.Flush(sink);
        sent.Clear();

        graph.OnUpdate(Node("node2", "192.168.0.9/24", "10.0.2.0"));
        graph.Flush(sink);

        Assert.Equal(
            ["RouteRemove", "VXLANTunnelEndpointRemove", "VXLANTunnelEndpointUpdate", "RouteUpdate", "RouteUpdate", "RouteUpdate", "HostMetadataUpdate"],
            sent.Select(u => u.GetType().Name));
        Assert.All(sent.OfType<RouteUpdate>(), r => Assert.Equal(IpAddress.Parse("192.168.0.9"), r.NodeAddress));
    }

    [Theory]
    [InlineData("", "Ipip, Vxlan")]
    [InlineData("ipipEnabled=false", "Vxlan")]
    [InlineData("vxlanEnabled=false", "Ipip")]
    [InlineData("programClusterRoutes=Enabled", "Ipip, Vxlan, NoEncap")]
    [InlineData("programClusterRoutes=EnabledIPIPOnly", "Ipip, Vxlan")]
    public void Encapsulation_IsThatOfThePools_UnlessConfigured(string felix, string expected)
    {
        Replay state = States.Run(Felix("default", felix), Pool("10.0.0.0/16", "Always"), Pool("10.1.0.0/16", ipip: "CrossSubnet"), Pool("10.2.0.0/16"));

        Assert.Equal(expected, state.Encapsulation.ToString());
    }

    [Fact]
    public void Encapsulation_OfIPv6Pools_IsTheirOwn()
    {
        Assert.Equal(Encapsulations.VxlanV6, States.Run(Felix("default", "vxlanEnabled=false"), Pool("fd10::/48", "Always")).Encapsulation);
        Assert.Equal(Encapsulations.Vxlan, States.Run(Felix("default", "vxlanEnabled=true")).Encapsulation);
    }

    private static RouteUpdate Route(
        string destination, RouteTypes types, string? node, string? via, RouteTraits traits = RouteTraits.None, IpPoolType pool = IpPoolType.Vxlan, TunnelTypes tunnels = TunnelTypes.None) =>
        new(IpPrefix.Parse(destination), types, pool, node, via is null ? null : IpAddress.Parse(via), traits, tunnels);

    private sealed class Recorder(List<DataplaneUpdate> sent) : IDataplaneSink
    {
        public void Emit(DataplaneUpdate update) => sent.Add(update);
    }
}
