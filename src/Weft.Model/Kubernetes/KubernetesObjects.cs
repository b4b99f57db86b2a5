using Weft.Model.Resources;

namespace Weft.Model.Kubernetes;

/// <summary>networking.k8s.io/v1 NetworkPolicy, as far as its meaning goes.</summary>
public sealed class KubernetesNetworkPolicy : ApiObject
{
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    public KubernetesNetworkPolicySpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class KubernetesNetworkPolicySpec : ApiObject
{
    public KubernetesLabelSelector? PodSelector { get; set; }

    public List<KubernetesIngressRule>? Ingress { get; set; }

    public List<KubernetesEgressRule>? Egress { get; set; }

    public List<string>? PolicyTypes { get; set; }
}

/// <summary>policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy.</summary>
public sealed class ClusterNetworkPolicy : ApiObject
{
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    public ClusterNetworkPolicySpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class ClusterNetworkPolicySpec : ApiObject
{
    /// <summary>Admin or Baseline.</summary>
    public string? Tier { get; set; }

    public int Priority { get; set; }

    public ClusterPolicyPeer? Subject { get; set; }

    public List<ClusterPolicyRule>? Ingress { get; set; }

    public List<ClusterPolicyRule>? Egress { get; set; }
}

public sealed class ClusterPolicyRule : ApiObject
{
    public string? Name { get; set; }

    /// <summary>Accept, Deny or Pass.</summary>
    public string? Action { get; set; }

    public List<ClusterPolicyPeer>? From { get; set; }

    public List<ClusterPolicyPeer>? To { get; set; }

    public List<ClusterPolicyProtocol>? Protocols { get; set; }
}

/// <summary>A subject or a peer; networks only of egress rules.</summary>
public sealed class ClusterPolicyPeer : ApiObject
{
    public KubernetesLabelSelector? Namespaces { get; set; }

    public ClusterPolicyPods? Pods { get; set; }

    public List<string>? Networks { get; set; }
}

public sealed class ClusterPolicyPods : ApiObject
{
    public KubernetesLabelSelector? NamespaceSelector { get; set; }

    public KubernetesLabelSelector? PodSelector { get; set; }
}

public sealed class ClusterPolicyProtocol : ApiObject
{
    public ClusterPolicyPort? Tcp { get; set; }

    public ClusterPolicyPort? Udp { get; set; }

    public ClusterPolicyPort? Sctp { get; set; }

    public string? DestinationNamedPort { get; set; }
}

public sealed class ClusterPolicyPort : ApiObject
{
    public ClusterPolicyPortMatch? DestinationPort { get; set; }
}

public sealed class ClusterPolicyPortMatch : ApiObject
{
    public int? Number { get; set; }

    public ClusterPolicyPortRange? Range { get; set; }
}

public sealed class ClusterPolicyPortRange : ApiObject
{
    public int Start { get; set; }

    public int End { get; set; }
}

/// <summary>discovery.k8s.io/v1 EndpointSlice: the addresses and ports behind a service.</summary>
public sealed class EndpointSlice : ApiObject
{
    public const string ServiceLabel = "kubernetes.io/service-name";

    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    public List<SliceEndpoint>? Endpoints { get; set; }

    public List<SlicePort>? Ports { get; set; }
}

public sealed class SliceEndpoint : ApiObject
{
    public List<string>? Addresses { get; set; }
}

public sealed class SlicePort : ApiObject
{
    public string? Name { get; set; }

    /// <summary>TCP when absent.</summary>
    public string? Protocol { get; set; }

    /// <summary>Null for every port.</summary>
    public int? Port { get; set; }
}
