using Weft.Datastore;
using Weft.Ipam.Blocks;
using Weft.Ipam.Pools;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ipam.Warm;

/// <summary>What a handle was last known to hold.</summary>
internal sealed record WarmHandle(Revision Revision, IReadOnlyDictionary<IpPrefix, int> Blocks);

/// <summary>
/// A node's confirmed blocks with everything their use depends on, as read at one moment, and the transaction that changes them. What was read may be old:
/// the transaction carries a condition for each thing that was looked at, so an answer from old data is never written.
/// <code>
///   the node, the config, the pool, the affinity, each block   unchanged since they were read
///   the handle                                                 absent (allocate) or unchanged (release)
///   all pools, all reservations                                nothing newer than what was read
/// </code>
/// A plan that was not written leaves this object useless: it has been changed in memory. Owned by the loop of its <see cref="WarmNode"/>.
/// </summary>
internal sealed class WarmBlocks
{
    // One transaction of etcd; nearly all nodes have fewer.
    private const int BlocksPerList = 64;

    private readonly IpamState _state;
    private readonly SortedDictionary<IpPrefix, Entry> _blocks;
    private readonly HashSet<ModelKey> _handles = [];
    private readonly List<StoreCondition> _conditions = [];
    private readonly List<StoreWrite> _writes = [];

    private WarmBlocks(IpamState state, SortedDictionary<IpPrefix, Entry> blocks) => (_state, _blocks) = (state, blocks);

    /// <summary>Nothing has been planned.</summary>
    public bool IsPlanEmpty => _writes.Count == 0;

    /// <exception cref="IpamException">The node does not exist, or something cannot be read.</exception>
    public static async ValueTask<WarmBlocks> LoadAsync(IDatastore store, string node, CancellationToken stop)
    {
        IpamState state = await IpamState.LoadAsync(store, BlockOwner.Node(node), stop, IpFamily.IPv4, IpFamily.IPv6);
        Dictionary<IpPrefix, Revision> affinities = state.Affinities
            .Where(a => BlockClaims.IsConfirmed(a.As<BlockAffinityValue>())).ToDictionary(a => ((BlockAffinityKey)a.Key).Cidr, a => a.Revision);
        SortedDictionary<IpPrefix, Entry> blocks = [];
        foreach (IpPrefix[] some in affinities.Keys.Chunk(BlocksPerList))
        {
            ListResult list = await store.ListAsync([.. some.Select(c => ModelPrefix.Of(new BlockKey(c)))], stop);
            foreach (KeyValue item in list.Items.Where(i => AllocationBlockRules.Owner(i.As<AllocationBlock>()) == state.Owner))
            {
                IpPrefix cidr = ((BlockKey)item.Key).Cidr;
                blocks.Add(cidr, new Entry(item.As<AllocationBlock>(), item.Revision, affinities[cidr]));
            }
        }

        return new WarmBlocks(state, blocks);
    }

    /// <summary>
    /// Adds an allocation to the plan, with the addresses in the job. False, and nothing is planned, when the blocks at hand do not suffice or a rule
    /// forbids them: the long way finds out what to do, or what to say.
    /// </summary>
    public bool TryPlanAllocation(WarmJob job, DateTimeOffset now)
    {
        AllocationRequest request = job.Request!;
        if (request.Node != _state.Owner.Name || HasBlockToGiveUp()
            || !TryFind(request, IpFamily.IPv4, request.IPv4, request.IPv4Pools, now, out (AddressPool Pool, IpPrefix Cidr)? v4)
            || !TryFind(request, IpFamily.IPv6, request.IPv6, request.IPv6Pools, now, out (AddressPool Pool, IpPrefix Cidr)? v6)
            || !_handles.Add(new HandleKey(job.Handle)))
        {
            return false;
        }

        job.Allocation = new Allocation(v4 is { } four ? Take(job, four.Pool, four.Cidr) : null, v6 is { } six ? Take(job, six.Pool, six.Cidr) : null);
        HandleKey key = new(job.Handle);
        _conditions.Add(StoreCondition.Absent(key));
        _writes.Add(new StoreWrite(key, new IpamHandle { Block = job.Blocks.ToDictionary(b => b.Key.ToString(), b => b.Value) }));
        return true;
    }

    /// <summary>Adds the release of everything a handle holds to the plan. False when it needs the long way.</summary>
    public bool TryPlanRelease(WarmJob job, WarmHandle known, DateTimeOffset now)
    {
        HandleKey key = new(job.Handle);
        if (known.Blocks.Keys.Any(c => !_blocks.ContainsKey(c) || PoolOf(c) is not { } pool || !PoolSelection.SelectsNode(pool, _state.NodeLabels)) || !_handles.Add(key))
        {
            return false;
        }

        foreach (IpPrefix cidr in known.Blocks.Keys)
        {
            Entry entry = Use(cidr);
            job.Released += AllocationBlockRules.ReleaseHandle(entry.Block, job.Handle, now, _state.Cooldown).Released.Count;
        }

        _conditions.Add(StoreCondition.Unchanged(key, known.Revision));
        _writes.Add(new StoreWrite(key, null));
        return true;
    }

    /// <summary>The transaction of everything planned since the last one.</summary>
    public StoreTransaction Finish()
    {
        _conditions.Add(StoreCondition.NothingNewer(ModelPrefix.Of(ResourceKind.IPPool), _state.Revision));
        _conditions.Add(StoreCondition.NothingNewer(ModelPrefix.Of(ResourceKind.IPReservation), _state.Revision));
        _conditions.Add(StoreCondition.Unchanged(new IpamConfigKey(), _state.ConfigRevision));
        _conditions.Add(StoreCondition.Unchanged(new ResourceKey(ResourceKind.Node, _state.Owner.Name), AddressPool.RevisionOf(_state.Node!)));
        HashSet<AddressPool> pools = [];
        foreach ((IpPrefix cidr, Entry entry) in _blocks.Where(b => b.Value.IsUsed))
        {
            AllocationBlockRules.Touch(entry.Block);
            _conditions.Add(StoreCondition.Unchanged(new BlockKey(cidr), entry.Revision));
            _conditions.Add(StoreCondition.Unchanged(_state.Owner.Affinity(cidr), entry.Affinity));
            if (PoolOf(cidr) is { } pool && pools.Add(pool))
            {
                _conditions.Add(StoreCondition.Unchanged(pool.Key, pool.Revision));
            }

            _writes.Add(new StoreWrite(new BlockKey(cidr), entry.Block));
        }

        return new StoreTransaction([.. _conditions], [.. _writes]);
    }

    /// <summary>The transaction was written: its blocks are known at the new revision.</summary>
    public void Written(Revision revision)
    {
        foreach (Entry entry in _blocks.Values.Where(e => e.IsUsed))
        {
            (entry.Revision, entry.IsUsed) = (revision, false);
        }

        _handles.Clear();
        _conditions.Clear();
        _writes.Clear();
    }

    /// <summary>An empty block of a pool that no longer selects this node goes back with the next allocation; the long way does that.</summary>
    private bool HasBlockToGiveUp() => _blocks.Any(b => AllocationBlockRules.IsEmpty(b.Value.Block)
        && PoolOf(b.Key) is { IsEnabled: true } pool && !PoolSelection.SelectsNode(pool, _state.NodeLabels));

    private AddressPool? PoolOf(IpPrefix block) => _state.Pools.FirstOrDefault(p => p.HoldsBlock(block));

    /// <summary>The first own block of a pool the request may use that has an address free. True with null for a family that is not wanted.</summary>
    private bool TryFind(
        AllocationRequest request, IpFamily family, bool wanted, IReadOnlyList<string> requested, DateTimeOffset now, out (AddressPool Pool, IpPrefix Cidr)? found)
    {
        found = null;
        if (!wanted)
        {
            return true;
        }

        IReadOnlyList<AddressPool> pools;
        try
        {
            pools = PoolSelection.Choose(_state.Pools, family, requested, request.Use, request.Node, _state.NodeLabels, request.NamespaceLabels);
        }
        catch (IpamException)
        {
            return false; // The long way reads anew, and says it if it is still so.
        }

        foreach ((IpPrefix cidr, Entry entry) in _blocks)
        {
            if (cidr.Family == family && pools.FirstOrDefault(p => p.HoldsBlock(cidr)) is { } pool)
            {
                AllocationBlockRules.CollectCold(entry.Block, now, _state.Cooldown);
                if (AllocationBlockRules.HasFree(entry.Block, _state.Reservations.Contains))
                {
                    found = (pool, cidr);
                    return true;
                }
            }
        }

        return false;
    }

    private AssignedAddress Take(WarmJob job, AddressPool pool, IpPrefix cidr)
    {
        IpAddress address = AllocationBlockRules.Assign(Use(cidr).Block, 1, job.Handle, job.Request!.Attributes, _state.Reservations.Contains)[0];
        job.Blocks[cidr] = 1;
        return new AssignedAddress(address, cidr, pool.Name);
    }

    private Entry Use(IpPrefix cidr)
    {
        Entry entry = _blocks[cidr];
        entry.IsUsed = true;
        return entry;
    }

    private sealed class Entry(AllocationBlock block, Revision revision, Revision affinity)
    {
        public AllocationBlock Block { get; } = block;

        public Revision Revision { get; set; } = revision;

        public Revision Affinity { get; } = affinity;

        /// <summary>Changed by the present plan.</summary>
        public bool IsUsed { get; set; }
    }
}
