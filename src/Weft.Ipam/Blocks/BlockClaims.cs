using Microsoft.Extensions.Logging;
using Weft.Datastore;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Primitives.Net;

namespace Weft.Ipam.Blocks;

/// <summary>A block as read, with the cooldowns that have passed already collected in memory.</summary>
internal sealed record LoadedBlock(BlockKey Key, AllocationBlock Block, Revision Revision)
{
    public IpPrefix Cidr => Key.Cidr;
}

internal enum ClaimOutcome : byte
{
    /// <summary>The block is the owner's, and its affinity says so.</summary>
    Ready,

    /// <summary>Somebody wrote in between: look again.</summary>
    Changed,

    /// <summary>The block is somebody else's; a claim of ours that said otherwise is gone.</summary>
    Lost,
}

internal enum GiveUpOutcome : byte
{
    /// <summary>The owner has the block no longer.</summary>
    Done,

    /// <summary>It was not the owner's.</summary>
    NotOwned,

    /// <summary>It holds addresses, and only an empty one was to be given up.</summary>
    NotEmpty,

    /// <summary>Somebody wrote in between: look again.</summary>
    Changed,
}

/// <summary>
/// Who owns which block. An owner takes and gives up a block in an order that a crash may cut anywhere:
/// <code>
///   take:     affinity pending          -> block created          -> affinity confirmed
///   give up:  affinity pendingDeletion  -> block deleted/disowned -> affinity deleted
/// </code>
/// A pending affinity without a block is harmless; a block whose affinity is not confirmed is completed by the owner's next allocation. Routes are announced
/// for confirmed affinities only. Source: reference 3.6 and 3.9.
/// </summary>
internal sealed class BlockClaims(IDatastore store, ILogger logger, TimeProvider time)
{
    private const string Pending = "pending";
    private const string Confirmed = "confirmed";
    private const string PendingDeletion = "pendingDeletion";

    /// <summary>Older data holds an empty value for a confirmed affinity.</summary>
    public static bool IsConfirmed(BlockAffinityValue affinity) => !affinity.Deleted && affinity.State is Confirmed or "";

    public async ValueTask<LoadedBlock?> ReadAsync(IpPrefix cidr, TimeSpan cooldown, CancellationToken stop)
    {
        BlockKey key = new(cidr);
        if (await store.GetAsync(key, stop) is not { } stored)
        {
            return null;
        }

        LoadedBlock loaded = new(key, stored.As<AllocationBlock>(), stored.Revision);
        AllocationBlockRules.CollectCold(loaded.Block, time.GetUtcNow(), cooldown);
        return loaded;
    }

    public ValueTask<WriteResult> WriteAsync(LoadedBlock loaded, CancellationToken stop)
    {
        AllocationBlockRules.Touch(loaded.Block);
        return store.UpdateAsync(loaded.Key, loaded.Block, loaded.Revision, stop);
    }

    /// <summary>The block behind an affinity of the owner; completes whatever an earlier attempt left undone.</summary>
    public async ValueTask<(ClaimOutcome Outcome, LoadedBlock? Block)> OpenAsync(BlockOwner owner, IpPrefix cidr, TimeSpan cooldown, CancellationToken stop)
    {
        BlockAffinityKey key = owner.Affinity(cidr);
        if (await store.GetAsync(key, stop) is not { } affinity)
        {
            return (ClaimOutcome.Lost, null);
        }

        LoadedBlock? loaded = await ReadAsync(cidr, cooldown, stop);
        if (loaded is null)
        {
            return await SetAsync(key, Pending, affinity.Revision, stop) is { } pending
                ? await CreateBlockAsync(owner, cidr, pending, cooldown, stop)
                : (ClaimOutcome.Changed, null);
        }

        if (AllocationBlockRules.Owner(loaded.Block) != owner)
        {
            await store.DeleteAsync(key, affinity.Revision, stop);
            return (ClaimOutcome.Lost, null);
        }

        return IsConfirmed(affinity.As<BlockAffinityValue>())
            ? (ClaimOutcome.Ready, loaded)
            : await CompleteAsync(owner, loaded, affinity.Revision, stop);
    }

    /// <summary>Takes a block that nobody has, or finds that it is the owner's already.</summary>
    public async ValueTask<(ClaimOutcome Outcome, LoadedBlock? Block)> ClaimAsync(BlockOwner owner, IpPrefix cidr, TimeSpan cooldown, CancellationToken stop)
    {
        WriteResult created = await store.CreateAsync(owner.Affinity(cidr), new BlockAffinityValue { State = Pending }, stop);

        // Created: the way of a pending affinity without a block. There already: of a node that crashed, or of a request at the same time.
        return created.IsWritten
            ? await CreateBlockAsync(owner, cidr, created.Revision, cooldown, stop)
            : await OpenAsync(owner, cidr, cooldown, stop);
    }

    /// <summary>Gives a block up.</summary>
    /// <param name="owner">Whose it is.</param>
    /// <param name="cidr">The block.</param>
    /// <param name="requireEmpty">Leave a block that holds addresses; otherwise it stays without an owner until they are released.</param>
    /// <param name="sequenceNumber">Only if the block is still the one that was seen; null for any.</param>
    /// <param name="cooldown">Of released addresses.</param>
    /// <param name="stop">Cancels.</param>
    public async ValueTask<GiveUpOutcome> GiveUpAsync(
        BlockOwner owner, IpPrefix cidr, bool requireEmpty, ulong? sequenceNumber, TimeSpan cooldown, CancellationToken stop)
    {
        BlockAffinityKey key = owner.Affinity(cidr);
        KeyValue? affinity = await store.GetAsync(key, stop);
        LoadedBlock? loaded = await ReadAsync(cidr, cooldown, stop);
        if (loaded is not null && sequenceNumber is { } seen && loaded.Block.SequenceNumber != seen)
        {
            return GiveUpOutcome.Changed;
        }

        if (loaded is null || AllocationBlockRules.Owner(loaded.Block) != owner)
        {
            if (affinity is null)
            {
                return GiveUpOutcome.NotOwned;
            }

            bool gone = (await store.DeleteAsync(key, affinity.Revision, stop)).Outcome is WriteOutcome.Written or WriteOutcome.NotFound;
            return !gone ? GiveUpOutcome.Changed : loaded is null ? GiveUpOutcome.Done : GiveUpOutcome.NotOwned;
        }

        bool empty = AllocationBlockRules.IsEmpty(loaded.Block);
        if (requireEmpty && !empty)
        {
            return GiveUpOutcome.NotEmpty;
        }

        // An owned block without an affinity is what a crash of an older release may leave; it is given up in the same order.
        Revision? leaving = affinity is null
            ? Written(await store.CreateAsync(key, new BlockAffinityValue { State = PendingDeletion }, stop))
            : await SetAsync(key, PendingDeletion, affinity.Revision, stop);
        if (leaving is null || !await RemoveBlockAsync(loaded, empty, stop))
        {
            return GiveUpOutcome.Changed;
        }

        await store.DeleteAsync(key, leaving, stop);
        Log.BlockGivenUp(logger, owner.ToString(), cidr);
        return GiveUpOutcome.Done;
    }

    /// <summary>Removes an empty block that has no owner; false when somebody wrote in between.</summary>
    public async ValueTask<bool> DeleteUnownedAsync(LoadedBlock loaded, CancellationToken stop) =>
        (await store.DeleteAsync(loaded.Key, loaded.Revision, stop)).Outcome is WriteOutcome.Written or WriteOutcome.NotFound;

    private async ValueTask<bool> RemoveBlockAsync(LoadedBlock loaded, bool empty, CancellationToken stop)
    {
        if (empty)
        {
            return (await store.DeleteAsync(loaded.Key, loaded.Revision, stop)).Outcome is WriteOutcome.Written or WriteOutcome.NotFound;
        }

        AllocationBlockRules.Disown(loaded.Block);
        return (await WriteAsync(loaded, stop)).IsWritten;
    }

    private async ValueTask<(ClaimOutcome Outcome, LoadedBlock? Block)> CreateBlockAsync(
        BlockOwner owner, IpPrefix cidr, Revision pending, TimeSpan cooldown, CancellationToken stop)
    {
        BlockAffinityKey key = owner.Affinity(cidr);
        AllocationBlock block = AllocationBlockRules.Create(cidr, owner, time.GetUtcNow());
        BlockKey blockKey = new(cidr);
        WriteResult created = await store.CreateAsync(blockKey, block, stop);
        LoadedBlock? loaded = created.IsWritten ? new LoadedBlock(blockKey, block, created.Revision) : await ReadAsync(cidr, cooldown, stop);
        if (loaded is null)
        {
            return (ClaimOutcome.Changed, null);
        }

        if (AllocationBlockRules.Owner(loaded.Block) != owner)
        {
            await store.DeleteAsync(key, pending, stop);
            return (ClaimOutcome.Lost, null);
        }

        if (!await ConfirmAsync(key, pending, stop))
        {
            return (ClaimOutcome.Changed, null);
        }

        if (created.IsWritten)
        {
            Log.BlockClaimed(logger, owner.ToString(), cidr);
        }

        return (ClaimOutcome.Ready, loaded);
    }

    /// <summary>
    /// The block is there and is the owner's, its affinity is pending or pendingDeletion. Writing the affinity and then the block makes whoever is still
    /// about to give it up fail at the block.
    /// </summary>
    private async ValueTask<(ClaimOutcome Outcome, LoadedBlock? Block)> CompleteAsync(BlockOwner owner, LoadedBlock loaded, Revision affinity, CancellationToken stop)
    {
        BlockAffinityKey key = owner.Affinity(loaded.Cidr);
        if (await SetAsync(key, Pending, affinity, stop) is not { } pending
            || Written(await WriteAsync(loaded, stop)) is not { } written
            || !await ConfirmAsync(key, pending, stop))
        {
            return (ClaimOutcome.Changed, null);
        }

        Log.ClaimRepaired(logger, owner.ToString(), loaded.Cidr);
        return (ClaimOutcome.Ready, loaded with { Revision = written });
    }

    /// <summary>True also when another request of the owner has confirmed it meanwhile.</summary>
    private async ValueTask<bool> ConfirmAsync(BlockAffinityKey key, Revision pending, CancellationToken stop) =>
        await SetAsync(key, Confirmed, pending, stop) is not null
        || (await store.GetAsync(key, stop) is { } other && IsConfirmed(other.As<BlockAffinityValue>()));

    private async ValueTask<Revision?> SetAsync(BlockAffinityKey key, string state, Revision expected, CancellationToken stop) =>
        Written(await store.UpdateAsync(key, new BlockAffinityValue { State = state }, expected, stop));

    private static Revision? Written(WriteResult result) => result.IsWritten ? result.Revision : null;
}
