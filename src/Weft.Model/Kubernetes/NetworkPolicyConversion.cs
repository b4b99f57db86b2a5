using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Model.Kubernetes;

/// <summary>A Calico policy made of a Kubernetes one.</summary>
/// <param name="Policy">What to enforce.</param>
/// <param name="Problems">Rules that could not be converted and are left out, and why.</param>
public readonly record struct ConvertedPolicy<TPolicy>(TPolicy Policy, IReadOnlyList<string> Problems);

/// <summary>
/// Kubernetes NetworkPolicy to Calico's (libcalico-go/lib/backend/k8s/conversion): the same name and namespace, tier default, order 1000. Pure; used by the
/// Kubernetes datastore, and by the graph for the staged kind.
/// </summary>
public static class NetworkPolicyConversion
{
    private const double Order = 1000;
    private const string DefaultTier = "default";

    public static ConvertedPolicy<NetworkPolicy> Convert(KubernetesNetworkPolicy policy)
    {
        NetworkPolicy converted = new()
        {
            Metadata = new ObjectMeta
            {
                Name = policy.Metadata.Name, Namespace = policy.Metadata.Namespace, Uid = Uids.Convert(policy.Metadata.Uid), ResourceVersion = policy.Metadata.ResourceVersion,
                CreationTimestamp = policy.Metadata.CreationTimestamp,
            },
        };
        List<string> problems = [];
        KubernetesNetworkPolicySpec spec = policy.Spec;
        Fill(converted.Spec, spec.PodSelector, spec.Ingress, spec.Egress, spec.PolicyTypes, problems);
        return new ConvertedPolicy<NetworkPolicy>(converted, problems);
    }

    /// <summary>Null for a staged deletion, which is no policy.</summary>
    public static ConvertedPolicy<StagedNetworkPolicy>? Convert(StagedKubernetesNetworkPolicy policy)
    {
        StagedKubernetesNetworkPolicySpec spec = policy.Spec;
        if (spec.StagedAction == "Delete")
        {
            return null;
        }

        StagedNetworkPolicy converted = new() { Metadata = policy.Metadata };
        List<string> problems = [];
        Fill(converted.Spec, spec.PodSelector, spec.Ingress, spec.Egress, spec.PolicyTypes, problems);
        return new ConvertedPolicy<StagedNetworkPolicy>(converted, problems);
    }

    private static void Fill(
        PolicySpec spec, KubernetesLabelSelector? pods, List<KubernetesIngressRule>? ingress, List<KubernetesEgressRule>? egress, List<string>? types, List<string> problems)
    {
        spec.Tier = DefaultTier;
        spec.Order = Order;
        spec.Selector = LabelSelectorConversion.Pods(pods);
        spec.Ingress = [];
        spec.Egress = [];
        for (int i = 0; i < ingress?.Count; i++)
        {
            AddRules(spec.Ingress, ingress[i].From, ingress[i].Ports, Peer.Source, $"spec.ingress[{i}]", problems);
        }

        for (int i = 0; i < egress?.Count; i++)
        {
            AddRules(spec.Egress, egress[i].To, egress[i].Ports, Peer.Destination, $"spec.egress[{i}]", problems);
        }

        // Egress rules alone do not make a policy govern egress: that was so before policyTypes existed.
        spec.Types = [.. new[] { "Ingress", "Egress" }.Where(t => types?.Contains(t) == true)];
        if (spec.Types.Count == 0)
        {
            spec.Types = ["Ingress"];
        }
    }

    private enum Peer : byte
    {
        Source,
        Destination,
    }

    private static void AddRules(List<Rule> rules, List<KubernetesPolicyPeer>? peers, List<KubernetesPolicyPort>? ports, Peer side, string field, List<string> problems)
    {
        RulePorts groups = new();
        foreach (KubernetesPolicyPort port in ports ?? [])
        {
            string protocol = port.Protocol ?? "TCP";
            if (port.Port is not { } number)
            {
                groups.AddAll(protocol);
            }
            else if (port.EndPort is not { } end)
            {
                groups.Add(protocol, number);
            }
            else if (!number.IsNamed && end >= number.Min && end <= ushort.MaxValue)
            {
                groups.Add(protocol, new Port(number.Min, (ushort)end));
            }
            else
            {
                problems.Add($"{field}.ports: {number} to {end} is no range of ports: the rule is left out");
                return;
            }
        }

        foreach ((Protocol? protocol, List<Port> list) in groups.Groups)
        {
            foreach (KubernetesPolicyPeer? peer in peers is { Count: > 0 } ? peers : [null!])
            {
                EntityRule entity = Entity(peer);
                Rule rule = new() { Action = "Allow", Protocol = protocol };
                rule.Source = side == Peer.Source ? entity : null;
                rule.Destination = side == Peer.Destination ? entity : new EntityRule();
                rule.Destination.Ports = list.Count > 0 ? list : null;
                rules.Add(rule);
            }
        }
    }

    /// <summary>Null is everybody.</summary>
    private static EntityRule Entity(KubernetesPolicyPeer? peer)
    {
        if (peer is null)
        {
            return new EntityRule();
        }

        if (peer.IpBlock is not { } block)
        {
            return new EntityRule { Selector = LabelSelectorConversion.Pods(peer.PodSelector), NamespaceSelector = LabelSelectorConversion.Namespaces(peer.NamespaceSelector) };
        }

        // A block that cannot be read matches everything, as with Calico; the API server lets none in.
        List<string> texts = [block.Cidr, .. block.Except ?? []];
        List<string> nets = [];
        foreach (string text in texts)
        {
            if (!IpPrefix.TryParse(text, out IpPrefix net))
            {
                return new EntityRule();
            }

            nets.Add(net.ToString());
        }

        return new EntityRule { Nets = [nets[0]], NotNets = nets.Count > 1 ? nets[1..] : null };
    }
}
