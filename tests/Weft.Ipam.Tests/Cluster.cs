using Microsoft.Extensions.Logging.Abstractions;
using Weft.Datastore;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;
using Weft.Testing.Datastore;

namespace Weft.Ipam.Tests;

/// <summary>A cluster in memory: nodes, pools, settings, a clock, and the questions tests ask about it.</summary>
internal sealed class Cluster
{
    public Cluster(params string[] nodes)
        : this(withoutPauses: false, nodes)
    {
    }

    public Cluster(bool withoutPauses, params string[] nodes)
    {
        Time = new SetTime { WithoutPauses = withoutPauses };
        Store = new InMemoryDatastore(Time);
        foreach (string node in nodes.Length == 0 ? ["host-a", "host-b"] : nodes)
        {
            AddNode(node);
        }
    }

    public InMemoryDatastore Store { get; }

    public SetTime Time { get; }

    public static CancellationToken Stop => TestContext.Current.CancellationToken;

    public AddressAllocator Allocator(IDatastore? through = null) => new(through ?? Store, NullLoggerFactory.Instance, Time);

    public void AddNode(string name, Dictionary<string, string>? labels = null) =>
        Put(new ResourceKey(ResourceKind.Node, name), new Node { Metadata = { Name = name, Labels = labels } });

    public void AddPool(string name, string cidr, int? blockSize = null, Action<IPPoolSpec>? change = null)
    {
        IPPool pool = new() { Metadata = { Name = name }, Spec = { Cidr = cidr, BlockSize = blockSize } };
        change?.Invoke(pool.Spec);
        Put(new ResourceKey(ResourceKind.IPPool, name), pool);
    }

    public void Reserve(params string[] cidrs) =>
        Put(new ResourceKey(ResourceKind.IPReservation, "r"), new IPReservation { Metadata = { Name = "r" }, Spec = { ReservedCIDRs = [.. cidrs] } });

    public void Configure(Action<IpamConfig> change)
    {
        IpamConfig config = IpamConfig.Default;
        change(config);
        Put(new IpamConfigKey(), config);
    }

    /// <summary>Any number of addresses, without the "all or none" of the public interface.</summary>
    public async Task<AutoAssignResult> AssignAsync(string node, int count, string handle = "h", Func<AutoAssignRequest, AutoAssignRequest>? change = null, IDatastore? through = null)
    {
        AutoAssignRequest request = new(IpFamily.IPv4, count, handle, new Dictionary<string, string> { ["node"] = node }, node);
        return await new AutoAssignment(through ?? Store, NullLogger.Instance, Time, change?.Invoke(request) ?? request).RunAsync(Stop);
    }

    public T Get<T>(ModelKey key) => Store.GetAsync(key, CancellationToken.None).AsTask().GetAwaiter().GetResult()!.As<T>();

    public List<AllocationBlock> Blocks() => [.. Items(ModelPrefix.AllBlocks).Select(i => i.As<AllocationBlock>())];

    public Dictionary<string, string> Affinities(string node) =>
        Items(ModelPrefix.AllAffinities(AffinityType.Host)).Where(i => i.Key is BlockAffinityKey key && key.Host == node)
            .ToDictionary(i => ((BlockAffinityKey)i.Key).Cidr.ToString(), i => i.As<BlockAffinityValue>().State);

    public Dictionary<string, IpamHandle> Handles() => Items(ModelPrefix.Handles).ToDictionary(i => ((HandleKey)i.Key).HandleId, i => i.As<IpamHandle>());

    /// <summary>
    /// What must hold whenever nobody is in the middle of something: every address is free, or assigned once, with its handle naming its block; the free
    /// list and the allocations are each other's complement.
    /// </summary>
    /// <returns>Assigned addresses by handle.</returns>
    public Dictionary<string, List<IpAddress>> CheckInvariants(bool exactCounts)
    {
        Dictionary<string, List<IpAddress>> held = [];
        Dictionary<(string, string), int> counts = [];
        foreach (AllocationBlock block in Blocks())
        {
            IpPrefix cidr = IpPrefix.Parse(block.Cidr);
            Assert.Equal((int)cidr.Size, block.Allocations.Count);
            Assert.Equal(block.Unallocated.Count, block.Unallocated.Distinct().Count());
            Assert.Equal(Enumerable.Range(0, block.Allocations.Count).Where(o => block.Allocations[o] is null), block.Unallocated.Order());
            Assert.Equal(block.Allocations.OfType<int>().Distinct().Order(), Enumerable.Range(0, block.Attributes.Count));
            for (int ordinal = 0; ordinal < block.Allocations.Count; ordinal++)
            {
                if (block.Allocations[ordinal] is { } index && block.Attributes[index] is { ReleasedAt: null } attribute)
                {
                    string handle = attribute.HandleId!;
                    (held.TryGetValue(handle, out List<IpAddress>? list) ? list : held[handle] = []).Add(cidr.Address.Add((UInt128)ordinal));
                    counts[(handle, block.Cidr)] = counts.GetValueOrDefault((handle, block.Cidr)) + 1;
                }
            }
        }

        Dictionary<string, IpamHandle> handles = Handles();
        foreach (((string handle, string block), int count) in counts)
        {
            Assert.True(handles.TryGetValue(handle, out IpamHandle? stored) && stored.Block.GetValueOrDefault(block) >= count, $"{handle} holds {count} in {block} and does not say so");
        }

        if (exactCounts)
        {
            Assert.Equal(
                counts.OrderBy(c => c.Key).Select(c => (c.Key.Item1, c.Key.Item2, c.Value)),
                handles.SelectMany(h => h.Value.Block.Select(b => (h.Key, b.Key, b.Value))).OrderBy(c => (c.Item1, c.Item2)));
        }

        return held;
    }

    private void Put(ModelKey key, object value) => _ = Store.ApplyAsync(key, value, null, CancellationToken.None).AsTask();

    private IReadOnlyList<KeyValue> Items(ModelPrefix prefix) => Store.ListAsync(prefix, CancellationToken.None).AsTask().GetAwaiter().GetResult().Items;
}

/// <summary>A clock that stands until it is moved; delays pass in real time, so that a loop of attempts ends, or where asked at once.</summary>
internal sealed class SetTime : TimeProvider
{
    private DateTimeOffset _now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    /// <summary>Pauses are over when they begin.</summary>
    public bool WithoutPauses { get; init; }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (!WithoutPauses)
        {
            return base.CreateTimer(callback, state, dueTime, period);
        }

        callback(state);
        return new PastTimer();
    }

    public override DateTimeOffset GetUtcNow() => _now;

    public void Advance(TimeSpan by) => _now += by;

    private sealed class PastTimer : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
