using Weft.Primitives.Net;

namespace Weft.Node.Cni;

/// <summary>
/// weft as the address plugin of another plugin ("ipam": {"type": "weft-ipam"}): addresses and nothing else. The caller makes the interface, so nobody waits
/// for policy here.
/// </summary>
internal sealed class IpamCommand(CniServices services)
{
    private readonly PodAddresses _addresses = new(services.Addresses, services.Time);

    public async ValueTask<CniResult> AddAsync(CniRequest request, PodIdentity pod, CancellationToken stop)
    {
        await ClusterReadiness.RequireAsync(services.Datastore, stop);
        UndoList undo = new(services.Logger, services.Time);
        try
        {
            IReadOnlyList<InterfaceAddress> addresses = await _addresses.TakeAsync(request, pod, undo, stop);
            return new CniResult
            {
                Addresses = [.. addresses.Select(a => new ResultAddress(null, a))],
                Routes = [.. addresses.Select(a => new ResultRoute(a.Address.ToPrefix(), null))],
            };
        }
        catch
        {
            await undo.RunAsync();
            throw;
        }
    }

    public async ValueTask DelAsync(CniRequest request, PodIdentity pod, CancellationToken stop)
    {
        await ClusterReadiness.RequireAsync(services.Datastore, stop);
        await _addresses.ReleaseAsync(request, new PodEndpoints(pod, []), stop);
    }

    public async ValueTask CheckAsync(CniRequest request, PodIdentity pod, CancellationToken stop)
    {
        IReadOnlyList<IpAddress> held = await services.Addresses.AddressesOfHandleAsync(Handles.Of(request.Config.Name, pod.ContainerId), stop);
        foreach (ResultAddress told in request.Config.PreviousResult?.Addresses ?? [])
        {
            if (!held.Contains(told.Address.Address))
            {
                throw new CniException(CniErrorCode.CheckFailed, $"{pod.Workload}: {told.Address.Address} is not held under {Handles.Of(request.Config.Name, pod.ContainerId)}");
            }
        }
    }
}
