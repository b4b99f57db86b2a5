using System.Text.Json.Serialization;
using Weft.Model.Json;

namespace Weft.Model.Resources;

/// <summary>A pod's interface (or a container's, under another orchestrator).</summary>
public sealed class WorkloadEndpoint() : Resource(ResourceKind.WorkloadEndpoint)
{
    public WorkloadEndpointSpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class WorkloadEndpointSpec : ApiObject
{
    /// <summary>"k8s" or "cni".</summary>
    public string? Orchestrator { get; set; }

    public string? Workload { get; set; }

    public string? Node { get; set; }

    public string? ContainerID { get; set; }

    public string? Pod { get; set; }

    /// <summary>Interface name inside the pod.</summary>
    public string? Endpoint { get; set; }

    public string? ServiceAccountName { get; set; }

    /// <summary>Single addresses as /32 or /128.</summary>
    public List<string>? IpNetworks { get; set; }

    public List<IpNat>? IpNATs { get; set; }

    public string? Ipv4Gateway { get; set; }

    public string? Ipv6Gateway { get; set; }

    public List<string>? Profiles { get; set; }

    /// <summary>Host side of the veth pair.</summary>
    public string? InterfaceName { get; set; }

    public string? Mac { get; set; }

    public List<WorkloadEndpointPort>? Ports { get; set; }

    public List<string>? AllowSpoofedSourcePrefixes { get; set; }

    public QosControls? QosControls { get; set; }
}

public sealed class IpNat : ApiObject
{
    public string? InternalIP { get; set; }

    public string? ExternalIP { get; set; }
}

public sealed class WorkloadEndpointPort : ApiObject
{
    public string? Name { get; set; }

    public Protocol Protocol { get; set; }

    public int Port { get; set; }

    public int? HostPort { get; set; }

    public string? HostIP { get; set; }
}

/// <summary>Bandwidth in bit/s, bursts in bits, packet rates per second; 0 or null is off.</summary>
public sealed class QosControls : ApiObject
{
    public long? IngressBandwidth { get; set; }

    public long? IngressBurst { get; set; }

    public long? IngressPeakrate { get; set; }

    /// <summary>Bytes.</summary>
    public long? IngressMinburst { get; set; }

    public long? EgressBandwidth { get; set; }

    public long? EgressBurst { get; set; }

    public long? EgressPeakrate { get; set; }

    /// <summary>Bytes.</summary>
    public long? EgressMinburst { get; set; }

    public long? IngressPacketRate { get; set; }

    public long? IngressPacketBurst { get; set; }

    public long? EgressPacketRate { get; set; }

    public long? EgressPacketBurst { get; set; }

    public long? IngressMaxConnections { get; set; }

    public long? EgressMaxConnections { get; set; }

    /// <summary>0..63; in JSON a number or a name such as "AF11".</summary>
    [JsonConverter(typeof(DscpConverter))]
    public int? Dscp { get; set; }
}

/// <summary>An interface of the host itself.</summary>
public sealed class HostEndpoint() : Resource(ResourceKind.HostEndpoint)
{
    public HostEndpointSpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class HostEndpointSpec : ApiObject
{
    public string? Node { get; set; }

    /// <summary>A name, or "*" for all interfaces, or empty when expectedIPs choose.</summary>
    public string? InterfaceName { get; set; }

    public List<string>? ExpectedIPs { get; set; }

    public List<string>? Profiles { get; set; }

    public List<EndpointPort>? Ports { get; set; }
}

public sealed class EndpointPort : ApiObject
{
    public string Name { get; set => field = value ?? string.Empty; } = string.Empty;

    public Protocol Protocol { get; set; }

    public int Port { get; set; }
}
