using System.Security.Cryptography;
using System.Text;
using Weft.Model.Ipam;
using Weft.Model.Resources;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Policy.Conversion;

/// <summary>Where a node and its tunnels are, and who holds the addresses of a block: what routes are made of.</summary>
internal static class NodeConversion
{
    private const string HostAffinity = "host:";

    public static NodeValue Node(string name, Node node)
    {
        NodeSpec spec = node.Spec;
        HostMetadataUpdate? host = ClusterConversion.Host(name, node);
        List<IpPrefix> addresses = [];
        Add(addresses, host?.IPv4);
        Add(addresses, host?.IPv6);
        foreach (NodeAddress address in spec.Addresses ?? [])
        {
            Add(addresses, ClusterConversion.Address(address.Address, IpFamily.IPv4));
            Add(addresses, ClusterConversion.Address(address.Address, IpFamily.IPv6));
        }

        List<TunnelAddress> tunnels = [];
        AddTunnel(tunnels, spec.Bgp?.Ipv4IPIPTunnelAddr, TunnelTypes.Ipip);
        AddTunnel(tunnels, spec.Ipv4VXLANTunnelAddr, TunnelTypes.Vxlan);
        AddTunnel(tunnels, spec.Ipv6VXLANTunnelAddr, TunnelTypes.Vxlan);
        AddTunnel(tunnels, spec.Wireguard?.InterfaceIPv4Address, TunnelTypes.WireGuard);
        AddTunnel(tunnels, spec.Wireguard?.InterfaceIPv6Address, TunnelTypes.WireGuard);
        return new NodeValue(
            name, host?.IPv4, host?.IPv6, Subnet(spec.Bgp?.Ipv4Address, IpFamily.IPv4), Subnet(spec.Bgp?.Ipv6Address, IpFamily.IPv6), addresses, tunnels,
            Vtep(name, spec, host), node.Metadata.Labels ?? []);
    }

    /// <summary>
    /// The block itself for the node that holds it, and single addresses that another node uses. Addresses whose node was not recorded (old allocations, and
    /// those that wait for their cooldown) say nothing.
    /// </summary>
    public static IReadOnlyList<BlockRoute> Block(IpPrefix cidr, AllocationBlock block)
    {
        if (block.Deleted)
        {
            return [];
        }

        string? owner = block.Affinity is { } affinity
            ? affinity.StartsWith(HostAffinity, StringComparison.Ordinal) ? affinity[HostAffinity.Length..] : null
            : block.HostAffinity;
        List<BlockRoute> routes = [];
        if (!string.IsNullOrEmpty(owner))
        {
            routes.Add(new BlockRoute(cidr, owner));
        }

        for (int ordinal = 0; ordinal < block.Allocations.Count; ordinal++)
        {
            if (block.Allocations[ordinal] is { } index && index >= 0 && index < block.Attributes.Count
                && block.Attributes[index].Secondary?.GetValueOrDefault("node") is { Length: > 0 } node && node != owner)
            {
                routes.Add(new BlockRoute(cidr.Address.Add((UInt128)ordinal).ToPrefix(), node));
            }
        }

        return routes;
    }

    /// <summary>
    /// The MAC address of a VXLAN device whose node does not say: "f" and five bytes of a hash of the node's name, so that all nodes agree without asking
    /// (felix/calc/vxlan_resolver.go).
    /// </summary>
    internal static MacAddress DerivedMac(string node, IpFamily family)
    {
        Span<byte> hash = stackalloc byte[SHA1.HashSizeInBytes];
        SHA1.HashData(Encoding.UTF8.GetBytes(family == IpFamily.IPv6 ? $"{node}-v6" : node), hash);
        return MacAddress.FromBytes([(byte)'f', .. hash[..5]]);
    }

    private static VXLANTunnelEndpointUpdate? Vtep(string name, NodeSpec spec, HostMetadataUpdate? host)
    {
        IpAddress? v4 = ClusterConversion.Address(spec.Ipv4VXLANTunnelAddr, IpFamily.IPv4);
        IpAddress? v6 = ClusterConversion.Address(spec.Ipv6VXLANTunnelAddr, IpFamily.IPv6);
        bool whole4 = v4 is not null && host?.IPv4 is not null;
        bool whole6 = v6 is not null && host?.IPv6 is not null;
        return !whole4 && !whole6 ? null : new VXLANTunnelEndpointUpdate(
            name,
            whole4 ? Mac(spec.VxlanTunnelMACAddr, name, IpFamily.IPv4) : null,
            whole4 ? v4 : null,
            whole4 ? host!.IPv4 : null,
            whole6 ? Mac(spec.VxlanTunnelMACAddrV6, name, IpFamily.IPv6) : null,
            whole6 ? v6 : null,
            whole6 ? host!.IPv6 : null);
    }

    private static MacAddress Mac(string? text, string node, IpFamily family) => MacAddress.TryParse(text, out MacAddress mac) ? mac : DerivedMac(node, family);

    private static IpPrefix? Subnet(string? text, IpFamily family) =>
        InterfaceAddress.TryParse(text, out InterfaceAddress address) && address.Address.Family == family ? address.Prefix : null;

    private static void Add(List<IpPrefix> addresses, IpAddress? address)
    {
        if (address is { } known && !addresses.Contains(known.ToPrefix()))
        {
            addresses.Add(known.ToPrefix());
        }
    }

    private static void AddTunnel(List<TunnelAddress> tunnels, string? text, TunnelTypes type)
    {
        if ((ClusterConversion.Address(text, IpFamily.IPv4) ?? ClusterConversion.Address(text, IpFamily.IPv6)) is { } address)
        {
            tunnels.Add(new TunnelAddress(address.ToPrefix(), type));
        }
    }
}
