using Weft.Primitives.Net;

namespace Weft.Ipam;

/// <summary>
/// Address management over the datastore; every change is a compare-and-swap, so any number of allocators on any number of nodes may run at once.
/// </summary>
public interface IAddressAllocator
{
    /// <summary>All families asked for, or none: a family that cannot be had releases what the other got.</summary>
    /// <exception cref="IpamException">No address can be had; the text says why (pool full, no pool selects this node, block limit, ...).</exception>
    /// <exception cref="Datastore.DatastoreException">The store could not be asked.</exception>
    ValueTask<Allocation> AllocateAsync(AllocationRequest request, CancellationToken stop);

    /// <summary>
    /// The same in one round trip, for a handle that holds nothing yet and from a block the node has already. Null, and nothing was changed, when that is
    /// not so: <see cref="AllocateAsync"/> knows every other way.
    /// </summary>
    ValueTask<Allocation?> TryAllocateNewAsync(AllocationRequest request, CancellationToken stop) => ValueTask.FromResult<Allocation?>(null);

    /// <summary>Releases everything the handle holds. Releasing nothing is success.</summary>
    /// <returns>How many addresses were released.</returns>
    ValueTask<int> ReleaseByHandleAsync(string handleId, CancellationToken stop);

    /// <summary>The addresses a handle holds now.</summary>
    ValueTask<IReadOnlyList<IpAddress>> AddressesOfHandleAsync(string handleId, CancellationToken stop);
}

/// <summary>What an address is for (IPPool.spec.allowedUses).</summary>
public enum AddressUse : byte
{
    Workload,
    Tunnel,
    LoadBalancer,
}

/// <summary>A request for one address per family, or for particular addresses.</summary>
public sealed record AllocationRequest
{
    /// <summary>Under which the addresses are kept and released: "NETWORK.CONTAINERID" for a pod.</summary>
    public required string HandleId { get; init; }

    /// <summary>Name of the Node whose blocks are used.</summary>
    public required string Node { get; init; }

    public bool IPv4 { get; init; } = true;

    public bool IPv6 { get; init; }

    /// <summary>Particular addresses instead of any; at most one per family.</summary>
    public IReadOnlyList<IpAddress> Addresses { get; init; } = [];

    /// <summary>Pools by name or CIDR; empty for all that select the node.</summary>
    public IReadOnlyList<string> IPv4Pools { get; init; } = [];

    public IReadOnlyList<string> IPv6Pools { get; init; } = [];

    public AddressUse Use { get; init; } = AddressUse.Workload;

    /// <summary>Namespace of the pod, with its labels, for namespaceSelector; null outside Kubernetes.</summary>
    public IReadOnlyDictionary<string, string>? NamespaceLabels { get; init; }

    /// <summary>Stored beside the address: pod, namespace, node, timestamp, type.</summary>
    public IReadOnlyDictionary<string, string> Attributes { get; init; } = new Dictionary<string, string>();
}

/// <summary>One assigned address, with the block it comes from and the pool.</summary>
public sealed record AssignedAddress(IpAddress Address, IpPrefix Block, string Pool);

public sealed record Allocation(AssignedAddress? IPv4, AssignedAddress? IPv6)
{
    public IEnumerable<AssignedAddress> Addresses => new[] { IPv4, IPv6 }.OfType<AssignedAddress>();
}

/// <summary>No address can be had, for a reason the operator can act on.</summary>
public sealed class IpamException(string message) : Exception(message);
