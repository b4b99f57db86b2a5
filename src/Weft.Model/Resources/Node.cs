namespace Weft.Model.Resources;

/// <summary>A host of the cluster.</summary>
public sealed class Node() : Resource(ResourceKind.Node)
{
    public NodeSpec Spec { get; set => field = value ?? new(); } = new();

    public NodeStatus? Status { get; set; }
}

public sealed class NodeSpec : ApiObject
{
    public NodeBgpSpec? Bgp { get; set; }

    public string? Ipv4VXLANTunnelAddr { get; set; }

    public string? VxlanTunnelMACAddr { get; set; }

    public string? Ipv6VXLANTunnelAddr { get; set; }

    public string? VxlanTunnelMACAddrV6 { get; set; }

    public List<OrchRef>? OrchRefs { get; set; }

    public NodeWireguardSpec? Wireguard { get; set; }

    public List<NodeAddress>? Addresses { get; set; }

    public List<NodeInterface>? Interfaces { get; set; }
}

public sealed class NodeBgpSpec : ApiObject
{
    /// <summary>Decimal or dotted AS number in JSON as number or string; null takes the global one.</summary>
    public AsNumber? AsNumber { get; set; }

    /// <summary>Address with prefix length.</summary>
    public string? Ipv4Address { get; set; }

    /// <summary>Address with prefix length.</summary>
    public string? Ipv6Address { get; set; }

    public string? Ipv4IPIPTunnelAddr { get; set; }

    /// <summary>Written as an IPv4 address; makes the node a route reflector.</summary>
    public string? RouteReflectorClusterID { get; set; }
}

public sealed class OrchRef : ApiObject
{
    public string? NodeName { get; set; }

    public string? Orchestrator { get; set; }
}

public sealed class NodeWireguardSpec : ApiObject
{
    public string? InterfaceIPv4Address { get; set; }

    public string? InterfaceIPv6Address { get; set; }
}

public sealed class NodeAddress : ApiObject
{
    public string Address { get; set => field = value ?? string.Empty; } = string.Empty;

    /// <summary>"CalicoNodeIP", "InternalIP" or "ExternalIP".</summary>
    public string? Type { get; set; }
}

public sealed class NodeInterface : ApiObject
{
    public string? Name { get; set; }

    public List<string>? Addresses { get; set; }
}

public sealed class NodeStatus : ApiObject
{
    public string? WireguardPublicKey { get; set; }

    public string? WireguardPublicKeyV6 { get; set; }

    public List<string>? PodCIDRs { get; set; }
}

public sealed class ClusterInformation() : Resource(ResourceKind.ClusterInformation)
{
    public ClusterInformationSpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class ClusterInformationSpec : ApiObject
{
    public string? ClusterGUID { get; set; }

    public string? ClusterType { get; set; }

    public string? CalicoVersion { get; set; }

    /// <summary>False stops allocations and kernel writes; null counts as not yet set.</summary>
    public bool? DatastoreReady { get; set; }

    public string? Variant { get; set; }
}
