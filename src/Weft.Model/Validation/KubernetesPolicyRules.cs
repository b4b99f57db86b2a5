using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Model.Validation;

/// <summary>Rules of a staged networking.k8s.io policy: it must be one that Kubernetes would accept.</summary>
internal static class KubernetesPolicyRules
{
    public static void Check(StagedKubernetesNetworkPolicySpec spec, ProblemList problems)
    {
        if (spec.StagedAction == "Delete")
        {
            problems.Require(
                IsEmpty(spec.PodSelector) && spec.Ingress is null or [] && spec.Egress is null or [] && spec.PolicyTypes is null or [], "spec", null,
                "with stagedAction Delete every other field must be absent");
            return;
        }

        CheckSelector(spec.PodSelector, "spec.podSelector", problems);
        for (int i = 0; i < spec.PolicyTypes?.Count; i++)
        {
            problems.Require(spec.PolicyTypes[i] is "Ingress" or "Egress", $"spec.policyTypes[{i}]", spec.PolicyTypes[i], "expected Ingress or Egress");
        }

        for (int i = 0; i < spec.Ingress?.Count; i++)
        {
            CheckPorts(spec.Ingress[i].Ports, $"spec.ingress[{i}].ports", problems);
            CheckPeers(spec.Ingress[i].From, $"spec.ingress[{i}].from", problems);
        }

        for (int i = 0; i < spec.Egress?.Count; i++)
        {
            CheckPorts(spec.Egress[i].Ports, $"spec.egress[{i}].ports", problems);
            CheckPeers(spec.Egress[i].To, $"spec.egress[{i}].to", problems);
        }
    }

    private static bool IsEmpty(KubernetesLabelSelector? selector) => selector is null || (selector.MatchLabels is null or { Count: 0 } && selector.MatchExpressions is null or []);

    private static void CheckPorts(List<KubernetesPolicyPort>? ports, string path, ProblemList problems)
    {
        for (int i = 0; i < ports?.Count; i++)
        {
            KubernetesPolicyPort port = ports[i];
            problems.Require(port.Protocol is null or "TCP" or "UDP" or "SCTP", $"{path}[{i}].protocol", port.Protocol, "expected TCP, UDP or SCTP");
            problems.Require(
                port.Port is not { } p || (p.IsNamed ? NameRules.IsPortName(p.Name!) : p.Min > 0 && p.Min == p.Max), $"{path}[{i}].port", port.Port?.ToString(),
                "expected 1..65535 or the name of a port");
            problems.Require(
                port.EndPort is not { } end || (port.Port is { IsNamed: false } first && end >= first.Min && end <= ushort.MaxValue), $"{path}[{i}].endPort", port.EndPort?.ToString(),
                "expected a number that is not below port, which must be a number");
        }
    }

    private static void CheckPeers(List<KubernetesPolicyPeer>? peers, string path, ProblemList problems)
    {
        for (int i = 0; i < peers?.Count; i++)
        {
            KubernetesPolicyPeer peer = peers[i];
            string at = $"{path}[{i}]";
            bool selects = peer.PodSelector is not null || peer.NamespaceSelector is not null;
            problems.Require(selects != peer.IpBlock is not null, at, null, "expected either ipBlock, or podSelector and namespaceSelector, or one of the two");
            CheckSelector(peer.PodSelector, $"{at}.podSelector", problems);
            CheckSelector(peer.NamespaceSelector, $"{at}.namespaceSelector", problems);
            if (peer.IpBlock is { } block)
            {
                bool ok = IpPrefix.TryParse(block.Cidr, out IpPrefix outer);
                problems.Require(ok, $"{at}.ipBlock.cidr", block.Cidr, "expected a CIDR prefix such as 10.0.0.0/16");
                for (int j = 0; j < block.Except?.Count; j++)
                {
                    problems.Require(
                        IpPrefix.TryParse(block.Except[j], out IpPrefix inner) && (!ok || (outer.Contains(inner) && inner.Length > outer.Length)), $"{at}.ipBlock.except[{j}]", block.Except[j],
                        $"expected a CIDR prefix inside {block.Cidr}");
                }
            }
        }
    }

    private static void CheckSelector(KubernetesLabelSelector? selector, string path, ProblemList problems)
    {
        MetadataRules.CheckLabels(selector?.MatchLabels, $"{path}.matchLabels", problems);
        for (int i = 0; i < selector?.MatchExpressions?.Count; i++)
        {
            KubernetesSelectorExpression expression = selector.MatchExpressions[i];
            string at = $"{path}.matchExpressions[{i}]";
            problems.Require(NameRules.IsQualifiedName(expression.Key), $"{at}.key", expression.Key, "expected a label key");
            bool takesValues = expression.Operator is "In" or "NotIn";
            problems.Require(takesValues || expression.Operator is "Exists" or "DoesNotExist", $"{at}.operator", expression.Operator, "expected In, NotIn, Exists or DoesNotExist");
            problems.Require(
                takesValues == expression.Values is { Count: > 0 }, $"{at}.values", null, takesValues ? $"{expression.Operator} needs at least one value" : $"{expression.Operator} takes no values");
        }
    }
}
