namespace Weft.Model.Resources;

/// <summary>One rule of a policy or profile. Order counts; the first match decides, except for Log.</summary>
public sealed class Rule : ApiObject
{
    /// <summary>Allow, Deny, Log or Pass.</summary>
    public string Action { get; set => field = value ?? string.Empty; } = string.Empty;

    /// <summary>4 or 6; null for both.</summary>
    public int? IpVersion { get; set; }

    public Protocol? Protocol { get; set; }

    public IcmpFields? Icmp { get; set; }

    public Protocol? NotProtocol { get; set; }

    public IcmpFields? NotICMP { get; set; }

    public EntityRule? Source { get; set; }

    public EntityRule? Destination { get; set; }

    public HttpMatch? Http { get; set; }

    public RuleMetadata? Metadata { get; set; }
}

/// <summary>ICMP type 0..254 and code 0..255; a code needs a type.</summary>
public sealed class IcmpFields : ApiObject
{
    public int? Type { get; set; }

    public int? Code { get; set; }
}

/// <summary>What a rule says of one end of a flow.</summary>
public sealed class EntityRule : ApiObject
{
    public List<string>? Nets { get; set; }

    public string? Selector { get; set; }

    public string? NamespaceSelector { get; set; }

    public ServiceMatch? Services { get; set; }

    public List<Port>? Ports { get; set; }

    public List<string>? NotNets { get; set; }

    public string? NotSelector { get; set; }

    public List<Port>? NotPorts { get; set; }

    public ServiceAccountMatch? ServiceAccounts { get; set; }
}

/// <summary>Match by Kubernetes service.</summary>
public sealed class ServiceMatch : ApiObject
{
    public string? Name { get; set; }

    public string? Namespace { get; set; }
}

/// <summary>Match by service account: names AND selector.</summary>
public sealed class ServiceAccountMatch : ApiObject
{
    public List<string>? Names { get; set; }

    public string? Selector { get; set; }
}

/// <summary>Match by HTTP request; enforced by no kernel, kept for compatibility.</summary>
public sealed class HttpMatch : ApiObject
{
    public List<string>? Methods { get; set; }

    public List<HttpPath>? Paths { get; set; }
}

/// <summary>Exactly one of the two.</summary>
public sealed class HttpPath : ApiObject
{
    public string? Exact { get; set; }

    public string? Prefix { get; set; }
}

/// <summary>Annotations of a rule; rendered as comments.</summary>
public sealed class RuleMetadata : ApiObject
{
    public Dictionary<string, string>? Annotations { get; set; }
}
