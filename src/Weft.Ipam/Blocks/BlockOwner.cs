using Weft.Model.Keys;
using Weft.Primitives.Net;

namespace Weft.Ipam.Blocks;

/// <summary>Who a block belongs to: a node, or a purpose such as the load balancer.</summary>
internal readonly record struct BlockOwner(AffinityType Type, string Name)
{
    private const string HostPrefix = "host:";
    private const string VirtualPrefix = "virtual:";

    /// <summary>Stands for the node where addresses of services come from.</summary>
    public static BlockOwner LoadBalancer => new(AffinityType.Virtual, "load-balancer");

    public static BlockOwner Node(string name) => new(AffinityType.Host, name);

    public static BlockOwner Of(string node, AddressUse use) => use == AddressUse.LoadBalancer ? LoadBalancer : Node(node);

    /// <summary>Null for a block without an owner and for text of another form.</summary>
    public static BlockOwner? Parse(string? affinity) => affinity switch
    {
        not null when affinity.StartsWith(HostPrefix, StringComparison.Ordinal) => Node(affinity[HostPrefix.Length..]),
        not null when affinity.StartsWith(VirtualPrefix, StringComparison.Ordinal) => new BlockOwner(AffinityType.Virtual, affinity[VirtualPrefix.Length..]),
        _ => null,
    };

    public BlockAffinityKey Affinity(IpPrefix cidr) => new(Type, Name, cidr);

    /// <summary>As it stands in a block: "host:node-a".</summary>
    public override string ToString() => (Type == AffinityType.Virtual ? VirtualPrefix : HostPrefix) + Name;
}
