using System.Text.Json.Serialization;

namespace Weft.Model.Resources;

/// <summary>What all Calico policy kinds have in common. Fields that a kind does not have stay null.</summary>
public class PolicySpec : ApiObject
{
    /// <summary>"default" when empty.</summary>
    [JsonPropertyOrder(-1)]
    public string? Tier { get; set; }

    /// <summary>Lower first; null is last.</summary>
    [JsonPropertyOrder(-1)]
    public double? Order { get; set; }

    [JsonPropertyOrder(-1)]
    public List<Rule>? Ingress { get; set; }

    [JsonPropertyOrder(-1)]
    public List<Rule>? Egress { get; set; }

    [JsonPropertyOrder(-1)]
    public string? Selector { get; set; }

    /// <summary>"Ingress", "Egress"; inferred from the rules when absent.</summary>
    [JsonPropertyOrder(-1)]
    public List<string>? Types { get; set; }

    [JsonPropertyOrder(-1)]
    public string? ServiceAccountSelector { get; set; }

    [JsonPropertyOrder(-1)]
    public List<string>? PerformanceHints { get; set; }
}

/// <summary>Spec of NetworkPolicy.</summary>
public sealed class NetworkPolicySpec : PolicySpec;

/// <summary>Spec of GlobalNetworkPolicy.</summary>
public sealed class GlobalNetworkPolicySpec : PolicySpec
{
    public string? NamespaceSelector { get; set; }

    public bool? DoNotTrack { get; set; }

    public bool? PreDNAT { get; set; }

    public bool? ApplyOnForward { get; set; }
}

/// <summary>Spec of StagedNetworkPolicy.</summary>
public sealed class StagedNetworkPolicySpec : PolicySpec
{
    public string? StagedAction { get; set; }
}

/// <summary>Spec of StagedGlobalNetworkPolicy.</summary>
public sealed class StagedGlobalNetworkPolicySpec : PolicySpec
{
    public string? StagedAction { get; set; }

    public string? NamespaceSelector { get; set; }

    public bool? DoNotTrack { get; set; }

    public bool? PreDNAT { get; set; }

    public bool? ApplyOnForward { get; set; }
}

public sealed class NetworkPolicy() : Resource(ResourceKind.NetworkPolicy)
{
    public NetworkPolicySpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class GlobalNetworkPolicy() : Resource(ResourceKind.GlobalNetworkPolicy)
{
    public GlobalNetworkPolicySpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class StagedNetworkPolicy() : Resource(ResourceKind.StagedNetworkPolicy)
{
    public StagedNetworkPolicySpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class StagedGlobalNetworkPolicy() : Resource(ResourceKind.StagedGlobalNetworkPolicy)
{
    public StagedGlobalNetworkPolicySpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class Tier() : Resource(ResourceKind.Tier)
{
    public TierSpec Spec { get; set => field = value ?? new(); } = new();

    public ConditionsStatus? Status { get; set; }
}

public sealed class TierSpec : ApiObject
{
    public double? Order { get; set; }

    /// <summary>"Deny" or "Pass"; anything but Pass denies.</summary>
    public string? DefaultAction { get; set; }
}

public sealed class Profile() : Resource(ResourceKind.Profile)
{
    public ProfileSpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class ProfileSpec : ApiObject
{
    public List<Rule>? Ingress { get; set; }

    public List<Rule>? Egress { get; set; }

    /// <summary>Given to endpoints that lack the label themselves.</summary>
    public Dictionary<string, string>? LabelsToApply { get; set; }
}

public sealed class NetworkSet() : Resource(ResourceKind.NetworkSet)
{
    public NetworkSetSpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class GlobalNetworkSet() : Resource(ResourceKind.GlobalNetworkSet)
{
    public NetworkSetSpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class NetworkSetSpec : ApiObject
{
    public List<string>? Nets { get; set; }
}
