using System.Collections;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Hosting.Configuration;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Node.Startup;
using Weft.Node.Tests.Cni;
using Weft.Primitives.Net;
using NodeResource = Weft.Model.Resources.Node;

namespace Weft.Node.Tests.Startup;

public sealed class NodeStartupTests : INodeHost
{
    private readonly MemoryDatastore _store = new();
    private List<HostInterface> _interfaces = [new("eth0", IsUp: true, [InterfaceAddress.Parse("192.0.2.1/24")])];

    IReadOnlyList<HostInterface> INodeHost.Interfaces() => _interfaces;

    IpAddress? INodeHost.SourceTowards(IpAddress target) => null;

    [Theory]
    [InlineData("NodeA", "NodeA")]
    [InlineData("  node-b  ", "node-b")]
    public void NodeName_AsSet_IsTaken(string configured, string expected) => Assert.Equal(expected, NodeSettings.NodeName(configured));

    [Fact]
    public async Task EmptyDatastore_GetsDefaultsAndNode()
    {
        await Startup().RunOnceAsync(CancellationToken.None);

        NodeResource node = Node();
        Assert.Equal("192.0.2.1/24", node.Spec.Bgp!.Ipv4Address);
        Assert.Equal(("192.0.2.1/24", "CalicoNodeIP"), (node.Spec.Addresses![0].Address, node.Spec.Addresses[0].Type));
        Assert.True(_store.Find<ClusterInformation>(new ResourceKey(ResourceKind.ClusterInformation, "default"))!.Spec.DatastoreReady);
        Assert.NotNull(_store.Find<Tier>(new ResourceKey(ResourceKind.Tier, "default")));
        Assert.Equal("Info", _store.Find<FelixConfiguration>(new ResourceKey(ResourceKind.FelixConfiguration, "default"))!.Spec.Fields["logSeverityScreen"].GetString());
        Assert.NotNull(_store.Find<FelixConfiguration>(new ResourceKey(ResourceKind.FelixConfiguration, "node.node-a")));
        Assert.NotNull(_store.Find<BGPConfiguration>(new ResourceKey(ResourceKind.BGPConfiguration, "default")));
        Assert.DoesNotContain(_store.All, v => v.Value is IPPool);
    }

    [Fact]
    public async Task SecondStart_ChangesNothing()
    {
        await Startup().RunOnceAsync(CancellationToken.None);
        List<long> before = [.. _store.All.Select(v => v.Revision.Value)];

        await Startup().RunOnceAsync(CancellationToken.None);

        Assert.Equal(before, _store.All.Select(v => v.Revision.Value));
    }

    [Fact]
    public async Task StoredAddress_IsKept_WhenNothingIsSet()
    {
        _store.Put(new ResourceKey(ResourceKind.Node, "node-a"), new NodeResource { Metadata = { Name = "node-a" }, Spec = { Bgp = new NodeBgpSpec { Ipv4Address = "203.0.113.5/24" } } });

        await Startup().RunOnceAsync(CancellationToken.None);

        Assert.Equal("203.0.113.5/24", Node().Spec.Bgp!.Ipv4Address);
    }

    [Fact]
    public async Task Autodetect_FollowsTheInterface_AndKeepsForeignFields()
    {
        NodeStartup startup = Startup(("ipv4-address", "autodetect"), ("as-number", "65000"));
        await startup.RunOnceAsync(CancellationToken.None);
        Node().Metadata.Labels = new Dictionary<string, string> { ["rack"] = "1" };
        _interfaces = [new("eth0", IsUp: true, [InterfaceAddress.Parse("192.0.2.77/24")])];

        await startup.RunOnceAsync(CancellationToken.None);

        Assert.Equal("192.0.2.77/24", Node().Spec.Bgp!.Ipv4Address);
        Assert.Equal(65000u, Node().Spec.Bgp!.AsNumber!.Value.Value);
        Assert.Equal("1", Node().Metadata.Labels!["rack"]);
        Assert.Single(Node().Spec.Addresses!);
    }

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1/24")]
    [InlineData("198.51.100.7", "198.51.100.7/32")]
    [InlineData("198.51.100.7/25", "198.51.100.7/25")]
    public async Task GivenAddress_TakesItsLengthFromTheInterface(string text, string expected)
    {
        await Startup(("ipv4-address", text)).RunOnceAsync(CancellationToken.None);

        Assert.Equal(expected, Node().Spec.Bgp!.Ipv4Address);
    }

    [Fact]
    public async Task None_WithoutStoredAddress_IsAProblem_NodeExistsAllTheSame()
    {
        NodeStartup startup = Startup(("ipv4-address", "none"));

        await startup.RunOnceAsync(CancellationToken.None);

        Assert.Contains("cannot speak BGP", Assert.Single(startup.Problems));
        Assert.NotNull(Node());
    }

    [Fact]
    public async Task AddressOfAnotherNode_IsNotTaken()
    {
        _store.Put(new ResourceKey(ResourceKind.Node, "node-b"), new NodeResource { Metadata = { Name = "node-b" }, Spec = { Bgp = new NodeBgpSpec { Ipv4Address = "192.0.2.1/24" } } });
        NodeStartup startup = Startup();

        await startup.RunOnceAsync(CancellationToken.None);

        Assert.Contains("node-b has the address", Assert.Single(startup.Problems));
        Assert.Null(Node().Spec.Bgp?.Ipv4Address);
    }

    [Fact]
    public async Task DefaultPool_IsCreatedOnlyWhenAskedForAndNoneOfTheFamilyExists()
    {
        await Startup(("default-ipv4-pool", "10.1.0.0/16")).RunOnceAsync(CancellationToken.None);
        await Startup(("default-ipv4-pool", "10.2.0.0/16")).RunOnceAsync(CancellationToken.None);

        IPPool pool = Assert.Single(_store.All.Select(v => v.Value).OfType<IPPool>());
        Assert.Equal(("default-ipv4-ippool", "10.1.0.0/16"), (pool.Metadata.Name, pool.Spec.Cidr));
    }

    [Theory] // S8
    [InlineData("10.0.0.1/8", null, "192.168.0.0/16")]
    [InlineData("192.168.7.1/24", null, "172.16.0.0/16")]
    [InlineData("192.168.7.1/24", "172.16.9.1/24", "172.17.0.0/16")]
    public async Task AutomaticPool_AvoidsTheRangesOfTheHost(string first, string? second, string expected)
    {
        _interfaces = [new("eth0", IsUp: true, [.. new[] { first, second }.OfType<string>().Select(a => InterfaceAddress.Parse(a))])];

        await Startup(("default-ipv4-pool", "auto"), ("default-ipv4-pool-vxlan", "CrossSubnet"), ("default-ipv6-pool", "auto"), ("default-ipv6-pool-nat-outgoing", "yes")).RunOnceAsync(CancellationToken.None);

        IPPool[] pools = [.. _store.All.Select(v => v.Value).OfType<IPPool>()];
        Assert.Equal((expected, "CrossSubnet", true), (pools[0].Spec.Cidr, pools[0].Spec.VxlanMode, pools[0].Spec.NatOutgoing));
        Assert.Matches("^fd[0-9a-f]{2}:.*/48$", pools[1].Spec.Cidr);
        Assert.True(pools[1].Spec.NatOutgoing);
        Assert.StartsWith(expected.Split(".0.0/")[0] + ".", Node().Spec.Ipv4VXLANTunnelAddr);
    }

    [Fact]
    public async Task Choices_AreTold()
    {
        NodeStartup startup = Startup(("ipv6-address", "fd00::1/64"));

        await startup.RunOnceAsync(CancellationToken.None);

        Assert.Equal(["IPv4 192.0.2.1/24: first-found takes eth0", "IPv6 fd00::1/64: set by ipv6-address"], startup.Choices);
    }

    [Theory]
    [InlineData("name", "Upper")]
    [InlineData("name", "a..b")]
    [InlineData("ipv4-address", "fd00::1")]
    [InlineData("ipv4-address", "300.1.1.1")]
    [InlineData("as-number", "many")]
    [InlineData("interface-autodetection", "guess")]
    [InlineData("default-ipv4-pool", "10.1.0.1/16")]
    [InlineData("default-ipv4-pool", "172.16.0.0a/24")] // S7, to the end
    [InlineData("default-ipv4-pool", "172.16.0.0/27")]
    [InlineData("default-ipv4-pool", "172.16.0.0/32")]
    [InlineData("default-ipv4-pool", "fd00::/64")]
    [InlineData("default-ipv6-pool", "fd00::/123")]
    [InlineData("default-ipv4-pool-ipip", "badVal")]
    [InlineData("default-ipv4-pool-block-size", "19")]
    [InlineData("default-ipv4-pool-block-size", "33")]
    [InlineData("default-ipv6-pool-block-size", "115")]
    [InlineData("default-ipv6-pool-block-size", "129")]
    [InlineData("default-ipv4-pool-node-selector", "no selector")]
    public void InvalidSetting_IsReported(string key, string value)
    {
        SettingsReader reader = SettingsReader.Load(null, new Hashtable(), ("node", key, value));

        NodeSettings.Parse(reader);

        Assert.Contains(key, Assert.Single(reader.Problems));
    }

    private NodeResource Node() => _store.Find<NodeResource>(new ResourceKey(ResourceKind.Node, "node-a"))!;

    private NodeStartup Startup(params (string Key, string Value)[] settings)
    {
        SettingsReader reader = SettingsReader.Load(null, new Hashtable(), [("node", "name", "node-a"), .. settings.Select(s => ("node", s.Key, s.Value))]);
        NodeSettings parsed = NodeSettings.Parse(reader);
        Assert.Empty(reader.Problems);
        return new NodeStartup(parsed, _store, this, "v1", TimeProvider.System, NullLoggerFactory.Instance);
    }
}
