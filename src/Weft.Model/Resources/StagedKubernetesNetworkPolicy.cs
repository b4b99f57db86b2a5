namespace Weft.Model.Resources;

/// <summary>A networking.k8s.io NetworkPolicy that is evaluated and reported, but not enforced.</summary>
public sealed class StagedKubernetesNetworkPolicy() : Resource(ResourceKind.StagedKubernetesNetworkPolicy)
{
    public StagedKubernetesNetworkPolicySpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class StagedKubernetesNetworkPolicySpec : ApiObject
{
    public string? StagedAction { get; set; }

    public KubernetesLabelSelector? PodSelector { get; set; }

    public List<KubernetesIngressRule>? Ingress { get; set; }

    public List<KubernetesEgressRule>? Egress { get; set; }

    /// <summary>"Ingress", "Egress".</summary>
    public List<string>? PolicyTypes { get; set; }
}

/// <summary>meta/v1 LabelSelector: all labels and all expressions must match.</summary>
public sealed class KubernetesLabelSelector : ApiObject
{
    public Dictionary<string, string>? MatchLabels { get; set; }

    public List<KubernetesSelectorExpression>? MatchExpressions { get; set; }
}

public sealed class KubernetesSelectorExpression : ApiObject
{
    public string Key { get; set => field = value ?? string.Empty; } = string.Empty;

    /// <summary>In, NotIn, Exists or DoesNotExist.</summary>
    public string Operator { get; set => field = value ?? string.Empty; } = string.Empty;

    public List<string>? Values { get; set; }
}

public sealed class KubernetesIngressRule : ApiObject
{
    public List<KubernetesPolicyPort>? Ports { get; set; }

    public List<KubernetesPolicyPeer>? From { get; set; }
}

public sealed class KubernetesEgressRule : ApiObject
{
    public List<KubernetesPolicyPort>? Ports { get; set; }

    public List<KubernetesPolicyPeer>? To { get; set; }
}

public sealed class KubernetesPolicyPort : ApiObject
{
    /// <summary>TCP when absent.</summary>
    public string? Protocol { get; set; }

    public Port? Port { get; set; }

    /// <summary>Makes a numeric port the start of a range.</summary>
    public int? EndPort { get; set; }
}

public sealed class KubernetesPolicyPeer : ApiObject
{
    public KubernetesLabelSelector? PodSelector { get; set; }

    public KubernetesLabelSelector? NamespaceSelector { get; set; }

    public KubernetesIpBlock? IpBlock { get; set; }
}

public sealed class KubernetesIpBlock : ApiObject
{
    public string Cidr { get; set => field = value ?? string.Empty; } = string.Empty;

    public List<string>? Except { get; set; }
}
