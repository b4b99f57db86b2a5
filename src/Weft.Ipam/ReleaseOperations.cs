using Microsoft.Extensions.Logging;
using Weft.Datastore;
using Weft.Ipam.Blocks;
using Weft.Ipam.Handles;
using Weft.Ipam.Pools;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ipam;

/// <summary>Gives addresses back (reference 3.9), by handle or one by one, and blocks that are then of no use.</summary>
internal sealed class ReleaseOperations(IDatastore store, ILogger logger, TimeProvider time)
{
    private readonly BlockClaims _claims = new(store, logger, time);
    private readonly HandleCounts _handles = new(store, time);

    public async ValueTask<int> ByHandleAsync(string handle, CancellationToken stop)
    {
        HandleKey key = new(handle);
        Attempts attempts = new(time, $"release handle {handle}");
        TimeSpan? cooldown = null;
        for (int released = 0; ;)
        {
            await attempts.NextAsync(stop);
            if (await store.GetAsync(key, stop) is not { } stored)
            {
                return released;
            }

            cooldown ??= await CooldownAsync(stop);
            foreach ((string block, int count) in stored.As<IpamHandle>().Block)
            {
                if (IpPrefix.TryParse(block, out IpPrefix cidr))
                {
                    released += await HandleInBlockAsync(cidr, handle, count, cooldown.Value, stop);
                }
            }

            // Only as it was read: an allocation under the same handle that began meanwhile has counted itself in, and makes this fail.
            if ((await store.DeleteAsync(key, stored.Revision, stop)).Outcome is WriteOutcome.Written or WriteOutcome.NotFound)
            {
                return released;
            }
        }
    }

    public async ValueTask<ReleaseResult> ByAddressAsync(IReadOnlyList<AddressRelease> addresses, CancellationToken stop)
    {
        ListResult list = await store.ListAsync([ModelPrefix.Of(ResourceKind.IPPool), ModelPrefix.Of(new IpamConfigKey())], stop);
        AddressPool[] pools = [.. list.Items.Select(i => i.Value).OfType<IPPool>().Select(AddressPool.From).OfType<AddressPool>()];
        TimeSpan cooldown = Cooldown(list.Items.Select(i => i.Value).OfType<IpamConfig>().FirstOrDefault());
        List<IpAddress> released = [];
        List<IpAddress> notAllocated = [];
        List<string> refusals = [];
        Dictionary<IpPrefix, List<AddressRelease>> byBlock = [];
        foreach (AddressRelease address in addresses)
        {
            // The block as it is, not as the pool would cut it today: the pool may be gone, or made anew with another size.
            if (await BlockOfAsync(address.Address, pools, stop) is { } cidr)
            {
                (byBlock.TryGetValue(cidr, out List<AddressRelease>? group) ? group : byBlock[cidr] = []).Add(address);
            }
            else
            {
                notAllocated.Add(address.Address);
            }
        }

        foreach ((IpPrefix cidr, List<AddressRelease> group) in byBlock)
        {
            BlockRelease result = await InBlockAsync(cidr, group, cooldown, stop);
            released.AddRange(result.Released.Select(r => r.Address));
            notAllocated.AddRange(result.NotAllocated);
            if (result.Refusal is { } refusal)
            {
                refusals.Add(refusal);
            }
        }

        return new ReleaseResult(released, notAllocated, refusals);
    }

    /// <summary>The block an address is in, if there is one.</summary>
    public async ValueTask<IpPrefix?> BlockOfAsync(IpAddress address, CancellationToken stop)
    {
        ListResult list = await store.ListAsync(ModelPrefix.Of(ResourceKind.IPPool), stop);
        return await BlockOfAsync(address, [.. list.Items.Select(i => i.Value).OfType<IPPool>().Select(AddressPool.From).OfType<AddressPool>()], stop);
    }

    private async ValueTask<IpPrefix?> BlockOfAsync(IpAddress address, AddressPool[] pools, CancellationToken stop)
    {
        if (Array.Find(pools, p => p.Cidr.Contains(address)) is { } pool && await store.GetAsync(new BlockKey(pool.BlockOf(address)), stop) is not null)
        {
            return pool.BlockOf(address);
        }

        ListResult all = await store.ListAsync(ModelPrefix.Blocks(address.Family), stop);
        return all.Items.Select(i => (IpPrefix?)((BlockKey)i.Key).Cidr).FirstOrDefault(c => c!.Value.Contains(address));
    }

    private async ValueTask<BlockRelease> InBlockAsync(IpPrefix cidr, List<AddressRelease> addresses, TimeSpan cooldown, CancellationToken stop)
    {
        Attempts attempts = new(time, $"release addresses of block {cidr}");
        while (true)
        {
            await attempts.NextAsync(stop);
            if (await _claims.ReadAsync(cidr, cooldown, stop) is not { } loaded)
            {
                return new BlockRelease([], [.. addresses.Select(a => a.Address).Distinct()], null);
            }

            BlockRelease result = AllocationBlockRules.Release(loaded.Block, addresses, time.GetUtcNow(), cooldown);
            if (result.Released.Count == 0)
            {
                return result;
            }

            if (await WriteOrDeleteAsync(loaded, stop))
            {
                Log.Released(logger, result.Released.Count, cidr);
                foreach (IGrouping<string, (IpAddress, string?)> held in result.Released.Where(r => r.Handle is not null).GroupBy(r => AllocationBlockRules.Sanitise(r.Handle)!))
                {
                    await AfterwardsAsync(cidr, () => _handles.DecrementAsync(held.Key, cidr, held.Count(), stop));
                }

                await AfterwardsAsync(cidr, () => GiveUpDeselectedAsync(loaded, cooldown, stop));
                return result;
            }
        }
    }

    /// <param name="cidr">The block.</param>
    /// <param name="handle">The handle.</param>
    /// <param name="count">How many addresses the handle counts there.</param>
    /// <param name="cooldown">Of released addresses.</param>
    /// <param name="stop">Cancels.</param>
    private async ValueTask<int> HandleInBlockAsync(IpPrefix cidr, string handle, int count, TimeSpan cooldown, CancellationToken stop)
    {
        Attempts attempts = new(time, $"release handle {handle} in block {cidr}");
        while (true)
        {
            await attempts.NextAsync(stop);
            if (await _claims.ReadAsync(cidr, cooldown, stop) is not { } loaded)
            {
                return 0;
            }

            int released = AllocationBlockRules.ReleaseHandle(loaded.Block, handle, time.GetUtcNow(), cooldown).Released.Count;
            if (released >= count && released == 0)
            {
                return 0;
            }

            // Fewer than counted: left by a crash, or an allocation has counted itself in and is about to write the block. Writing the block although
            // nothing in it changes makes that one fail and count anew; otherwise its address would have no handle.
            if (await WriteOrDeleteAsync(loaded, stop))
            {
                Log.Released(logger, released, cidr);
                await AfterwardsAsync(cidr, () => GiveUpDeselectedAsync(loaded, cooldown, stop));
                return released;
            }
        }
    }

    /// <summary>False when somebody wrote in between.</summary>
    private async ValueTask<bool> WriteOrDeleteAsync(LoadedBlock loaded, CancellationToken stop) =>
        AllocationBlockRules.Owner(loaded.Block) is null && AllocationBlockRules.IsEmpty(loaded.Block)
            ? (await store.DeleteAsync(loaded.Key, loaded.Revision, stop)).IsWritten
            : (await _claims.WriteAsync(loaded, stop)).IsWritten;

    /// <summary>The last address of a block is gone: does its pool still want it on that node?</summary>
    private async ValueTask GiveUpDeselectedAsync(LoadedBlock loaded, TimeSpan cooldown, CancellationToken stop)
    {
        if (!AllocationBlockRules.IsEmpty(loaded.Block) || AllocationBlockRules.Owner(loaded.Block) is not { Type: AffinityType.Host } owner)
        {
            return;
        }

        ListResult list = await store.ListAsync([ModelPrefix.Of(ResourceKind.IPPool), ModelPrefix.Of(new ResourceKey(ResourceKind.Node, owner.Name))], stop);
        Node? node = list.Items.Select(i => i.Value).OfType<Node>().FirstOrDefault();
        AddressPool? pool = list.Items.Select(i => i.Value).OfType<IPPool>().Select(AddressPool.From).OfType<AddressPool>().FirstOrDefault(p => p.HoldsBlock(loaded.Cidr));
        if (node is not null && pool is not null && !PoolSelection.SelectsNode(pool, node.Metadata.Labels ?? []))
        {
            await _claims.GiveUpAsync(owner, loaded.Cidr, requireEmpty: true, sequenceNumber: null, cooldown, stop);
        }
    }

    /// <summary>The addresses are free already; what fails now is caught up by the next release or by the clean-up of the controllers.</summary>
    private async ValueTask AfterwardsAsync(IpPrefix cidr, Func<ValueTask> work)
    {
        try
        {
            await work();
        }
        catch (Exception e) when (e is DatastoreException or IpamException)
        {
            Log.AfterReleaseFailed(logger, cidr, e.Message);
        }
    }

    private async ValueTask<TimeSpan> CooldownAsync(CancellationToken stop) =>
        Cooldown((await store.GetAsync(new IpamConfigKey(), stop))?.As<IpamConfig>());

    private static TimeSpan Cooldown(IpamConfig? config) => TimeSpan.FromSeconds(config?.IpCooldownSeconds ?? 0);
}

/// <param name="Released">Addresses freed.</param>
/// <param name="NotAllocated">Addresses that were free already or are in no block.</param>
/// <param name="Refusals">One line per block of which nothing was freed, since an address in it is not what the caller believed.</param>
public sealed record ReleaseResult(IReadOnlyList<IpAddress> Released, IReadOnlyList<IpAddress> NotAllocated, IReadOnlyList<string> Refusals);
