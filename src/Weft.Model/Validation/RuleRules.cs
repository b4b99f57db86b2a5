using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Model.Validation;

/// <summary>Rules of one rule of a policy or profile.</summary>
/// <param name="problems">Where problems go.</param>
/// <param name="isNamespaced">The policy has a namespace, so that a service may leave it out.</param>
internal sealed class RuleRules(ProblemList problems, bool isNamespaced)
{
    private const byte IcmpV4 = 1;
    private const byte IcmpV6 = 58;
    private const byte Tcp = 6;

    public void CheckAll(List<Rule>? rules, string path, bool isIngress)
    {
        for (int i = 0; i < rules?.Count; i++)
        {
            Check(rules[i], $"{path}[{i}]", isIngress);
        }
    }

    private void Check(Rule rule, string path, bool isIngress)
    {
        CheckProtocol(rule.Protocol, $"{path}.protocol");
        CheckProtocol(rule.NotProtocol, $"{path}.notProtocol");
        CheckIpVersion(rule, rule.Protocol, $"{path}.protocol");
        CheckIpVersion(rule, rule.NotProtocol, $"{path}.notProtocol");
        CheckIcmp(rule.Icmp, $"{path}.icmp");
        CheckIcmp(rule.NotICMP, $"{path}.notICMP");
        problems.Require(
            rule.Icmp is null || rule.Protocol is { Number: IcmpV4 or IcmpV6 }, $"{path}.icmp", null, "needs protocol ICMP or ICMPv6 in the same rule");
        MetadataRules.CheckAnnotations(rule.Metadata?.Annotations, $"{path}.metadata.annotations", problems);
        CheckHttp(rule, path, isIngress);
        CheckEntity(rule.Source, $"{path}.source");
        CheckEntity(rule.Destination, $"{path}.destination");
        CheckPorts(rule, rule.Source, $"{path}.source");
        CheckPorts(rule, rule.Destination, $"{path}.destination");
        CheckServices(rule, path, isIngress);
        CheckFamilies(rule, path);
    }

    private void CheckProtocol(Protocol? protocol, string path) =>
        problems.Require(
            protocol is not { } p || (p.Number != 0 && p.Name is null or "TCP" or "UDP" or "ICMP" or "ICMPv6" or "SCTP" or "UDPLite"), path, protocol?.ToString(),
            "expected 1..255 or one of TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite");

    private void CheckIpVersion(Rule rule, Protocol? protocol, string path)
    {
        int? version = protocol?.Number switch { IcmpV4 => 4, IcmpV6 => 6, _ => null };
        problems.Require(version is null || rule.IpVersion is null || rule.IpVersion == version, path, protocol?.ToString(), $"needs ipVersion {version}, and the rule says {rule.IpVersion}");
    }

    private void CheckIcmp(IcmpFields? icmp, string path) =>
        problems.Require(icmp is not { Code: not null, Type: null }, $"{path}.code", icmp?.Code?.ToString(), "a code needs a type beside it");

    private void CheckHttp(Rule rule, string path, bool isIngress)
    {
        if (rule.Http is not { } http)
        {
            return;
        }

        problems.Require(rule.Action == "Allow", $"{path}.http", null, $"an HTTP match can stand only in an Allow rule, and this one's action is {rule.Action}");
        problems.Require(isIngress, $"{path}.http", null, "an HTTP match can stand only in an ingress rule");
        problems.Require(rule.Protocol is null or { Number: Tcp }, $"{path}.protocol", rule.Protocol?.ToString(), "an HTTP match needs protocol TCP, or none");
        problems.Require(http.Methods is not { } methods || methods.Distinct().Count() == methods.Count, $"{path}.http.methods", null, "a method stands here twice");
        for (int i = 0; i < http.Paths?.Count; i++)
        {
            HttpPath entry = http.Paths[i];
            string entryPath = $"{path}.http.paths[{i}]";
            string? text = entry.Exact ?? entry.Prefix;
            problems.Require(entry.Exact is null != entry.Prefix is null, entryPath, null, "expected exactly one of exact and prefix");
            problems.Require(
                text is null || (text.StartsWith('/') && !text.AsSpan().ContainsAny("?# ")), entryPath, text, "expected a path that begins with '/' and has no '?', '#' or blank");
        }
    }

    private void CheckEntity(EntityRule? entity, string path)
    {
        if (entity is null)
        {
            return;
        }

        PolicyRules.CheckNotGlobal(entity.Selector, $"{path}.selector", problems);
        if (entity.NamespaceSelector?.Contains("global(", StringComparison.Ordinal) is true)
        {
            string compact = string.Concat(entity.NamespaceSelector.Where(c => !char.IsWhiteSpace(c)));
            problems.Require(compact == "global()", $"{path}.namespaceSelector", entity.NamespaceSelector, "global() cannot be combined with other terms");
        }

        CheckNets(entity.Nets, $"{path}.nets", allowCatchAll: true);
        CheckNets(entity.NotNets, $"{path}.notNets", allowCatchAll: false);
        CheckPortList(entity.Ports, $"{path}.ports");
        CheckPortList(entity.NotPorts, $"{path}.notPorts");
        for (int i = 0; i < entity.ServiceAccounts?.Names?.Count; i++)
        {
            string name = entity.ServiceAccounts.Names[i];
            problems.Require(NameRules.IsSubdomain(name), $"{path}.serviceAccounts.names[{i}]", name, "expected the name of a service account");
        }
    }

    private void CheckNets(List<string>? nets, string path, bool allowCatchAll)
    {
        for (int i = 0; i < nets?.Count; i++)
        {
            bool parsed = InterfaceAddress.TryParse(nets[i], out InterfaceAddress net);
            problems.Require(parsed, $"{path}[{i}]", nets[i], "expected a CIDR prefix such as 10.0.0.0/16");
            if (parsed)
            {
                problems.Require(net.Prefix.Address == net.Address, $"{path}[{i}]", nets[i], $"has host bits; expected {net.Prefix}");
                problems.Require(allowCatchAll || net.Length > 0, $"{path}[{i}]", nets[i], "a net that holds every address cannot be excluded");
            }
        }
    }

    private void CheckPortList(List<Port>? ports, string path)
    {
        for (int i = 0; i < ports?.Count; i++)
        {
            Port port = ports[i];
            problems.Require(port.IsNamed || port.Min > 0, $"{path}[{i}]", port.ToString(), "expected a port of 1..65535");
        }
    }

    private void CheckPorts(Rule rule, EntityRule? entity, string path)
    {
        bool anyPorts = entity?.Ports is { Count: > 0 } || entity?.NotPorts is { Count: > 0 };
        if (!anyPorts)
        {
            return;
        }

        if (rule.Protocol is { } protocol)
        {
            problems.Require(protocol.SupportsPorts, path, null, $"has ports, and protocol {protocol} has none; expected protocol TCP, UDP or SCTP");
        }
        else
        {
            // A named port brings its own protocol; a number says nothing without one.
            bool numbers = (entity!.Ports ?? []).Concat(entity.NotPorts ?? []).Any(p => !p.IsNamed);
            problems.Require(!numbers, path, null, "has port numbers, and the rule has no protocol; expected protocol TCP, UDP or SCTP");
        }
    }

    private void CheckServices(Rule rule, string path, bool isIngress)
    {
        CheckServicesOf(rule.Source, $"{path}.source", isAllowed: isIngress, "services can stand in the source of an ingress rule and the destination of an egress rule");
        CheckServicesOf(rule.Destination, $"{path}.destination", isAllowed: !isIngress, "services can stand in the source of an ingress rule and the destination of an egress rule");
        if (rule.Destination?.Services is not null)
        {
            problems.Require(
                rule.Destination.Ports is null or [] && rule.Destination.NotPorts is null or [], $"{path}.destination", null, "ports cannot stand beside services: the service names them");
        }
    }

    private void CheckServicesOf(EntityRule? entity, string path, bool isAllowed, string where)
    {
        if (entity?.Services is not { } services)
        {
            return;
        }

        problems.Require(isAllowed, $"{path}.services", null, where);
        problems.Require(!string.IsNullOrEmpty(services.Name), $"{path}.services.name", null, "missing; expected the name of a service");
        problems.Require(isNamespaced || !string.IsNullOrEmpty(services.Namespace), $"{path}.services.namespace", null, "missing; a policy without a namespace must name the service's");
        problems.Require(
            string.IsNullOrEmpty(entity.Selector) && string.IsNullOrEmpty(entity.NotSelector) && string.IsNullOrEmpty(entity.NamespaceSelector)
                && entity.ServiceAccounts is null && entity.Nets is null or [] && entity.NotNets is null or [],
            path, null, "services cannot stand beside selector, notSelector, namespaceSelector, serviceAccounts, nets or notNets");
    }

    /// <summary>One rule, one IP family: over all four lists of nets, ipVersion and ICMP.</summary>
    private void CheckFamilies(Rule rule, string path)
    {
        int? version = rule.IpVersion;
        foreach (string net in new[] { rule.Source?.Nets, rule.Source?.NotNets, rule.Destination?.Nets, rule.Destination?.NotNets }.SelectMany(n => n ?? []))
        {
            if (!IpPrefix.TryParse(net, out IpPrefix prefix))
            {
                continue; // Reported where it stands.
            }

            int family = prefix.IsIPv6 ? 6 : 4;
            if (version is not null && version != family)
            {
                problems.Add(path, net, $"is IPv{family}, and the rule is for IPv{version}: write one rule per family");
                return;
            }

            version = family;
        }
    }
}
