using Weft.Model.Names;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Model.Validation;

/// <summary>Rules of endpoints and network sets.</summary>
internal static class EndpointRules
{
    /// <summary>Given by weft from the object's namespace: a user who could set it could pretend to be elsewhere.</summary>
    private const string NamespaceLabel = "projectcalico.org/namespace";

    public static void CheckNets(NetworkSetSpec spec, ObjectMeta metadata, ProblemList problems)
    {
        for (int i = 0; i < spec.Nets?.Count; i++)
        {
            problems.Require(TextFormats.IsNet(spec.Nets[i]), $"spec.nets[{i}]", spec.Nets[i], "expected a CIDR prefix or an IP address");
        }

        problems.Require(metadata.Labels?.ContainsKey(NamespaceLabel) is not true, "metadata.labels", NamespaceLabel, "this label is given by the system and cannot be set");
    }

    public static void Check(HostEndpointSpec spec, ProblemList problems)
    {
        problems.Require(!string.IsNullOrEmpty(spec.Node), "spec.node", spec.Node, "missing; expected the name of a node");
        problems.Require(
            !string.IsNullOrEmpty(spec.InterfaceName) || spec.ExpectedIPs is { Count: > 0 }, "spec", null, "expected interfaceName or expectedIPs, or both");
        problems.Require(
            spec.InterfaceName is null or "" or "*" || NameRules.IsInterface(spec.InterfaceName), "spec.interfaceName", spec.InterfaceName,
            "expected the name of an interface (up to 15 letters, digits, '_', '.', '-') or \"*\"");
        for (int i = 0; i < spec.ExpectedIPs?.Count; i++)
        {
            problems.Require(IpAddress.TryParse(spec.ExpectedIPs[i], out _), $"spec.expectedIPs[{i}]", spec.ExpectedIPs[i], "expected an IP address");
        }

        CheckProfiles(spec.Profiles, problems);
        for (int i = 0; i < spec.Ports?.Count; i++)
        {
            problems.Require(NameRules.IsPortName(spec.Ports[i].Name), $"spec.ports[{i}].name", spec.Ports[i].Name, PortNameExpected);
            problems.Require(spec.Ports[i].Protocol.SupportsPorts, $"spec.ports[{i}].protocol", spec.Ports[i].Protocol.ToString(), "expected TCP, UDP or SCTP");
        }
    }

    public static void Check(WorkloadEndpoint endpoint, ProblemList problems)
    {
        WorkloadEndpointSpec spec = endpoint.Spec;
        CheckIdentity(endpoint, problems);
        problems.Require(spec.ContainerID is null or "" || NameRules.IsContainerId(spec.ContainerID), "spec.containerID", spec.ContainerID, "expected letters, digits and '-'");
        problems.Require(
            spec.InterfaceName is { } name && NameRules.IsInterface(name), "spec.interfaceName", spec.InterfaceName,
            "expected the name of an interface: up to 15 letters, digits, '_', '.', '-'");
        problems.Require(spec.Mac is null or "" || MacAddress.TryParse(spec.Mac, out _), "spec.mac", spec.Mac, "expected a MAC address such as ee:ee:ee:ee:ee:ee");
        problems.Require(spec.Ipv4Gateway is null or "" || TextFormats.IsIPv4(spec.Ipv4Gateway), "spec.ipv4Gateway", spec.Ipv4Gateway, "expected an IPv4 address");
        problems.Require(spec.Ipv6Gateway is null or "" || TextFormats.IsIPv6(spec.Ipv6Gateway), "spec.ipv6Gateway", spec.Ipv6Gateway, "expected an IPv6 address");
        CheckProfiles(spec.Profiles, problems);
        CheckAddresses(spec, problems);
        for (int i = 0; i < spec.Ports?.Count; i++)
        {
            WorkloadEndpointPort port = spec.Ports[i];
            bool named = !string.IsNullOrEmpty(port.Name);
            problems.Require(named ? NameRules.IsPortName(port.Name!) : port.HostPort > 0, $"spec.ports[{i}].name", port.Name, PortNameExpected + "; it can be empty only beside a hostPort");
            problems.Require(port.Protocol.SupportsPorts, $"spec.ports[{i}].protocol", port.Protocol.ToString(), "expected TCP, UDP or SCTP");
            problems.Require(port.HostIP is null or "" || TextFormats.IsNet(port.HostIP), $"spec.ports[{i}].hostIP", port.HostIP, "expected an IP address");
        }

        problems.Require(spec.QosControls?.Dscp is null or (>= 0 and <= 63), "spec.qosControls.dscp", spec.QosControls?.Dscp.ToString(), "expected 0..63");
    }

    private const string PortNameExpected = "expected the name of a port: up to 15 lower-case letters, digits and single '-', at least one letter";

    private static void CheckIdentity(WorkloadEndpoint endpoint, ProblemList problems)
    {
        if (!WorkloadEndpointName.Of(endpoint.Spec).TryBuild(out string? expected, out string? problem))
        {
            problems.Add("spec", problem);
        }
        else
        {
            problems.Require(endpoint.Metadata.Name == expected, "metadata.name", endpoint.Metadata.Name, $"expected \"{expected}\", made of node, orchestrator, id and endpoint");
        }
    }

    private static void CheckAddresses(WorkloadEndpointSpec spec, ProblemList problems)
    {
        List<IpAddress> own = [];
        for (int i = 0; i < spec.IpNetworks?.Count; i++)
        {
            bool single = IpPrefix.TryParseNet(spec.IpNetworks[i], out IpPrefix net) && net.IsHost;
            problems.Require(single, $"spec.ipNetworks[{i}]", spec.IpNetworks[i], "expected a single address, /32 or /128");
            own.Add(net.Address);
        }

        for (int i = 0; i < spec.IpNATs?.Count; i++)
        {
            IpNat nat = spec.IpNATs[i];
            bool inside = IpAddress.TryParse(nat.InternalIP, out IpAddress internalIp);
            bool outside = IpAddress.TryParse(nat.ExternalIP, out IpAddress externalIp);
            problems.Require(inside, $"spec.ipNATs[{i}].internalIP", nat.InternalIP, "expected an IP address");
            problems.Require(outside, $"spec.ipNATs[{i}].externalIP", nat.ExternalIP, "expected an IP address");
            problems.Require(!inside || own.Contains(internalIp), $"spec.ipNATs[{i}].internalIP", nat.InternalIP, "expected one of the endpoint's ipNetworks");
            problems.Require(!inside || !outside || internalIp.Family == externalIp.Family, $"spec.ipNATs[{i}]", null, "internalIP and externalIP must be of one family");
        }
    }

    private static void CheckProfiles(List<string>? profiles, ProblemList problems)
    {
        for (int i = 0; i < profiles?.Count; i++)
        {
            problems.Require(NameRules.IsSubdomain(profiles[i]), $"spec.profiles[{i}]", profiles[i], "expected the name of a profile");
        }
    }
}
