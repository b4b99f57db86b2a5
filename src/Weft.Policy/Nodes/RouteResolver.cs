using System.Runtime.InteropServices;
using Weft.Model.Keys;
using Weft.Policy.Conversion;
using Weft.Policy.Indexes;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Policy.Nodes;

/// <summary>
/// Where the addresses of the cluster are: pools, blocks, nodes, tunnels and endpoints in, one route per prefix out (felix/calc/l3_route_resolver.go).
/// What is inside a prefix inherits from what is around it: the pool's encapsulation, the block's node.
/// </summary>
internal sealed class RouteResolver(string nodeName, UpdateSequencer output)
{
    private readonly RouteTrie _trie = new();
    private readonly Dictionary<IpPrefix, IReadOnlyList<BlockRoute>> _blocks = [];
    private readonly Dictionary<string, NodeValue> _nodes = new(StringComparer.Ordinal);
    private readonly Dictionary<ResourceKey, WorkloadUse> _workloads = [];

    // The node that each route computed last leads to: what must be computed again when that node's address changes.
    private readonly Dictionary<string, HashSet<IpPrefix>> _routesTo = new(StringComparer.Ordinal);
    private readonly Dictionary<IpPrefix, string> _leadsTo = [];
    private readonly HashSet<IpPrefix> _dirty = [];

    private readonly record struct WorkloadUse(string Node, IReadOnlyList<IpPrefix> Addresses);

    /// <summary>Null when no pool has the prefix.</summary>
    public void SetPool(IpPrefix cidr, PoolRoute? pool)
    {
        if (_trie.Find(cidr)?.Pool == pool)
        {
            return;
        }

        _trie.Change(cidr, entry => entry.Pool = pool);
        MarkInside(cidr);
    }

    /// <summary>What one block says; empty when it is gone.</summary>
    public void SetBlock(IpPrefix cidr, IReadOnlyList<BlockRoute> routes)
    {
        IReadOnlyList<BlockRoute> old = _blocks.GetValueOrDefault(cidr) ?? [];
        if (old.SequenceEqual(routes))
        {
            return;
        }

        foreach (BlockRoute route in routes.Except(old))
        {
            _trie.Change(route.Destination, entry => entry.Blocks.Add(route.Node));
            MarkInside(route.Destination);
        }

        foreach (BlockRoute route in old.Except(routes))
        {
            MarkInside(route.Destination);
            _trie.Change(route.Destination, entry => entry.Blocks.Remove(route.Node));
        }

        if (routes.Count == 0)
        {
            _blocks.Remove(cidr);
        }
        else
        {
            _blocks[cidr] = routes;
        }
    }

    /// <summary>Null when the node is gone.</summary>
    public void SetNode(string name, NodeValue? node)
    {
        NodeValue? old = _nodes.GetValueOrDefault(name);
        foreach (IpPrefix address in node?.Addresses ?? [])
        {
            Change(address, entry => entry.Hosts.Add(name));
        }

        foreach (TunnelAddress tunnel in node?.Tunnels ?? [])
        {
            Change(tunnel.Address, entry => entry.Uses.Add(new AddressUse(tunnel.Type, name)));
        }

        foreach (IpPrefix address in old?.Addresses ?? [])
        {
            Change(address, entry => entry.Hosts.Remove(name));
        }

        foreach (TunnelAddress tunnel in old?.Tunnels ?? [])
        {
            Change(tunnel.Address, entry => entry.Uses.Remove(new AddressUse(tunnel.Type, name)));
        }

        if (node is null)
        {
            _nodes.Remove(name);
        }
        else
        {
            _nodes[name] = node;
        }

        if (name == nodeName && (node?.Subnet != old?.Subnet || node?.SubnetV6 != old?.SubnetV6))
        {
            // Which nodes are in this node's subnet.
            _dirty.UnionWith(_trie.Prefixes);
        }
        else if ((node?.IPv4 != old?.IPv4 || node?.IPv6 != old?.IPv6) && _routesTo.TryGetValue(name, out HashSet<IpPrefix>? routes))
        {
            _dirty.UnionWith(routes);
        }
    }

    /// <summary>An endpoint whose addresses are to be known one by one.</summary>
    public void SetWorkload(ResourceKey key, string node, IReadOnlyList<IpPrefix> addresses)
    {
        WorkloadUse old = _workloads.GetValueOrDefault(key);
        if (old.Node == node && old.Addresses.SequenceEqual(addresses))
        {
            return;
        }

        foreach (IpPrefix address in addresses)
        {
            Change(address, entry => entry.Uses.Add(new AddressUse(TunnelTypes.None, node)));
        }

        _workloads[key] = new WorkloadUse(node, addresses);
        Release(old);
    }

    public void RemoveWorkload(ResourceKey key)
    {
        if (_workloads.Remove(key, out WorkloadUse old))
        {
            Release(old);
        }
    }

    public void Flush()
    {
        foreach (IpPrefix destination in _dirty)
        {
            RouteUpdate? route = destination is { IsHost: true, Address.IsUnspecified: true } ? null : Resolve(destination);
            Remember(destination, route?.Node);
            if (route is null)
            {
                output.OnRouteGone(destination);
            }
            else
            {
                output.OnRoute(route);
            }
        }

        _dirty.Clear();
    }

    private RouteUpdate? Resolve(IpPrefix destination)
    {
        if (_trie.Find(destination) is not { } own)
        {
            return null;
        }

        PoolRoute? pool = null;
        string? node = null;
        RouteTypes types = RouteTypes.None;
        RouteTraits traits = RouteTraits.None;
        bool isTunnel = own.Uses.Exists(u => u.Tunnel != TunnelTypes.None);
        foreach ((IpPrefix prefix, RouteEntry entry) in _trie.Around(destination))
        {
            pool = entry.Pool ?? pool;
            if (Choose(entry.Blocks) is { } holder)
            {
                traits |= node is not null && node != holder ? RouteTraits.Borrowed : 0;
                node = holder;

                // The address of a host or of a tunnel device is no workload only because its block holds workloads.
                types = own.Hosts.Count == 0 && (prefix == destination || !isTunnel) ? Side(holder, RouteTypes.LocalWorkload, RouteTypes.RemoteWorkload) : types;
            }
        }

        if (Choose(own.Hosts) is { } host)
        {
            node = host;
            types |= Side(host, RouteTypes.LocalHost, RouteTypes.RemoteHost);
        }

        TunnelTypes tunnels = TunnelTypes.None;
        if (own.Uses.Count > 0)
        {
            (string user, bool isWorkload, tunnels) = Choose(own.Uses);
            traits |= node is not null && node != user ? RouteTraits.Borrowed : 0;
            node = user;
            if (isWorkload)
            {
                types = (types & ~(RouteTypes.LocalWorkload | RouteTypes.RemoteWorkload)) | Side(user, RouteTypes.LocalWorkload, RouteTypes.RemoteWorkload);
                traits |= user == nodeName ? RouteTraits.LocalWorkload : 0;
            }

            types |= tunnels == TunnelTypes.None ? 0 : Side(user, RouteTypes.LocalTunnel, RouteTypes.RemoteTunnel);
        }

        IpAddress? nodeAddress = node is null ? null : AddressOf(node, destination.Family);
        traits |= pool is { CrossSubnet: true } && InOwnSubnet(nodeAddress) ? RouteTraits.SameSubnet : 0;
        traits |= pool is { NatOutgoing: true } ? RouteTraits.NatOutgoing : 0;
        return new RouteUpdate(destination, types, pool?.Type ?? IpPoolType.None, node, nodeAddress, traits, tunnels);
    }

    private RouteTypes Side(string node, RouteTypes local, RouteTypes remote) => node == nodeName ? local : remote;

    /// <summary>Several nodes claim one prefix, for a moment or by mistake: this node wins, then the first by name, so that the order of arrival does not count.</summary>
    private string? Choose(List<string> nodes) => nodes.Count switch
    {
        0 => null,
        1 => nodes[0],
        _ => nodes.Contains(nodeName) ? nodeName : nodes.Min(StringComparer.Ordinal),
    };

    /// <summary>A workload wins over a tunnel.</summary>
    private (string Node, bool IsWorkload, TunnelTypes Tunnels) Choose(List<AddressUse> uses)
    {
        List<string> workloads = [.. uses.Where(u => u.Tunnel == TunnelTypes.None).Select(u => u.Node)];
        string node = Choose(workloads) ?? Choose([.. uses.Select(u => u.Node)])!;
        return (node, workloads.Count > 0, uses.Where(u => u.Node == node).Aggregate(TunnelTypes.None, (all, use) => all | use.Tunnel));
    }

    private IpAddress? AddressOf(string node, IpFamily family) =>
        _nodes.TryGetValue(node, out NodeValue? value) ? family == IpFamily.IPv6 ? value.IPv6 : value.IPv4 : null;

    private bool InOwnSubnet(IpAddress? address) =>
        address is { } known && _nodes.TryGetValue(nodeName, out NodeValue? self) && (known.IsIPv6 ? self.SubnetV6 : self.Subnet)?.Contains(known) == true;

    private void Remember(IpPrefix destination, string? node)
    {
        if (_leadsTo.Remove(destination, out string? before) && _routesTo.TryGetValue(before, out HashSet<IpPrefix>? routes) && routes.Remove(destination) && routes.Count == 0)
        {
            _routesTo.Remove(before);
        }

        if (node is not null)
        {
            _leadsTo[destination] = node;
            ref HashSet<IpPrefix>? known = ref CollectionsMarshal.GetValueRefOrAddDefault(_routesTo, node, out _);
            (known ??= []).Add(destination);
        }
    }

    private void Release(WorkloadUse use)
    {
        foreach (IpPrefix address in use.Addresses ?? [])
        {
            Change(address, entry => entry.Uses.Remove(new AddressUse(TunnelTypes.None, use.Node)));
        }
    }

    private void Change(IpPrefix address, Action<RouteEntry> change)
    {
        _trie.Change(address, change);
        _dirty.Add(address);
    }

    private void MarkInside(IpPrefix prefix)
    {
        _dirty.Add(prefix);
        if (!prefix.IsHost)
        {
            _dirty.UnionWith(_trie.Inside(prefix));
        }
    }
}
