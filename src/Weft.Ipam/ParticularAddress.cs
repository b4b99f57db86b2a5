using Microsoft.Extensions.Logging;
using Weft.Datastore;
using Weft.Ipam.Blocks;
using Weft.Ipam.Handles;
using Weft.Ipam.Pools;
using Weft.Primitives.Net;

namespace Weft.Ipam;

/// <summary>
/// One address the caller names (reference 3.8). Neither selectors nor the limit of blocks apply; where no block is yet, the node claims it.
/// </summary>
internal sealed class ParticularAddress(IDatastore store, ILogger logger, TimeProvider time)
{
    private readonly BlockClaims _claims = new(store, logger, time);
    private readonly HandleCounts _handles = new(store, time);

    /// <exception cref="IpamException">The address cannot be had.</exception>
    public async ValueTask<AssignedAddress> AssignAsync(IpAddress address, AllocationRequest request, CancellationToken stop)
    {
        BlockOwner owner = BlockOwner.Of(request.Node, request.Use);
        IpamState state = await IpamState.LoadAsync(store, owner, stop, address.Family);
        AddressPool pool = state.Pools.FirstOrDefault(p => p.IsEnabled && p.Cidr.Contains(address))
            ?? throw new IpamException($"{address}: The provided IP address is not in a configured pool (or the pool is disabled)");
        if (!pool.Allows(request.Use))
        {
            throw new IpamException($"{address}: pool {pool} does not allow the use {request.Use}, only {pool.UsesText}");
        }

        IpPrefix cidr = pool.BlockOf(address);
        Attempts attempts = new(time, $"assign {address}");
        while (true)
        {
            await attempts.NextAsync(stop);
            LoadedBlock? loaded = await _claims.ReadAsync(cidr, state.Cooldown, stop);
            if (loaded is null)
            {
                // Lost means that another node was faster; its block is there in the next round, and unless affinity is strict it can be borrowed from.
                (_, loaded) = await _claims.ClaimAsync(owner, cidr, state.Cooldown, stop);
            }

            if (loaded is not null && await TryAsync(loaded, address, request, owner, state, stop))
            {
                return new AssignedAddress(address, cidr, pool.Name);
            }
        }
    }

    /// <summary>False when somebody wrote in between.</summary>
    private async ValueTask<bool> TryAsync(
        LoadedBlock loaded, IpAddress address, AllocationRequest request, BlockOwner owner, IpamState state, CancellationToken stop)
    {
        BlockOwner? holder = AllocationBlockRules.Owner(loaded.Block);
        if (state.Config.StrictAffinity && holder != owner)
        {
            throw new IpamException($"{address}: Block host affinity does not match: {loaded.Cidr} belongs to {holder?.ToString() ?? "nobody"} and affinity is strict");
        }

        if (!AllocationBlockRules.TryAssign(loaded.Block, address, request.HandleId, request.Attributes))
        {
            string? held = AllocationBlockRules.AttributeOf(loaded.Block, address) is { ReleasedAt: null } attribute ? attribute.HandleId ?? "no handle" : null;
            throw new IpamException($"{address}: Address already assigned in block {loaded.Cidr}: {(held is null ? "waiting for its cooldown" : $"held by {held}")}");
        }

        Revision counted = await _handles.IncrementAsync(request.HandleId, loaded.Cidr, 1, stop);
        if ((await _claims.WriteAsync(loaded, stop)).IsWritten)
        {
            Log.Assigned(logger, address, loaded.Cidr, request.HandleId);
            return true;
        }

        await _handles.UndoAsync(request.HandleId, loaded.Cidr, 1, counted, stop);
        return false;
    }
}
