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
        IpamConfig ipam = request.Config.Ipam;
        string handle = Handles.Of(request.Config.Name, pod.ContainerId);
        AllocationRequest wish = Wish(request, pod, handle);

        // One round trip for a container that has nothing yet. Not undone when its answer is lost: what the handle holds may then be of an earlier ADD that
        // serves a running container. What was written stays under the handle, where the next ADD takes it up and DEL releases it.
        if (await allocator.TryAllocateNewAsync(wish, stop) is { } fresh)
        {
            undo.Add($"addresses of {handle}", async limit => await allocator.ReleaseByHandleAsync(handle, limit));
            return Addresses(request, fresh);
        }

        IReadOnlyList<IpAddress> held = await allocator.AddressesOfHandleAsync(handle, stop);
        bool fits = request.WantedAddress is { } wanted ? held is [var only] && only == wanted
            : held.Count(a => a.IsIPv4) == (ipam.AssignIPv4 ? 1 : 0) && held.Count(a => a.IsIPv6) == (ipam.AssignIPv6 ? 1 : 0);
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
        IReadOnlyList<InterfaceAddress> addresses = Addresses(request, allocation);
        return addresses.Count > 0 ? addresses : throw new CniException(CniErrorCode.NoAddress, "IPAM returned no IP addresses: assign_ipv4 and assign_ipv6 are both off");
    }

    /// <returns>How many were released; 0 is success.</returns>
    public async ValueTask<int> ReleaseAsync(CniRequest request, PodIdentity pod, CancellationToken stop)
    {
        // At the same time: nearly never is there anything under the second, and it costs a round trip to learn that.
        int[] released = await Task.WhenAll(
            allocator.ReleaseByHandleAsync(Handles.Of(request.Config.Name, pod.ContainerId), stop).AsTask(),
            allocator.ReleaseByHandleAsync(Handles.Legacy(pod), stop).AsTask());
        return released.Sum();
    }

    private AllocationRequest Wish(CniRequest request, PodIdentity pod, string handle) => new()
    {
        HandleId = handle,
        Node = pod.Node,
        IPv4 = request.WantedAddress is { } one ? one.IsIPv4 : request.Config.Ipam.AssignIPv4,
        IPv6 = request.WantedAddress is { } other ? other.IsIPv6 : request.Config.Ipam.AssignIPv6,
        Addresses = request.WantedAddress is { } particular ? [particular] : [],
        IPv4Pools = request.Config.Ipam.IPv4Pools,
        IPv6Pools = request.Config.Ipam.IPv6Pools,
        Attributes = Handles.Attributes(pod, time.GetUtcNow()),
    };

    private static IReadOnlyList<InterfaceAddress> Addresses(CniRequest request, Allocation allocation) =>
        [.. allocation.Addresses.Select(a => new InterfaceAddress(a.Address, request.WantedAddress is null ? a.Block.Length : a.Address.BitLength))];
}
