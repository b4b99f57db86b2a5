using Weft.Dataplane.Rules.Model;
using Weft.Policy.Output;
using RuleAction = Weft.Dataplane.Rules.Model.RuleAction;

namespace Weft.Dataplane.Rules;

/// <summary>
/// The two chains of a workload's interface. Policies are jumped to one by one, in order; a packet that no tier decided goes to the profiles, and one
/// that they do not accept is dropped. Families differ only in what the policies' own chains hold.
/// </summary>
internal sealed class EndpointRenderer(RuleSettings settings)
{
    private readonly MarkBits _marks = settings.Marks;

    private enum Direction : byte
    {
        /// <summary>Packets to the workload.</summary>
        Inbound,

        /// <summary>Packets from the workload.</summary>
        Outbound,
    }

    public IEnumerable<Chain> Workload(WorkloadEndpointUpdate endpoint)
    {
        yield return new Chain(ChainNames.ToWorkload(endpoint.InterfaceName), Rules(endpoint, Direction.Inbound));
        yield return new Chain(ChainNames.FromWorkload(endpoint.InterfaceName), Rules(endpoint, Direction.Outbound));
    }

    private List<Rule> Rules(WorkloadEndpointUpdate endpoint, Direction direction)
    {
        if (endpoint.Problem is not null)
        {
            // Closed: not even what was allowed before goes on. The reason is in the status; here it would rewrite rules whenever its words change.
            return [new Rule(Match.All, settings.DenyTarget, "Endpoint is not valid")];
        }

        List<Rule> rules = [new Rule(Match.All.ConntrackState(ConntrackStates.Related | ConntrackStates.Established), RuleAction.Accept)];
        if (settings.DropInvalid)
        {
            rules.Add(new Rule(Match.All.ConntrackState(ConntrackStates.Invalid), settings.DenyTarget));
        }

        rules.Add(new Rule(Match.All, RuleAction.ClearMark(_marks.Accept | _marks.Pass)));
        if (direction == Direction.Outbound)
        {
            AddEncapsulationGuard(rules);
        }

        foreach (TierPolicies tier in endpoint.Tiers)
        {
            AddTier(rules, tier, direction);
        }

        foreach (string profile in endpoint.ProfileIds)
        {
            rules.Add(new Rule(Match.All, RuleAction.Jump(direction == Direction.Inbound ? ChainNames.ProfileInbound(profile) : ChainNames.ProfileOutbound(profile))));
            rules.Add(new Rule(Match.All.MarkSet(_marks.Accept), RuleAction.Return, "Return if profile accepted"));
        }

        rules.Add(new Rule(Match.All, settings.DenyTarget, "DROP if no profiles matched"));
        return rules;
    }

    private void AddEncapsulationGuard(List<Rule> rules)
    {
        if (!settings.AllowVxlanFromWorkloads)
        {
            rules.Add(new Rule(
                Match.All.Protocol(IpProtocol.Udp).DestinationPorts([(settings.VxlanPort, settings.VxlanPort)]), settings.DenyTarget,
                "Drop VXLAN encapped packets originating in workloads"));
        }

        if (!settings.AllowIpipFromWorkloads)
        {
            rules.Add(new Rule(Match.All.Protocol(IpProtocol.IpInIp), settings.DenyTarget, "Drop IPinIP encapped packets originating in workloads"));
        }
    }

    private void AddTier(List<Rule> rules, TierPolicies tier, Direction direction)
    {
        IReadOnlyList<PolicyId> policies = direction == Direction.Inbound ? tier.Ingress : tier.Egress;

        // Staged policies are computed and shown, never enforced: a tier of nothing else decides nothing.
        PolicyId[] enforced = [.. policies.Where(p => !p.IsStaged)];
        if (enforced.Length == 0)
        {
            return;
        }

        rules.Add(new Rule(Match.All, RuleAction.ClearMark(_marks.Pass), $"Start of tier {tier.Name}"));
        foreach (PolicyId policy in enforced)
        {
            string chain = direction == Direction.Inbound ? ChainNames.PolicyInbound(policy) : ChainNames.PolicyOutbound(policy);
            rules.Add(new Rule(Match.All.MarkClear(_marks.Pass), RuleAction.Jump(chain)));
            rules.Add(new Rule(Match.All.MarkSet(_marks.Accept), RuleAction.Return, "Return if policy accepted"));
        }

        if (!tier.DefaultIsPass)
        {
            rules.Add(new Rule(Match.All.MarkClear(_marks.Pass), settings.DenyTarget, $"End of tier {tier.Name}. DROP if no policies passed packet"));
        }
    }
}
