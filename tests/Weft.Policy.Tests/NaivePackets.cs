using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Policy.Tests;

/// <summary>One packet between two addresses.</summary>
internal readonly record struct Packet(IpAddress Source, IpAddress Destination, byte Protocol, ushort Port);

/// <summary>What the updates of a graph mean for a packet, read off them one rule after the other: no chains, no marks, no kernel.</summary>
internal sealed class NaivePackets(Replay state)
{
    /// <summary>Leaves its source's endpoint.</summary>
    public bool MayLeave(Packet packet, WorkloadEndpointUpdate endpoint) =>
        Decide(packet, endpoint, tier => tier.Egress, policy => policy.OutboundRules, profile => profile.OutboundRules);

    /// <summary>Enters its destination's endpoint.</summary>
    public bool MayEnter(Packet packet, WorkloadEndpointUpdate endpoint) =>
        Decide(packet, endpoint, tier => tier.Ingress, policy => policy.InboundRules, profile => profile.InboundRules);

    private bool Decide(
        Packet packet,
        WorkloadEndpointUpdate endpoint,
        Func<TierPolicies, IReadOnlyList<PolicyId>> policies,
        Func<ActivePolicyUpdate, IReadOnlyList<DataplaneRule>> rules,
        Func<ActiveProfileUpdate, IReadOnlyList<DataplaneRule>> profileRules)
    {
        if (endpoint.Problem is not null)
        {
            return false;
        }

        foreach (TierPolicies tier in endpoint.Tiers)
        {
            PolicyId[] enforced = [.. policies(tier).Where(p => !p.IsStaged)];
            if (enforced.Length == 0)
            {
                continue;
            }

            RuleAction? verdict = enforced.Select(p => Verdict(packet, rules(state.Policies[p]))).FirstOrDefault(v => v is not null);
            if (verdict is RuleAction.Allow or RuleAction.Deny)
            {
                return verdict == RuleAction.Allow;
            }

            if (verdict is null && !tier.DefaultIsPass)
            {
                return false;
            }
        }

        return endpoint.ProfileIds.Select(p => Verdict(packet, profileRules(state.Profiles[p]))).FirstOrDefault(v => v is not null) == RuleAction.Allow;
    }

    private RuleAction? Verdict(Packet packet, IReadOnlyList<DataplaneRule> rules) =>
        rules.Where(r => r.Action != RuleAction.Log && Matches(packet, r)).Select(r => (RuleAction?)r.Action).FirstOrDefault();

    private bool Matches(Packet packet, DataplaneRule rule) =>
        (rule.IpVersion == IpFamily.None || rule.IpVersion == packet.Source.Family)
        && (rule.Protocol is null || rule.Protocol == packet.Protocol)
        && (rule.NotProtocol is null || rule.NotProtocol != packet.Protocol)
        && (rule.SrcNets.Count == 0 || rule.SrcNets.Any(n => n.Contains(packet.Source)))
        && (rule.DstNets.Count == 0 || rule.DstNets.Any(n => n.Contains(packet.Destination)))
        && !rule.NotSrcNets.Any(n => n.Contains(packet.Source))
        && !rule.NotDstNets.Any(n => n.Contains(packet.Destination))
        && rule.SrcIpSetIds.All(id => Holds(id, packet.Source))
        && rule.DstIpSetIds.All(id => Holds(id, packet.Destination))
        && !rule.NotSrcIpSetIds.Any(id => Holds(id, packet.Source))
        && !rule.NotDstIpSetIds.Any(id => Holds(id, packet.Destination))
        && rule.SrcPorts.Count + rule.SrcNamedPortIpSetIds.Count == 0
        && (rule.DstPorts.Count + rule.DstNamedPortIpSetIds.Count == 0
            || rule.DstPorts.Any(p => p.Min <= packet.Port && packet.Port <= p.Max) || rule.DstNamedPortIpSetIds.Any(id => HoldsPort(id, packet)))
        && !rule.NotDstPorts.Any(p => p.Min <= packet.Port && packet.Port <= p.Max)
        && !rule.NotDstNamedPortIpSetIds.Any(id => HoldsPort(id, packet))
        && rule.DstIpPortSetIds.All(id => HoldsPort(id, packet));

    private bool Holds(string set, IpAddress address) => state.Sets[set].Any(m => m.Prefix.Contains(address));

    private bool HoldsPort(string set, Packet packet) => state.Sets[set].Contains(new IpSetMember(packet.Destination.ToPrefix(), packet.Protocol, packet.Port));
}
