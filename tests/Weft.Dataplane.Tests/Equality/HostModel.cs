using Weft.Dataplane.Rules;
using Weft.Policy.Output;
using RuleAction = Weft.Policy.Output.RuleAction;

namespace Weft.Dataplane.Tests.Equality;

/// <summary>
/// What an endpoint of the host means for the first packet of a flow, from its documentation: policy before tracking sees every packet of its interface,
/// answers too; policy before translation sees what comes in; failsafes are open in both and for the host's own packets, never for what passes through;
/// what passes through is asked only when a policy speaks of it, and the workload is asked besides.
/// </summary>
internal sealed class HostModel(PolicyModel policies, HostEndpointUpdate host)
{
    public const int Outside = 0;
    public const int Node = -1;

    private static readonly RuleSettings s_settings = new();

    private bool IsAny => host.InterfaceName == "*";

    public bool Allows(Probe probe) => (probe.From, probe.To) switch
    {
        (Outside, Node) => Enters(probe) && Before(probe) is not RuleAction.Deny
            && (Before(probe) == RuleAction.Allow || IsFailsafe(probe, s_settings.FailsafeInbound) || policies.Decide(host.Tiers, host.ProfileIds, outbound: false, probe))
            && Leaves(probe.Answer()),
        (Node, Outside) => Leaves(probe) && (IsFailsafe(probe, s_settings.FailsafeOutbound) || policies.Decide(host.Tiers, host.ProfileIds, outbound: true, probe))
            && Enters(probe.Answer()),
        (Outside, _) => Enters(probe) && Passes(probe, isHosts: true) && policies.Arrives(probe) && (!IsAny || Forwards(probe, outbound: true)),
        (_, Outside) => Passes(probe, isHosts: IsAny) && policies.Leaves(probe) && Forwards(probe, outbound: true) && Enters(probe.Answer()),

        // Who owns the host owns its workloads.
        _ => true,
    };

    /// <summary>Before tracking, on the way in.</summary>
    private bool Enters(Probe probe) => Untracked(probe, outbound: false, s_settings.FailsafeInbound, s_settings.FailsafeOutbound);

    private bool Leaves(Probe probe) => Untracked(probe, outbound: true, s_settings.FailsafeOutbound, s_settings.FailsafeInbound);

    private bool Untracked(Probe probe, bool outbound, IReadOnlyList<FailsafePort> failsafes, IReadOnlyList<FailsafePort> answered) =>
        host.UntrackedTiers.Count == 0 || IsFailsafe(probe, failsafes) || IsFailsafe(probe.Answer(), answered) || policies.Walk(host.UntrackedTiers, outbound, probe) != RuleAction.Deny;

    /// <summary>Before translation.</summary>
    private RuleAction? Before(Probe probe) => IsFailsafe(probe, s_settings.FailsafeInbound) ? null : policies.Walk(host.PreDnatTiers, outbound: false, probe);

    /// <param name="isHosts">Whether the packet comes in by an interface of the endpoint.</param>
    private bool Passes(Probe probe, bool isHosts) =>
        !isHosts || (Before(probe) is var before && before != RuleAction.Deny && (before == RuleAction.Allow || Forwards(probe, outbound: false)));

    private bool Forwards(Probe probe, bool outbound) => policies.Walk(host.ForwardTiers, outbound, probe) != RuleAction.Deny;

    private static bool IsFailsafe(Probe probe, IReadOnlyList<FailsafePort> ports) => !probe.IsIcmp && ports.Any(p => p.Protocol == probe.Protocol && p.Port == probe.DestinationPort);
}
