using Weft.Datastore;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Node.Cni;

/// <summary>
/// ADD: a list of steps, each with its undo, run in reverse when a later one fails.
/// <code>
///   step                      undo
///   1 datastore ready         -
///   2 existing endpoint       -          (same container, all in place: its result again, nothing touched)
///   3 addresses               release by handle, unless the handle had them before
///   4 pod interface           delete it                                  \ side by side: the MAC address is chosen
///   5 profile of the network  -          (shared by all its pods)         | beforehand, so the kernel and the
///   6 workload endpoint       delete it, or put back what was there      / datastore need not wait for each other
///   7 policy in the kernel    -          (over time: all of the above is undone, the pod does not start)
/// </code>
/// </summary>
internal sealed class AddCommand(CniServices services)
{
    private readonly EndpointStore _endpoints = new(services.Datastore, services.Time);
    private readonly PodAddresses _addresses = new(services.Addresses, services.Time);

    public async ValueTask<CniResult> RunAsync(CniRequest request, PodIdentity caller, CancellationToken stop)
    {
        if (services.Readiness.NotStarted is { } reason)
        {
            throw new CniException(CniErrorCode.TryAgainLater, reason);
        }

        // Both are asked at once: neither says anything about the other.
        long started = services.Time.GetTimestamp();
        Task<PodEndpoints> asked = _endpoints.FindAsync(caller, stop).AsTask();
        await ClusterReadiness.RequireAsync(services.Datastore, stop);
        PodEndpoints stored = await asked;
        PodIdentity pod = stored.Pod;
        KeyValue? found = stored.Found;
        WorkloadEndpoint? existing = found?.Value as WorkloadEndpoint;
        if (found is not null && existing!.Spec.ContainerID == pod.ContainerId && await IsInPlaceAsync(request, pod, existing, stop) is { } state)
        {
            return await AgainAsync(request, pod, found, state, stop);
        }

        UndoList undo = new(services.Logger, services.Time);
        try
        {
            CniResult result = await RunStepsAsync(request, pod, found, undo, stop);
            Log.Added(services.Logger, "ADD", pod.Workload, pod.ContainerId, string.Join(' ', result.Addresses.Select(a => a.Address)), pod.HostInterface,
                (long)services.Time.GetElapsedTime(started).TotalMilliseconds);
            return result.After(request.Config.PreviousResult);
        }
        catch
        {
            await undo.RunAsync();
            throw;
        }
    }

    /// <summary>The interface a pod gets for this request; the MTU of the configuration beats the node's.</summary>
    public static PodInterface Plan(CniRequest request, PodIdentity pod, IReadOnlyList<IpAddress> addresses, int? defaultMtu) => new()
    {
        NetnsPath = request.NetnsPath,
        Name = request.InterfaceName,
        HostName = pod.HostInterface,
        Owner = pod.Owner(request.Config.Name),
        Mac = request.Wishes.Mac,
        Mtu = request.Config.Mtu ?? defaultMtu,
        Queues = request.Config.Queues,
        Addresses = addresses,
        AllowIpForwarding = request.Config.AllowIpForwarding,
        IsAdditional = pod.IsAdditional,
        Qos = request.Wishes.Qos,
    };

    private async ValueTask<CniResult> RunStepsAsync(CniRequest request, PodIdentity pod, KeyValue? found, UndoList undo, CancellationToken stop)
    {
        int? mtu = request.Config.Mtu ?? services.DefaultMtu();
        if (mtu is null && request.Config.RequireMtuFile)
        {
            throw new CniException(CniErrorCode.TryAgainLater, "network configuration: require_mtu_file: neither mtu nor the MTU file of the node says what interfaces get");
        }

        IReadOnlyList<IpAddress> addresses = [.. (await _addresses.TakeAsync(request, pod, undo, stop)).Select(a => a.Address)];
        PodInterface plan = Plan(request, pod, addresses, mtu);
        plan = plan with { Mac = plan.Mac ?? PodInterface.RandomMac() };

        // Registered before the step: a pair that was made but not finished must go as well.
        undo.Add($"interface {plan.HostName}", limit => RemoveInterfaceAsync(plan, limit));
        Task<(MacAddress Mac, int Mtu)> made = services.Network.CreateAsync(plan, stop).AsTask();
        (Revision Revision, ResourceKey Key) written;
        try
        {
            written = await WriteEndpointAsync(request, pod, found, plan, undo, stop);
        }
        catch
        {
            // What is being made must be there before it can be taken away again; its own failure adds nothing to the first one.
            await made.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            throw;
        }

        (MacAddress mac, int actualMtu) = await made;
        await AwaitPolicyAsync(request, pod.EndpointId(EndpointName(request, found)), written.Revision, stop);
        return Result(plan, mac, actualMtu, request.Config);
    }

    private static string EndpointName(CniRequest request, KeyValue? found) => (found?.Value as WorkloadEndpoint)?.Spec.Endpoint ?? request.InterfaceName;

    private async ValueTask<(Revision Revision, ResourceKey Key)> WriteEndpointAsync(
        CniRequest request, PodIdentity pod, KeyValue? found, PodInterface plan, UndoList undo, CancellationToken stop)
    {
        if (!request.Config.KubernetesPolicy)
        {
            await _endpoints.EnsureProfileAsync(request.Config.Name, pod.IsKubernetes, stop);
        }

        string endpointName = EndpointName(request, found);
        ResourceKey key = found?.Key as ResourceKey ?? pod.EndpointKey(endpointName);
        WorkloadEndpoint endpoint = NewEndpoint(request, pod, key, endpointName, plan.Addresses, plan.Mac!.Value);
        Revision revision = await _endpoints.WriteAsync(key, endpoint, found, stop);
        undo.Add($"endpoint {key}", limit => RestoreEndpointAsync(key, found, revision, limit));
        return (revision, key);
    }

    private async ValueTask AwaitPolicyAsync(CniRequest request, Weft.Policy.Output.WorkloadEndpointId endpoint, Revision revision, CancellationToken stop)
    {
        try
        {
            await services.PolicyWait.WaitAsync(endpoint, revision, request.Config.PolicyWait, stop);
        }
        catch (CniException e) when (e.Code == CniErrorCode.PolicyNotProgrammed && services.PodsStartWithoutPolicy)
        {
            Log.PolicyNotAwaited(services.Logger, endpoint.ToString(), e.Message);
        }
    }

    private WorkloadEndpoint NewEndpoint(
        CniRequest request, PodIdentity pod, ResourceKey key, string endpointName, IReadOnlyList<IpAddress> addresses, MacAddress mac)
    {
        ObjectMeta metadata = _endpoints.NewMetadata(key.Name, pod.Namespace);
        metadata.Labels = new Dictionary<string, string>(request.Config.Labels)
        {
            [EndpointLabels.Namespace] = pod.Namespace,
            [EndpointLabels.Orchestrator] = pod.Orchestrator,
        };
        return new WorkloadEndpoint
        {
            Metadata = metadata,
            Spec = new WorkloadEndpointSpec
            {
                Orchestrator = pod.Orchestrator,
                Node = pod.Node,
                ContainerID = pod.ContainerId,
                Pod = pod.IsKubernetes ? pod.Pod : null,
                Endpoint = endpointName,
                IpNetworks = [.. addresses.Select(a => a.ToPrefix().ToString())],
                Profiles = [request.Config.KubernetesPolicy ? $"kns.{pod.Namespace}" : request.Config.Name],
                InterfaceName = pod.HostInterface,
                Mac = mac.ToString(),
                QosControls = request.Wishes.Qos,
                IpNATs = FloatingAddresses(request.Wishes, addresses),
            },
        };
    }

    /// <summary>Each external address is paired with the pod's own of its family; one without a partner is left out, as Calico does.</summary>
    private static List<IpNat>? FloatingAddresses(PodWishes wishes, IReadOnlyList<IpAddress> addresses)
    {
        List<IpNat> pairs = [];
        foreach (IpAddress external in wishes.FloatingAddresses)
        {
            foreach (IpAddress own in addresses.Where(a => a.Family == external.Family))
            {
                pairs.Add(new IpNat { InternalIP = own.ToString(), ExternalIP = external.ToString() });
            }
        }

        return pairs.Count > 0 ? pairs : null;
    }

    private static CniResult Result(PodInterface plan, MacAddress mac, int mtu, NetworkConfig config) => new()
    {
        Interfaces = [new ResultInterface(plan.HostName), new ResultInterface(plan.Name, mac.ToString(), mtu, plan.NetnsPath)],
        Addresses = [.. plan.Addresses.Select(a => new ResultAddress(1, new InterfaceAddress(a, a.BitLength)))],
        Routes = [.. plan.Routes.Select(r => new ResultRoute(r.Destination, r.Gateway))],
        Dns = config.Dns,
    };

    /// <summary>Null when the pod's interface is not (or no longer) what the endpoint says, so that it must be made anew.</summary>
    private async ValueTask<PodInterfaceState?> IsInPlaceAsync(CniRequest request, PodIdentity pod, WorkloadEndpoint existing, CancellationToken stop)
    {
        IReadOnlyList<IpAddress> addresses = AddressesOf(existing);
        PodInterface plan = Plan(request, pod, addresses, services.DefaultMtu()) with { Name = existing.Spec.Endpoint ?? request.InterfaceName };
        PodInterfaceState? state = addresses.Count == 0 ? null : await services.Network.ReadAsync(plan, stop);
        return state is not null && state.DifferencesFrom(plan).Count == 0 && state.Mac.ToString() == existing.Spec.Mac ? state : null;
    }

    /// <summary>The same container again, perhaps for another network: that network's profile is added, addresses and interface stay.</summary>
    private async ValueTask<CniResult> AgainAsync(CniRequest request, PodIdentity pod, KeyValue found, PodInterfaceState state, CancellationToken stop)
    {
        WorkloadEndpoint endpoint = found.As<WorkloadEndpoint>();
        string endpointName = endpoint.Spec.Endpoint ?? request.InterfaceName;
        Revision revision = found.Revision;
        if (!request.Config.KubernetesPolicy && endpoint.Spec.Profiles?.Contains(request.Config.Name) != true)
        {
            await _endpoints.EnsureProfileAsync(request.Config.Name, pod.IsKubernetes, stop);
            endpoint.Spec.Profiles = [.. endpoint.Spec.Profiles ?? [], request.Config.Name];
            revision = await _endpoints.WriteAsync((ResourceKey)found.Key, endpoint, found, stop);
        }

        await AwaitPolicyAsync(request, pod.EndpointId(endpointName), revision, stop);
        PodInterface plan = Plan(request, pod, AddressesOf(endpoint), services.DefaultMtu()) with { Name = endpointName };
        return Result(plan, state.Mac, state.Mtu, request.Config).After(request.Config.PreviousResult);
    }

    private async ValueTask RemoveInterfaceAsync(PodInterface plan, CancellationToken stop)
    {
        await services.Network.RemoveFromPodAsync(plan.NetnsPath, plan.Name, stop);
        await services.Network.RemoveFromHostAsync(plan.HostName, stop);
    }

    /// <summary>Only if it is still what this call wrote.</summary>
    private async ValueTask RestoreEndpointAsync(ResourceKey key, KeyValue? before, Revision written, CancellationToken stop)
    {
        if (before is null)
        {
            await services.Datastore.DeleteAsync(key, written, stop);
        }
        else
        {
            await services.Datastore.UpdateAsync(key, before.Value, written, stop);
        }
    }

    private static IReadOnlyList<IpAddress> AddressesOf(WorkloadEndpoint endpoint) =>
        [.. (endpoint.Spec.IpNetworks ?? []).Select(n => IpPrefix.TryParseNet(n, out IpPrefix p) ? p.Address : default).Where(a => a.BitLength > 0)];
}
