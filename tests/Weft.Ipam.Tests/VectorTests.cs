using Weft.Ipam.Views;
using Weft.Primitives.Net;

namespace Weft.Ipam.Tests;

/// <summary>The vectors of the reference (8.3), by their numbers.</summary>
public sealed class VectorTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task I1_OneAddress_OfASmallPool()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "192.168.1.0/24", 26);

        AutoAssignResult result = await cluster.AssignAsync("host-a", 1);

        AssignedAddress address = Assert.Single(result.Addresses);
        Assert.Equal(26, address.Block.Length);
        Assert.Equal("p", address.Pool);
        Assert.Equal("confirmed", cluster.Affinities("host-a")[address.Block.ToString()]);
        cluster.CheckInvariants(exactCounts: true);
    }

    [Fact]
    public async Task I2_AllOfTwoPools_BothFamilies()
    {
        Cluster cluster = new();
        cluster.AddPool("p4", "192.168.1.0/24", 26);
        cluster.AddPool("p6", "fd80:24e2:f998:72d6::/120", 122);

        AutoAssignResult v4 = await cluster.AssignAsync("host-a", 256, "h4");
        AutoAssignResult v6 = await cluster.AssignAsync("host-a", 256, "h6", r => r with { Family = IpFamily.IPv6 });

        Assert.Equal(256, v4.Addresses.Select(a => a.Address).Distinct().Count());
        Assert.Equal(256, v6.Addresses.Select(a => a.Address).Distinct().Count());
        cluster.CheckInvariants(exactCounts: true);
    }

    [Theory]
    [InlineData(1, 64)]
    [InlineData(2, 128)]
    public async Task I3_I4_LimitOfBlocks_EndsWithItsMessage(int blocks, int expected)
    {
        Cluster cluster = new();
        cluster.AddPool("p", "192.168.1.0/24", 26);
        cluster.Configure(c => (c.StrictAffinity, c.MaxBlocksPerHost) = (true, 20));

        AutoAssignResult result = await cluster.AssignAsync("host-a", 256, change: r => r with { MaxBlocks = blocks });

        Assert.Equal(expected, result.Addresses.Count);
        Assert.Contains($"limit of {blocks} blocks reached for this node", Assert.Single(result.Messages), StringComparison.Ordinal);
        cluster.CheckInvariants(exactCounts: true);
    }

    [Fact]
    public async Task I5_OneMoreThanThePool_GivesAllAndSaysWhy()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "192.168.1.0/24", 26);

        AutoAssignResult result = await cluster.AssignAsync("host-a", 257);

        Assert.Equal(256, result.Addresses.Count);
        Assert.Equal("No IPs available in pools: [192.168.1.0/24]", Assert.Single(result.Messages));
    }

    [Fact]
    public async Task I6_SmallBlocks_AllOfThem()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "192.168.1.0/24", 30);
        cluster.Configure(c => c.MaxBlocksPerHost = 256);

        AutoAssignResult result = await cluster.AssignAsync("host-a", 256);

        Assert.Equal(256, result.Addresses.Count);
        Assert.Equal(64, cluster.Affinities("host-a").Count);
    }

    [Fact]
    public async Task I7_FullBlocks_AreBorrowedFrom()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/25");
        await cluster.AssignAsync("host-a", 1, "a");
        await cluster.AssignAsync("host-b", 1, "b");

        AutoAssignResult result = await cluster.AssignAsync("host-a", 64, "c");

        Assert.Equal(64, result.Addresses.Count);
        Assert.Equal(2, result.Addresses.Select(a => a.Block).Distinct().Count());
        IpamView view = await IpamView.LoadAsync(cluster.Store, Stop);
        Assert.Equal("host-a", Assert.Single(Assert.Single(view.Pools[0].Blocks, b => b.Owner == "host-b").Borrowed).Node);
    }

    [Fact]
    public async Task I8_StrictAffinity_DoesNotBorrow()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/26");
        cluster.AddPool("q", "10.1.0.0/26");
        cluster.Configure(c => c.StrictAffinity = true);

        AutoAssignResult result = await cluster.AssignAsync("host-a", 256, change: r => r with { Pools = ["10.0.0.0/26"] });

        Assert.Equal(64, result.Addresses.Count);
        Assert.Contains("No more free affine blocks and strict affinity enabled", Assert.Single(result.Messages), StringComparison.Ordinal);
    }

    [Fact]
    public async Task I11_ParticularAddress_OnceAndOnlyInsideAPool()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/24");
        AddressAllocator allocator = cluster.Allocator();

        Allocation first = await allocator.AllocateAsync(Particular("10.0.0.77", "h1"), Stop);
        IpamException outside = await Assert.ThrowsAsync<IpamException>(async () => await allocator.AllocateAsync(Particular("1.1.1.1", "h2"), Stop));
        IpamException again = await Assert.ThrowsAsync<IpamException>(async () => await allocator.AllocateAsync(Particular("10.0.0.77", "h3"), Stop));

        Assert.Equal(IpAddress.Parse("10.0.0.77"), first.IPv4!.Address);
        Assert.Contains("not in a configured pool", outside.Message, StringComparison.Ordinal);
        Assert.Contains("Address already assigned in block 10.0.0.64/26: held by h1", again.Message, StringComparison.Ordinal);
        cluster.CheckInvariants(exactCounts: true);
    }

    [Fact]
    public async Task I12_ParticularAddress_StrictAndAnotherNodesBlock()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/26");
        await cluster.AssignAsync("host-b", 1, "b");
        cluster.Configure(c => c.StrictAffinity = true);

        IpamException refused = await Assert.ThrowsAsync<IpamException>(async () => await cluster.Allocator().AllocateAsync(Particular("10.0.0.50", "h"), Stop));

        Assert.Contains("Block host affinity does not match", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task I13_ParticularAddress_UseNotAllowed_NamesAddressPoolAndUse()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/24", change: s => s.AllowedUses = ["Tunnel", "LoadBalancer"]);

        IpamException refused = await Assert.ThrowsAsync<IpamException>(async () => await cluster.Allocator().AllocateAsync(Particular("10.0.0.5", "h"), Stop));

        Assert.Contains("10.0.0.5", refused.Message, StringComparison.Ordinal);
        Assert.Contains("p (10.0.0.0/24)", refused.Message, StringComparison.Ordinal);
        Assert.Contains("Workload", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task I14_ReleaseWithWrongSequenceOrHandle_ReleasesNothing()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/26");
        AutoAssignResult taken = await cluster.AssignAsync("host-a", 2);
        AddressAllocator allocator = cluster.Allocator();

        ReleaseResult sequence = await allocator.ReleaseAddressesAsync([new(taken.Addresses[0].Address, "h", 5), new(taken.Addresses[1].Address)], Stop);
        ReleaseResult handle = await allocator.ReleaseAddressesAsync([new(taken.Addresses[0].Address, "other"), new(taken.Addresses[1].Address)], Stop);

        Assert.Contains("sequence number 5", Assert.Single(sequence.Refusals), StringComparison.Ordinal);
        Assert.Contains("held by handle h, not other", Assert.Single(handle.Refusals), StringComparison.Ordinal);
        Assert.Empty(sequence.Released.Concat(handle.Released));
        Assert.Equal(2, cluster.CheckInvariants(exactCounts: true)["h"].Count);
    }

    [Fact]
    public async Task I15_ReleaseOfAnAddressInNoPoolAndNoBlock_IsNotAllocated()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/26");

        ReleaseResult result = await cluster.Allocator().ReleaseAddressesAsync([new(IpAddress.Parse("172.16.0.1")), new(IpAddress.Parse("10.0.0.1"))], Stop);

        Assert.Equal(2, result.NotAllocated.Count);
    }

    [Fact]
    public async Task I16_ReleaseOverTwoBlocks_EndsTheHandles()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/24");
        AutoAssignResult one = await cluster.AssignAsync("host-a", 60, "one");
        AutoAssignResult two = await cluster.AssignAsync("host-a", 6, "two");

        ReleaseResult result = await cluster.Allocator().ReleaseAddressesAsync([.. one.Addresses.Concat(two.Addresses).Select(a => new AddressRelease(a.Address))], Stop);

        Assert.Equal(66, result.Released.Count);
        Assert.Empty(cluster.Handles());
        Assert.Equal(2, cluster.Blocks().Count);
        cluster.CheckInvariants(exactCounts: true);
    }

    [Fact]
    public async Task I17_FreedAddress_GoesToTheEndOfTheQueue()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/30", 30);
        List<IpAddress> seen = [];

        for (int i = 0; i < 5; i++)
        {
            seen.Add((await cluster.AssignAsync("host-a", 1, $"h{i}")).Addresses[0].Address);
            await cluster.Allocator().ReleaseByHandleAsync($"h{i}", Stop);
        }

        Assert.Equal(4, seen.Take(4).Distinct().Count());
        Assert.Equal(seen[0], seen[4]);
    }

    [Theory]
    [InlineData("10.0.0.32/30", 4, 251, 4, 59)] // I18
    [InlineData("10.0.0.128/25", 128, 127, 0, 63)] // I19
    [InlineData("10.0.0.0/32", 1, 255, 1, 63)] // I20, with the address the block gives first
    [InlineData("10.0.0.0/25,10.0.0.0/26,10.0.0.64/26", 128, 128, 64, 0)] // I21
    public async Task I18_I21_Utilisation(string reserved, int poolReserved, int poolFree, int blockReserved, int blockFree)
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/24");
        await cluster.Allocator().AllocateAsync(Particular("10.0.0.0", "h"), Stop);
        cluster.Reserve(reserved.Split(','));

        PoolView pool = Assert.Single((await IpamView.LoadAsync(cluster.Store, Stop)).Pools);

        Assert.Equal(new Utilisation(256, 1, (UInt128)poolReserved, (UInt128)poolFree), pool.Use);
        Assert.Equal(new Utilisation(64, 1, (UInt128)blockReserved, (UInt128)blockFree), Assert.Single(pool.Blocks).Use);
    }

    [Fact]
    public async Task I22_I23_RequestedPools_BypassSelectorsButNotDisabled()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/24", change: s => (s.NodeSelector, s.AssignmentMode) = ("rack == 'r9'", "Manual"));
        cluster.AddPool("off", "10.1.0.0/24", change: s => s.Disabled = true);

        AutoAssignResult byCidr = await cluster.AssignAsync("host-a", 1, change: r => r with { Pools = ["10.0.0.0/24"] });
        AutoAssignResult byName = await cluster.AssignAsync("host-a", 1, change: r => r with { Pools = ["p"] });
        IpamException unselected = await Assert.ThrowsAsync<IpamException>(() => cluster.AssignAsync("host-a", 1));
        IpamException disabled = await Assert.ThrowsAsync<IpamException>(() => cluster.AssignAsync("host-a", 1, change: r => r with { Pools = ["off"] }));

        Assert.Single(byCidr.Addresses);
        Assert.Single(byName.Addresses);
        Assert.Contains("no configured IPv4 pools for node host-a", unselected.Message, StringComparison.Ordinal);
        Assert.Equal("the given pool (off) does not exist, or is not enabled", disabled.Message);
    }

    [Theory]
    [InlineData(61, true)]
    [InlineData(59, false)]
    public async Task I26_EmptyBlocksOfOthers_AreTakenAfterAMinute(int seconds, bool taken)
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/31", 32);
        cluster.Configure(c => c.StrictAffinity = true);
        await cluster.AssignAsync("host-b", 2, "b");
        await cluster.Allocator().ReleaseByHandleAsync("b", Stop);
        cluster.Time.Advance(TimeSpan.FromSeconds(seconds));

        AutoAssignResult result = await cluster.AssignAsync("host-a", 1, "a");

        Assert.Equal(taken ? 1 : 0, result.Addresses.Count);
        Assert.Equal(taken ? 1 : 2, cluster.Affinities("host-b").Count);
        cluster.CheckInvariants(exactCounts: true);
    }

    [Fact]
    public async Task I27_PoolThatNoLongerSelectsTheNode_LosesTheBlockWithItsLastAddress()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/24");
        await cluster.AssignAsync("host-a", 1, "one");
        await cluster.AssignAsync("host-a", 1, "two");
        cluster.AddPool("p", "10.0.0.0/24", change: s => s.NodeSelector = "rack == 'r9'");

        await cluster.Allocator().ReleaseByHandleAsync("one", Stop);
        int before = cluster.Blocks().Count;
        await cluster.Allocator().ReleaseByHandleAsync("two", Stop);

        Assert.Equal(1, before);
        Assert.Empty(cluster.Blocks());
        Assert.Empty(cluster.Affinities("host-a"));
    }

    private static AllocationRequest Particular(string address, string handle) =>
        new() { HandleId = handle, Node = "host-a", Addresses = [IpAddress.Parse(address)] };
}
