using Microsoft.Extensions.Logging;
using Weft.Datastore;
using Weft.Ipam.Blocks;
using Weft.Ipam.Handles;
using Weft.Ipam.Pools;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Primitives.Net;

namespace Weft.Ipam;

/// <summary>What one family of a request wants.</summary>
internal sealed record AutoAssignRequest(IpFamily Family, int Count, string HandleId, IReadOnlyDictionary<string, string> Attributes, string Node)
{
    public AddressUse Use { get; init; } = AddressUse.Workload;

    public IReadOnlyList<string> Pools { get; init; } = [];

    public IReadOnlyDictionary<string, string>? NamespaceLabels { get; init; }

    /// <summary>Blocks the node may own, besides what is configured; 0 for no limit of the request's own.</summary>
    public int MaxBlocks { get; init; }
}

/// <param name="Addresses">Possibly fewer than asked for.</param>
/// <param name="Messages">Why, when fewer.</param>
internal sealed record AutoAssignResult(IReadOnlyList<AssignedAddress> Addresses, IReadOnlyList<string> Messages);

/// <summary>
/// Any addresses, one family (reference 3.4): from the node's own blocks; then from a block it claims; then, unless affinity is strict, from blocks of
/// others. One instance per request.
/// </summary>
internal sealed class AutoAssignment(IDatastore store, ILogger logger, TimeProvider time, AutoAssignRequest request)
{
    // A block somebody has just claimed is about to be used, although it is still empty.
    private static readonly TimeSpan ReclaimAfter = TimeSpan.FromSeconds(60);

    private readonly BlockClaims _claims = new(store, logger, time);
    private readonly HandleCounts _handles = new(store, time);
    private readonly BlockOwner _owner = BlockOwner.Of(request.Node, request.Use);
    private readonly List<AssignedAddress> _taken = [];
    private readonly List<string> _messages = [];
    private IpamState _state = null!;
    private IReadOnlyList<AddressPool> _pools = [];

    private enum AssignOutcome : byte
    {
        Assigned,
        Full,
        Changed,
    }

    private int Missing => request.Count - _taken.Count;

    /// <exception cref="IpamException">No pool may be used.</exception>
    public async ValueTask<AutoAssignResult> RunAsync(CancellationToken stop)
    {
        _state = await IpamState.LoadAsync(store, _owner, stop, request.Family);
        _pools = PoolSelection.Choose(_state.Pools, request.Family, request.Pools, request.Use, request.Node, _state.NodeLabels, request.NamespaceLabels);
        IpPrefix[] affine = [.. _state.Affinities.Select(a => ((BlockAffinityKey)a.Key).Cidr).Where(c => PoolOf(c) is not null)];
        await GiveUpDeselectedAsync(stop);
        await FromOwnBlocksAsync(affine, stop);
        await FromNewBlocksAsync(affine.Length, stop);
        if (!_state.Config.StrictAffinity)
        {
            await FromOthersAsync(stop);
        }

        return new AutoAssignResult(_taken, _messages);
    }

    private AddressPool? PoolOf(IpPrefix block) => _pools.FirstOrDefault(p => p.HoldsBlock(block));

    private async ValueTask FromOwnBlocksAsync(IpPrefix[] affine, CancellationToken stop)
    {
        foreach (IpPrefix cidr in affine.Where(c => !_state.Reservations.Cover(c)))
        {
            if (Missing == 0)
            {
                return;
            }

            Attempts attempts = new(time, $"open block {cidr} of {_owner}");
            ClaimOutcome outcome;
            do
            {
                await attempts.NextAsync(stop);
                (outcome, LoadedBlock? loaded) = await _claims.OpenAsync(_owner, cidr, _state.Cooldown, stop);
                if (loaded is not null && await AssignAsync(loaded, stop) == AssignOutcome.Changed)
                {
                    outcome = ClaimOutcome.Changed;
                }
            }
            while (outcome == ClaimOutcome.Changed);
        }
    }

    private async ValueTask FromNewBlocksAsync(int owned, CancellationToken stop)
    {
        int limit = request.MaxBlocks > 0 ? Math.Min(request.MaxBlocks, _state.BlockLimit) : _state.BlockLimit;
        Attempts attempts = new(time, $"claim a block for {_owner}");
        while (Missing > 0)
        {
            if (owned >= limit)
            {
                _messages.Add($"Need to allocate an IPAM block but could not - limit of {limit} blocks reached for this node ({request.Node}); raise maxBlocksPerHost");
                return;
            }

            if (!_state.Config.AutoAllocateBlocks)
            {
                _messages.Add("failed to find or claim a block: autoAllocateBlocks is off");
                return;
            }

            if (await FindUsableAsync(stop) is not { } cidr)
            {
                if (_state.Config.StrictAffinity)
                {
                    _messages.Add($"No more free affine blocks and strict affinity enabled (pools: [{string.Join(' ', _pools.Select(p => p.Cidr))}])");
                }

                return;
            }

            (ClaimOutcome outcome, LoadedBlock? loaded) = await _claims.ClaimAsync(_owner, cidr, _state.Cooldown, stop);
            while (loaded is not null && await AssignAsync(loaded, stop) == AssignOutcome.Changed)
            {
                await attempts.NextAsync(stop);
                (outcome, loaded) = await _claims.OpenAsync(_owner, cidr, _state.Cooldown, stop);
            }

            if (outcome == ClaimOutcome.Ready)
            {
                owned++;
                attempts = new Attempts(time, $"claim a block for {_owner}");
            }
            else
            {
                await attempts.NextAsync(stop);
            }
        }
    }

    /// <summary>Borrowing: only blocks that exist, and in the same order as for claiming.</summary>
    private async ValueTask FromOthersAsync(CancellationToken stop)
    {
        if (Missing == 0)
        {
            return;
        }

        ListResult all = await store.ListAsync(ModelPrefix.Blocks(request.Family), stop);
        List<AddressPool> exhausted = [];
        foreach (AddressPool pool in _pools)
        {
            IpPrefix[] blocks = [.. all.Items.Select(i => ((BlockKey)i.Key).Cidr)
                .Where(c => pool.HoldsBlock(c) && !_state.Reservations.Cover(c))
                .OrderBy(c => c.Length < pool.BlockSize ? 0 : BlockOrder.Place(pool.Cidr, pool.BlockSize, c, request.Node, time))];
            foreach (IpPrefix cidr in blocks)
            {
                Attempts attempts = new(time, $"borrow from block {cidr}");
                AssignOutcome outcome = AssignOutcome.Changed;
                while (outcome == AssignOutcome.Changed && Missing > 0)
                {
                    await attempts.NextAsync(stop);
                    LoadedBlock? loaded = await _claims.ReadAsync(cidr, _state.Cooldown, stop);
                    outcome = loaded is null ? AssignOutcome.Full : await AssignAsync(loaded, stop);
                    if (outcome == AssignOutcome.Assigned && AllocationBlockRules.Owner(loaded!.Block) != _owner)
                    {
                        Log.Borrowed(logger, request.Node, cidr, AllocationBlockRules.Owner(loaded.Block)?.ToString() ?? "nobody");
                    }
                }
            }

            exhausted.Add(pool);
            if (Missing == 0)
            {
                return;
            }
        }

        _messages.Add($"No IPs available in pools: [{string.Join(' ', exhausted.Select(p => p.Cidr))}]");
    }

    private async ValueTask<AssignOutcome> AssignAsync(LoadedBlock loaded, CancellationToken stop)
    {
        if (_state.Config.StrictAffinity && AllocationBlockRules.Owner(loaded.Block) != _owner)
        {
            return AssignOutcome.Full;
        }

        List<IpAddress> taken = AllocationBlockRules.Assign(loaded.Block, Missing, request.HandleId, request.Attributes, _state.Reservations.Contains);
        if (taken.Count == 0)
        {
            return AssignOutcome.Full;
        }

        Revision counted = await _handles.IncrementAsync(request.HandleId, loaded.Cidr, taken.Count, stop);
        if (!(await _claims.WriteAsync(loaded, stop)).IsWritten)
        {
            await _handles.UndoAsync(request.HandleId, loaded.Cidr, taken.Count, counted, stop);
            return AssignOutcome.Changed;
        }

        string pool = PoolOf(loaded.Cidr)?.Name ?? string.Empty;
        foreach (IpAddress address in taken)
        {
            Log.Assigned(logger, address, loaded.Cidr, request.HandleId);
            _taken.Add(new AssignedAddress(address, loaded.Cidr, pool));
        }

        return AssignOutcome.Assigned;
    }

    /// <summary>A block to claim: one that is not there, one of ours with room, or an empty one taken from its owner. Null when there is none.</summary>
    private async ValueTask<IpPrefix?> FindUsableAsync(CancellationToken stop)
    {
        ListResult list = await store.ListAsync(ModelPrefix.Blocks(request.Family), stop);
        Dictionary<IpPrefix, KeyValue> blocks = list.Items.ToDictionary(i => ((BlockKey)i.Key).Cidr);
        HashSet<IpPrefix> unreadable = [.. list.Unreadable.Select(u => ((BlockKey)u.Key).Cidr)];
        List<LoadedBlock> empty = [];
        foreach (AddressPool pool in _pools)
        {
            foreach (IpPrefix cidr in BlockOrder.From(pool.Cidr, pool.BlockSize, request.Node, time))
            {
                if (_state.Reservations.Cover(cidr) || unreadable.Contains(cidr))
                {
                    continue;
                }

                if (!blocks.TryGetValue(cidr, out KeyValue? stored))
                {
                    return cidr;
                }

                AllocationBlock block = stored.As<AllocationBlock>();
                AllocationBlockRules.CollectCold(block, time.GetUtcNow(), _state.Cooldown);
                if (!AllocationBlockRules.HasFree(block, _state.Reservations.Contains))
                {
                    continue;
                }

                if (AllocationBlockRules.Owner(block) == _owner)
                {
                    return cidr;
                }

                if (AllocationBlockRules.IsEmpty(block))
                {
                    empty.Add(new LoadedBlock(new BlockKey(cidr), block, stored.Revision));
                }
            }
        }

        foreach (LoadedBlock candidate in empty)
        {
            if (await TryReclaimAsync(candidate, stop))
            {
                return candidate.Cidr;
            }
        }

        return null;
    }

    private async ValueTask<bool> TryReclaimAsync(LoadedBlock candidate, CancellationToken stop)
    {
        if (AllocationBlockRules.Owner(candidate.Block) is not { } owner)
        {
            return await _claims.DeleteUnownedAsync(candidate, stop);
        }

        return time.GetUtcNow() - ReclaimAfter >= AllocationBlockRules.ClaimTime(candidate.Block)
            && await _claims.GiveUpAsync(owner, candidate.Cidr, requireEmpty: true, candidate.Block.SequenceNumber, _state.Cooldown, stop) == GiveUpOutcome.Done;
    }

    /// <summary>Empty blocks of pools that have stopped selecting this node go back (reference 3.5).</summary>
    private async ValueTask GiveUpDeselectedAsync(CancellationToken stop)
    {
        if (_owner.Type != AffinityType.Host)
        {
            return;
        }

        foreach (IpPrefix cidr in _state.Affinities.Select(a => ((BlockAffinityKey)a.Key).Cidr))
        {
            AddressPool? pool = _state.Pools.FirstOrDefault(p => p.IsEnabled && p.HoldsBlock(cidr));
            if (pool is not null && !_pools.Contains(pool) && !PoolSelection.SelectsNode(pool, _state.NodeLabels))
            {
                await _claims.GiveUpAsync(_owner, cidr, requireEmpty: true, sequenceNumber: null, _state.Cooldown, stop);
            }
        }
    }
}
