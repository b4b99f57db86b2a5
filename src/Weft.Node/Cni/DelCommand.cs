using System.Runtime.ExceptionServices;
using Weft.Datastore;
using Weft.Model.Resources;

namespace Weft.Node.Cni;

/// <summary>
/// DEL: takes away whatever of the container is left, in any state ADD or an earlier DEL may have left it, and fails only when the datastore cannot be
/// asked. The kernel's part is done even then: the runtime repeats DEL until it succeeds, the addresses wait for that.
/// <code>
///   cut the traffic (the link says whose it is) --+
///                                                 +--> release the addresses --> answer        ... the link is deleted
///   find and delete the workload endpoint --------+
/// </code>
/// </summary>
internal sealed class DelCommand(CniServices services)
{
    /// <summary>A namespace whose processes hang must not hold the datastore's part back.</summary>
    private static readonly TimeSpan s_kernelBudget = TimeSpan.FromSeconds(20);

    private readonly EndpointStore _endpoints = new(services.Datastore, services.Time);

    public async ValueTask RunAsync(CniRequest request, PodIdentity caller, CancellationToken stop)
    {
        long started = services.Time.GetTimestamp();
        using CancellationTokenSource limit = new(s_kernelBudget, services.Time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(stop, limit.Token);
        Task<CutOutcome> cutting = CutAsync(services.Network, request, caller, either.Token).AsTask();
        ExceptionDispatchInfo? datastoreTrouble = null;
        PodEndpoints stored = new(caller, []);
        bool ownsHostSide = !caller.IsKubernetes; // Outside Kubernetes the host side is named after the container, so it is this container's.
        try
        {
            Task<PodEndpoints> asked = _endpoints.FindAsync(caller, stop).AsTask();
            await ClusterReadiness.RequireAsync(services.Datastore, stop);
            stored = await asked;
            ownsHostSide = await DeleteEndpointAsync(stored, stop);
        }
        catch (Exception e) when (e is DatastoreException or CniException)
        {
            datastoreTrouble = ExceptionDispatchInfo.Capture(e);
        }

        if (await cutting == CutOutcome.Unknown)
        {
            // Nothing on the link says whose it is: the datastore did, or the namespace does.
            await DeleteInterfaceAsync(request, stored.Pod, ownsHostSide, either.Token);
        }

        datastoreTrouble?.Throw();

        // After the interface: an address must not be given to another pod while this one can still use it.
        int released = await new PodAddresses(services.Addresses, services.Time).ReleaseAsync(request, stored, stop);
        Log.Deleted(services.Logger, "DEL", caller.Workload, caller.ContainerId, released, (long)services.Time.GetElapsedTime(started).TotalMilliseconds);
    }

    /// <summary>Under either name that the host side of this interface may have; what is written on it keeps another's from being touched.</summary>
    public static async ValueTask<CutOutcome> CutAsync(IPodNetwork network, CniRequest request, PodIdentity pod, CancellationToken stop)
    {
        CutOutcome first = await network.CutAsync(AddCommand.Plan(request, pod, [], defaultMtu: null), stop);
        if (first == CutOutcome.Cut)
        {
            return first;
        }

        CutOutcome second = await network.CutAsync(AddCommand.Plan(request, pod with { IsAdditional = true }, [], defaultMtu: null), stop);
        return second == CutOutcome.Absent ? first : second;
    }

    /// <summary>False when the endpoint belongs to a newer container of the same pod: it and its host side stay.</summary>
    private async ValueTask<bool> DeleteEndpointAsync(PodEndpoints stored, CancellationToken stop)
    {
        if (stored.Found is not { } found)
        {
            return true;
        }

        PodIdentity pod = stored.Pod;
        bool deleted = await _endpoints.DeleteAsync(found, endpoint => endpoint.Spec.ContainerID is null or "" || endpoint.Spec.ContainerID == pod.ContainerId, stop);
        if (!deleted)
        {
            Log.NewerContainer(services.Logger, pod.Workload, found.As<WorkloadEndpoint>().Spec.ContainerID ?? string.Empty, pod.ContainerId);
        }

        return deleted;
    }

    private async ValueTask DeleteInterfaceAsync(CniRequest request, PodIdentity pod, bool ownsHostSide, CancellationToken stop)
    {
        if (request.NetnsPath.Length > 0)
        {
            await services.Network.RemoveFromPodAsync(request.NetnsPath, request.InterfaceName, stop);
        }

        if (ownsHostSide)
        {
            // The namespace's path may be gone while a process still holds the namespace, and with it the pair.
            await services.Network.RemoveFromHostAsync(pod.HostInterface, stop);
        }
    }
}
