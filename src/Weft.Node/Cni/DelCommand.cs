using Weft.Datastore;
using Weft.Model.Resources;

namespace Weft.Node.Cni;

/// <summary>
/// DEL: takes away whatever of the container is left, in any state ADD or an earlier DEL may have left it, and fails only when the datastore cannot be
/// asked. The kernel's part is done even then: the runtime repeats DEL until it succeeds, the addresses wait for that.
/// </summary>
internal sealed class DelCommand(CniServices services)
{
    /// <summary>A namespace whose processes hang must not hold the datastore's part back.</summary>
    private static readonly TimeSpan s_kernelBudget = TimeSpan.FromSeconds(20);

    private readonly EndpointStore _endpoints = new(services.Datastore, services.Time);

    public async ValueTask RunAsync(CniRequest request, PodIdentity pod, CancellationToken stop)
    {
        long started = services.Time.GetTimestamp();
        Exception? datastoreTrouble = null;
        bool ownsHostSide = !pod.IsKubernetes; // Outside Kubernetes the host side is named after the container, so it is this container's.
        try
        {
            await ClusterReadiness.RequireAsync(services.Datastore, stop);
            ownsHostSide = await DeleteEndpointAsync(pod, stop);
        }
        catch (Exception e) when (e is DatastoreException or CniException)
        {
            datastoreTrouble = e;
        }

        await DeleteInterfaceAsync(request, pod, ownsHostSide, stop);
        if (datastoreTrouble is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(datastoreTrouble);
        }

        // After the interface: an address must not be given to another pod while this one can still use it.
        int released = await new PodAddresses(services.Addresses, services.Time).ReleaseAsync(request, pod, stop);
        Log.Deleted(services.Logger, "DEL", pod.Workload, pod.ContainerId, released, (long)services.Time.GetElapsedTime(started).TotalMilliseconds);
    }

    /// <summary>False when the endpoint belongs to a newer container of the same pod: it and its host side stay.</summary>
    private async ValueTask<bool> DeleteEndpointAsync(PodIdentity pod, CancellationToken stop)
    {
        if (await _endpoints.FindAsync(pod, stop) is not { } found)
        {
            return true;
        }

        bool deleted = await _endpoints.DeleteAsync(found, endpoint => endpoint.Spec.ContainerID is null or "" || endpoint.Spec.ContainerID == pod.ContainerId, stop);
        if (!deleted)
        {
            Log.NewerContainer(services.Logger, pod.Workload, found.As<WorkloadEndpoint>().Spec.ContainerID ?? string.Empty, pod.ContainerId);
        }

        return deleted;
    }

    private async ValueTask DeleteInterfaceAsync(CniRequest request, PodIdentity pod, bool ownsHostSide, CancellationToken stop)
    {
        using CancellationTokenSource limit = new(s_kernelBudget, services.Time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(stop, limit.Token);
        if (request.NetnsPath.Length > 0)
        {
            await services.Network.RemoveFromPodAsync(request.NetnsPath, request.InterfaceName, either.Token);
        }

        if (ownsHostSide)
        {
            // The namespace's path may be gone while a process still holds the namespace, and with it the pair.
            await services.Network.RemoveFromHostAsync(pod.HostInterface, either.Token);
        }
    }
}
