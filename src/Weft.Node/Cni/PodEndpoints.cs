using Weft.Datastore;
using Weft.Model.Resources;

namespace Weft.Node.Cni;

/// <summary>
/// The endpoints that the datastore has of one pod, seen from a call about one of its interfaces. A pod has one endpoint, whatever its sandbox is and whatever its
/// interface is called, unless the same sandbox is given a second interface.
/// </summary>
internal sealed class PodEndpoints(PodIdentity pod, IReadOnlyList<KeyValue> stored)
{
    /// <summary>The endpoint of this interface, or the one to take over from an older sandbox; null for none.</summary>
    public KeyValue? Found { get; } =
        stored.FirstOrDefault(e => Spec(e).Endpoint == pod.InterfaceName) ?? stored.FirstOrDefault(e => Spec(e).ContainerID != pod.ContainerId);

    /// <summary>Who the call is about, now that the pod's other interfaces are known.</summary>
    public PodIdentity Pod { get; } = pod with { IsAdditional = IsAdditional(pod, stored) };

    /// <summary>The datastore has nothing of this sandbox: an earlier call may have died before it wrote, or after it deleted.</summary>
    public bool IsUnknown => !stored.Any(e => Spec(e).ContainerID == pod.ContainerId);

    /// <summary>An endpoint that is there says by its host side which kind it is; a new one is additional when its sandbox has another.</summary>
    private static bool IsAdditional(PodIdentity pod, IReadOnlyList<KeyValue> stored)
    {
        IEnumerable<WorkloadEndpointSpec> sandbox = stored.Select(Spec).Where(e => e.ContainerID == pod.ContainerId);
        return sandbox.FirstOrDefault(e => e.Endpoint == pod.InterfaceName) is { } own
            ? own.InterfaceName == (pod with { IsAdditional = true }).HostInterface
            : sandbox.Any();
    }

    private static WorkloadEndpointSpec Spec(KeyValue stored) => stored.As<WorkloadEndpoint>().Spec;
}
