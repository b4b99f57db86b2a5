using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Weft.Datastore;
using Weft.Ipam.Blocks;
using Weft.Ipam.Warm;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ipam;

/// <summary>
/// Address management with Calico's data: pools are cut into blocks, a node owns blocks (affinity) and hands out their addresses, a handle remembers what
/// it holds. Everything shared is in the datastore; an instance only remembers, per node, what it has read (<see cref="WarmNode"/>), and may be used from
/// any thread.
/// </summary>
public sealed class AddressAllocator(IDatastore store, ILoggerFactory logs, TimeProvider time) : IAddressAllocator
{
    // Giving back what was taken before a failure must not be cut short by the same cancellation.
    private static readonly TimeSpan UndoTimeout = TimeSpan.FromSeconds(10);

    private readonly ILogger _logger = logs.CreateLogger("ipam");
    private readonly ConcurrentDictionary<string, WarmNode> _warm = new(StringComparer.Ordinal); // One per node asked for: an agent has its own.

    public async ValueTask<Allocation> AllocateAsync(AllocationRequest request, CancellationToken stop)
    {
        request = Checked(request);
        if (await TryWarmAsync(request) is { } warm)
        {
            return warm;
        }

        string handle = request.HandleId;
        AssignedAddress? v4 = null;
        try
        {
            v4 = await AssignAsync(request, IpFamily.IPv4, request.IPv4, request.IPv4Pools, stop);
            AssignedAddress? v6 = await AssignAsync(request, IpFamily.IPv6, request.IPv6, request.IPv6Pools, stop);
            return new Allocation(v4, v6);
        }
        catch (Exception e) when (v4 is not null && e is IpamException or DatastoreException or OperationCanceledException)
        {
            using CancellationTokenSource undo = new(UndoTimeout, time);
            await UndoAsync(v4!, handle, undo.Token);
            throw;
        }
        finally
        {
            Forget();
        }
    }

    public async ValueTask<Allocation?> TryAllocateNewAsync(AllocationRequest request, CancellationToken stop) => await TryWarmAsync(Checked(request));

    public async ValueTask<int> ReleaseByHandleAsync(string handleId, CancellationToken stop)
    {
        string handle = AllocationBlockRules.Sanitise(handleId)!;
        foreach (WarmNode node in _warm.Values)
        {
            if (node.Knows(handle) && await node.TryReleaseAsync(handle) is { } released)
            {
                return released;
            }
        }

        int count = await new ReleaseOperations(store, _logger, time).ByHandleAsync(handle, stop);
        if (count > 0)
        {
            Forget();
        }

        return count;
    }

    /// <summary>Releases addresses one by one; all or none of each block.</summary>
    public ValueTask<ReleaseResult> ReleaseAddressesAsync(IReadOnlyList<AddressRelease> addresses, CancellationToken stop) =>
        new ReleaseOperations(store, _logger, time).ByAddressAsync(addresses, stop);

    public async ValueTask<IReadOnlyList<IpAddress>> AddressesOfHandleAsync(string handleId, CancellationToken stop)
    {
        string handle = AllocationBlockRules.Sanitise(handleId)!;
        List<IpAddress> addresses = [];
        if (await store.GetAsync(new HandleKey(handle), stop) is { } stored)
        {
            foreach (string text in stored.As<IpamHandle>().Block.Keys)
            {
                if (IpPrefix.TryParse(text, out IpPrefix cidr) && await store.GetAsync(new BlockKey(cidr), stop) is { } block)
                {
                    addresses.AddRange(AllocationBlockRules.AddressesOf(block.As<AllocationBlock>(), handle));
                }
            }
        }

        addresses.Sort();
        return addresses;
    }

    /// <summary>What is known about an address that is held or in its cooldown; null when it is free.</summary>
    public async ValueTask<AllocationAttributeView?> FindAsync(IpAddress address, CancellationToken stop)
    {
        ReleaseOperations blocks = new(store, _logger, time);
        return await blocks.BlockOfAsync(address, stop) is { } cidr && await store.GetAsync(new BlockKey(cidr), stop) is { } stored
            && AllocationBlockRules.AttributeOf(stored.As<AllocationBlock>(), address) is { } attribute
            ? new AllocationAttributeView(attribute.HandleId, attribute.Secondary ?? [], attribute.ReleasedAt)
            : null;
    }

    /// <summary>
    /// Takes a block away from a node (or from "load-balancer"): for controllers that clean up after nodes. False when it was not the owner's, or is not empty.
    /// </summary>
    /// <param name="type">Node or purpose.</param>
    /// <param name="owner">Its name.</param>
    /// <param name="block">The block.</param>
    /// <param name="onlyEmpty">Leave a block with addresses to its owner; otherwise it stays without owner until they are released.</param>
    /// <param name="stop">Cancels.</param>
    public async ValueTask<bool> ReleaseBlockAsync(AffinityType type, string owner, IpPrefix block, bool onlyEmpty, CancellationToken stop)
    {
        BlockClaims claims = new(store, _logger, time);
        IpamConfig config = (await store.GetAsync(new IpamConfigKey(), stop))?.As<IpamConfig>() ?? IpamConfig.Default;
        Attempts attempts = new(time, $"release block {block}");
        GiveUpOutcome outcome;
        do
        {
            await attempts.NextAsync(stop);
            outcome = await claims.GiveUpAsync(
                new BlockOwner(type, owner), block, onlyEmpty, sequenceNumber: null, TimeSpan.FromSeconds(config.IpCooldownSeconds), stop);
        }
        while (outcome == GiveUpOutcome.Changed);

        return outcome == GiveUpOutcome.Done;
    }

    /// <summary>Every block of a node that has left the cluster, then its marker.</summary>
    /// <returns>How many blocks were released.</returns>
    public async ValueTask<int> ReleaseNodeAsync(string node, bool onlyEmpty, CancellationToken stop)
    {
        int released = 0;
        ListResult affinities = await store.ListAsync(
            [ModelPrefix.Affinities(AffinityType.Host, node, IpFamily.IPv4), ModelPrefix.Affinities(AffinityType.Host, node, IpFamily.IPv6)], stop);
        foreach (BlockAffinityKey key in affinities.Items.Select(i => i.Key).OfType<BlockAffinityKey>())
        {
            released += await ReleaseBlockAsync(AffinityType.Host, node, key.Cidr, onlyEmpty, stop) ? 1 : 0;
        }

        await store.DeleteAsync(new IpamHostKey(node), null, stop);
        return released;
    }

    private static AllocationRequest Checked(AllocationRequest request) => AllocationBlockRules.Sanitise(request.HandleId) is { Length: > 0 } handle
        ? request with { HandleId = handle }
        : throw new IpamException("a handle is needed: without it the address could never be released");

    private async ValueTask<Allocation?> TryWarmAsync(AllocationRequest request) =>
        store is IAtomicDatastore atomic && request is { Use: AddressUse.Workload, Addresses.Count: 0 } && (request.IPv4 || request.IPv6)
            ? await _warm.GetOrAdd(request.Node, n => new WarmNode(atomic, n, _logger, time)).TryAllocateAsync(request)
            : null;

    private void Forget()
    {
        foreach (WarmNode node in _warm.Values)
        {
            node.Forget();
        }
    }

    private async ValueTask<AssignedAddress?> AssignAsync(
        AllocationRequest request, IpFamily family, bool wanted, IReadOnlyList<string> pools, CancellationToken stop)
    {
        IpAddress[] particular = [.. request.Addresses.Where(a => a.Family == family)];
        if (particular.Length > 1)
        {
            throw new IpamException($"{particular.Length} {family} addresses were asked for ({string.Join(", ", particular)}); an interface gets one of each family");
        }

        if (particular.Length == 1)
        {
            return await new ParticularAddress(store, _logger, time).AssignAsync(particular[0], request, stop);
        }

        if (!wanted)
        {
            return null;
        }

        AutoAssignRequest one = new(family, 1, request.HandleId, request.Attributes, request.Node)
        {
            Use = request.Use,
            Pools = pools,
            NamespaceLabels = request.NamespaceLabels,
        };
        AutoAssignResult result = await new AutoAssignment(store, _logger, time, one).RunAsync(stop);
        return result.Addresses.Count == 1
            ? result.Addresses[0]
            : throw new IpamException($"node {request.Node}: no {family} address can be assigned: {string.Join("; ", result.Messages)}");
    }

    private async ValueTask UndoAsync(AssignedAddress taken, string handle, CancellationToken stop)
    {
        try
        {
            await ReleaseAddressesAsync([new AddressRelease(taken.Address, handle)], stop);
        }
        catch (Exception e) when (e is DatastoreException or OperationCanceledException)
        {
            // The caller is told about the first failure and releases the handle, which holds this address too.
            Log.AfterReleaseFailed(_logger, taken.Block, e.Message);
        }
    }
}

/// <summary>Who holds an address.</summary>
/// <param name="HandleId">The handle; null in data of very old releases, and in a cooldown.</param>
/// <param name="Attributes">Pod, namespace, node, type and so on, as stored.</param>
/// <param name="ReleasedAt">Set while it waits for its cooldown.</param>
public sealed record AllocationAttributeView(string? HandleId, IReadOnlyDictionary<string, string> Attributes, string? ReleasedAt);
