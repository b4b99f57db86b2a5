using Microsoft.Extensions.Logging.Abstractions;
using Weft.Datastore;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Primitives.Net;
using Weft.Testing.Datastore;

namespace Weft.Ipam.Tests;

/// <summary>Trouble at every single operation of a request: conflicts, lost answers, the end of the process.</summary>
public sealed class CrashTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>Whether the operation at which it happens still reaches the store.</summary>
    public static TheoryData<bool> Both => [false, true];

    [Theory, MemberData(nameof(Both))]
    public async Task CrashWhileAllocating_IsRepairedByTheNextAllocation(bool done)
    {
        int operations = await CountAsync(cluster => AllocateAsync(cluster, "first"), Fresh);
        for (int at = 1; at <= operations; at++)
        {
            Cluster cluster = Fresh();
            FaultyDatastore dying = new(cluster.Store);
            dying.CrashAt(at, done);
            await Assert.ThrowsAsync<CrashException>(async () => await cluster.Allocator(dying).AllocateAsync(Request("first"), Stop));

            Allocation next = await AllocateAsync(cluster, "second");

            Dictionary<string, List<IpAddress>> held = cluster.CheckInvariants(exactCounts: false);
            Assert.Equal([next.IPv4!.Address, next.IPv6!.Address], held["second"]);
            Assert.Equal("confirmed", cluster.Affinities("host-a")[next.IPv4.Block.ToString()]);
            Assert.Equal(cluster.Blocks().Select(b => b.Cidr).Order(), cluster.Affinities("host-a").Keys.Order());

            await cluster.Allocator().ReleaseByHandleAsync("first", Stop);
            await cluster.Allocator().ReleaseByHandleAsync("second", Stop);
            Assert.Empty(cluster.CheckInvariants(exactCounts: true));
            Assert.Empty(cluster.Handles());
        }
    }

    [Theory, MemberData(nameof(Both))]
    public async Task CrashWhileReleasing_IsCompletedByTheNextRelease(bool done)
    {
        static async Task<Cluster> PrepareAsync()
        {
            Cluster cluster = Fresh();
            await AllocateAsync(cluster, "first");
            await AllocateAsync(cluster, "other");
            return cluster;
        }

        Cluster clean = await PrepareAsync();
        FaultyDatastore counting = new(clean.Store);
        await clean.Allocator(counting).ReleaseByHandleAsync("first", Stop);
        for (int at = 1; at <= counting.Count; at++)
        {
            Cluster cluster = await PrepareAsync();
            FaultyDatastore dying = new(cluster.Store);
            dying.CrashAt(at, done);
            await Assert.ThrowsAsync<CrashException>(async () => await cluster.Allocator(dying).ReleaseByHandleAsync("first", Stop));

            await cluster.Allocator().ReleaseByHandleAsync("first", Stop);

            Dictionary<string, List<IpAddress>> held = cluster.CheckInvariants(exactCounts: true);
            Assert.Equal(["other"], held.Keys);
            Assert.Equal(2, held["other"].Count);
        }
    }

    [Theory, MemberData(nameof(Both))]
    public async Task CrashWhileGivingUpABlock_LeavesItUsableForItsOwnerAndForOthers(bool done)
    {
        IpPrefix block = IpPrefix.Parse("10.0.0.0/26");
        foreach (bool empty in new[] { true, false })
        {
            for (int at = 1; at <= 6; at++)
            {
                Cluster cluster = new();
                cluster.AddPool("p", "10.0.0.0/26");
                await cluster.AssignAsync("host-a", 1, "h");
                if (empty)
                {
                    await cluster.Allocator().ReleaseByHandleAsync("h", Stop);
                }

                FaultyDatastore dying = new(cluster.Store);
                dying.CrashAt(at, done);
                try
                {
                    await cluster.Allocator(dying).ReleaseBlockAsync(AffinityType.Host, "host-a", block, onlyEmpty: false, Stop);
                }
                catch (CrashException)
                {
                    // Where it was to happen; a number past the last operation does not happen.
                }

                cluster.Time.Advance(TimeSpan.FromMinutes(2));
                AutoAssignResult own = await cluster.AssignAsync("host-a", 1, "own");
                AutoAssignResult others = await cluster.AssignAsync("host-b", 1, "others");

                Assert.Single(own.Addresses);
                Assert.Single(others.Addresses);
                cluster.CheckInvariants(exactCounts: true);
            }
        }
    }

    [Theory, MemberData(nameof(Both))]
    public async Task LostAnswer_FailsTheRequest_AndReleasingItsHandleLeavesNothing(bool done)
    {
        int operations = await CountAsync(cluster => AllocateAsync(cluster, "first"), Fresh);
        for (int at = 1; at <= operations; at++)
        {
            Cluster cluster = Fresh();
            FaultyDatastore flaky = new(cluster.Store);
            Func<StoreOperation, ValueTask> fail = o => o.Number == at ? throw new DatastoreException("no answer") : ValueTask.CompletedTask;
            (flaky.Before, flaky.After) = done ? (null, fail) : (fail, (Func<StoreOperation, ValueTask>?)null);

            await Assert.ThrowsAsync<DatastoreException>(async () => await cluster.Allocator(flaky).AllocateAsync(Request("first"), Stop));
            await cluster.Allocator().ReleaseByHandleAsync("first", Stop);

            Assert.Empty(cluster.CheckInvariants(exactCounts: true));
            Assert.Empty(cluster.Handles());
            Allocation next = await AllocateAsync(cluster, "second");
            Assert.NotNull(next.IPv6);
        }
    }

    [Fact]
    public async Task ConflictAtEveryWrite_IsTriedAgain()
    {
        int operations = await CountAsync(cluster => AllocateAsync(cluster, "first"), Fresh);
        for (int at = 1; at <= operations; at++)
        {
            Cluster cluster = Fresh();
            FaultyDatastore contended = new(cluster.Store)
            {
                Before = o =>
                {
                    if (o.Number == at && o.Key is not null)
                    {
                        cluster.Store.Bump(o.Key);
                    }

                    return ValueTask.CompletedTask;
                },
            };

            Allocation allocation = await cluster.Allocator(contended).AllocateAsync(Request("first"), Stop);

            Assert.Equal(2, allocation.Addresses.Count());
            Assert.Equal(2, cluster.CheckInvariants(exactCounts: true)["first"].Count);
        }
    }

    [Fact]
    public async Task AnotherNodeAtEveryOperation_TakesNothingTwice()
    {
        int operations = await CountAsync(cluster => AllocateAsync(cluster, "first"), Small);
        for (int at = 1; at <= operations; at++)
        {
            Cluster cluster = Small();
            AddressAllocator other = cluster.Allocator();
            FaultyDatastore contended = new(cluster.Store)
            {
                Before = async o =>
                {
                    if (o.Number == at)
                    {
                        await other.AllocateAsync(Request("other") with { Node = "host-b" }, Stop);
                    }
                },
            };

            await cluster.Allocator(contended).AllocateAsync(Request("first"), Stop);

            Dictionary<string, List<IpAddress>> held = cluster.CheckInvariants(exactCounts: true);
            Assert.Equal(2, held["first"].Count);
            Assert.Equal(2, held["other"].Count);
        }
    }

    [Fact]
    public async Task SameNodeAndHandleAtEveryOperation_CountsBoth()
    {
        int operations = await CountAsync(cluster => AllocateAsync(cluster, "same"), Fresh);
        for (int at = 1; at <= operations; at++)
        {
            Cluster cluster = Fresh();
            FaultyDatastore contended = new(cluster.Store)
            {
                Before = async o =>
                {
                    if (o.Number == at)
                    {
                        await AllocateAsync(cluster, "same");
                    }
                },
            };

            await cluster.Allocator(contended).AllocateAsync(Request("same"), Stop);

            Assert.Equal(4, cluster.CheckInvariants(exactCounts: false)["same"].Count);
            Assert.Equal(4, await cluster.Allocator().ReleaseByHandleAsync("same", Stop));
            Assert.Empty(cluster.CheckInvariants(exactCounts: true));
        }
    }

    [Fact]
    public async Task ReleaseAtEveryOperationOfAnAllocation_LosesNoHandle()
    {
        int operations = await CountAsync(cluster => AllocateAsync(cluster, "same"), Fresh);
        for (int at = 1; at <= operations; at++)
        {
            Cluster cluster = Fresh();
            FaultyDatastore contended = new(cluster.Store)
            {
                Before = async o =>
                {
                    if (o.Number == at)
                    {
                        await cluster.Allocator().ReleaseByHandleAsync("same", Stop);
                    }
                },
            };

            await cluster.Allocator(contended).AllocateAsync(Request("same"), Stop);

            cluster.CheckInvariants(exactCounts: false);
            await cluster.Allocator().ReleaseByHandleAsync("same", Stop);
            Assert.Empty(cluster.CheckInvariants(exactCounts: true));
        }
    }

    [Fact]
    public async Task SecondFamilyThatCannotBeHad_ReleasesTheFirst()
    {
        Cluster cluster = new();
        cluster.AddPool("p4", "10.0.0.0/24");

        IpamException refused = await Assert.ThrowsAsync<IpamException>(async () => await AllocateAsync(cluster, "h"));

        Assert.Contains("no IPv6 pool exists", refused.Message, StringComparison.Ordinal);
        Assert.Empty(cluster.CheckInvariants(exactCounts: true));
        Assert.Empty(cluster.Handles());
    }

    private static Cluster Fresh()
    {
        Cluster cluster = new();
        cluster.AddPool("p4", "10.0.0.0/24");
        cluster.AddPool("p6", "fd00::/116");
        return cluster;
    }

    /// <summary>One block per family: two nodes must share.</summary>
    private static Cluster Small()
    {
        Cluster cluster = new();
        cluster.AddPool("p4", "10.0.0.0/30", 30);
        cluster.AddPool("p6", "fd00::/126", 126);
        return cluster;
    }

    private static AllocationRequest Request(string handle) => new() { HandleId = handle, Node = "host-a", IPv6 = true };

    private static async Task<Allocation> AllocateAsync(Cluster cluster, string handle) => await cluster.Allocator().AllocateAsync(Request(handle), Stop);

    /// <summary>How many operations the request takes when nothing goes wrong.</summary>
    private static async Task<int> CountAsync(Func<Cluster, Task> prepare, Func<Cluster> make)
    {
        Cluster rehearsal = make();
        await prepare(rehearsal);
        Cluster cluster = make();
        FaultyDatastore counting = new(cluster.Store);
        await new AddressAllocator(counting, NullLoggerFactory.Instance, cluster.Time).AllocateAsync(Request("first"), Stop);
        return counting.Count;
    }
}
