namespace Weft.Model.Resources;

/// <summary>What all Calico policy kinds have in common. Fields that a kind does not have stay null.</summary>
public class PolicySpec
{
    /// <summary>"default" when empty.</summary>
    public string? Tier { get; set; }

    /// <summary>Lower first; null is last.</summary>
    public double? Order { get; set; }

    public List<Rule>? Ingress { get; set; }

    public List<Rule>? Egress { get; set; }

    public string? Selector { get; set; }

    /// <summary>"Ingress", "Egress"; inferred from the rules when absent.</summary>
    public List<string>? Types { get; set; }

    public string? ServiceAccountSelector { get; set; }

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

public sealed class NetworkPolicy : Resource
{
    public override ResourceKind ResourceKind => ResourceKind.NetworkPolicy;

    public NetworkPolicySpec Spec { get; set; } = new();
}

public sealed class GlobalNetworkPolicy : Resource
{
    public override ResourceKind ResourceKind => ResourceKind.GlobalNetworkPolicy;

    public GlobalNetworkPolicySpec Spec { get; set; } = new();
}

public sealed class StagedNetworkPolicy : Resource
{
    public override ResourceKind ResourceKind => ResourceKind.StagedNetworkPolicy;

    public StagedNetworkPolicySpec Spec { get; set; } = new();
}

public sealed class StagedGlobalNetworkPolicy : Resource
{
    public override ResourceKind ResourceKind => ResourceKind.StagedGlobalNetworkPolicy;

    public StagedGlobalNetworkPolicySpec Spec { get; set; } = new();
}

public sealed class Tier : Resource
{
    public override ResourceKind ResourceKind => ResourceKind.Tier;

    public TierSpec Spec { get; set; } = new();
}

public sealed class TierSpec
{
    public double? Order { get; set; }

    /// <summary>"Deny" or "Pass"; anything but Pass denies.</summary>
    public string? DefaultAction { get; set; }
}

public sealed class Profile : Resource
{
    public override ResourceKind ResourceKind => ResourceKind.Profile;

    public ProfileSpec Spec { get; set; } = new();
}

public sealed class ProfileSpec
{
    public List<Rule>? Ingress { get; set; }

    public List<Rule>? Egress { get; set; }

    /// <summary>Given to endpoints that lack the label themselves.</summary>
    public Dictionary<string, string>? LabelsToApply { get; set; }
}

public sealed class NetworkSet : Resource
{
    public override ResourceKind ResourceKind => ResourceKind.NetworkSet;

    public NetworkSetSpec Spec { get; set; } = new();
}

public sealed class GlobalNetworkSet : Resource
{
    public override ResourceKind ResourceKind => ResourceKind.GlobalNetworkSet;

    public NetworkSetSpec Spec { get; set; } = new();
}

public sealed class NetworkSetSpec
{
    public List<string>? Nets { get; set; }
}
