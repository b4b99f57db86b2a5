using Weft.Ipam.Pools;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ipam.Tunnels;

/// <summary>
/// One kind of tunnel address a node has: where its Node resource keeps it, and how the address is marked in its block. The names are Calico's
/// (reference 3.2): its controllers and calicoctl recognise the addresses by them.
/// </summary>
public sealed class TunnelKind
{
    private readonly string _handlePrefix;
    private readonly Func<Node, string?> _read;

    private TunnelKind(string word, IpFamily family, string handlePrefix, string type, Func<Node, string?> read) =>
        (Word, Family, _handlePrefix, Type, _read) = (word, family, handlePrefix, type, read);

    public static TunnelKind Ipip { get; } = new("IPIP", IpFamily.IPv4, "ipip-tunnel-addr-", "ipipTunnelAddress", n => n.Spec.Bgp?.Ipv4IPIPTunnelAddr);

    public static TunnelKind Vxlan { get; } = new("VXLAN", IpFamily.IPv4, "vxlan-tunnel-addr-", "vxlanTunnelAddress", n => n.Spec.Ipv4VXLANTunnelAddr);

    public static TunnelKind VxlanIPv6 { get; } = new("VXLAN IPv6", IpFamily.IPv6, "vxlan-v6-tunnel-addr-", "vxlanV6TunnelAddress", n => n.Spec.Ipv6VXLANTunnelAddr);

    public static TunnelKind Wireguard { get; } = new("WireGuard", IpFamily.IPv4, "wireguard-tunnel-addr-", "wireguardTunnelAddress", n => n.Spec.Wireguard?.InterfaceIPv4Address);

    public static TunnelKind WireguardIPv6 { get; } = new(
        "WireGuard IPv6", IpFamily.IPv6, "wireguard-v6-tunnel-addr-", "wireguardV6TunnelAddress", n => n.Spec.Wireguard?.InterfaceIPv6Address);

    /// <summary>All that a Node resource can hold, in upstream's order.</summary>
    public static IReadOnlyList<TunnelKind> All { get; } = [Wireguard, WireguardIPv6, Ipip, Vxlan, VxlanIPv6];

    /// <summary>For people.</summary>
    public string Word { get; }

    public IpFamily Family { get; }

    /// <summary>The attribute "type" of the address.</summary>
    public string Type { get; }

    public string HandleOf(string node) => _handlePrefix + node;

    /// <summary>The address the Node resource has; null for none and for text that is no address.</summary>
    public IpAddress? AddressOf(Node node) => IpAddress.TryParse(_read(node), out IpAddress address) && address.Family == Family ? address : null;

    /// <summary>The text that is there, readable or not.</summary>
    internal string? TextOf(Node node) => _read(node);

    /// <summary>Sets or clears the field; parts of the Node that are then empty go.</summary>
    internal void Set(Node node, IpAddress? address)
    {
        string? text = address?.ToString();
        if (this == Vxlan)
        {
            node.Spec.Ipv4VXLANTunnelAddr = text;
        }
        else if (this == VxlanIPv6)
        {
            node.Spec.Ipv6VXLANTunnelAddr = text;
        }
        else if (this == Ipip)
        {
            NodeBgpSpec bgp = node.Spec.Bgp ?? new NodeBgpSpec();
            bgp.Ipv4IPIPTunnelAddr = text;
            node.Spec.Bgp = bgp is { AsNumber: null, Ipv4Address: null, Ipv6Address: null, Ipv4IPIPTunnelAddr: null, RouteReflectorClusterID: null } ? null : bgp;
        }
        else
        {
            throw new InvalidOperationException($"weft gives no {Word} addresses");
        }
    }

    /// <summary>Whether a pool makes nodes need an address of this kind. Source: reference 6.3.</summary>
    internal bool IsWantedBy(AddressPool pool) => pool.Cidr.Family == Family && pool.IsEnabled && pool.Allows(AddressUse.Tunnel) && IsOn(
        this == Ipip ? pool.Resource.Spec.IpipMode : this == Vxlan || this == VxlanIPv6 ? pool.Resource.Spec.VxlanMode : null);

    private static bool IsOn(string? mode) => mode is "Always" or "CrossSubnet";
}
