using Weft.Datastore;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Node.Cni;

/// <summary>CHECK: is everything still as ADD told the runtime (prevResult) and the datastore? All differences are in the one error.</summary>
internal sealed class CheckCommand(CniServices services)
{
    private readonly EndpointStore _endpoints = new(services.Datastore, services.Time);

    public async ValueTask RunAsync(CniRequest request, PodIdentity caller, CancellationToken stop)
    {
        CniResult previous = request.Config.PreviousResult
            ?? throw new CniException(CniErrorCode.InvalidConfiguration, "network configuration: prevResult: missing; CHECK compares with the result of ADD");
        int index = previous.Interfaces.ToList().FindIndex(i => i.Name == request.InterfaceName && i.Sandbox.Length > 0);
        if (index < 0)
        {
            throw new CniException(CniErrorCode.InvalidConfiguration, $"network configuration: prevResult: has no interface {request.InterfaceName} in a sandbox");
        }

        IReadOnlyList<IpAddress> addresses = [.. previous.Addresses.Where(a => a.Interface == index).Select(a => a.Address.Address)];
        PodEndpoints stored = await _endpoints.FindAsync(caller, stop);
        PodIdentity pod = stored.Pod;
        List<string> differences = [];
        await CompareKernelAsync(request, pod, previous.Interfaces[index], addresses, differences, stop);
        CompareDatastore(request, stored, addresses, differences);
        if (differences.Count > 0)
        {
            throw new CniException(CniErrorCode.CheckFailed, $"{pod.Workload}: {differences[0]}", string.Join("; ", differences));
        }
    }

    private async ValueTask CompareKernelAsync(
        CniRequest request, PodIdentity pod, ResultInterface told, IReadOnlyList<IpAddress> addresses, List<string> differences, CancellationToken stop)
    {
        PodInterface plan = AddCommand.Plan(request, pod, addresses, defaultMtu: null);
        if (await services.Network.ReadAsync(plan, stop) is not { } state)
        {
            differences.Add($"{request.InterfaceName} is not in {request.NetnsPath}");
            return;
        }

        differences.AddRange(state.DifferencesFrom(plan));
        if (told.Mac.Length > 0 && told.Mac != state.Mac.ToString())
        {
            differences.Add($"{request.InterfaceName} has MAC {state.Mac}, ADD told {told.Mac}");
        }

        if (told.Mtu > 0 && told.Mtu != state.Mtu)
        {
            differences.Add($"{request.InterfaceName} has MTU {state.Mtu}, ADD told {told.Mtu}");
        }

        foreach (IpAddress address in addresses.Where(a => !state.Reached.Contains(a)))
        {
            differences.Add($"the host has no route to {address} dev {pod.HostInterface}");
        }

        if (state.HostMac is { } hostMac && hostMac != MacAddress.HostVeth)
        {
            differences.Add($"{pod.HostInterface} has MAC {hostMac} instead of {MacAddress.HostVeth}");
        }
    }

    private void CompareDatastore(CniRequest request, PodEndpoints stored, IReadOnlyList<IpAddress> addresses, List<string> differences)
    {
        PodIdentity pod = stored.Pod;
        if (stored.Found?.Value is not WorkloadEndpoint endpoint)
        {
            differences.Add($"the WorkloadEndpoint {pod.Namespace}/{pod.EndpointKey(request.InterfaceName).Name} is missing");
            return;
        }

        if (endpoint.Spec.ContainerID != pod.ContainerId)
        {
            differences.Add($"the WorkloadEndpoint {endpoint.Metadata.Name} belongs to container {endpoint.Spec.ContainerID}");
        }

        if (!addresses.Select(a => a.ToPrefix().ToString()).ToHashSet().SetEquals(endpoint.Spec.IpNetworks ?? []))
        {
            differences.Add($"the WorkloadEndpoint {endpoint.Metadata.Name} has {string.Join(' ', endpoint.Spec.IpNetworks ?? [])}, ADD told {string.Join(' ', addresses)}");
        }

        if (services.PolicyWait.Missing(pod.EndpointId(endpoint.Spec.Endpoint ?? request.InterfaceName), stored.Found!.Revision) is { } missing)
        {
            differences.Add($"routes and policy of {endpoint.Metadata.Name} are not in the kernel: {missing}");
        }
    }
}
