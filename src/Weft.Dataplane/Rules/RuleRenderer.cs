using Weft.Dataplane.Drivers.IpTables;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleTarget = Weft.Dataplane.Drivers.IpTables.RuleAction;

namespace Weft.Dataplane.Rules;

/// <summary>
/// One policy rule as iptables rules. What fits into one rule becomes one; alternatives that iptables cannot express in a single match (several nets,
/// more ports than a multiport holds) become blocks before it that leave their result in a mark bit:
/// <code>
///   set AllBlocks to 0 (to 1 when only negated blocks follow), ThisBlock to 0
///   first block:   each alternative sets AllBlocks
///   later blocks:  each alternative sets ThisBlock;  ThisBlock clear -> clear AllBlocks
///   negated block: each alternative clears AllBlocks
///   the rule itself matches AllBlocks too
/// </code>
/// </summary>
internal sealed class RuleRenderer(RuleSettings settings, IpFamily family, Func<string, string> setName)
{
    private const byte IcmpV4 = 1;
    private const byte IcmpV6 = 58;

    private readonly MarkBits _marks = settings.Marks;

    public void Append(DataplaneRule rule, List<Rule> output)
    {
        if (Prepare(rule) is not { } prepared)
        {
            return;
        }

        string[] comments = [.. rule.Annotations.Select(a => $"{a.Key}={a.Value}")];
        Blocks blocks = new(_marks, output, comments);
        Match match = Match.All;
        if (rule.Protocol is { } protocol)
        {
            match = match.Protocol(ProtocolText(protocol));
        }

        // The order of blocks is fixed: ports, nets, and the negated ones last, since only positive ones may begin with AllBlocks clear.
        bool sourcePortBlock = PortBlock(blocks, rule, prepared.SourcePorts, rule.SrcNamedPortIpSetIds, End.Source);
        bool destinationPortBlock = PortBlock(blocks, rule, prepared.DestinationPorts, rule.DstNamedPortIpSetIds, End.Destination);
        bool sourceNetBlock = NetBlock(blocks, prepared.SourceNets, End.Source);
        bool destinationNetBlock = NetBlock(blocks, prepared.DestinationNets, End.Destination);
        bool notSourceNetBlock = NotNetBlock(blocks, prepared.NotSourceNets, sourceNetBlock ? 0 : prepared.SourceNets.Count, End.Source);
        bool notDestinationNetBlock = NotNetBlock(blocks, prepared.NotDestinationNets, destinationNetBlock ? 0 : prepared.DestinationNets.Count, End.Destination);
        bool notIcmpBlock = NotIcmpBlock(blocks, rule);

        match = PositiveSide(
            match, End.Source, sourceNetBlock ? [] : prepared.SourceNets, rule.SrcIpSetIds, [], sourcePortBlock ? [] : prepared.SourcePorts,
            sourcePortBlock ? [] : rule.SrcNamedPortIpSetIds);
        match = PositiveSide(
            match, End.Destination, destinationNetBlock ? [] : prepared.DestinationNets, rule.DstIpSetIds, rule.DstIpPortSetIds,
            destinationPortBlock ? [] : prepared.DestinationPorts, destinationPortBlock ? [] : rule.DstNamedPortIpSetIds);
        if (rule.Icmp is { } icmp)
        {
            match = family == IpFamily.IPv4 ? match.IcmpType(icmp.Type, icmp.Code) : match.Icmpv6Type(icmp.Type, icmp.Code);
        }

        if (rule.NotProtocol is { } notProtocol)
        {
            match = match.NotProtocol(ProtocolText(notProtocol));
        }

        match = NegativeSide(match, End.Source, notSourceNetBlock ? [] : prepared.NotSourceNets, rule.NotSrcIpSetIds, rule.NotSrcPorts, rule.NotSrcNamedPortIpSetIds);
        match = NegativeSide(match, End.Destination, notDestinationNetBlock ? [] : prepared.NotDestinationNets, rule.NotDstIpSetIds, rule.NotDstPorts, rule.NotDstNamedPortIpSetIds);
        if (rule.NotIcmp is { } notIcmp && !notIcmpBlock && rule.Protocol == OwnIcmp)
        {
            match = family == IpFamily.IPv4 ? match.NotIcmpType(notIcmp.Type, notIcmp.Code) : match.NotIcmpv6Type(notIcmp.Type, notIcmp.Code);
        }

        if (blocks.Any)
        {
            match = match.MarkSet(_marks.AllBlocks);
        }

        AppendAction(rule.Action, match, comments, output);
    }

    private byte OwnIcmp => family == IpFamily.IPv4 ? IcmpV4 : IcmpV6;

    private static string ProtocolText(byte number) => number switch
    {
        6 => "tcp",
        17 => "udp",
        132 => "sctp",
        _ => number.ToString(),
    };

    /// <summary>Null when the rule cannot match packets of this family.</summary>
    private Prepared? Prepare(DataplaneRule rule)
    {
        if (rule.IpVersion != IpFamily.None && rule.IpVersion != family)
        {
            return null;
        }

        // The kernel accepts the icmp match only beside its own protocol: a rule with another must not spoil the whole table.
        if (rule.Icmp is not null && rule.Protocol != OwnIcmp)
        {
            return null;
        }

        Prepared prepared = new(
            [.. rule.SrcNets.Where(n => n.Family == family)],
            [.. rule.DstNets.Where(n => n.Family == family)],
            [.. rule.NotSrcNets.Where(n => n.Family == family)],
            [.. rule.NotDstNets.Where(n => n.Family == family)],
            PortSplits.Of(rule.SrcPorts),
            PortSplits.Of(rule.DstPorts));

        // A list of only the other family's nets matches nothing here, and not "anything but all" either.
        bool emptied = (rule.SrcNets.Count > 0 && prepared.SourceNets.Count == 0)
            || (rule.DstNets.Count > 0 && prepared.DestinationNets.Count == 0)
            || (rule.NotSrcNets.Count > 0 && prepared.NotSourceNets.Count == 0)
            || (rule.NotDstNets.Count > 0 && prepared.NotDestinationNets.Count == 0)
            || prepared.NotSourceNets.Concat(prepared.NotDestinationNets).Any(n => n.IsDefault);
        return emptied ? null : prepared;
    }

    private bool PortBlock(
        Blocks blocks, DataplaneRule rule, List<(ushort First, ushort Last)[]> splits, IReadOnlyList<string> sets, End end)
    {
        if (splits.Count + sets.Count <= 1)
        {
            return false;
        }

        Match protocol = rule.Protocol is { } number ? Match.All.Protocol(ProtocolText(number)) : Match.All;
        blocks.Positive(
        [
            .. splits.Select(s => Ports(protocol, end, s)),
            .. sets.Select(s => PortSet(Match.All, end, s)),
        ]);
        return true;
    }

    private static bool NetBlock(Blocks blocks, IReadOnlyList<IpPrefix> nets, End end)
    {
        if (nets.Count <= 1)
        {
            return false;
        }

        blocks.Positive([.. nets.Select(n => Net(Match.All, end, n))]);
        return true;
    }

    /// <summary>iptables takes one --source in a rule, negated or not.</summary>
    private static bool NotNetBlock(Blocks blocks, IReadOnlyList<IpPrefix> nets, int positiveLeft, End end)
    {
        if (nets.Count == 0 || nets.Count + positiveLeft <= 1)
        {
            return false;
        }

        blocks.Negative([.. nets.Select(n => Net(Match.All, end, n))]);
        return true;
    }

    /// <summary>Without a protocol in the rule, "not this ICMP type" lets every other protocol through: only a block can say that.</summary>
    private bool NotIcmpBlock(Blocks blocks, DataplaneRule rule)
    {
        if (rule.NotIcmp is not { } icmp || rule.Protocol is not null)
        {
            return false;
        }

        Match match = Match.All.Protocol(ProtocolText(OwnIcmp));
        blocks.Negative([family == IpFamily.IPv4 ? match.IcmpType(icmp.Type, icmp.Code) : match.Icmpv6Type(icmp.Type, icmp.Code)]);
        return true;
    }

    private Match PositiveSide(
        Match match, End end, IReadOnlyList<IpPrefix> nets, IReadOnlyList<string> sets, IReadOnlyList<string> ipPortSets,
        List<(ushort First, ushort Last)[]> ports, IReadOnlyList<string> portSets)
    {
        foreach (IpPrefix net in nets)
        {
            match = Net(match, end, net);
        }

        foreach (string set in sets)
        {
            match = end == End.Source ? match.SourceIpSet(setName(set)) : match.DestinationIpSet(setName(set));
        }

        foreach (string set in ipPortSets)
        {
            match = PortSet(match, end, set);
        }

        foreach ((ushort, ushort)[] split in ports)
        {
            match = Ports(match, end, split);
        }

        foreach (string set in portSets)
        {
            match = PortSet(match, end, set);
        }

        return match;
    }

    private Match NegativeSide(
        Match match, End end, IReadOnlyList<IpPrefix> nets, IReadOnlyList<string> sets, IReadOnlyList<PortRange> ports, IReadOnlyList<string> portSets)
    {
        foreach (IpPrefix net in nets)
        {
            match = end == End.Source ? match.NotSourceNet(net.ToString()) : match.NotDestinationNet(net.ToString());
        }

        foreach (string set in sets)
        {
            match = end == End.Source ? match.NotSourceIpSet(setName(set)) : match.NotDestinationIpSet(setName(set));
        }

        foreach ((ushort, ushort)[] split in PortSplits.Of(ports))
        {
            match = end == End.Source ? match.NotSourcePorts(split) : match.NotDestinationPorts(split);
        }

        foreach (string set in portSets)
        {
            match = end == End.Source ? match.NotSourceIpPortSet(setName(set)) : match.NotDestinationIpPortSet(setName(set));
        }

        return match;
    }

    private static Match Net(Match match, End end, IpPrefix net) => end == End.Source ? match.SourceNet(net.ToString()) : match.DestinationNet(net.ToString());

    private static Match Ports(Match match, End end, (ushort, ushort)[] ports) => end == End.Source ? match.SourcePorts(ports) : match.DestinationPorts(ports);

    private Match PortSet(Match match, End end, string set) => end == End.Source ? match.SourceIpPortSet(setName(set)) : match.DestinationIpPortSet(setName(set));

    private void AppendAction(Policy.Output.RuleAction action, Match match, string[] comments, List<Rule> output)
    {
        switch (action)
        {
            case Policy.Output.RuleAction.Allow:
                output.Add(new Rule(match, RuleTarget.SetMark(_marks.Accept), comments));
                output.Add(new Rule(Match.All.MarkSet(_marks.Accept), RuleTarget.Return, comments));
                break;
            case Policy.Output.RuleAction.Pass:
                output.Add(new Rule(match, RuleTarget.SetMark(_marks.Pass), comments));
                output.Add(new Rule(Match.All.MarkSet(_marks.Pass), RuleTarget.Return, comments));
                break;
            case Policy.Output.RuleAction.Log:
                output.Add(new Rule(match, RuleTarget.Log("calico-packet"), comments));
                break;
            default:
                output.Add(new Rule(match, RuleTarget.SetMark(_marks.Drop), comments));
                output.Add(new Rule(Match.All.MarkSet(_marks.Drop), settings.DenyTarget, comments));
                break;
        }
    }

    private enum End : byte
    {
        Source,
        Destination,
    }

    private sealed record Prepared(
        IReadOnlyList<IpPrefix> SourceNets,
        IReadOnlyList<IpPrefix> DestinationNets,
        IReadOnlyList<IpPrefix> NotSourceNets,
        IReadOnlyList<IpPrefix> NotDestinationNets,
        List<(ushort First, ushort Last)[]> SourcePorts,
        List<(ushort First, ushort Last)[]> DestinationPorts);
}
