using Weft.Datastore;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Node.Cni;

/// <summary>
/// GC (specification 1.1.0): the runtime lists the attachments it knows; whatever else of this network and this node is left over goes: endpoints,
/// host interfaces, addresses. An address held under a handle of this network belongs to this node when its attributes say so.
/// </summary>
internal sealed class GcCommand(CniServices services)
{
    private readonly EndpointStore _endpoints = new(services.Datastore, services.Time);

    /// <exception cref="CniException">Something could not be removed; the rest was.</exception>
    public async ValueTask RunAsync(CniRequest request, string node, CancellationToken stop)
    {
        if (request.Config.ValidAttachments is not { } valid)
        {
            throw new CniException(CniErrorCode.InvalidConfiguration, "network configuration: cni.dev/valid-attachments: missing; without it GC would remove every pod");
        }

        await ClusterReadiness.RequireAsync(services.Datastore, stop);
        HashSet<string> keep = [.. valid.Select(a => a.ContainerId)];
        HashSet<string> keepHandles = [.. keep, .. valid.Select(a => $"{a.ContainerId}.{a.InterfaceName}")];
        HashSet<string> handles = await HandlesOfNodeAsync(request.Config.Name, node, stop);
        List<string> problems = [];
        await RemoveEndpointsAsync(request.Config.Name, node, keep, handles, problems, stop);
        await RemoveInterfacesAsync(request.Config.Name, valid, problems, stop);
        foreach (string container in handles.Where(c => !keepHandles.Contains(c)))
        {
            try
            {
                int released = await services.Addresses.ReleaseByHandleAsync(Handles.Of(request.Config.Name, container), stop);
                Log.Collected(services.Logger, request.Config.Name, container, released);
            }
            catch (DatastoreException e)
            {
                problems.Add(e.Message);
            }
        }

        if (problems.Count > 0)
        {
            throw new CniException(CniErrorCode.Failed, $"GC of network {request.Config.Name}: {problems[0]}", string.Join("; ", problems));
        }
    }

    /// <summary>What a call left that died before it wrote an endpoint: the links themselves say whose they are.</summary>
    private async ValueTask RemoveInterfacesAsync(string network, IReadOnlyList<ValidAttachment> valid, List<string> problems, CancellationToken stop)
    {
        foreach ((string hostName, InterfaceOwner owner) in await services.Network.OwnedAsync(stop))
        {
            if (owner.Network != network || valid.Contains(new ValidAttachment(owner.ContainerId, owner.InterfaceName)))
            {
                continue;
            }

            try
            {
                await services.Network.RemoveFromHostAsync(hostName, stop);
                Log.CollectedInterface(services.Logger, network, hostName, owner.ContainerId);
            }
            catch (CniException e)
            {
                problems.Add(e.Message);
            }
        }
    }

    /// <summary>Ids of the containers that hold addresses of this network on this node.</summary>
    private async ValueTask<HashSet<string>> HandlesOfNodeAsync(string network, string node, CancellationToken stop)
    {
        string prefix = network + ".";
        ListResult blocks = await services.Datastore.ListAsync(ModelPrefix.AllBlocks, stop);
        return
        [
            .. blocks.Items.Select(b => b.Value).OfType<AllocationBlock>()
                .SelectMany(b => b.Attributes)
                .Where(a => a.HandleId?.StartsWith(prefix, StringComparison.Ordinal) == true && a.Secondary?.GetValueOrDefault("node") == node)
                .Select(a => a.HandleId![prefix.Length..]),
        ];
    }

    private async ValueTask RemoveEndpointsAsync(
        string network, string node, HashSet<string> keep, HashSet<string> handles, List<string> problems, CancellationToken stop)
    {
        ListResult endpoints = await services.Datastore.ListAsync(ModelPrefix.Of(ResourceKind.WorkloadEndpoint), stop);
        foreach (KeyValue item in endpoints.Items)
        {
            WorkloadEndpoint endpoint = item.As<WorkloadEndpoint>();
            string container = endpoint.Spec.ContainerID ?? string.Empty;
            bool ofNetwork = handles.Contains(container) || handles.Contains($"{container}.{endpoint.Spec.Endpoint}") || endpoint.Spec.Profiles?.Contains(network) == true;
            if (endpoint.Spec.Node != node || container.Length == 0 || keep.Contains(container) || !ofNetwork)
            {
                continue;
            }

            try
            {
                if (await _endpoints.DeleteAsync(item, current => current.Spec.ContainerID == container, stop) && endpoint.Spec.InterfaceName is { Length: > 0 } host)
                {
                    await services.Network.RemoveFromHostAsync(host, stop);
                }
            }
            catch (Exception e) when (e is DatastoreException or CniException)
            {
                problems.Add(e.Message);
            }
        }
    }
}
