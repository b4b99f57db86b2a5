using Weft.Datastore;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Primitives.Net;
using Weft.Testing.Datastore;

namespace Weft.Ipam.Tests;

/// <summary>The short way: one round trip, and never from data that is no longer true.</summary>
public sealed class WarmTests
{
    private readonly Cluster _cluster = new();
    private readonly FaultyDatastore _store;
    private readonly AddressAllocator _allocator;

    public WarmTests()
    {
        _cluster.AddPool("v4", "10.0.0.0/24", 28);
        _cluster.AddPool("v6", "fd00::/64");
        _store = new FaultyDatastore(_cluster.Store);
        _allocator = _cluster.Allocator(_store);
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task SecondAllocationAndItsRelease_AreOneRoundTripEach_WithBothFamilies()
    {
        await AllocateAsync("first");
        await AllocateAsync("second"); // Reads what there is.
        int before = _store.Count;

        Allocation third = await AllocateAsync("third");
        int allocating = _store.Count - before;
        int released = await _allocator.ReleaseByHandleAsync("third", Stop);
        int releasing = _store.Count - before - allocating;

        Assert.Equal((1, 1, 2), (allocating, releasing, released));
        Assert.NotNull(third.IPv6);
        Dictionary<string, List<IpAddress>> held = _cluster.CheckInvariants(exactCounts: true);
        Assert.Equal(["first", "second"], held.Keys.Order());
        Assert.Equal(2, _cluster.Handles()["second"].Block.Count);
    }

    [Fact]
    public async Task RequestsAtTheSameTime_ShareTransactions()
    {
        await AllocateAsync("first", v6: false);
        await AllocateAsync("second", v6: false);
        int before = _store.Count;
        TaskCompletionSource gate = new();
        _store.Before = async _ => await gate.Task;

        Task<Allocation>[] all = [.. Enumerable.Range(0, 12).Select(i => AllocateAsync($"h{i}", v6: false))];
        gate.SetResult();
        await Task.WhenAll(all);

        Assert.Equal(2, _store.Count - before); // The first by itself, all others together.
        Assert.Equal(14, _cluster.CheckInvariants(exactCounts: true).Values.Sum(h => h.Count));
    }

    [Fact]
    public async Task HandleThatExists_IsDeclined_AndTheLongWayAddsToIt()
    {
        await AllocateAsync("first");
        await AllocateAsync("second");

        Allocation? refused = await _allocator.TryAllocateNewAsync(Request("second"), Stop);
        await AllocateAsync("second");

        Assert.Null(refused);
        Assert.Equal(4, _cluster.CheckInvariants(exactCounts: true)["second"].Count);
        Assert.Equal(4, await _allocator.ReleaseByHandleAsync("second", Stop));
    }

    [Fact]
    public async Task FullBlock_ClaimsTheNext_OnlyThen()
    {
        for (int i = 0; i < 20; i++)
        {
            await AllocateAsync($"h{i}", v6: false);
            Assert.Equal(i < 16 ? 1 : 2, _cluster.Blocks().Count);
        }

        Assert.Equal(20, _cluster.CheckInvariants(exactCounts: true).Count);
    }

    /// <summary>Everything the short way looks at, changed behind its back.</summary>
    [Theory]
    [InlineData("pool disabled")]
    [InlineData("pool deselects")]
    [InlineData("pool deleted")]
    [InlineData("pool refuses the use")]
    [InlineData("another pool")]
    [InlineData("reservation")]
    [InlineData("strict")]
    [InlineData("node label")]
    [InlineData("block lost")]
    [InlineData("block used by another")]
    public async Task WhatHasChangedMeanwhile_IsSeen(string change)
    {
        await AllocateAsync("first", v6: false);
        Allocation second = await AllocateAsync("second", v6: false);
        IpPrefix block = second.IPv4!.Block;
        switch (change)
        {
            case "pool disabled": _cluster.AddPool("v4", "10.0.0.0/24", 28, s => s.Disabled = true); break;
            case "pool deselects": _cluster.AddPool("v4", "10.0.0.0/24", 28, s => s.NodeSelector = "rack == 'r9'"); break;
            case "pool refuses the use": _cluster.AddPool("v4", "10.0.0.0/24", 28, s => s.AllowedUses = ["Tunnel"]); break;
            case "pool deleted": await _cluster.Store.DeleteAsync(new ResourceKey(Weft.Model.Resources.ResourceKind.IPPool, "v4"), null, Stop); break;
            case "another pool": _cluster.AddPool("a", "10.9.0.0/24", 28); break;
            case "reservation": _cluster.Reserve(block.ToString()); break;
            case "strict": _cluster.Configure(c => c.StrictAffinity = true); break;
            case "node label": _cluster.AddNode("host-a", new() { ["rack"] = "r1" }); break;
            case "block lost":
                await _cluster.Allocator().ReleaseByHandleAsync("first", Stop);
                await _cluster.Allocator().ReleaseBlockAsync(AffinityType.Host, "host-a", block, onlyEmpty: false, Stop);
                break;
            default: await _cluster.Allocator().AllocateAsync(Request("other") with { IPv6 = false }, Stop); break;
        }

        if (change is "pool disabled" or "pool deselects" or "pool deleted" or "pool refuses the use")
        {
            await Assert.ThrowsAsync<IpamException>(() => AllocateAsync("third", v6: false));
        }
        else
        {
            Allocation third = await AllocateAsync("third", v6: false);
            Assert.Equal(change is not ("reservation" or "block lost"), third.IPv4!.Block == block);
        }

        _cluster.CheckInvariants(exactCounts: true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task LostAnswer_IsToldToAllOfTheTransaction_AndTheirHandlesReleaseWhatWasWritten(bool done)
    {
        await AllocateAsync("first");
        await AllocateAsync("second");
        TaskCompletionSource gate = new();
        _store.Before = async o =>
        {
            await gate.Task;
            if (!done)
            {
                throw new DatastoreException("no answer");
            }
        };
        _store.After = _ => done ? throw new DatastoreException("no answer") : ValueTask.CompletedTask;
        Task<Allocation>[] lost = [.. Enumerable.Range(0, 5).Select(i => AllocateAsync($"h{i}"))];
        gate.SetResult();
        foreach (Task<Allocation> one in lost)
        {
            await Assert.ThrowsAsync<DatastoreException>(async () => await one);
        }

        (_store.Before, _store.After) = (null, null);
        for (int i = 0; i < 5; i++)
        {
            await _allocator.ReleaseByHandleAsync($"h{i}", Stop);
        }

        Assert.Equal(["first", "second"], _cluster.CheckInvariants(exactCounts: true).Keys.Order());
        Assert.NotNull((await AllocateAsync("next")).IPv6);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task LostAnswerOfARelease_TheNextReleaseFindsOutWhatHappened(bool done)
    {
        await AllocateAsync("first");
        await AllocateAsync("second");
        _store.Before = _ => done ? ValueTask.CompletedTask : throw new DatastoreException("no answer");
        _store.After = _ => throw new DatastoreException("no answer");
        await Assert.ThrowsAsync<DatastoreException>(async () => await _allocator.ReleaseByHandleAsync("second", Stop));
        (_store.Before, _store.After) = (null, null);

        Assert.Equal(done ? 0 : 2, await _allocator.ReleaseByHandleAsync("second", Stop));

        Assert.Equal(["first"], _cluster.CheckInvariants(exactCounts: true).Keys);
    }

    [Fact]
    public async Task Cooldown_HoldsOnTheShortWayToo()
    {
        _cluster.Configure(c => (c.IpCooldownSeconds, c.StrictAffinity, c.MaxBlocksPerHost) = (30, true, 1));
        await AllocateAsync("first", v6: false);
        IpAddress released = (await AllocateAsync("second", v6: false)).IPv4!.Address;
        await _allocator.ReleaseByHandleAsync("second", Stop);
        for (int i = 0; i < 14; i++)
        {
            Assert.NotEqual(released, (await AllocateAsync($"h{i}", v6: false)).IPv4!.Address);
        }

        await Assert.ThrowsAsync<IpamException>(() => AllocateAsync("early", v6: false));
        _cluster.Time.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal(released, (await AllocateAsync("late", v6: false)).IPv4!.Address);
    }

    [Fact]
    public async Task ManyAtOnce_OnTwoAllocatorsOfOneNode_NeitherDuplicateNorLeak()
    {
        Cluster cluster = new();
        cluster.AddPool("p", "10.0.0.0/20");
        AddressAllocator[] allocators = [cluster.Allocator(Slow(cluster)), cluster.Allocator(Slow(cluster))];
        await Task.WhenAll(Enumerable.Range(0, 16).Select(w => Task.Run(async () =>
        {
            for (int i = 0; i < 25; i++)
            {
                AddressAllocator allocator = allocators[w % 2];
                await allocator.AllocateAsync(new AllocationRequest { HandleId = $"h-{w}-{i}", Node = "host-a" }, Stop);
                if (i % 3 != 0)
                {
                    Assert.Equal(1, await allocators[(w + i) % 2].ReleaseByHandleAsync($"h-{w}-{i}", Stop));
                }
            }
        })));

        Dictionary<string, List<IpAddress>> held = cluster.CheckInvariants(exactCounts: true);
        Assert.Equal(16 * 9, held.Values.SelectMany(h => h).Distinct().Count());
        Assert.Equal(16 * 9, held.Values.Sum(h => h.Count));
    }

    private static FaultyDatastore Slow(Cluster cluster) => new(cluster.Store) { Before = async _ => await Task.Delay(Random.Shared.Next(2), Stop) };

    private static AllocationRequest Request(string handle) => new() { HandleId = handle, Node = "host-a", IPv6 = true };

    private async Task<Allocation> AllocateAsync(string handle, bool v6 = true) => await _allocator.AllocateAsync(Request(handle) with { IPv6 = v6 }, Stop);
}
