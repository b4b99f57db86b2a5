using System.Globalization;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Model.Validation;

/// <summary>Rules of BGPConfiguration, BGPPeer and BGPFilter.</summary>
internal static class BgpRules
{
    public static void Check(BGPConfiguration configuration, ProblemList problems)
    {
        BGPConfigurationSpec spec = configuration.Spec;
        if (configuration.Metadata.Name != "default")
        {
            CheckOnlyDefault(spec, problems);
        }

        bool meshOff = spec.NodeToNodeMeshEnabled is false;
        problems.Require(!meshOff || spec.NodeMeshPassword is null, "spec.nodeMeshPassword", null, "has no meaning while nodeToNodeMeshEnabled is false");
        problems.Require(!meshOff || spec.NodeMeshMaxRestartTime is null, "spec.nodeMeshMaxRestartTime", spec.NodeMeshMaxRestartTime, "has no meaning while nodeToNodeMeshEnabled is false");
        problems.Require(
            spec.LocalWorkloadPeeringIPV4 is null or "" || TextFormats.IsIPv4(spec.LocalWorkloadPeeringIPV4), "spec.localWorkloadPeeringIPV4", spec.LocalWorkloadPeeringIPV4, "expected an IPv4 address");
        problems.Require(
            spec.LocalWorkloadPeeringIPV6 is null or "" || TextFormats.IsIPv6(spec.LocalWorkloadPeeringIPV6), "spec.localWorkloadPeeringIPV6", spec.LocalWorkloadPeeringIPV6, "expected an IPv6 address");
        for (int i = 0; i < spec.IgnoredInterfaces?.Count; i++)
        {
            CheckInterfacePattern(spec.IgnoredInterfaces[i], $"spec.ignoredInterfaces[{i}]", problems);
            problems.Require(spec.IgnoredInterfaces[i] != "*", $"spec.ignoredInterfaces[{i}]", "*", "would ignore every interface");
        }

        CheckCommunities(spec, problems);
    }

    public static void Check(BGPPeerSpec spec, ProblemList problems)
    {
        bool byAddress = !string.IsNullOrEmpty(spec.PeerIP);
        bool bySelector = !string.IsNullOrEmpty(spec.PeerSelector);
        bool byWorkload = !string.IsNullOrEmpty(spec.LocalWorkloadSelector);
        bool hasAs = spec.AsNumber is { Value: not 0 };
        problems.Require(string.IsNullOrEmpty(spec.Node) || string.IsNullOrEmpty(spec.NodeSelector), "spec.nodeSelector", spec.NodeSelector, "node and nodeSelector cannot both be set");
        problems.Require(!byAddress || !bySelector, "spec.peerSelector", spec.PeerSelector, "peerIP and peerSelector cannot both be set");
        problems.Require(!bySelector || !hasAs, "spec.asNumber", spec.AsNumber?.ToString(), "must be absent beside peerSelector: every selected node has its own");
        problems.Require(!byWorkload || !byAddress, "spec.peerIP", spec.PeerIP, "must be absent beside localWorkloadSelector");
        problems.Require(!byWorkload || !bySelector, "spec.peerSelector", spec.PeerSelector, "must be absent beside localWorkloadSelector");
        problems.Require(!byWorkload || hasAs, "spec.asNumber", spec.AsNumber?.ToString(), "must be set beside localWorkloadSelector");
        problems.Require(
            spec.KeepOriginalNextHop is not true || spec.NextHopMode is null, "spec.keepOriginalNextHop", "true", "cannot stand beside nextHopMode, which replaces it");
        problems.Require(spec.TtlSecurity is null or (>= 0 and <= 255), "spec.ttlSecurity", spec.TtlSecurity.ToString(), "expected a number of hops, 0..255");
        problems.Require(spec.NumAllowedLocalASNumbers is null or >= 0, "spec.numAllowedLocalASNumbers", spec.NumAllowedLocalASNumbers.ToString(), "expected 0 or more");
        IpAddress address = default;
        problems.Require(!byAddress || TryPeerAddress(spec.PeerIP!, out address), "spec.peerIP", spec.PeerIP, "expected ADDRESS, IPV4:PORT or [IPV6]:PORT");
        if (!string.IsNullOrEmpty(spec.ReachableBy))
        {
            problems.Require(byAddress, "spec.reachableBy", spec.ReachableBy, "needs peerIP");
            problems.Require(
                IpAddress.TryParse(spec.ReachableBy, out IpAddress gateway) && (address == default || gateway.Family == address.Family), "spec.reachableBy", spec.ReachableBy,
                "expected the IP address of a gateway, of the family of peerIP");
        }

        problems.Require(spec.Password is null || spec.Password.SecretKeyRef is not null, "spec.password.secretKeyRef", null, "missing; expected name and key of a secret");
    }

    public static void Check(BGPFilterSpec spec, ProblemList problems)
    {
        CheckRules(spec.ImportV4, "spec.importV4", v6: false, problems);
        CheckRules(spec.ExportV4, "spec.exportV4", v6: false, problems);
        CheckRules(spec.ImportV6, "spec.importV6", v6: true, problems);
        CheckRules(spec.ExportV6, "spec.exportV6", v6: true, problems);
    }

    /// <summary>"ip", "v4:port" or "[v6]:port".</summary>
    private static bool TryPeerAddress(string text, out IpAddress address)
    {
        if (IpAddress.TryParse(text, out address))
        {
            return true;
        }

        int colon = text.LastIndexOf(':');
        if (colon < 0 || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) || port == 0)
        {
            return false;
        }

        ReadOnlySpan<char> host = text.AsSpan(0, colon);
        return host is ['[', .. var inner, ']'] ? IpAddress.TryParse(inner, out address) && address.IsIPv6 : IpAddress.TryParse(host, out address) && address.IsIPv4;
    }

    private static void CheckOnlyDefault(BGPConfigurationSpec spec, ProblemList problems)
    {
        const string Expected = "can be set only in the BGPConfiguration named \"default\"";
        problems.Require(spec.NodeToNodeMeshEnabled is null, "spec.nodeToNodeMeshEnabled", null, Expected);
        problems.Require(spec.AsNumber is null, "spec.asNumber", null, Expected);
        problems.Require(spec.ServiceClusterIPs is null or [], "spec.serviceClusterIPs", null, Expected);
        problems.Require(spec.ServiceExternalIPs is null or [], "spec.serviceExternalIPs", null, Expected);
        problems.Require(spec.ServiceLoadBalancerIPs is null or [], "spec.serviceLoadBalancerIPs", null, Expected);
        problems.Require(spec.NodeMeshPassword is null, "spec.nodeMeshPassword", null, Expected);
        problems.Require(spec.NodeMeshMaxRestartTime is null, "spec.nodeMeshMaxRestartTime", null, Expected);
    }

    private static void CheckCommunities(BGPConfigurationSpec spec, ProblemList problems)
    {
        HashSet<string> names = [.. (spec.Communities ?? []).Select(c => c.Name ?? string.Empty)];
        problems.Require(names.Count == 0 || spec.PrefixAdvertisements is { Count: > 0 }, "spec.communities", null, "are defined, but no prefixAdvertisements use them");
        for (int i = 0; i < spec.PrefixAdvertisements?.Count; i++)
        {
            List<string> used = spec.PrefixAdvertisements[i].Communities ?? [];
            for (int j = 0; j < used.Count; j++)
            {
                problems.Require(
                    names.Contains(used[j]) || TextFormats.IsCommunity(used[j]), $"spec.prefixAdvertisements[{i}].communities[{j}]", used[j], "expected a name of spec.communities, AA:NN or AA:NN:MM");
            }
        }
    }

    private static void CheckRules(List<BGPFilterRule>? rules, string path, bool v6, ProblemList problems)
    {
        for (int i = 0; i < rules?.Count; i++)
        {
            BGPFilterRule rule = rules[i];
            string at = $"{path}[{i}]";
            bool hasCidr = !string.IsNullOrEmpty(rule.Cidr);
            problems.Require(hasCidr == !string.IsNullOrEmpty(rule.MatchOperator), at, null, "cidr and matchOperator must both be set, or neither");
            problems.Require(rule.PrefixLength is null || hasCidr, $"{at}.prefixLength", null, "needs cidr");
            problems.Require(
                rule.PrefixLength is not { Min: { } min, Max: { } max } || min <= max, $"{at}.prefixLength", null, $"min {rule.PrefixLength?.Min} is above max {rule.PrefixLength?.Max}");
            problems.Require(rule.Operations is null or [] || rule.Action == "Accept", $"{at}.operations", null, "can stand only beside action Accept");
            if (hasCidr && IpPrefix.TryParse(rule.Cidr, out IpPrefix cidr))
            {
                problems.Require(cidr.IsIPv6 == v6, $"{at}.cidr", rule.Cidr, $"expected an {(v6 ? "IPv6" : "IPv4")} prefix here");
            }

            if (!string.IsNullOrEmpty(rule.Interface))
            {
                CheckInterfacePattern(rule.Interface, $"{at}.interface", problems);
            }
        }
    }

    private static void CheckInterfacePattern(string pattern, string path, ProblemList problems) =>
        problems.Require(NameRules.IsInterface(pattern.Replace('*', 'x')), path, pattern, "expected the name of an interface, up to 15 characters; \"*\" stands for any text");
}
