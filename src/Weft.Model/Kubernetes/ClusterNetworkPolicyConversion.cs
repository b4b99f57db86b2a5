using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Model.Kubernetes;

/// <summary>
/// ClusterNetworkPolicy to a GlobalNetworkPolicy of the same name in tier kube-admin or kube-baseline. A rule that cannot be converted fails closed: one that
/// denies or passes becomes a rule that denies everything, one that accepts is left out.
/// </summary>
public static class ClusterNetworkPolicyConversion
{
    /// <summary>Null for an unknown tier or without a subject: such an object counts as absent.</summary>
    public static ConvertedPolicy<GlobalNetworkPolicy>? Convert(ClusterNetworkPolicy policy)
    {
        ClusterNetworkPolicySpec spec = policy.Spec;
        string? tier = spec.Tier switch { "Admin" => "kube-admin", "Baseline" => "kube-baseline", _ => null };
        if (tier is null || spec.Subject is not { } subject || (subject.Namespaces is null && subject.Pods is null))
        {
            return null;
        }

        GlobalNetworkPolicy converted = new()
        {
            Metadata = new ObjectMeta
            {
                Name = policy.Metadata.Name, Uid = Uids.Convert(policy.Metadata.Uid), ResourceVersion = policy.Metadata.ResourceVersion, CreationTimestamp = policy.Metadata.CreationTimestamp,
            },
            Spec = new GlobalNetworkPolicySpec
            {
                Tier = tier,
                Order = spec.Priority,
                Selector = LabelSelectorConversion.Pods(subject.Pods?.PodSelector),
                NamespaceSelector = LabelSelectorConversion.Namespaces(subject.Namespaces ?? subject.Pods?.NamespaceSelector),
                Ingress = [],
                Egress = [],
                Types = [],
            },
        };
        List<string> problems = [];
        AddRules(converted.Spec.Ingress, spec.Ingress, isIngress: true, problems);
        AddRules(converted.Spec.Egress, spec.Egress, isIngress: false, problems);
        converted.Spec.Types = [.. new[] { (spec.Ingress, "Ingress"), (spec.Egress, "Egress") }.Where(t => t.Item1 is { Count: > 0 }).Select(t => t.Item2)];
        return new ConvertedPolicy<GlobalNetworkPolicy>(converted, problems);
    }

    private static void AddRules(List<Rule> rules, List<ClusterPolicyRule>? given, bool isIngress, List<string> problems)
    {
        for (int i = 0; i < given?.Count; i++)
        {
            ClusterPolicyRule rule = given[i];
            if (TryConvert(rule, isIngress, out List<Rule> converted, out string problem))
            {
                rules.AddRange(converted);
                continue;
            }

            problems.Add($"spec.{(isIngress ? "ingress" : "egress")}[{i}]: {problem}");
            if (rule.Action is "Deny" or "Pass")
            {
                rules.Add(new Rule { Action = "Deny" });
            }
        }
    }

    private static bool TryConvert(ClusterPolicyRule rule, bool isIngress, out List<Rule> rules, out string problem)
    {
        rules = [];
        string? action = rule.Action switch { "Accept" => "Allow", "Deny" => "Deny", "Pass" => "Pass", _ => null };
        problem = action is null ? $"unknown action \"{rule.Action}\"" : string.Empty;
        RulePorts ports = new();
        if (action is null || !TryPorts(rule.Protocols, ports, out problem))
        {
            return false;
        }

        List<EntityRule> peers = [];
        foreach (ClusterPolicyPeer peer in (isIngress ? rule.From : rule.To) ?? [])
        {
            int before = peers.Count;
            if (!TryPeer(peer, isIngress, peers, out problem))
            {
                return false;
            }

            if (peers.Count == before)
            {
                problem = "a peer is of a kind that is not supported";
                return false;
            }
        }

        foreach ((Protocol? protocol, List<Port> list) in ports.Groups)
        {
            foreach (EntityRule peer in peers.Count > 0 ? peers : [new EntityRule()])
            {
                EntityRule entity = new() { Selector = peer.Selector, NamespaceSelector = peer.NamespaceSelector, Nets = peer.Nets };
                EntityRule destination = isIngress ? new EntityRule() : entity;
                destination.Ports = list.Count > 0 ? list : null;
                rules.Add(new Rule
                {
                    Action = action,
                    Protocol = protocol,
                    Source = isIngress ? entity : null,
                    Destination = destination,
                    Metadata = string.IsNullOrEmpty(rule.Name) ? null : new RuleMetadata { Annotations = new Dictionary<string, string> { ["name"] = rule.Name } },
                });
            }
        }

        return true;
    }

    private static bool TryPeer(ClusterPolicyPeer peer, bool isIngress, List<EntityRule> entities, out string problem)
    {
        problem = string.Empty;
        if (peer.Namespaces is not null)
        {
            entities.Add(new EntityRule { NamespaceSelector = LabelSelectorConversion.Namespaces(peer.Namespaces) });
        }

        if (peer.Pods is { } pods)
        {
            entities.Add(new EntityRule { Selector = LabelSelectorConversion.Pods(pods.PodSelector), NamespaceSelector = LabelSelectorConversion.Namespaces(pods.NamespaceSelector) });
        }

        if (peer.Networks is { Count: > 0 } networks && !isIngress)
        {
            List<string> nets = [];
            foreach (string text in networks)
            {
                if (!IpPrefix.TryParse(text, out IpPrefix net))
                {
                    problem = $"\"{text}\" is no CIDR";
                    return false;
                }

                nets.Add(net.ToString());
            }

            entities.Add(new EntityRule { Nets = nets });
        }

        return true;
    }

    private static bool TryPorts(List<ClusterPolicyProtocol>? protocols, RulePorts ports, out string problem)
    {
        problem = string.Empty;
        foreach (ClusterPolicyProtocol entry in protocols ?? [])
        {
            (string name, ClusterPolicyPort? match) = entry switch
            {
                { Tcp: { } tcp } => ("TCP", tcp),
                { Udp: { } udp } => ("UDP", udp),
                { Sctp: { } sctp } => ("SCTP", sctp),
                _ => (string.Empty, null),
            };
            if (match is null)
            {
                if (string.IsNullOrEmpty(entry.DestinationNamedPort))
                {
                    ports.AddAll(string.Empty);
                }
                else
                {
                    ports.Add(string.Empty, new Port(entry.DestinationNamedPort));
                }
            }
            else if (match.DestinationPort is not { } port || (port.Number is null && port.Range is null))
            {
                ports.AddAll(name);
            }
            else
            {
                (int first, int last) = port.Number is { } number ? (number, number) : (port.Range!.Start, port.Range.End);
                if (first < 1 || last < first || last > ushort.MaxValue)
                {
                    problem = $"{first} to {last} is no range of ports";
                    return false;
                }

                ports.Add(name, new Port((ushort)first, (ushort)last));
            }
        }

        return true;
    }
}
