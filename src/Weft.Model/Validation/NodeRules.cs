using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Model.Validation;

/// <summary>Rules of nodes and of the reports asked of them.</summary>
internal static class NodeRules
{
    public static void Check(Node node, ProblemList problems)
    {
        NodeSpec spec = node.Spec;
        if (spec.Bgp is { } bgp)
        {
            Net(bgp.Ipv4Address, "spec.bgp.ipv4Address", v6: false, problems);
            Net(bgp.Ipv6Address, "spec.bgp.ipv6Address", v6: true, problems);
            Address(bgp.Ipv4IPIPTunnelAddr, "spec.bgp.ipv4IPIPTunnelAddr", v6: false, problems);
            problems.Require(
                string.IsNullOrEmpty(bgp.RouteReflectorClusterID) || TextFormats.IsIPv4(bgp.RouteReflectorClusterID), "spec.bgp.routeReflectorClusterID", bgp.RouteReflectorClusterID,
                "expected a cluster id written as an IPv4 address, such as 244.0.0.1");
        }

        Address(spec.Ipv4VXLANTunnelAddr, "spec.ipv4VXLANTunnelAddr", v6: false, problems);
        Address(spec.Ipv6VXLANTunnelAddr, "spec.ipv6VXLANTunnelAddr", v6: true, problems);
        Mac(spec.VxlanTunnelMACAddr, "spec.vxlanTunnelMACAddr", problems);
        Mac(spec.VxlanTunnelMACAddrV6, "spec.vxlanTunnelMACAddrV6", problems);
        Address(spec.Wireguard?.InterfaceIPv4Address, "spec.wireguard.interfaceIPv4Address", v6: false, problems);
        Address(spec.Wireguard?.InterfaceIPv6Address, "spec.wireguard.interfaceIPv6Address", v6: true, problems);
        WireguardKey(node.Status?.WireguardPublicKey, "status.wireguardPublicKey", problems);
        WireguardKey(node.Status?.WireguardPublicKeyV6, "status.wireguardPublicKeyV6", problems);
        for (int i = 0; i < spec.Addresses?.Count; i++)
        {
            problems.Require(TextFormats.IsNet(spec.Addresses[i].Address), $"spec.addresses[{i}].address", spec.Addresses[i].Address, "expected an IP address, with or without a prefix length");
        }
    }

    public static void Check(CalicoNodeStatusSpec spec, ProblemList problems)
    {
        problems.Require(!string.IsNullOrEmpty(spec.Node), "spec.node", spec.Node, "missing; expected the name of a node");
        problems.Require(spec.UpdatePeriodSeconds is null or >= 0, "spec.updatePeriodSeconds", spec.UpdatePeriodSeconds.ToString(), "expected 0 (never) or more");
    }

    private static void Net(string? text, string path, bool v6, ProblemList problems)
    {
        bool ok = string.IsNullOrEmpty(text) || (IpPrefix.TryParseNet(text, out IpPrefix net) && net.IsIPv6 == v6);
        problems.Require(ok, path, text, v6 ? "expected an IPv6 address with its prefix length, such as fd00::5/64" : "expected an IPv4 address with its prefix length, such as 10.0.0.5/24");
    }

    private static void Address(string? text, string path, bool v6, ProblemList problems) =>
        problems.Require(string.IsNullOrEmpty(text) || (v6 ? TextFormats.IsIPv6(text) : TextFormats.IsIPv4(text)), path, text, v6 ? "expected an IPv6 address" : "expected an IPv4 address");

    private static void Mac(string? text, string path, ProblemList problems) =>
        problems.Require(string.IsNullOrEmpty(text) || MacAddress.TryParse(text, out _), path, text, "expected a MAC address such as 66:ab:00:00:00:01");

    private static void WireguardKey(string? text, string path, ProblemList problems)
    {
        Span<byte> key = stackalloc byte[48];
        problems.Require(
            string.IsNullOrEmpty(text) || (text.Length == 44 && Convert.TryFromBase64String(text, key, out int length) && length == 32), path, text, "expected a WireGuard key: 32 bytes in base64");
    }
}
