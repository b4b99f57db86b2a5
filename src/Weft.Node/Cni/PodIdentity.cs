using Weft.Model.Keys;
using Weft.Model.Names;
using Weft.Model.Resources;
using Weft.Policy.Output;

namespace Weft.Node.Cni;

/// <summary>Who a call is about: the pod (or container) on this node, its names in the datastore and its interface on the host.</summary>
internal sealed record PodIdentity
{
    public const string Kubernetes = "k8s";
    public const string Container = "cni";

    /// <summary>"k8s" when CNI_ARGS names pod and namespace, else "cni".</summary>
    public required string Orchestrator { get; init; }

    public required string Namespace { get; init; }

    /// <summary>Name of the Kubernetes pod; empty under another orchestrator.</summary>
    public required string Pod { get; init; }

    public required string ContainerId { get; init; }

    public required string Node { get; init; }

    /// <summary>In the pod.</summary>
    public required string InterfaceName { get; init; }

    /// <summary>The pod has another interface of weft: then names and handle carry the interface's name too, where Calico, which makes one interface, has none.</summary>
    public bool IsAdditional { get; init; }

    /// <summary>The pod's, or, outside Kubernetes, the container's id: what one call at a time may work on.</summary>
    public string Workload => IsKubernetes ? $"{Namespace}/{Pod}" : ContainerId;

    public bool IsKubernetes => Orchestrator == Kubernetes;

    /// <summary>Host side of the veth pair. For a Kubernetes pod it follows from the pod's name, so that a new sandbox gets the same one.</summary>
    public string HostInterface => (IsKubernetes, IsAdditional) switch
    {
        (true, false) => Weft.Model.Names.InterfaceName.ForWorkload(Namespace, Pod),
        (true, true) => Weft.Model.Names.InterfaceName.ForWorkload(Namespace, $"{Pod}.{InterfaceName}"),
        (false, false) => Weft.Model.Names.InterfaceName.ForContainer(ContainerId),
        (false, true) => Weft.Model.Names.InterfaceName.ForWorkload(ContainerId, InterfaceName),
    };

    /// <summary>Under which the addresses are kept in this network.</summary>
    public string Handle(string network) => IsAdditional ? Handles.Of(network, $"{ContainerId}.{InterfaceName}") : Handles.Of(network, ContainerId);

    /// <summary>Written on the host side.</summary>
    public InterfaceOwner Owner(string network) => new(network, ContainerId, InterfaceName);

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
            InterfaceName = request.InterfaceName,
            Node = node,
        };
    }

    /// <summary>Begins every name that this pod's endpoint may have; only the interface name follows.</summary>
    /// <exception cref="CniException">A part cannot stand in a name.</exception>
    public string EndpointNamePrefix => Name(string.Empty).TryBuildPrefix(out string? prefix, out string? problem)
        ? prefix
        : throw new CniException(CniErrorCode.InvalidEnvironment, $"no WorkloadEndpoint can be named for {Workload} on {Node}: {problem}");

    /// <exception cref="CniException">A part cannot stand in a name.</exception>
    public ResourceKey EndpointKey(string interfaceName) => Name(interfaceName).TryBuild(out string? name, out string? problem)
        ? new ResourceKey(ResourceKind.WorkloadEndpoint, Namespace, name)
        : throw new CniException(CniErrorCode.InvalidEnvironment, $"no WorkloadEndpoint can be named for {Workload} on {Node}: {problem}");

    public WorkloadEndpointId EndpointId(string interfaceName) => new(Orchestrator, Workload, interfaceName);

    private WorkloadEndpointName Name(string interfaceName) => new(Node, Orchestrator, interfaceName, Pod, ContainerId);

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
