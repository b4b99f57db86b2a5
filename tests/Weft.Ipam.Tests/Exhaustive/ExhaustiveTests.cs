using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Primitives.Net;

namespace Weft.Ipam.Tests.Exhaustive;

/// <summary>
/// The small world, whole: two nodes, two blocks of two addresses, two allocators. Every interleaving of their datastore operations with up to two switches (WEFT_IPAM_SWITCHES), and one
/// death at every operation of it, is gone through; random tests and the soak are for what is larger. The warm path is not in here: it is one transaction on a block the node owns, and
/// runs on a loop of its own (CrashTests).
/// </summary>
public sealed class ExhaustiveTests
{
    private static readonly int s_switches = int.Parse(Environment.GetEnvironmentVariable("WEFT_IPAM_SWITCHES") ?? "2", CultureInfo.InvariantCulture);

    private static readonly IpPrefix s_first = IpPrefix.Parse("10.0.0.0/31");

    private static readonly IpPrefix s_second = IpPrefix.Parse("10.0.0.2/31");

    [Theory]
    [InlineData("host-a", "host-a")]
    [InlineData("host-a", "host-b")]
    public void TwoAllocations(string one, string other) => Explore(Empty, ownHandles: true, Allocate("h1", one), Allocate("h2", other));

    [Fact]
    public void TheSameHandleTwice() => Explore(Empty, ownHandles: false, Allocate("h1", "host-a"), Allocate("h1", "host-a"));

    [Fact]
    public void AllocationBesideRelease() => Explore(() => Holding("h1"), ownHandles: true, Allocate("h2", "host-b"), Release("h1"));

    [Fact]
    public void AllocationBesideReleaseOfTheSameHandle() => Explore(() => Holding("h1"), ownHandles: false, Allocate("h1", "host-a"), Release("h1"));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AllocationBesideABlockGivenUp(bool onlyEmpty) => Explore(() => Holding("h1"), ownHandles: true, Allocate("h2", "host-a"), GiveUp("host-a", onlyEmpty));

    [Fact]
    public void BorrowingBesideABlockGivenUp() => Explore(() => Holding("h1", "h3", "h4"), ownHandles: true, Allocate("h2", "host-b"), GiveUp("host-a", onlyEmpty: false));

    /// <param name="prepare">Before they start.</param>
    /// <param name="ownHandles">Nobody shares a handle: then its count is exact when nobody died; else it may be too high (HandleCounts.UndoAsync).</param>
    /// <param name="scripts">The allocators.</param>
    private static void Explore(Func<Cluster> prepare, bool ownHandles, params AllocatorScript[] scripts)
    {
        // Continuations must run where the explorer is: without a context of the test runner they do.
        SynchronizationContext? before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            Explorer explorer = new(prepare, scripts, crashes: 1, s_switches);
            explorer.Run(cluster => cluster.CheckInvariants(exactCounts: false), (cluster, nobodyDied) => NothingIsLost(cluster, exactCounts: nobodyDied && ownHandles));
            TestContext.Current.TestOutputHelper?.WriteLine($"{explorer.States} states, {explorer.Ends} ends");
            Assert.True(explorer.Ends > 1);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    /// <summary>Whatever happened: when the handles have been released, all four addresses can be had again, two of them by each node.</summary>
    private static void NothingIsLost(Cluster cluster, bool exactCounts)
    {
        cluster.CheckInvariants(exactCounts);
        foreach (string handle in cluster.Handles().Keys)
        {
            new ReleaseOperations(cluster.Store, NullLogger.Instance, cluster.Time).ByHandleAsync(handle, Cluster.Stop).AsTask().GetAwaiter().GetResult();
        }

        Assert.Empty(cluster.CheckInvariants(exactCounts: true));
        Assert.Empty(cluster.Handles());
        cluster.Time.Advance(TimeSpan.FromMinutes(2));
        for (int i = 0; i < 4; i++)
        {
            AssignAsync(cluster, cluster.Store, $"after-{i}", i < 2 ? "host-a" : "host-b").GetAwaiter().GetResult();
        }

        Assert.Equal(4, cluster.CheckInvariants(exactCounts: true).Values.SelectMany(held => held).Distinct().Count());
    }

    private static Cluster Empty()
    {
        Cluster cluster = new(withoutPauses: true);
        cluster.AddPool("p", "10.0.0.0/30", 31);
        return cluster;
    }

    /// <summary>Node host-a holds an address for each handle.</summary>
    private static Cluster Holding(params string[] handles)
    {
        Cluster cluster = Empty();
        foreach (string handle in handles)
        {
            AssignAsync(cluster, cluster.Store, handle, "host-a").GetAwaiter().GetResult();
        }

        return cluster;
    }

    private static AllocatorScript Allocate(string handle, string node) => async (cluster, store) => await AssignAsync(cluster, store, handle, node);

    private static async Task AssignAsync(Cluster cluster, Weft.Datastore.IDatastore store, string handle, string node) =>
        Assert.Single((await cluster.AssignAsync(node, 1, handle, through: store)).Addresses);

    private static AllocatorScript Release(string handle) => async (cluster, store) =>
        await new ReleaseOperations(store, NullLogger.Instance, cluster.Time).ByHandleAsync(handle, Cluster.Stop);

    private static AllocatorScript GiveUp(string node, bool onlyEmpty) => async (cluster, store) =>
    {
        foreach (IpPrefix block in new[] { s_first, s_second })
        {
            await cluster.Allocator(store).ReleaseBlockAsync(Weft.Model.Keys.AffinityType.Host, node, block, onlyEmpty, Cluster.Stop);
        }
    };
}
