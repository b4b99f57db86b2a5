using Weft.Model.Resources;

namespace Weft.Model.Validation;

/// <summary>Rules of policies, profiles and tiers that need more than one field.</summary>
internal static class PolicyRules
{
    private const int MaxRules = 1024;

    /// <summary>The tiers every cluster has: name, order, what the end of the tier does.</summary>
    public static readonly IReadOnlyList<(string Name, double Order, string DefaultAction)> BuiltInTiers =
        [("kube-admin", 1_000, "Pass"), ("default", 1_000_000, "Deny"), ("kube-baseline", 10_000_000, "Pass")];

    public static void Check(PolicySpec spec, bool isNamespaced, ProblemList problems)
    {
        problems.Require(spec.Tier is null or "" || NameRules.IsLabel(spec.Tier), "spec.tier", spec.Tier, "expected the name of a tier");
        problems.Require(spec.Order is not { } order || double.IsFinite(order), "spec.order", null, "expected a finite number");
        CheckNotGlobal(spec.Selector, "spec.selector", problems);
        CheckNotGlobal(spec.ServiceAccountSelector, "spec.serviceAccountSelector", problems);
        RuleRules scope = new(problems, isNamespaced);
        scope.CheckAll(spec.Ingress, "spec.ingress", isIngress: true);
        scope.CheckAll(spec.Egress, "spec.egress", isIngress: false);
    }

    public static void CheckHostModes(PolicySpec spec, bool? doNotTrack, bool? preDnat, bool? applyOnForward, ProblemList problems)
    {
        problems.Require(!(doNotTrack is true && preDnat is true), "spec.preDNAT", "true", "preDNAT and doNotTrack cannot both be true");
        problems.Require(
            applyOnForward is true || (doNotTrack is not true && preDnat is not true), "spec.applyOnForward", applyOnForward is false ? "false" : null,
            "must be true when preDNAT or doNotTrack is");
        if (preDnat is true)
        {
            problems.Require(spec.Egress is null or [], "spec.egress", null, "a preDNAT policy cannot have egress rules");
            problems.Require(spec.Types?.Contains("Egress") is not true, "spec.types", "Egress", "a preDNAT policy cannot have the type Egress");
        }
    }

    public static void CheckStaged(PolicySpec spec, string? stagedAction, bool isNamespaced, bool hasMore, ProblemList problems)
    {
        Check(spec, isNamespaced, problems);
        if (stagedAction == "Delete")
        {
            bool empty = !hasMore && spec.Order is null && spec.Ingress is null or [] && spec.Egress is null or [] && string.IsNullOrEmpty(spec.Selector)
                && string.IsNullOrEmpty(spec.ServiceAccountSelector) && spec.PerformanceHints is null or [];
            problems.Require(empty, "spec", null, "with stagedAction Delete every other field than tier must be absent");
        }
    }

    public static void CheckProfile(ProfileSpec spec, ProblemList problems)
    {
        RuleRules scope = new(problems, isNamespaced: false);
        scope.CheckAll(spec.Ingress, "spec.ingress", isIngress: true);
        scope.CheckAll(spec.Egress, "spec.egress", isIngress: false);
        MetadataRules.CheckLabels(spec.LabelsToApply, "spec.labelsToApply", problems);
        problems.Require(spec.Ingress is not { Count: > MaxRules }, "spec.ingress", null, $"has more than {MaxRules} rules");
        problems.Require(spec.Egress is not { Count: > MaxRules }, "spec.egress", null, $"has more than {MaxRules} rules");
    }

    public static void CheckTier(Tier tier, ProblemList problems)
    {
        foreach ((string name, double order, string action) in BuiltInTiers)
        {
            if (tier.Metadata.Name == name)
            {
                problems.Require(tier.Spec.Order == order, "spec.order", tier.Spec.Order?.ToString(), $"the order of the built-in tier {name} is {order}");
                problems.Require(
                    tier.Spec.DefaultAction == action, "spec.defaultAction", tier.Spec.DefaultAction, $"the default action of the built-in tier {name} is {action}");
            }
        }
    }

    /// <summary>global() selects what has no namespace; it makes sense only for the peer of a rule.</summary>
    public static void CheckNotGlobal(string? selector, string path, ProblemList problems) =>
        problems.Require(
            selector?.Contains("global(", StringComparison.Ordinal) is not true, path, selector, "global() can stand only in the namespaceSelector of a rule's source or destination");
}
