using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Policy.Conversion;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Policy.Tests;

/// <summary>The routes of a state by looking at everything for every destination: slow, and without any of the graph's indexes.</summary>
internal static class NaiveRoutes
{
    public static void Check(IEnumerable<ModelUpdate> state, Replay replay)
    {
        List<ModelUpdate> all = [.. state];
        List<(string Name, IpPrefix Cidr, IPPoolSpec Spec)> pools =
            [.. all.Where(u => u.Value is IPPool).Select(u => (((ResourceKey)u.Key).Name, IpPrefix.Parse(((IPPool)u.Value!).Spec.Cidr), ((IPPool)u.Value!).Spec))];
        bool byWorkloads = replay.Config!.Find("routeSource") == "WorkloadIPs";
        List<BlockRoute> blocks = byWorkloads ? [] : [.. all.Where(u => u.Value is AllocationBlock).SelectMany(u => Holders(((BlockKey)u.Key).Cidr, (AllocationBlock)u.Value!))];
        List<Node> nodes = [.. all.Select(u => u.Value).OfType<Node>()];
        List<(IpPrefix Address, string Node)> workloads =
        [
            .. all.Where(u => u.Value is WorkloadEndpoint w && (byWorkloads || w.Spec.Node == Build.ThisNode)
                    && EndpointConversion.Workload((ResourceKey)u.Key, w, SourceSpoofing.Disabled, 1) is { Problem: null })
                .SelectMany(u => ((WorkloadEndpoint)u.Value!).Spec.IpNetworks!.Distinct().Select(n => (Net(n), ((WorkloadEndpoint)u.Value!).Spec.Node!))),
        ];

        HashSet<IpPrefix> destinations = [.. pools.Select(p => p.Cidr), .. blocks.Select(b => b.Destination), .. workloads.Select(w => w.Address)];
        foreach (Node node in nodes)
        {
            destinations.UnionWith(Addresses(node));
            destinations.UnionWith(Tunnel(node));
        }

        destinations.RemoveWhere(d => d.ToString() is "0.0.0.0/32" or "::/128");
        Assert.Equal(destinations.Order(), replay.Routes.Keys.Order());
        foreach (IpPrefix destination in destinations)
        {
            Assert.Equal(Route(destination), replay.Routes[destination]);
        }

        RouteUpdate Route(IpPrefix destination)
        {
            var around = pools.Where(p => p.Cidr.Contains(destination)).OrderByDescending(p => p.Cidr.Length).ThenBy(p => p.Name, StringComparer.Ordinal).ToList();
            IPPoolSpec? pool = around.Count == 0 ? null : around[0].Spec;
            string? host = First(nodes.Where(n => Addresses(n).Contains(destination)).Select(n => n.Metadata.Name));
            string? tunnel = First(nodes.Where(n => Tunnel(n).Contains(destination)).Select(n => n.Metadata.Name));
            string? workload = First(workloads.Where(w => w.Address == destination).Select(w => w.Node));

            RouteTypes types = RouteTypes.None;
            RouteTraits traits = RouteTraits.None;
            string? node = null;
            foreach (IGrouping<IpPrefix, BlockRoute> block in blocks.Where(b => b.Destination.Contains(destination)).GroupBy(b => b.Destination).OrderBy(g => g.Key.Length))
            {
                string holder = First(block.Select(b => b.Node))!;
                traits |= node is not null && node != holder ? RouteTraits.Borrowed : 0;
                node = holder;
                if (host is null && (block.Key == destination || tunnel is null))
                {
                    types = holder == Build.ThisNode ? RouteTypes.LocalWorkload : RouteTypes.RemoteWorkload;
                }
            }

            if (host is not null)
            {
                node = host;
                types |= host == Build.ThisNode ? RouteTypes.LocalHost : RouteTypes.RemoteHost;
            }

            TunnelTypes tunnels = TunnelTypes.None;
            if ((workload ?? tunnel) is { } user)
            {
                traits |= node is not null && node != user ? RouteTraits.Borrowed : 0;
                node = user;
                tunnels = nodes.Exists(n => n.Metadata.Name == user && Tunnel(n).Contains(destination)) ? TunnelTypes.Vxlan : TunnelTypes.None;
                if (workload is not null)
                {
                    types &= ~(RouteTypes.LocalWorkload | RouteTypes.RemoteWorkload);
                    types |= user == Build.ThisNode ? RouteTypes.LocalWorkload : RouteTypes.RemoteWorkload;
                    traits |= user == Build.ThisNode ? RouteTraits.LocalWorkload : 0;
                }

                types |= tunnels == TunnelTypes.None ? 0 : user == Build.ThisNode ? RouteTypes.LocalTunnel : RouteTypes.RemoteTunnel;
            }

            IpAddress? via = nodes.Where(n => n.Metadata.Name == node).SelectMany(Addresses).Where(a => a.Family == destination.Family).Select(a => (IpAddress?)a.Address).FirstOrDefault();
            string? own = destination.IsIPv4 ? nodes.Find(n => n.Metadata.Name == Build.ThisNode)?.Spec.Bgp?.Ipv4Address : nodes.Find(n => n.Metadata.Name == Build.ThisNode)?.Spec.Bgp?.Ipv6Address;
            traits |= pool?.VxlanMode == "CrossSubnet" && via is { } reached && own is not null && IpPrefix.Parse(own).Contains(reached) ? RouteTraits.SameSubnet : 0;
            traits |= pool?.NatOutgoing == true ? RouteTraits.NatOutgoing : 0;
            IpPoolType type = pool is null ? IpPoolType.None : pool.VxlanMode is null ? IpPoolType.NoEncap : IpPoolType.Vxlan;
            return new RouteUpdate(destination, types, type, node, via, traits, tunnels);
        }
    }

    private static IEnumerable<BlockRoute> Holders(IpPrefix cidr, AllocationBlock block)
    {
        string? owner = block.Affinity?["host:".Length..];
        if (owner is not null)
        {
            yield return new BlockRoute(cidr, owner);
        }

        for (int i = 0; i < block.Allocations.Count; i++)
        {
            if (block.Allocations[i] is { } index && block.Attributes[index].Secondary!["node"] != owner)
            {
                yield return new BlockRoute(cidr.Address.Add((UInt128)i).ToPrefix(), block.Attributes[index].Secondary!["node"]);
            }
        }
    }

    private static string? First(IEnumerable<string> nodes) =>
        nodes.OrderBy(n => n != Build.ThisNode).ThenBy(n => n, StringComparer.Ordinal).FirstOrDefault();

    private static IEnumerable<IpPrefix> Addresses(Node node) =>
        new[] { node.Spec.Bgp?.Ipv4Address, node.Spec.Bgp?.Ipv6Address }.OfType<string>().Select(a => InterfaceAddress.Parse(a).Address.ToPrefix());

    private static IEnumerable<IpPrefix> Tunnel(Node node) => node.Spec.Ipv4VXLANTunnelAddr is { } address ? [IpAddress.Parse(address).ToPrefix()] : [];

    private static IpPrefix Net(string text) => IpPrefix.TryParseNet(text, out IpPrefix net) ? net : throw new FormatException(text);
}
