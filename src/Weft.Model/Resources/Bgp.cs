namespace Weft.Model.Resources;

public sealed class BGPConfiguration() : Resource(ResourceKind.BGPConfiguration)
{
    public BGPConfigurationSpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class BGPConfigurationSpec : ApiObject
{
    public string? LogSeverityScreen { get; set; }

    /// <summary>True when absent.</summary>
    public bool? NodeToNodeMeshEnabled { get; set; }

    /// <summary>64512 when absent.</summary>
    public AsNumber? AsNumber { get; set; }

    public List<ServiceCidr>? ServiceClusterIPs { get; set; }

    public List<ServiceCidr>? ServiceExternalIPs { get; set; }

    public List<ServiceCidr>? ServiceLoadBalancerIPs { get; set; }

    public string? ServiceLoadBalancerAggregation { get; set; }

    public List<NamedCommunity>? Communities { get; set; }

    public List<PrefixAdvertisement>? PrefixAdvertisements { get; set; }

    /// <summary>179 when absent.</summary>
    public int? ListenPort { get; set; }

    public BgpPassword? NodeMeshPassword { get; set; }

    public string? NodeMeshMaxRestartTime { get; set; }

    public string? BindMode { get; set; }

    public List<string>? IgnoredInterfaces { get; set; }

    public string? LocalWorkloadPeeringIPV4 { get; set; }

    public string? LocalWorkloadPeeringIPV6 { get; set; }

    public string? ProgramClusterRoutes { get; set; }

    public int? Ipv4NormalRoutePriority { get; set; }

    public int? Ipv6NormalRoutePriority { get; set; }
}

public sealed class ServiceCidr : ApiObject
{
    public string? Cidr { get; set; }
}

public sealed class NamedCommunity : ApiObject
{
    public string? Name { get; set; }

    public string? Value { get; set; }
}

public sealed class PrefixAdvertisement : ApiObject
{
    public string? Cidr { get; set; }

    public List<string>? Communities { get; set; }
}

public sealed class BgpPassword : ApiObject
{
    public SecretKeyRef? SecretKeyRef { get; set; }
}

public sealed class SecretKeyRef : ApiObject
{
    public string? Name { get; set; }

    public string Key { get; set => field = value ?? string.Empty; } = string.Empty;

    public bool? Optional { get; set; }
}

public sealed class BGPPeer() : Resource(ResourceKind.BGPPeer)
{
    public BGPPeerSpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class BGPPeerSpec : ApiObject
{
    public string? Node { get; set; }

    public string? NodeSelector { get; set; }

    /// <summary>"ip", "v4:port" or "[v6]:port".</summary>
    public string? PeerIP { get; set; }

    public AsNumber? AsNumber { get; set; }

    public string? PeerSelector { get; set; }

    public AsNumber? LocalASNumber { get; set; }

    public bool? KeepOriginalNextHop { get; set; }

    public string? NextHopMode { get; set; }

    public BgpPassword? Password { get; set; }

    public string? SourceAddress { get; set; }

    public string? MaxRestartTime { get; set; }

    public string? KeepaliveTime { get; set; }

    public int? NumAllowedLocalASNumbers { get; set; }

    public int? TtlSecurity { get; set; }

    public string? ReachableBy { get; set; }

    public List<string>? Filters { get; set; }

    public string? LocalWorkloadSelector { get; set; }

    public string? ReversePeering { get; set; }
}

public sealed class BGPFilter() : Resource(ResourceKind.BGPFilter)
{
    public BGPFilterSpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class BGPFilterSpec : ApiObject
{
    public List<BGPFilterRule>? ImportV4 { get; set; }

    public List<BGPFilterRule>? ExportV4 { get; set; }

    public List<BGPFilterRule>? ImportV6 { get; set; }

    public List<BGPFilterRule>? ExportV6 { get; set; }
}

/// <summary>One rule of a filter; every condition given must hold.</summary>
public sealed class BGPFilterRule : ApiObject
{
    public string? Cidr { get; set; }

    /// <summary>Equal, NotEqual, In or NotIn; together with cidr or not at all.</summary>
    public string? MatchOperator { get; set; }

    public BGPFilterPrefixLength? PrefixLength { get; set; }

    public string? Source { get; set; }

    public string? Interface { get; set; }

    public BGPFilterCommunities? Communities { get; set; }

    public List<AsNumber>? AsPathPrefix { get; set; }

    public int? Priority { get; set; }

    public string? PeerType { get; set; }

    /// <summary>Accept or Reject.</summary>
    public string Action { get; set => field = value ?? string.Empty; } = string.Empty;

    public List<BGPFilterOperation>? Operations { get; set; }
}

public sealed class BGPFilterPrefixLength : ApiObject
{
    public int? Min { get; set; }

    public int? Max { get; set; }
}

public sealed class BGPFilterCommunities : ApiObject
{
    public List<string>? Values { get; set; }
}

/// <summary>Exactly one member is set.</summary>
public sealed class BGPFilterOperation : ApiObject
{
    public BGPFilterAddCommunity? AddCommunity { get; set; }

    public BGPFilterPrependAsPath? PrependASPath { get; set; }

    public BGPFilterSetPriority? SetPriority { get; set; }
}

public sealed class BGPFilterAddCommunity : ApiObject
{
    public string? Value { get; set; }
}

public sealed class BGPFilterPrependAsPath : ApiObject
{
    public List<AsNumber>? Prefix { get; set; }
}

public sealed class BGPFilterSetPriority : ApiObject
{
    public int? Value { get; set; }
}
