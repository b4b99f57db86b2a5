using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleAction = Weft.Policy.Output.RuleAction;

namespace Weft.Dataplane.Tests.Equality;

/// <summary>The first packet of a flow between two pods.</summary>
internal sealed record Probe(int From, int To, IpAddress Source, IpAddress Destination, byte Protocol, ushort SourcePort, ushort DestinationPort, byte IcmpType)
{
    public IpFamily Family => Source.Family;

    public bool IsIcmp => Protocol is 1 or 58;

    /// <summary>The packet that comes back.</summary>
    public Probe Answer() => new(To, From, Destination, Source, Protocol, DestinationPort, SourcePort, (byte)(IcmpType == 8 ? 0 : IcmpType == 128 ? 129 : 0));
}

/// <summary>
/// What policy means, written down from its documentation and from nothing else: tiers in order, in a tier policies in order, in a policy rules in order; the
/// first rule that allows, denies or passes decides; a tier whose policies say nothing denies unless its default is to pass; then profiles; then deny.
/// </summary>
internal sealed class PolicyModel
{
    public Dictionary<string, HashSet<IpSetMember>> Sets { get; } = [];

    public Dictionary<PolicyId, ActivePolicyUpdate> Policies { get; } = [];

    public Dictionary<string, ActiveProfileUpdate> Profiles { get; } = [];

    public Dictionary<int, WorkloadEndpointUpdate> Endpoints { get; } = [];

    /// <summary>Both ends must let it through.</summary>
    public bool Allows(Probe probe) => Leaves(probe) && Arrives(probe);

    public bool Leaves(Probe probe) => Decide(Endpoints[probe.From].Tiers, Endpoints[probe.From].ProfileIds, outbound: true, probe);

    public bool Arrives(Probe probe) => Decide(Endpoints[probe.To].Tiers, Endpoints[probe.To].ProfileIds, outbound: false, probe);

    /// <summary>Tiers, then profiles, then deny.</summary>
    public bool Decide(IReadOnlyList<TierPolicies> tiers, IReadOnlyList<string> profiles, bool outbound, Probe probe) =>
        (Walk(tiers, outbound, probe)
            ?? profiles.Select(name => Profiles[name])
                .Select(profile => First(outbound ? profile.OutboundRules : profile.InboundRules, probe))
                .FirstOrDefault(v => v is not null)) == RuleAction.Allow;

    /// <summary>Null when every tier passed the packet on.</summary>
    public RuleAction? Walk(IReadOnlyList<TierPolicies> tiers, bool outbound, Probe probe)
    {
        foreach (TierPolicies tier in tiers)
        {
            IReadOnlyList<PolicyId> policies = outbound ? tier.Egress : tier.Ingress;
            if (policies.Count == 0)
            {
                continue;
            }

            RuleAction? verdict = policies.Select(id => Policies.GetValueOrDefault(id))
                .Select(policy => policy is null ? RuleAction.Deny : First(outbound ? policy.OutboundRules : policy.InboundRules, probe))
                .FirstOrDefault(v => v is not null);
            switch (verdict ?? (tier.DefaultIsPass ? RuleAction.Pass : RuleAction.Deny))
            {
                case RuleAction.Allow: return RuleAction.Allow;
                case RuleAction.Deny: return RuleAction.Deny;
            }
        }

        return null;
    }

    private RuleAction? First(IReadOnlyList<DataplaneRule> rules, Probe probe) =>
        rules.Where(r => r.Action != RuleAction.Log && Matches(r, probe)).Select(r => (RuleAction?)r.Action).FirstOrDefault();

    private bool Matches(DataplaneRule r, Probe p)
    {
        if ((r.IpVersion != IpFamily.None && r.IpVersion != p.Family) || (r.Protocol is { } wanted && wanted != p.Protocol) || r.NotProtocol == p.Protocol)
        {
            return false;
        }

        if ((r.Icmp is { } icmp && !(p.IsIcmp && IsType(icmp, p))) || (r.NotIcmp is { } not && p.IsIcmp && IsType(not, p)))
        {
            return false;
        }

        return Side(r.SrcNets, r.NotSrcNets, r.SrcIpSetIds, r.NotSrcIpSetIds, r.SrcPorts, r.NotSrcPorts, r.SrcNamedPortIpSetIds, r.NotSrcNamedPortIpSetIds, p.Source, p.SourcePort, p)
            && Side(r.DstNets, r.NotDstNets, r.DstIpSetIds, r.NotDstIpSetIds, r.DstPorts, r.NotDstPorts, r.DstNamedPortIpSetIds, r.NotDstNamedPortIpSetIds, p.Destination, p.DestinationPort, p);
    }

    private bool Side(
        IReadOnlyList<IpPrefix> nets, IReadOnlyList<IpPrefix> notNets, IReadOnlyList<string> sets, IReadOnlyList<string> notSets, IReadOnlyList<PortRange> ports,
        IReadOnlyList<PortRange> notPorts, IReadOnlyList<string> portSets, IReadOnlyList<string> notPortSets, IpAddress address, ushort port, Probe probe)
    {
        bool InNet(string set) => Sets[set].Any(m => m.Prefix.Contains(address));
        bool InPorts(string set) => !probe.IsIcmp && Sets[set].Any(m => m.Prefix.Contains(address) && m.Protocol == probe.Protocol && m.Port == port);
        bool In(PortRange range) => !probe.IsIcmp && port >= range.Min && port <= range.Max;

        // A list of nets of the other family only says that the rule is about that family.
        return (nets.Count == 0 || nets.Any(n => n.Contains(address)))
            && (notNets.Count == 0 || (notNets.Any(n => n.Family == probe.Family) && !notNets.Any(n => n.Contains(address))))
            && sets.All(InNet)
            && !notSets.Any(InNet)
            && ((ports.Count == 0 && portSets.Count == 0) || ports.Any(In) || portSets.Any(InPorts))
            && !notPorts.Any(In)
            && !notPortSets.Any(InPorts);
    }

    private static bool IsType(IcmpMatch match, Probe probe) => match.Type == probe.IcmpType && match.Code is null or 0;
}
