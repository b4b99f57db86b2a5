using Weft.Dataplane.Rules.Model;
using Weft.Policy.Output;
using RuleAction = Weft.Dataplane.Rules.Model.RuleAction;

namespace Weft.Dataplane.Rules;

/// <summary>
/// The chains of an endpoint's interface. Policies are jumped to one by one, in order; a packet that no tier decided goes to the profiles, and one
/// that they do not accept is dropped. Families differ only in what the policies' own chains hold.
/// <code>
///   workload       filter cali-tw, cali-fw                       tiers, profiles
///   host endpoint  filter cali-th, cali-fh                       failsafes, tiers, profiles       packets of the host itself
///                  filter cali-thfw, cali-fhfw                   tiers of applyOnForward          packets that pass through
///                  mangle cali-fh                                failsafes, tiers of preDNAT      before services are translated
///                  mangle cali-th                                failsafes, tiers, profiles       packets of the host that were translated
///                  raw    cali-th, cali-fh                       failsafes, tiers of doNotTrack   no connection is remembered
/// </code>
/// </summary>
internal sealed class EndpointRenderer(RuleSettings settings)
{
    private const string NotValid = "Endpoint is not valid";

    private readonly MarkBits _marks = settings.Marks;

    private enum Direction : byte
    {
        /// <summary>Packets to the workload, or into the host: ingress policy.</summary>
        Inbound,

        /// <summary>Packets from the workload, or out of the host: egress policy.</summary>
        Outbound,
    }

    private enum Purpose : byte
    {
        Workload,
        Host,
        Forward,
        PreDnat,
        Untracked,
    }

    private enum Standing : byte
    {
        ByPolicy,

        /// <summary>Something that its policy needs is not known.</summary>
        Closed,
    }

    public IEnumerable<Chain> Workload(WorkloadEndpointUpdate endpoint)
    {
        foreach (Direction direction in (Direction[])[Direction.Inbound, Direction.Outbound])
        {
            string name = direction == Direction.Inbound ? ChainNames.ToWorkload(endpoint.InterfaceName) : ChainNames.FromWorkload(endpoint.InterfaceName);

            // Closed: not even what was allowed before goes on. The reason is in the status; here it would rewrite rules whenever its words change.
            yield return new Chain(
                name,
                endpoint.Problem is not null
                    ? [new Rule(Match.All, settings.DenyTarget, NotValid)]
                    : Rules(new Shape(Purpose.Workload, direction, endpoint.Tiers, endpoint.ProfileIds, settings.FilterAllowTarget)));
        }
    }

    /// <param name="endpoint">The endpoint.</param>
    /// <param name="interfaceName">One of its interfaces, or <see cref="ChainNames.AnyInterface"/>.</param>
    public IEnumerable<Chain> HostFilter(HostEndpointUpdate endpoint, string interfaceName)
    {
        RuleAction allow = settings.FilterAllowTarget;
        Standing forwarded = endpoint.ClosesForwarded ? Standing.Closed : Standing.ByPolicy;
        yield return Host(ChainNames.ToHost(interfaceName), new Shape(Purpose.Host, Direction.Outbound, endpoint.Tiers, endpoint.ProfileIds, allow));
        yield return Host(ChainNames.FromHost(interfaceName), new Shape(Purpose.Host, Direction.Inbound, endpoint.Tiers, endpoint.ProfileIds, allow));
        yield return Host(ChainNames.ToHostForwarded(interfaceName), new Shape(Purpose.Forward, Direction.Outbound, endpoint.ForwardTiers, [], allow, forwarded));
        yield return Host(ChainNames.FromHostForwarded(interfaceName), new Shape(Purpose.Forward, Direction.Inbound, endpoint.ForwardTiers, [], allow, forwarded));
    }

    /// <inheritdoc cref="HostFilter"/>
    public IEnumerable<Chain> HostMangle(HostEndpointUpdate endpoint, string interfaceName)
    {
        yield return Host(ChainNames.ToHost(interfaceName), new Shape(Purpose.Host, Direction.Outbound, endpoint.Tiers, endpoint.ProfileIds, RuleAction.Return));
        if (endpoint.PreDnatTiers.Count > 0)
        {
            yield return Host(ChainNames.FromHost(interfaceName), new Shape(Purpose.PreDnat, Direction.Inbound, endpoint.PreDnatTiers, [], settings.MangleAllowTarget));
        }
    }

    /// <inheritdoc cref="HostFilter"/>
    public IEnumerable<Chain> HostRaw(HostEndpointUpdate endpoint, string interfaceName)
    {
        if (endpoint.UntrackedTiers.Count > 0)
        {
            yield return Host(ChainNames.ToHost(interfaceName), new Shape(Purpose.Untracked, Direction.Outbound, endpoint.UntrackedTiers, [], RuleAction.Accept));
            yield return Host(ChainNames.FromHost(interfaceName), new Shape(Purpose.Untracked, Direction.Inbound, endpoint.UntrackedTiers, [], RuleAction.Accept));
        }
    }

    private Chain Host(string name, Shape shape) => new(name, Rules(shape));

    private List<Rule> Rules(Shape shape)
    {
        List<Rule> rules = [];
        if (shape.Purpose != Purpose.Untracked)
        {
            AddConnections(rules, shape.Allow);
        }

        // Forwarded packets are not for the host: its failsafes would open a way through it.
        if (shape.Purpose is Purpose.Host or Purpose.PreDnat or Purpose.Untracked)
        {
            rules.Add(new Rule(Match.All, RuleAction.Jump(shape.Direction == Direction.Inbound ? ChainNames.FailsafeIn : ChainNames.FailsafeOut)));
        }

        rules.Add(new Rule(Match.All, RuleAction.ClearMark(_marks.Accept | _marks.Pass)));
        if (shape is { Purpose: Purpose.Workload, Direction: Direction.Outbound })
        {
            AddEncapsulationGuard(rules);
        }

        foreach (TierPolicies tier in shape.Tiers)
        {
            AddTier(rules, tier, shape);
        }

        if (shape is { Purpose: Purpose.Forward, Standing: Standing.Closed })
        {
            rules.Add(new Rule(Match.All, settings.DenyTarget, NotValid));
        }
        else if (shape is { Purpose: Purpose.Forward, Tiers.Count: 0 })
        {
            rules.Add(new Rule(Match.All, RuleAction.SetMark(_marks.Accept), "Allow forwarded traffic by default"));
            rules.Add(new Rule(Match.All, RuleAction.Return, "Return for accepted forward traffic"));
        }

        if (shape.Purpose is Purpose.Workload or Purpose.Host)
        {
            AddProfiles(rules, shape);
        }

        return rules;
    }

    private void AddConnections(List<Rule> rules, RuleAction allow)
    {
        Match known = Match.All.ConntrackState(ConntrackStates.Related | ConntrackStates.Established);
        if (allow != RuleAction.Accept)
        {
            rules.Add(new Rule(known, RuleAction.SetMark(_marks.Accept)));
        }

        rules.Add(new Rule(known, allow));
        if (settings.DropInvalid)
        {
            rules.Add(new Rule(Match.All.ConntrackState(ConntrackStates.Invalid), settings.DenyTarget));
        }
    }

    private void AddProfiles(List<Rule> rules, Shape shape)
    {
        bool inbound = shape.Direction == Direction.Inbound;
        foreach (string profile in shape.Profiles)
        {
            rules.Add(new Rule(Match.All, RuleAction.Jump(inbound ? ChainNames.ProfileInbound(profile) : ChainNames.ProfileOutbound(profile))));
            rules.Add(new Rule(Match.All.MarkSet(_marks.Accept), RuleAction.Return, "Return if profile accepted"));
        }

        if (settings.LogsDenied)
        {
            rules.Add(new Rule(Match.All, Logged(inbound, NflogPrefix.NoProfileMatched(inbound))));
        }

        rules.Add(new Rule(Match.All, settings.DenyTarget, "DROP if no profiles matched"));
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

    private void AddTier(List<Rule> rules, TierPolicies tier, Shape shape)
    {
        bool inbound = shape.Direction == Direction.Inbound;
        IReadOnlyList<PolicyId> policies = inbound ? tier.Ingress : tier.Egress;

        // Staged policies are computed and shown, never enforced: a tier of nothing else decides nothing.
        PolicyId[] enforced = [.. policies.Where(p => !p.IsStaged)];
        if (enforced.Length == 0)
        {
            return;
        }

        rules.Add(new Rule(Match.All, RuleAction.ClearMark(_marks.Pass), $"Start of tier {tier.Name}"));
        foreach (PolicyId policy in enforced)
        {
            string chain = inbound ? ChainNames.PolicyInbound(policy) : ChainNames.PolicyOutbound(policy);
            rules.Add(new Rule(Match.All.MarkClear(_marks.Pass), RuleAction.Jump(chain)));
            if (shape.Purpose == Purpose.Untracked)
            {
                rules.Add(new Rule(Match.All.MarkSet(_marks.Accept), RuleAction.NoTrack));
            }

            rules.Add(new Rule(Match.All.MarkSet(_marks.Accept), RuleAction.Return, "Return if policy accepted"));
        }

        // What doNotTrack and preDNAT policy does not decide, the normal policy decides later.
        if (!tier.DefaultIsPass && shape.Purpose is not (Purpose.Untracked or Purpose.PreDnat))
        {
            if (settings.LogsDenied)
            {
                rules.Add(new Rule(Match.All.MarkClear(_marks.Pass), Logged(inbound, NflogPrefix.EndOfTier(inbound, tier.Name))));
            }

            rules.Add(new Rule(Match.All.MarkClear(_marks.Pass), settings.DenyTarget, $"End of tier {tier.Name}. DROP if no policies passed packet"));
        }
    }

    private static RuleAction Logged(bool inbound, string prefix) => RuleAction.Nflog(NflogPrefix.Group(inbound), prefix);

    /// <param name="Allow">What becomes of packets of connections that are known.</param>
    private sealed record Shape(
        Purpose Purpose, Direction Direction, IReadOnlyList<TierPolicies> Tiers, IReadOnlyList<string> Profiles, RuleAction Allow, Standing Standing = Standing.ByPolicy);
}
