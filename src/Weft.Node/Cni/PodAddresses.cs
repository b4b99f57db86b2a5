using Weft.Ipam;
using Weft.Primitives.Net;

namespace Weft.Node.Cni;

/// <summary>The addresses of one container, under its handle.</summary>
internal sealed class PodAddresses(IAddressAllocator allocator, TimeProvider time)
{
    /// <summary>
    /// Takes what the request asks for. An earlier ADD of this container that died half way has left its addresses under the handle: they are taken up again,
    /// so repeating never leaks.
    /// </summary>
    /// <returns>At least one. New ones carry the length of their block; particular and re-used ones their full length, as Calico's plugin tells them.</returns>
    /// <exception cref="IpamException">No address can be had.</exception>
    public async ValueTask<IReadOnlyList<InterfaceAddress>> TakeAsync(CniRequest request, PodIdentity pod, UndoList undo, CancellationToken stop)
    {
        PodWishes wishes = request.Wishes;
        if (wishes.WithoutIpam)
        {
            return [.. wishes.Addresses.Select(a => new InterfaceAddress(a, a.BitLength))];
        }

        string handle = pod.Handle(request.Config.Name);
        AllocationRequest wish = Wish(wishes, pod, handle);

        // One round trip for a container that has nothing yet. Not undone when its answer is lost: what the handle holds may then be of an earlier ADD that
        // serves a running container. What was written stays under the handle, where the next ADD takes it up and DEL releases it.
        if (await allocator.TryAllocateNewAsync(wish, stop) is { } fresh)
        {
            undo.Add($"addresses of {handle}", async limit => await allocator.ReleaseByHandleAsync(handle, limit));
            return Addresses(wishes, fresh);
        }

        IReadOnlyList<IpAddress> held = await allocator.AddressesOfHandleAsync(handle, stop);
        bool fits = wishes.Addresses.Count > 0 ? wishes.Addresses.ToHashSet().SetEquals(held)
            : held.Count(a => a.IsIPv4) == (wishes.AssignIPv4 ? 1 : 0) && held.Count(a => a.IsIPv6) == (wishes.AssignIPv6 ? 1 : 0);
        if (held.Count > 0 && fits)
        {
            return [.. held.Select(a => new InterfaceAddress(a, a.BitLength))];
        }

        if (held.Count > 0)
        {
            await allocator.ReleaseByHandleAsync(handle, stop);
        }

        // Registered before the step: an allocation that was cut off may have written its block.
        undo.Add($"addresses of {handle}", async limit => await allocator.ReleaseByHandleAsync(handle, limit));
        Allocation allocation = await allocator.AllocateAsync(wish, stop);
        IReadOnlyList<InterfaceAddress> addresses = Addresses(wishes, allocation);
        return addresses.Count > 0 ? addresses : throw new CniException(CniErrorCode.NoAddress, "IPAM returned no IP addresses: assign_ipv4 and assign_ipv6 are both off");
    }

    /// <summary>Both names a sandbox's handle may have are released when the datastore does not tell which it was.</summary>
    /// <returns>How many were released; 0 is success.</returns>
    public async ValueTask<int> ReleaseAsync(CniRequest request, PodEndpoints endpoints, CancellationToken stop)
    {
        PodIdentity pod = endpoints.Pod;
        List<string> handles = [pod.Handle(request.Config.Name)];
        if (!pod.IsAdditional)
        {
            handles.Add(Handles.Legacy(pod));
        }

        if (endpoints.IsUnknown)
        {
            handles.Add((pod with { IsAdditional = !pod.IsAdditional }).Handle(request.Config.Name));
        }

        // At the same time: nearly never is there anything under the others, and it costs a round trip to learn that.
        int[] released = await Task.WhenAll(handles.Select(handle => allocator.ReleaseByHandleAsync(handle, stop).AsTask()));
        return released.Sum();
    }

    private AllocationRequest Wish(PodWishes wishes, PodIdentity pod, string handle)
    {
        bool particular = wishes.Addresses.Count > 0;
        return new AllocationRequest
        {
            HandleId = handle,
            Node = pod.Node,
            IPv4 = particular ? wishes.Addresses.Any(a => a.IsIPv4) : wishes.AssignIPv4,
            IPv6 = particular ? wishes.Addresses.Any(a => a.IsIPv6) : wishes.AssignIPv6,
            Addresses = wishes.Addresses,
            IPv4Pools = wishes.IPv4Pools,
            IPv6Pools = wishes.IPv6Pools,
            Attributes = Handles.Attributes(pod, time.GetUtcNow()),
        };
    }

    private static IReadOnlyList<InterfaceAddress> Addresses(PodWishes wishes, Allocation allocation) =>
        [.. allocation.Addresses.Select(a => new InterfaceAddress(a.Address, wishes.Addresses.Count == 0 ? a.Block.Length : a.Address.BitLength))];
}
