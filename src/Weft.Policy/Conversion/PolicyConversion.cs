using Weft.Model.Keys;
using Weft.Model.Kubernetes;
using Weft.Model.Resources;
using Weft.Model.Selectors;
using Weft.Policy.Output;

namespace Weft.Policy.Conversion;

/// <summary>
/// v3 policies, profiles and tiers to the graph's values. A policy with a defect keeps a selector: what it should have protected fails closed, and when
/// the selector itself cannot be read, that is its whole namespace, or for a global policy every workload.
/// </summary>
internal static class PolicyConversion
{
    public const string DefaultTier = "default";

    /// <summary>This profile is not stored: it is always there and allows everything.</summary>
    public const string DefaultAllowProfile = "projectcalico-default-allow";

    private const string StagedDelete = "Delete";

    /// <summary>Null for a staged deletion, which is no policy.</summary>
    public static PolicyValue? Policy(ResourceKey key, Resource resource) => resource switch
    {
        NetworkPolicy p => Convert(key, p, p.Spec, null, PolicyTraits.None),
        GlobalNetworkPolicy p => Convert(key, p, p.Spec, p.Spec.NamespaceSelector, Traits(p.Spec.DoNotTrack, p.Spec.PreDNAT, p.Spec.ApplyOnForward)),
        StagedNetworkPolicy p => p.Spec.StagedAction == StagedDelete ? null : Convert(key, p, p.Spec, null, PolicyTraits.None),
        StagedGlobalNetworkPolicy p => p.Spec.StagedAction == StagedDelete
            ? null
            : Convert(key, p, p.Spec, p.Spec.NamespaceSelector, Traits(p.Spec.DoNotTrack, p.Spec.PreDNAT, p.Spec.ApplyOnForward)),
        StagedKubernetesNetworkPolicy p => NetworkPolicyConversion.Convert(p) is { } converted ? Convert(key, p, converted) : null,
        _ => null,
    };

    private static PolicyValue Convert(ResourceKey key, StagedKubernetesNetworkPolicy resource, ConvertedPolicy<StagedNetworkPolicy> converted)
    {
        PolicyValue value = Convert(key, resource, converted.Policy.Spec, null, PolicyTraits.None);
        return converted.Problems.Count == 0 ? value : value with { Problem = string.Join("; ", value.Problem is null ? converted.Problems : [value.Problem, .. converted.Problems]) };
    }

    public static PolicyId Id(ResourceKey key, Resource? resource) =>
        new(key.Kind.Name, key.Namespace, resource is { Metadata.Name.Length: > 0 } ? resource.Metadata.Name : key.Name);

    public static ProfileValue Profile(string name, Profile profile)
    {
        Problems problems = new();
        RuleConversion rules = new(string.Empty, problems);
        return new ProfileValue(name, rules.Convert(profile.Spec.Ingress, "spec.ingress"), rules.Convert(profile.Spec.Egress, "spec.egress"), problems.ToString());
    }

    public static ProfileValue DefaultAllow(string name)
    {
        RuleValue[] allow = [new RuleValue(RuleAction.Allow, default, null, null, null, null, RuleEntity.Any, RuleEntity.Any, [])];
        return new ProfileValue(name, allow, allow);
    }

    /// <summary>A profile that is referred to and does not exist denies.</summary>
    public static ProfileValue Missing(string name)
    {
        RuleValue[] deny = [new RuleValue(RuleAction.Deny, default, null, null, null, null, RuleEntity.Any, RuleEntity.Any, [])];
        return new ProfileValue(name, deny, deny);
    }

    public static TierValue Tier(Tier tier) => new(tier.Spec.Order, tier.Spec.DefaultAction == "Pass");

    private static PolicyTraits Traits(bool? doNotTrack, bool? preDnat, bool? applyOnForward) =>
        (doNotTrack == true ? PolicyTraits.Untracked : 0) | (preDnat == true ? PolicyTraits.PreDnat : 0) | (applyOnForward == true ? PolicyTraits.ApplyOnForward : 0);

    private static PolicyValue Convert(ResourceKey key, Resource resource, PolicySpec spec, string? namespaceSelector, PolicyTraits traits)
    {
        Problems problems = new();
        RuleConversion rules = new(key.Namespace, problems);
        IReadOnlyList<RuleValue> inbound = rules.Convert(spec.Ingress, "spec.ingress");
        IReadOnlyList<RuleValue> outbound = rules.Convert(spec.Egress, "spec.egress");
        Selector selector = SelectorOf(key, spec, namespaceSelector, problems);
        PolicyDirections directions = Directions(spec.Types, problems);
        if (traits.HasFlag(PolicyTraits.Untracked) && traits.HasFlag(PolicyTraits.PreDnat))
        {
            problems.Add("spec", "doNotTrack and preDNAT exclude each other");
        }

        return new PolicyValue(
            Id(key, resource),
            string.IsNullOrEmpty(spec.Tier) ? DefaultTier : spec.Tier,
            spec.Order ?? double.PositiveInfinity,
            selector,
            directions,
            inbound,
            outbound,
            traits,
            spec.PerformanceHints?.Contains("AssumeNeededOnEveryNode") == true ? PolicyActivation.Always : PolicyActivation.WhenMatching,
            problems.ToString());
    }

    private static Selector SelectorOf(ResourceKey key, PolicySpec spec, string? namespaceSelector, Problems problems)
    {
        // Each part by itself first, so that the message names the field and joining cannot hide an unbalanced parenthesis.
        bool ok = Check(spec.Selector, "spec.selector", problems)
            & Check(namespaceSelector, "spec.namespaceSelector", problems)
            & Check(spec.ServiceAccountSelector, "spec.serviceAccountSelector", problems);
        string text = SelectorConversion.PolicySelector(spec.Selector, key.Namespace, namespaceSelector, spec.ServiceAccountSelector);
        if (ok && Selector.TryParse(text, out Selector? selector, out string? error))
        {
            return selector;
        }

        string scope = SelectorConversion.PolicySelector(null, key.Namespace, null, null);
        return Selector.TryParse(scope, out Selector? fallback, out _) ? fallback : Selector.All;
    }

    private static bool Check(string? text, string field, Problems problems)
    {
        if (Selector.TryParse(text?.Trim(), out _, out string? error))
        {
            return true;
        }

        problems.Add(field, $"\"{text}\" is no selector: {error}");
        return false;
    }

    /// <summary>An object without types governs both directions here: inferring them from the rules is the API's task (felix/calc/policy_sorter.go).</summary>
    private static PolicyDirections Directions(List<string>? types, Problems problems)
    {
        if (types is not { Count: > 0 })
        {
            return PolicyDirections.Both;
        }

        PolicyDirections directions = PolicyDirections.None;
        foreach (string type in types)
        {
            switch (type)
            {
                case "Ingress" or "ingress":
                    directions |= PolicyDirections.Ingress;
                    break;
                case "Egress" or "egress":
                    directions |= PolicyDirections.Egress;
                    break;
                default:
                    problems.Add("spec.types", $"\"{type}\" is neither Ingress nor Egress");
                    break;
            }
        }

        return directions;
    }
}
