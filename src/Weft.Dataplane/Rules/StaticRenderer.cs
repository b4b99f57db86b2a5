using Weft.Dataplane.Drivers;
using Weft.Dataplane.Rules.Model;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Rules;

/// <summary>
/// The chains that are always there, and the rules that lead from the kernel's own chains into them.
/// <code>
///   packet from a pod:  raw PREROUTING  source check         nat PREROUTING
///                       to another pod: filter FORWARD       from-wl-dispatch, then to-wl-dispatch: both ends decide
///                       to the host:    filter INPUT         wl-to-host: from-wl-dispatch, then the configured action
///   packet to a pod:    from the host:  filter OUTPUT        not policed: who owns the host owns the pod
///                       from afar:      filter FORWARD       to-wl-dispatch
/// </code>
/// Dispatch returns when policy accepts, with the accept mark set; the rule at the end of FORWARD accepts what bears it. Chains of host endpoints are
/// jumped to where their time comes; they are the host endpoint manager's.
/// </summary>
internal sealed class StaticRenderer(RuleSettings settings, IpFamily family, Func<string, string> setName)
{
    // Router and neighbour discovery, multicast listeners: without them a pod has no gateway (RFC 4890 4.4).
    private static readonly int[] s_neededIcmpv6Types = [130, 131, 132, 133, 135, 136];

    private readonly MarkBits _marks = settings.Marks;
    private readonly TunnelRenderer _tunnels = new(settings, family, setName);

    private Match Accepted => Match.All.MarkSet(_marks.Accept);

    private Rule ClearAll => new(Match.All, RuleAction.ClearMark(_marks.All));

    public void RenderFilter(IRuleTable table)
    {
        table.SetChain(new Chain("cali-INPUT", [.. Input()]));
        table.SetChain(new Chain("cali-FORWARD", [.. Forward()]));
        table.SetChain(new Chain("cali-OUTPUT", [.. Output()]));
        table.SetChain(new Chain(ChainNames.WorkloadToHost, [.. WorkloadToHost()]));
        Failsafes(table, raw: false);
        foreach (string kernelChain in (ReadOnlySpan<string>)["INPUT", "FORWARD", "OUTPUT"])
        {
            table.SetInserts(kernelChain, [Hook(kernelChain)]);
        }

        table.SetAppends(
            "FORWARD",
            [
                new Rule(Accepted, settings.FilterAllowTarget, "Policy explicitly accepted packet."),

                // Tells mangle POSTROUTING that the packet was forwarded, not the host's own.
                new Rule(Match.All, RuleAction.SetMark(_marks.Accept)),
            ]);
    }

    public void RenderRaw(IRuleTable table)
    {
        List<Rule> rules = [ClearAll, .. _tunnels.NoTracking()];
        rules.AddRange(Prefixes().Select(p => new Rule(Match.All.InInterface(p), RuleAction.SetMark(_marks.Scratch0))));
        rules.Add(new Rule(Match.All.MarkSet(_marks.Scratch0), RuleAction.Jump(ChainNames.RpfSkip)));
        rules.Add(new Rule(Match.All.MarkSet(_marks.Scratch0).ReversePathFails(), settings.DenyTarget));
        rules.Add(new Rule(Match.All.MarkClear(_marks.Scratch0), RuleAction.Jump(ChainNames.FromHostEndpoint)));
        rules.Add(new Rule(Accepted, RuleAction.Accept));
        table.SetChain(new Chain("cali-PREROUTING", rules));
        table.SetChain(new Chain(
            "cali-OUTPUT",
            [ClearAll, new Rule(Match.All, RuleAction.Jump(ChainNames.ToHostEndpoint)), .. _tunnels.NoTracking(), new Rule(Accepted, RuleAction.Accept)]));
        Failsafes(table, raw: true);
        table.SetInserts("PREROUTING", [Hook("PREROUTING")]);
        table.SetInserts("OUTPUT", [Hook("OUTPUT")]);
    }

    public void RenderMangle(IRuleTable table)
    {
        table.SetChain(new Chain(
            "cali-PREROUTING",
            [
                new Rule(Match.All.ConntrackState(ConntrackStates.Related | ConntrackStates.Established), settings.MangleAllowTarget),
                new Rule(Accepted, settings.MangleAllowTarget),
                new Rule(Match.All, RuleAction.Jump(ChainNames.FromHostEndpoint)),
                new Rule(Accepted, settings.MangleAllowTarget, "Host endpoint policy accepted packet."),
            ]));
        table.SetChain(new Chain(
            "cali-POSTROUTING",
            [
                new Rule(Accepted, RuleAction.Return),
                ClearAll,
                new Rule(Match.All.ConntrackState(ConntrackStates.Dnat), RuleAction.Jump(ChainNames.ToHostEndpoint)),
                new Rule(Accepted, RuleAction.Return, "Host endpoint policy accepted packet."),
            ]));
        Failsafes(table, raw: false);
        table.SetInserts("PREROUTING", [Hook("PREROUTING")]);
        table.SetInserts("POSTROUTING", [Hook("POSTROUTING")]);
    }

    public void RenderNat(IRuleTable table)
    {
        table.SetChain(new Chain("cali-PREROUTING", [new Rule(Match.All, RuleAction.Jump(ChainNames.FloatingDnat))]));
        table.SetChain(new Chain("cali-OUTPUT", [new Rule(Match.All, RuleAction.Jump(ChainNames.FloatingDnat))]));
        table.SetChain(new Chain(
            "cali-POSTROUTING",
            [
                new Rule(Match.All, RuleAction.Jump(ChainNames.FloatingSnat)),
                new Rule(Match.All, RuleAction.Jump(ChainNames.NatOutgoing)),
                .. _tunnels.Masquerade(),
            ]));
        table.SetChain(new Chain(ChainNames.FloatingDnat, []));
        table.SetChain(new Chain(ChainNames.FloatingSnat, []));
        table.SetInserts("PREROUTING", [Hook("PREROUTING")]);
        table.SetInserts("OUTPUT", [Hook("OUTPUT")]);

        // Behind kube-proxy's rules, so that its masquerading has been decided when ours is asked.
        table.SetAppends("POSTROUTING", [Hook("POSTROUTING")]);
    }

    private static Rule Hook(string kernelChain) => new(Match.All, RuleAction.Jump($"cali-{kernelChain}"));

    private IEnumerable<string> Prefixes() => settings.InterfacePrefixes.Select(p => $"{p}+");

    private IEnumerable<Rule> Input()
    {
        foreach (Rule rule in _tunnels.Input())
        {
            yield return rule;
        }

        foreach (string prefix in Prefixes())
        {
            yield return new Rule(Match.All.InInterface(prefix), RuleAction.Goto(ChainNames.WorkloadToHost));
        }

        yield return new Rule(Accepted, settings.FilterAllowTarget);
        yield return ClearAll;
        yield return new Rule(Match.All, RuleAction.Jump(ChainNames.FromHostEndpoint));
        yield return new Rule(Accepted, settings.FilterAllowTarget, "Host endpoint policy accepted packet.");
    }

    private IEnumerable<Rule> Forward()
    {
        yield return new Rule(Match.All, RuleAction.ClearMark(_marks.All & ~_marks.Accept));
        yield return new Rule(Match.All.MarkClear(_marks.Accept), RuleAction.Jump(ChainNames.FromHostForward));
        foreach (string prefix in Prefixes())
        {
            yield return new Rule(Match.All.InInterface(prefix), RuleAction.Jump(ChainNames.FromWorkloadDispatch));
            yield return new Rule(Match.All.OutInterface(prefix), RuleAction.Jump(ChainNames.ToWorkloadDispatch));
        }

        yield return new Rule(Match.All, RuleAction.Jump(ChainNames.ToHostForward));
        yield return new Rule(Match.All, RuleAction.Jump(ChainNames.CidrBlock));
    }

    private IEnumerable<Rule> Output()
    {
        yield return new Rule(Accepted, settings.FilterAllowTarget);
        foreach (string prefix in Prefixes())
        {
            yield return new Rule(Match.All.OutInterface(prefix), RuleAction.Return);
        }

        foreach (Rule rule in _tunnels.Output())
        {
            yield return rule;
        }

        yield return ClearAll;
        yield return new Rule(Match.All.NotConntrackState(ConntrackStates.Dnat), RuleAction.Jump(ChainNames.ToHostEndpoint));
        yield return new Rule(Accepted, settings.FilterAllowTarget, "Host endpoint policy accepted packet.");
    }

    /// <summary>Advertised service addresses that nothing took on the way: sent back to the network they would come again and again.</summary>
    public Chain CidrBlock(IEnumerable<IpPrefix> serviceCidrs) => new(
        ChainNames.CidrBlock,
        settings.ServiceLoop == LoopPrevention.Disabled
            ? []
            :
            [
                .. serviceCidrs.Where(c => c.Family == family).Order()
                    .Select(c => new Rule(Match.All.DestinationNet(c), settings.ServiceLoop == LoopPrevention.Drop ? RuleAction.Drop : RuleAction.Reject)),
            ]);

    private IEnumerable<Rule> WorkloadToHost()
    {
        if (family == IpFamily.IPv6)
        {
            foreach (int type in s_neededIcmpv6Types)
            {
                yield return new Rule(Match.All.Protocol(IpProtocol.Icmpv6).IcmpType(IpFamily.IPv6, type), RuleAction.Accept);
            }
        }

        yield return new Rule(Match.All, RuleAction.Jump(ChainNames.FromWorkloadDispatch));
        RuleAction action = settings.EndpointToHost switch
        {
            EndpointToHostAction.Accept => RuleAction.Accept,
            EndpointToHostAction.Return => RuleAction.Return,
            _ => RuleAction.Drop,
        };
        yield return new Rule(Match.All, action, "Configured DefaultEndpointToHostAction");
    }

    /// <summary>In the raw table connections are not tracked yet, so the answers need rules of their own.</summary>
    private void Failsafes(IRuleTable table, bool raw)
    {
        List<Rule> inbound = [], outbound = [];
        foreach (FailsafePort port in settings.FailsafeInbound.Where(Here))
        {
            inbound.Add(Failsafe(port, destinationPort: true, netIsSource: true));
            if (raw)
            {
                outbound.Add(Failsafe(port, destinationPort: false, netIsSource: false));
            }
        }

        foreach (FailsafePort port in settings.FailsafeOutbound.Where(Here))
        {
            outbound.Add(Failsafe(port, destinationPort: true, netIsSource: false));
            if (raw)
            {
                inbound.Add(Failsafe(port, destinationPort: false, netIsSource: true));
            }
        }

        table.SetChain(new Chain(ChainNames.FailsafeIn, inbound));
        table.SetChain(new Chain(ChainNames.FailsafeOut, outbound));
    }

    private bool Here(FailsafePort port) => port.Net.Family == IpFamily.None || port.Net.Family == family;

    private static Rule Failsafe(FailsafePort port, bool destinationPort, bool netIsSource)
    {
        Match match = Match.All.Protocol(port.Protocol);
        match = destinationPort ? match.DestinationPorts([(port.Port, port.Port)]) : match.SourcePorts([(port.Port, port.Port)]);
        if (port.Net.Family != IpFamily.None)
        {
            match = netIsSource ? match.SourceNet(port.Net) : match.DestinationNet(port.Net);
        }

        return new Rule(match, RuleAction.Accept);
    }
}
