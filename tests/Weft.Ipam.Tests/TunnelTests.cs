using Microsoft.Extensions.Logging.Abstractions;
using Weft.Datastore;
using Weft.Ipam.Tunnels;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;
using Weft.Testing.Datastore;

namespace Weft.Ipam.Tests;

/// <summary>The table of reference 6.3.</summary>
public sealed class TunnelTests
{
    private readonly Cluster _cluster = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private Node NodeA => _cluster.Get<Node>(new ResourceKey(ResourceKind.Node, "host-a"));

    [Fact]
    public async Task EachEncapsulation_GetsItsAddress_UnderUpstreamsHandleAndType()
    {
        _cluster.AddPool("ipip", "10.1.0.0/24", change: s => s.IpipMode = "Always");
        _cluster.AddPool("vxlan", "10.2.0.0/24", change: s => s.VxlanMode = "CrossSubnet");
        _cluster.AddPool("vxlan6", "fd00:2::/64", change: s => s.VxlanMode = "Always");
        _cluster.AddPool("plain", "10.3.0.0/24");

        await RunAsync();

        Assert.StartsWith("10.1.0.", NodeA.Spec.Bgp!.Ipv4IPIPTunnelAddr, StringComparison.Ordinal);
        Assert.StartsWith("10.2.0.", NodeA.Spec.Ipv4VXLANTunnelAddr, StringComparison.Ordinal);
        Assert.StartsWith("fd00:2::", NodeA.Spec.Ipv6VXLANTunnelAddr, StringComparison.Ordinal);
        Assert.Equal(["ipip-tunnel-addr-host-a", "vxlan-tunnel-addr-host-a", "vxlan-v6-tunnel-addr-host-a"], _cluster.CheckInvariants(exactCounts: true).Keys.Order());
        AllocationAttributeView? held = await _cluster.Allocator().FindAsync(IpAddress.Parse(NodeA.Spec.Ipv4VXLANTunnelAddr!), Stop);
        Assert.Equal(("vxlanTunnelAddress", "host-a"), (held!.Attributes["type"], held.Attributes["node"]));
    }

    [Theory]
    [InlineData("off")]
    [InlineData("disabled")]
    [InlineData("deselected")]
    [InlineData("no use")]
    [InlineData("deleted")]
    public async Task PoolThatNoLongerNeedsIt_TakesTheAddressBack(string change)
    {
        _cluster.AddPool("p", "10.1.0.0/24", change: s => s.IpipMode = "Always");
        await RunAsync();

        if (change == "deleted")
        {
            await _cluster.Store.DeleteAsync(new ResourceKey(ResourceKind.IPPool, "p"), null, Stop);
        }
        else
        {
            _cluster.AddPool("p", "10.1.0.0/24", change: s =>
            {
                s.IpipMode = change == "off" ? "Never" : "Always";
                s.Disabled = change == "disabled";
                s.NodeSelector = change == "deselected" ? "rack == 'r9'" : null;
                s.AllowedUses = change == "no use" ? ["Workload"] : null;
            });
        }

        await RunAsync();

        Assert.Null(NodeA.Spec.Bgp);
        Assert.Empty(_cluster.CheckInvariants(exactCounts: true));
    }

    [Fact]
    public async Task Switch_FromIpipToVxlan_ReleasesOneAndAssignsTheOther()
    {
        _cluster.AddPool("p", "10.1.0.0/24", change: s => s.IpipMode = "Always");
        await RunAsync();

        _cluster.AddPool("p", "10.1.0.0/24", change: s => s.VxlanMode = "Always");
        await RunAsync();

        Assert.Null(NodeA.Spec.Bgp?.Ipv4IPIPTunnelAddr);
        Assert.NotNull(NodeA.Spec.Ipv4VXLANTunnelAddr);
        Assert.Equal(["vxlan-tunnel-addr-host-a"], _cluster.CheckInvariants(exactCounts: true).Keys);
    }

    [Fact]
    public async Task SecondRun_ChangesNothing()
    {
        _cluster.AddPool("p", "10.1.0.0/24", change: s => s.VxlanMode = "Always");
        await RunAsync();
        Revision before = _cluster.Store.Revision;

        await RunAsync();

        Assert.Equal(before, _cluster.Store.Revision);
    }

    [Fact]
    public async Task ManualPool_IsUsedForTunnels()
    {
        _cluster.AddPool("p", "10.1.0.0/24", change: s => (s.VxlanMode, s.AssignmentMode) = ("Always", "Manual"));

        await RunAsync();

        Assert.NotNull(NodeA.Spec.Ipv4VXLANTunnelAddr);
    }

    [Fact]
    public async Task AddressOutsideTheUsablePools_IsExchanged()
    {
        _cluster.AddPool("old", "10.1.0.0/24", change: s => s.VxlanMode = "Always");
        await RunAsync();
        _cluster.AddPool("old", "10.1.0.0/24", change: s => (s.VxlanMode, s.Disabled) = ("Always", true));
        _cluster.AddPool("new", "10.2.0.0/24", change: s => s.VxlanMode = "Always");

        await RunAsync();

        Assert.StartsWith("10.2.0.", NodeA.Spec.Ipv4VXLANTunnelAddr, StringComparison.Ordinal);
        Assert.Single(_cluster.CheckInvariants(exactCounts: true)["vxlan-tunnel-addr-host-a"]);
    }

    [Theory]
    [InlineData(null, false, true)] // Of a very old release: the same address, now with a handle.
    [InlineData("pod", false, false)] // Somebody's: left to him.
    [InlineData(null, true, false)] // Not allocated at all: a new one.
    public async Task StoredAddress_OfAnotherForm(string? handle, bool free, bool same)
    {
        _cluster.AddPool("p", "10.1.0.0/24", change: s => s.VxlanMode = "Always");
        IpAddress address = IpAddress.Parse("10.1.0.9");
        if (!free)
        {
            await _cluster.Allocator().AllocateAsync(new AllocationRequest { HandleId = handle ?? "x", Node = "host-a", Addresses = [address] }, Stop);
            if (handle is null)
            {
                BlockKey key = new(IpPrefix.Parse("10.1.0.0/26"));
                AllocationBlock block = _cluster.Blocks().Single();
                block.Attributes[0].HandleId = null;
                await _cluster.Store.ApplyAsync(key, block, null, Stop);
                await _cluster.Store.DeleteAsync(new HandleKey("x"), null, Stop);
            }
        }

        Node node = NodeA;
        node.Spec.Ipv4VXLANTunnelAddr = "10.1.0.9";
        await _cluster.Store.ApplyAsync(new ResourceKey(ResourceKind.Node, "host-a"), node, null, Stop);

        await RunAsync();

        Assert.Equal(same, NodeA.Spec.Ipv4VXLANTunnelAddr == "10.1.0.9");
        Dictionary<string, List<IpAddress>> held = _cluster.CheckInvariants(exactCounts: true);
        Assert.Equal(NodeA.Spec.Ipv4VXLANTunnelAddr, Assert.Single(held["vxlan-tunnel-addr-host-a"]).ToString());
        Assert.Equal(handle is not null, held.ContainsKey("pod"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task CrashAtEveryOperation_LeavesOneAddressAfterTheNextRun(bool done)
    {
        FaultyDatastore counting = new(Fresh().Store);
        await Tunnels(counting).RunOnceAsync(Stop);
        for (int at = 1; at <= counting.Count; at++)
        {
            Cluster cluster = Fresh();
            FaultyDatastore dying = new(cluster.Store);
            dying.CrashAt(at, done);
            await Assert.ThrowsAsync<CrashException>(async () => await Tunnels(dying).RunOnceAsync(Stop));

            await Tunnels(cluster.Store).RunOnceAsync(Stop);

            Node node = cluster.Get<Node>(new ResourceKey(ResourceKind.Node, "host-a"));
            Dictionary<string, List<IpAddress>> held = cluster.CheckInvariants(exactCounts: true);
            Assert.Equal(node.Spec.Ipv4VXLANTunnelAddr, Assert.Single(held["vxlan-tunnel-addr-host-a"]).ToString());
            Assert.Equal(node.Spec.Bgp!.Ipv4IPIPTunnelAddr, Assert.Single(held["ipip-tunnel-addr-host-a"]).ToString());
        }
    }

    [Fact]
    public async Task FullPool_IsAProblemInWords_AndTheNextRunTriesAgain()
    {
        _cluster.AddPool("p", "10.1.0.0/32", 32, s => s.VxlanMode = "Always");
        await _cluster.AssignAsync("host-a", 1, "pod");
        TunnelAddresses tunnels = Tunnels(_cluster.Store);

        await tunnels.RunOnceAsync(Stop);
        string problem = Assert.Single(tunnels.Problems);
        await _cluster.Allocator().ReleaseByHandleAsync("pod", Stop);
        await tunnels.RunOnceAsync(Stop);

        Assert.StartsWith("no VXLAN tunnel address: node host-a: no IPv4 address can be assigned", problem, StringComparison.Ordinal);
        Assert.Empty(tunnels.Problems);
        Assert.Equal("10.1.0.0", NodeA.Spec.Ipv4VXLANTunnelAddr);
    }

    private static Cluster Fresh()
    {
        Cluster cluster = new();
        cluster.AddPool("ipip", "10.1.0.0/24", change: s => s.IpipMode = "Always");
        cluster.AddPool("vxlan", "10.2.0.0/24", change: s => s.VxlanMode = "Always");
        return cluster;
    }

    private async Task RunAsync() => await Tunnels(_cluster.Store).RunOnceAsync(Stop);

    private static TunnelAddresses Tunnels(IDatastore store)
    {
        SetTime time = new();
        return new TunnelAddresses("host-a", store, new AddressAllocator(store, NullLoggerFactory.Instance, time), NullLogger.Instance, time);
    }
}
