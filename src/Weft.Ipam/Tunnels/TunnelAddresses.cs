using Microsoft.Extensions.Logging;
using Weft.Datastore;
using Weft.Ipam.Pools;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ipam.Tunnels;

/// <summary>
/// Gives a node the addresses its tunnel devices need, as long as a pool with that encapsulation selects it, and takes them back when none does (reference
/// 6.3). Other nodes send to a node's pods from outside the pods' range through this address. Any number of times, at any moment; the agent calls it at
/// start and after changes of pools or of its Node.
/// <code>
///   IPPools (enabled, Tunnel use, nodeSelector, mode on) --+
///   Node.spec.ipv4VXLANTunnelAddr ... ---------------------+--> keep | assign | release --> one write of the Node
///   the address in its block ------------------------------+
/// </code>
/// A crash leaves at worst an address under the node's own handle that the Node does not name: the next call releases that handle before it assigns.
/// WireGuard addresses are left as they are: weft has no WireGuard, and a node that comes from Calico may go back.
/// </summary>
public sealed class TunnelAddresses(string node, IDatastore store, AddressAllocator allocator, ILogger logger, TimeProvider time)
{
    private static readonly TunnelKind[] s_kinds = [TunnelKind.Ipip, TunnelKind.Vxlan, TunnelKind.VxlanIPv6];

    private static readonly TimeSpan s_undoTimeout = TimeSpan.FromSeconds(10);

    /// <summary>What the addresses depend on, for a watch.</summary>
    public IReadOnlyList<ModelPrefix> Ranges { get; } = [ModelPrefix.Of(ResourceKind.IPPool), ModelPrefix.Of(new ResourceKey(ResourceKind.Node, node))];

    /// <summary>What could not be assigned, in words; empty when all is well.</summary>
    public IReadOnlyList<string> Problems { get; private set; } = [];

    /// <summary>Brings the node's tunnel addresses in line with the pools.</summary>
    /// <returns>The revision everything was read at: watch <see cref="Ranges"/> after it.</returns>
    /// <exception cref="DatastoreException">The datastore could not be asked: call again.</exception>
    public async ValueTask<Revision> RunOnceAsync(CancellationToken stop)
    {
        Attempts attempts = new(time, $"tunnel addresses of node {node}");
        while (true)
        {
            await attempts.NextAsync(stop);
            ListResult list = await store.ListAsync(Ranges, stop);
            if (list.Items.FirstOrDefault(i => i.Value is Node) is not { } stored)
            {
                // Not there yet, or deleted: nobody may own addresses for it.
                return list.Revision;
            }

            if (await ApplyAsync(stored, list, stop))
            {
                return list.Revision;
            }
        }
    }

    /// <summary>False when somebody changed the Node in between: what was assigned has been given back.</summary>
    private async ValueTask<bool> ApplyAsync(KeyValue stored, ListResult list, CancellationToken stop)
    {
        Node resource = stored.As<Node>();
        List<TunnelKind> assigned = [];
        List<string> problems = [];
        bool changed = false;
        try
        {
            foreach (TunnelKind kind in s_kinds)
            {
                changed |= await ApplyAsync(kind, resource, list, assigned, problems, stop);
            }

            Problems = problems;
            if (!changed || (await store.UpdateAsync(stored.Key, resource, stored.Revision, stop)).IsWritten)
            {
                return true;
            }
        }
        catch (Exception e) when (e is DatastoreException or OperationCanceledException)
        {
            await UndoAsync(assigned);
            throw;
        }

        await UndoAsync(assigned);
        return false;
    }

    /// <summary>True when the field of the Node has changed.</summary>
    private async ValueTask<bool> ApplyAsync(TunnelKind kind, Node resource, ListResult list, List<TunnelKind> assigned, List<string> problems, CancellationToken stop)
    {
        string handle = kind.HandleOf(node);
        IpAddress? present = kind.AddressOf(resource);
        AddressPool[] usable = [];
        try
        {
            usable = [.. list.Items.Select(i => i.Value).OfType<IPPool>().Select(AddressPool.From).OfType<AddressPool>()
                .Where(p => kind.IsWantedBy(p) && PoolSelection.SelectsNode(p, resource.Metadata.Labels ?? []))];
        }
        catch (IpamException e)
        {
            // A selector that cannot be read: leave what there is.
            problems.Add(e.Message);
            return false;
        }

        if (usable.Length == 0)
        {
            if (await allocator.ReleaseByHandleAsync(handle, stop) + (kind.TextOf(resource) is null ? 0 : 1) == 0)
            {
                return false;
            }

            Log.TunnelAddressReleased(logger, node, kind.Word, kind.TextOf(resource) ?? "none");
            kind.Set(resource, null);
            return true;
        }

        (bool keep, bool reassign) = present is { } address ? await JudgeAsync(kind, address, usable, stop) : (false, false);
        if (keep)
        {
            return false;
        }

        // Also what a crash before the write of the Node has left.
        await allocator.ReleaseByHandleAsync(handle, stop);
        if ((reassign ? await TryAssignAsync(kind, usable, present, problems: [], stop) : null) is not { } taken)
        {
            if (await TryAssignAsync(kind, usable, null, problems, stop) is not { } any)
            {
                kind.Set(resource, null);
                return present is not null;
            }

            taken = any;
        }

        assigned.Add(kind);
        kind.Set(resource, taken);
        Log.TunnelAddressAssigned(logger, node, kind.Word, taken);
        return true;
    }

    /// <summary>The table of reference 6.3: whether the address of the Node stays, and if not, whether the same one is to be taken anew.</summary>
    private async ValueTask<(bool Keep, bool Reassign)> JudgeAsync(TunnelKind kind, IpAddress address, AddressPool[] usable, CancellationToken stop)
    {
        bool inPools = usable.Any(p => p.Cidr.Contains(address));
        if (await allocator.FindAsync(address, stop) is not { } held)
        {
            return (false, false);
        }

        if (held is { HandleId: null or "", Attributes.Count: 0, ReleasedAt: null })
        {
            // Very old releases took tunnel addresses without a handle: released and taken again with one.
            await allocator.ReleaseAddressesAsync([new AddressRelease(address)], stop);
            return (false, inPools);
        }

        bool mine = held.ReleasedAt is null && held.Attributes.GetValueOrDefault("type") == kind.Type && held.Attributes.GetValueOrDefault("node") == node;
        return (mine && inPools, false);
    }

    private async ValueTask<IpAddress?> TryAssignAsync(TunnelKind kind, AddressPool[] pools, IpAddress? particular, List<string> problems, CancellationToken stop)
    {
        string[] names = [.. pools.Select(p => p.Name)];
        try
        {
            Allocation allocation = await allocator.AllocateAsync(
                new AllocationRequest
                {
                    HandleId = kind.HandleOf(node), Node = node, Use = AddressUse.Tunnel,
                    IPv4 = kind.Family == IpFamily.IPv4, IPv6 = kind.Family == IpFamily.IPv6,
                    IPv4Pools = kind.Family == IpFamily.IPv4 ? names : [], IPv6Pools = kind.Family == IpFamily.IPv6 ? names : [],
                    Addresses = particular is { } address ? [address] : [],
                    Attributes = new Dictionary<string, string> { ["node"] = node, ["type"] = kind.Type },
                },
                stop);
            return allocation.Addresses.Single().Address;
        }
        catch (IpamException e)
        {
            problems.Add($"no {kind.Word} tunnel address: {e.Message}");
            return null;
        }
    }

    private async ValueTask UndoAsync(List<TunnelKind> assigned)
    {
        using CancellationTokenSource limit = new(s_undoTimeout, time);
        try
        {
            foreach (TunnelKind kind in assigned)
            {
                await allocator.ReleaseByHandleAsync(kind.HandleOf(node), limit.Token);
            }
        }
        catch (Exception e) when (e is DatastoreException or OperationCanceledException)
        {
            // The next call finds the handle and releases it.
            Log.TunnelAddressNotUndone(logger, node, e.Message);
        }
    }
}
