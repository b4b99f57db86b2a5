using Weft.Dataplane.Rules.Model;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleAction = Weft.Dataplane.Rules.Model.RuleAction;

namespace Weft.Dataplane.Rules;

/// <summary>
/// Policies and profiles of one family as chains. Such a chain decides nothing by itself: it sets the accept or pass mark and returns, or drops. Who
/// jumps to it looks at the marks.
/// </summary>
/// <param name="isRefused">Whether a set, by id, is not in the kernel as it should be: then nobody can say what its rules mean, and the chain denies.</param>
internal sealed class PolicyRenderer(RuleSettings settings, IpFamily family, Func<string, string> setName, Func<string, bool> isRefused)
{
    private readonly RuleRenderer _rules = new(settings, family, setName);

    public IEnumerable<Chain> Policy(ActivePolicyUpdate policy)
    {
        string owner = $"{policy.Id.Kind} {(policy.Id.Namespace.Length == 0 ? policy.Id.Name : $"{policy.Id.Namespace}/{policy.Id.Name}")}";
        yield return Chain(ChainNames.PolicyInbound(policy.Id), policy.InboundRules, RuleOwner.Of(policy, isInbound: true), $"{owner} ingress");
        yield return Chain(ChainNames.PolicyOutbound(policy.Id), policy.OutboundRules, RuleOwner.Of(policy, isInbound: false), $"{owner} egress");
    }

    public IEnumerable<Chain> Profile(ActiveProfileUpdate profile)
    {
        yield return Chain(ChainNames.ProfileInbound(profile.Name), profile.InboundRules, RuleOwner.Of(profile, isInbound: true), $"Profile {profile.Name} ingress");
        yield return Chain(ChainNames.ProfileOutbound(profile.Name), profile.OutboundRules, RuleOwner.Of(profile, isInbound: false), $"Profile {profile.Name} egress");
    }

    /// <summary>Ids of the sets that a rule asks.</summary>
    public static IEnumerable<string> SetsOf(DataplaneRule rule) =>
    [
        .. rule.SrcIpSetIds, .. rule.DstIpSetIds, .. rule.NotSrcIpSetIds, .. rule.NotDstIpSetIds, .. rule.DstIpPortSetIds,
        .. rule.SrcNamedPortIpSetIds, .. rule.DstNamedPortIpSetIds, .. rule.NotSrcNamedPortIpSetIds, .. rule.NotDstNamedPortIpSetIds,
    ];

    private Chain Chain(string name, IReadOnlyList<DataplaneRule> rules, RuleOwner owner, string comment)
    {
        if (rules.SelectMany(SetsOf).Any(isRefused))
        {
            return new Chain(name, [new Rule(Match.All, settings.DenyTarget, comment, "A set of its rules is too large")]);
        }

        List<Rule> rendered = [];
        if (owner.IsProfile && rules.Any(static r => r.Action == Weft.Policy.Output.RuleAction.Pass))
        {
            // A tier that passed the packet on left its mark, which the rules after a pass here would take for their own.
            rendered.Add(new Rule(Match.All, RuleAction.ClearMark(settings.Marks.Pass)));
        }

        for (int i = 0; i < rules.Count; i++)
        {
            int from = rendered.Count;
            _rules.Append(rules[i], owner, i, rendered);
            for (int k = from; k < rendered.Count; k++)
            {
                rendered[k] = rendered[k] with { PolicyRule = i };
            }
        }

        // Returning is what the end of a chain does anyway.
        while (rendered.Count > 0 && rendered[^1].Action == RuleAction.Return)
        {
            rendered.RemoveAt(rendered.Count - 1);
        }

        if (rendered.Count == 0)
        {
            rendered.Add(new Rule(Match.All, RuleAction.None, comment));
        }
        else
        {
            rendered[0] = rendered[0] with { Comments = [comment, .. rendered[0].Comments] };
        }

        return new Chain(name, rendered) { Owner = comment };
    }
}
