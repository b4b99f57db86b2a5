using System.Text;
using Weft.Ipam.Blocks;
using Weft.Ipam.Views;
using Weft.Model.Ipam;
using Weft.Model.Json;
using Weft.Model.Keys;
using Weft.Primitives.Net;

namespace Weft.Ipam.Tests;

public sealed class RuleTests
{
    private static readonly DateTimeOffset s_now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void Block_IsStoredAsCalicoStoresIt()
    {
        IpPrefix cidr = IpPrefix.Parse("10.1.4.0/30");
        AllocationBlock block = AllocationBlockRules.Create(cidr, BlockOwner.Node("node-a"), s_now);
        AllocationBlockRules.TryAssign(block, IpAddress.Parse("10.1.4.2"), "k8s-pod-network.abcd", new Dictionary<string, string> { ["pod"] = "pod-1" });
        AllocationBlockRules.Touch(block);

        string json = Encoding.UTF8.GetString(ModelJson.Serialize(new BlockKey(cidr), block));

        Assert.Equal(
            """
            {"cidr":"10.1.4.0/30","affinity":"host:node-a","affinity_claim_time":"2026-01-02T03:04:05Z","allocations":[null,null,0,null],"unallocated":[0,1,3],"attributes":[{"handle_id":"k8s-pod-network.abcd","secondary":{"pod":"pod-1"}}],"sequenceNumber":1767323045000000001,"sequenceNumberForAllocation":{"2":1767323045000000000},"deleted":false}
            """,
            json);
    }

    [Theory]
    [InlineData(30, 29, false)]
    [InlineData(30, 31, true)]
    [InlineData(0, 0, true)]
    public async Task Cooldown_KeepsTheAddressAndItsBlock(int cooldown, int later, bool free)
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/32", 32);
        cluster.Configure(c => (c.StrictAffinity, c.IpCooldownSeconds) = (true, cooldown));
        IpAddress address = (await cluster.AssignAsync("host-a", 1, "one")).Addresses[0].Address;
        await cluster.Allocator().ReleaseByHandleAsync("one", Stop);
        cluster.Time.Advance(TimeSpan.FromSeconds(later));

        AddressView view = (await IpamView.LoadAsync(cluster.Store, Stop)).Find(address);
        IReadOnlyList<IpAddress> held = await cluster.Allocator().AddressesOfHandleAsync("one", Stop);
        AutoAssignResult next = await cluster.AssignAsync("host-a", 1, "two");

        Assert.False(view.IsAssigned);
        Assert.Empty(held);
        Assert.Equal(free ? 1 : 0, next.Addresses.Count);
    }

    [Fact]
    public void OldOwner_IsUnderstoodAndRewritten()
    {
        AllocationBlock block = new() { Cidr = "10.0.0.0/26", HostAffinity = "node-a" };

        BlockOwner? owner = AllocationBlockRules.Owner(block);
        AllocationBlockRules.Touch(block);

        Assert.Equal(BlockOwner.Node("node-a"), owner);
        Assert.Equal(("host:node-a", null), (block.Affinity, block.HostAffinity));
    }

    [Fact]
    public async Task Selectors_ChooseByNodeAndNamespace()
    {
        Cluster cluster = new();
        cluster.AddNode("host-r1", new() { ["rack"] = "r1" });
        cluster.AddPool("any", "10.0.0.0/24", change: s => s.NamespaceSelector = "team == 'blue'");
        cluster.AddPool("r1", "10.1.0.0/24", change: s => s.NodeSelector = "rack == 'r1'");

        AutoAssignResult rack = await cluster.AssignAsync("host-r1", 1);
        AutoAssignResult team = await cluster.AssignAsync("host-a", 1, change: r => r with { NamespaceLabels = new Dictionary<string, string> { ["team"] = "blue" } });
        IpamException none = await Assert.ThrowsAsync<IpamException>(() => cluster.AssignAsync("host-a", 1));
        cluster.AddPool("r1", "10.1.0.0/24", change: s => s.NodeSelector = "rack ==");
        IpamException broken = await Assert.ThrowsAsync<IpamException>(() => cluster.AssignAsync("host-a", 1));

        Assert.Equal("r1", rack.Addresses[0].Pool);
        Assert.Equal("any", team.Addresses[0].Pool);
        Assert.Contains("no configured IPv4 pools for node host-a", none.Message, StringComparison.Ordinal);
        Assert.Contains("pool r1 (10.1.0.0/24): nodeSelector \"rack ==\"", broken.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reservations_AreNeverAssignedUnlessNamed()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/28", 29);
        cluster.Reserve("10.0.0.0/29", "10.0.0.9");

        AutoAssignResult all = await cluster.AssignAsync("host-a", 16);
        Allocation named = await cluster.Allocator().AllocateAsync(
            new AllocationRequest { HandleId = "n", Node = "host-a", Addresses = [IpAddress.Parse("10.0.0.9")] }, Stop);

        Assert.Equal(7, all.Addresses.Count);
        Assert.DoesNotContain(IpAddress.Parse("10.0.0.9"), all.Addresses.Select(a => a.Address));
        Assert.Equal(IpAddress.Parse("10.0.0.9"), named.IPv4!.Address);
    }

    [Fact]
    public async Task PoolOfOrdinarySize_InIPv6_IsNotWalkedThrough()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "fd00:1::/48");

        AutoAssignResult a = await cluster.AssignAsync("host-a", 1, "a", r => r with { Family = IpFamily.IPv6 });
        AutoAssignResult b = await cluster.AssignAsync("host-b", 1, "b", r => r with { Family = IpFamily.IPv6 });

        Assert.Equal(122, Assert.Single(a.Addresses).Block.Length);
        Assert.NotEqual(a.Addresses[0].Block, Assert.Single(b.Addresses).Block);
    }

    [Fact]
    public async Task UnknownNode_AndNoPools_SayWhatToDo()
    {
        Cluster cluster = new();

        IpamException node = await Assert.ThrowsAsync<IpamException>(() => cluster.AssignAsync("host-x", 1));
        IpamException pools = await Assert.ThrowsAsync<IpamException>(() => cluster.AssignAsync("host-a", 1));

        Assert.Contains("node host-x is not in the datastore", node.Message, StringComparison.Ordinal);
        Assert.Equal("no IPv4 pool exists: create an IPPool", pools.Message);
    }

    [Fact]
    public async Task NodeThatLeaves_GivesItsBlocksBack()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/24");
        await cluster.AssignAsync("host-a", 65, "h");

        int kept = await cluster.Allocator().ReleaseNodeAsync("host-a", onlyEmpty: true, Stop);
        int released = await cluster.Allocator().ReleaseNodeAsync("host-a", onlyEmpty: false, Stop);
        await cluster.Allocator().ReleaseByHandleAsync("h", Stop);

        Assert.Equal((0, 2), (kept, released));
        Assert.Empty(cluster.Affinities("host-a"));
        Assert.Empty(cluster.Blocks());
    }

    [Fact]
    public void HostBlocks_AreTheConfirmedOnesOfTheNode()
    {
        HostBlocks blocks = new("host-a");
        BlockAffinityKey one = new(AffinityType.Host, "host-a", IpPrefix.Parse("10.0.0.0/26"));
        BlockAffinityKey two = new(AffinityType.Host, "host-a", IpPrefix.Parse("10.0.0.64/26"));
        BlockAffinityKey others = new(AffinityType.Host, "host-b", IpPrefix.Parse("10.0.0.128/26"));

        bool[] changes =
        [
            blocks.OnUpdate(new ModelUpdate(one, new BlockAffinityValue { State = "pending" }, 1)),
            blocks.OnUpdate(new ModelUpdate(one, new BlockAffinityValue { State = "confirmed" }, 2)),
            blocks.OnUpdate(new ModelUpdate(two, new BlockAffinityValue(), 3)),
            blocks.OnUpdate(new ModelUpdate(others, new BlockAffinityValue { State = "confirmed" }, 4)),
            blocks.OnUpdate(new ModelUpdate(one, new BlockAffinityValue { State = "pendingDeletion" }, 5)),
            blocks.OnUpdate(new ModelUpdate(one, null, 6)),
        ];

        Assert.Equal([false, true, true, false, true, false], changes);
        Assert.Equal([two.Cidr], blocks.Confirmed);
    }

    [Fact]
    public async Task View_ShowsOrphans()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/24");
        await cluster.AssignAsync("host-a", 3, "h");
        await cluster.Store.DeleteAsync(new ResourceKey(Model.Resources.ResourceKind.IPPool, "p"), null, Stop);

        PoolView pool = Assert.Single((await IpamView.LoadAsync(cluster.Store, Stop)).Pools);

        Assert.Equal((IpamView.Orphans, (UInt128)3, "host-a"), (pool.Name, pool.Use.InUse, Assert.Single(pool.Blocks).Owner));
    }
}
