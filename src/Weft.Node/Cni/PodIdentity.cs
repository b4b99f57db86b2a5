using System.Security.Cryptography;
using System.Text;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Policy.Output;

namespace Weft.Node.Cni;

/// <summary>Who a call is about: the pod (or container) on this node, its names in the datastore and its interface on the host.</summary>
internal sealed record PodIdentity
{
    public const string Kubernetes = "k8s";
    public const string Container = "cni";

    /// <summary>Calico's default for FelixConfiguration.interfacePrefix; everything with this prefix is a pod's and is closed until policy opens it.</summary>
    private const string HostPrefix = "cali";

    /// <summary>"k8s" when CNI_ARGS names pod and namespace, else "cni".</summary>
    public required string Orchestrator { get; init; }

    public required string Namespace { get; init; }

    /// <summary>Name of the Kubernetes pod; empty under another orchestrator.</summary>
    public required string Pod { get; init; }

    public required string ContainerId { get; init; }

    public required string Node { get; init; }

    /// <summary>The pod's, or, outside Kubernetes, the container's id: what one call at a time may work on.</summary>
    public string Workload => IsKubernetes ? $"{Namespace}/{Pod}" : ContainerId;

    public bool IsKubernetes => Orchestrator == Kubernetes;

    /// <summary>Host side of the veth pair. For a Kubernetes pod it follows from the pod's name, so that a new sandbox gets the same one.</summary>
    public string HostInterface => HostPrefix + (IsKubernetes
        ? Convert.ToHexStringLower(SHA1.HashData(Encoding.UTF8.GetBytes($"{Namespace}.{Pod}")))[..11]
        : ContainerId[..Math.Min(11, ContainerId.Length)]);

    /// <param name="request">A request for ADD, DEL or CHECK.</param>
    /// <param name="node">Name of the Node resource.</param>
    public static PodIdentity Of(CniRequest request, string node)
    {
        string pod = request.Arguments.GetValueOrDefault("K8S_POD_NAME", string.Empty);
        string space = request.Arguments.GetValueOrDefault("K8S_POD_NAMESPACE", string.Empty);
        bool kubernetes = pod.Length > 0 && space.Length > 0;
        return new PodIdentity
        {
            Orchestrator = kubernetes ? Kubernetes : Container,
            Namespace = kubernetes ? space : OtherNamespace(request),
            Pod = kubernetes ? pod : string.Empty,
            ContainerId = request.ContainerId,
            Node = node,
        };
    }

    /// <summary>Begins every name that this pod's endpoint may have; only the interface name follows.</summary>
    public string EndpointNamePrefix => WorkloadEndpointName.Prefix(Node, Orchestrator, IsKubernetes ? Pod : ContainerId);

    public ResourceKey EndpointKey(string interfaceName) =>
        new(ResourceKind.WorkloadEndpoint, Namespace, WorkloadEndpointName.Format(Node, Orchestrator, IsKubernetes ? Pod : ContainerId, interfaceName));

    public WorkloadEndpointId EndpointId(string interfaceName) => new(Orchestrator, Workload, interfaceName);

    /// <summary>Outside Kubernetes the label decides, as for Mesos; CNI_TEST_NAMESPACE is what Calico's own tests use.</summary>
    private static string OtherNamespace(CniRequest request) =>
        request.Config.Labels.GetValueOrDefault(EndpointLabels.Namespace) ?? request.Arguments.GetValueOrDefault("CNI_TEST_NAMESPACE") ?? "default";
}

/// <summary>Labels that weft sets itself on every endpoint, as Calico does.</summary>
internal static class EndpointLabels
{
    public const string Namespace = "projectcalico.org/namespace";
    public const string Orchestrator = "projectcalico.org/orchestrator";
}
