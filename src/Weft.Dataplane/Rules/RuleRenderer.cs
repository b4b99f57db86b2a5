using Weft.Dataplane.Rules.Model;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleTarget = Weft.Dataplane.Rules.Model.RuleAction;

namespace Weft.Dataplane.Rules;

/// <summary>
/// One policy rule as rules of a chain. What fits into one rule becomes one; alternatives that iptables cannot express in a single match (several nets,
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
    private readonly MarkBits _marks = settings.Marks;

    /// <param name="rule">The rule.</param>
    /// <param name="owner">Whose it is.</param>
    /// <param name="index">Its place among the owner's rules of the direction.</param>
    /// <param name="output">Gets the rules.</param>
    public void Append(DataplaneRule rule, RuleOwner owner, int index, List<Rule> output)
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
            match = match.Protocol(protocol);
        }

        // The order of blocks is fixed: ports, nets, and the negated ones last, since only positive ones may begin with AllBlocks clear.
        bool sourcePortBlock = PortBlock(blocks, rule, prepared.SourcePorts, rule.SrcNamedPortIpSetIds, PacketEnd.Source);
        bool destinationPortBlock = PortBlock(blocks, rule, prepared.DestinationPorts, rule.DstNamedPortIpSetIds, PacketEnd.Destination);
        bool sourceNetBlock = NetBlock(blocks, prepared.SourceNets, PacketEnd.Source);
        bool destinationNetBlock = NetBlock(blocks, prepared.DestinationNets, PacketEnd.Destination);
        bool notSourceNetBlock = NotNetBlock(blocks, prepared.NotSourceNets, sourceNetBlock ? 0 : prepared.SourceNets.Count, PacketEnd.Source);
        bool notDestinationNetBlock = NotNetBlock(blocks, prepared.NotDestinationNets, destinationNetBlock ? 0 : prepared.DestinationNets.Count, PacketEnd.Destination);
        bool notIcmpBlock = NotIcmpBlock(blocks, rule);

        match = PositiveSide(
            match, PacketEnd.Source, sourceNetBlock ? [] : prepared.SourceNets, rule.SrcIpSetIds, [], sourcePortBlock ? [] : prepared.SourcePorts,
            sourcePortBlock ? [] : rule.SrcNamedPortIpSetIds);
        match = PositiveSide(
            match, PacketEnd.Destination, destinationNetBlock ? [] : prepared.DestinationNets, rule.DstIpSetIds, rule.DstIpPortSetIds,
            destinationPortBlock ? [] : prepared.DestinationPorts, destinationPortBlock ? [] : rule.DstNamedPortIpSetIds);
        if (rule.Icmp is { } icmp)
        {
            match = match.IcmpType(family, icmp.Type, icmp.Code);
        }

        if (rule.NotProtocol is { } notProtocol)
        {
            match = match.NotProtocol(notProtocol);
        }

        match = NegativeSide(match, PacketEnd.Source, notSourceNetBlock ? [] : prepared.NotSourceNets, rule.NotSrcIpSetIds, rule.NotSrcPorts, rule.NotSrcNamedPortIpSetIds);
        match = NegativeSide(match, PacketEnd.Destination, notDestinationNetBlock ? [] : prepared.NotDestinationNets, rule.NotDstIpSetIds, rule.NotDstPorts, rule.NotDstNamedPortIpSetIds);
        if (rule.NotIcmp is { } notIcmp && !notIcmpBlock && rule.Protocol == OwnIcmp)
        {
            match = match.IcmpType(family, notIcmp.Type, notIcmp.Code, negated: true);
        }

        if (blocks.Any)
        {
            match = match.MarkSet(_marks.AllBlocks);
        }

        AppendAction(rule.Action, match, comments, output, owner, index);
    }

    private byte OwnIcmp => family == IpFamily.IPv4 ? IpProtocol.Icmp : IpProtocol.Icmpv6;

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
        Blocks blocks, DataplaneRule rule, List<(ushort First, ushort Last)[]> splits, IReadOnlyList<string> sets, PacketEnd end)
    {
        if (splits.Count + sets.Count <= 1)
        {
            return false;
        }

        Match protocol = rule.Protocol is { } number ? Match.All.Protocol(number) : Match.All;
        blocks.Positive(
        [
            .. splits.Select(s => protocol.Ports(end, s)),
            .. sets.Select(s => Match.All.IpPortSet(end, setName(s))),
        ]);
        return true;
    }

    private static bool NetBlock(Blocks blocks, IReadOnlyList<IpPrefix> nets, PacketEnd end)
    {
        if (nets.Count <= 1)
        {
            return false;
        }

        blocks.Positive([.. nets.Select(n => Match.All.Net(end, n))]);
        return true;
    }

    /// <summary>iptables takes one --source in a rule, negated or not.</summary>
    private static bool NotNetBlock(Blocks blocks, IReadOnlyList<IpPrefix> nets, int positiveLeft, PacketEnd end)
    {
        if (nets.Count == 0 || nets.Count + positiveLeft <= 1)
        {
            return false;
        }

        blocks.Negative([.. nets.Select(n => Match.All.Net(end, n))]);
        return true;
    }

    /// <summary>Without a protocol in the rule, "not this ICMP type" lets every other protocol through: only a block can say that.</summary>
    private bool NotIcmpBlock(Blocks blocks, DataplaneRule rule)
    {
        if (rule.NotIcmp is not { } icmp || rule.Protocol is not null)
        {
            return false;
        }

        blocks.Negative([Match.All.Protocol(OwnIcmp).IcmpType(family, icmp.Type, icmp.Code)]);
        return true;
    }

    private Match PositiveSide(
        Match match, PacketEnd end, IReadOnlyList<IpPrefix> nets, IReadOnlyList<string> sets, IReadOnlyList<string> ipPortSets,
        List<(ushort First, ushort Last)[]> ports, IReadOnlyList<string> portSets)
    {
        foreach (IpPrefix net in nets)
        {
            match = match.Net(end, net);
        }

        foreach (string set in sets)
        {
            match = match.IpSet(end, setName(set));
        }

        foreach (string set in ipPortSets)
        {
            match = match.IpPortSet(end, setName(set));
        }

        foreach ((ushort, ushort)[] split in ports)
        {
            match = match.Ports(end, split);
        }

        foreach (string set in portSets)
        {
            match = match.IpPortSet(end, setName(set));
        }

        return match;
    }

    private Match NegativeSide(
        Match match, PacketEnd end, IReadOnlyList<IpPrefix> nets, IReadOnlyList<string> sets, IReadOnlyList<PortRange> ports, IReadOnlyList<string> portSets)
    {
        foreach (IpPrefix net in nets)
        {
            match = match.Net(end, net, negated: true);
        }

        foreach (string set in sets)
        {
            match = match.IpSet(end, setName(set), negated: true);
        }

        foreach ((ushort, ushort)[] split in PortSplits.Of(ports))
        {
            match = match.Ports(end, split, negated: true);
        }

        foreach (string set in portSets)
        {
            match = match.IpPortSet(end, setName(set), negated: true);
        }

        return match;
    }

    private void AppendAction(Policy.Output.RuleAction action, Match match, string[] comments, List<Rule> output, RuleOwner owner, int index)
    {
        switch (action)
        {
            case Policy.Output.RuleAction.Log:
                output.Add(new Rule(Limited(match), RuleTarget.Log(owner.LogPrefix(settings.LogPrefix)), comments));
                break;
            case Policy.Output.RuleAction.Allow:
                Append(_marks.Accept, 'A', RuleTarget.Return, settings.LogsAllowed);
                break;
            case Policy.Output.RuleAction.Pass:
                Append(_marks.Pass, 'P', RuleTarget.Return, settings.LogsAllowed);
                break;
            default:
                Append(_marks.Drop, 'D', settings.DenyTarget, settings.LogsDenied);
                break;
        }

        void Append(uint mark, char letter, RuleTarget verdict, bool logged)
        {
            Match marked = Match.All.MarkSet(mark);
            output.Add(new Rule(match, RuleTarget.SetMark(mark), comments));
            if (logged && owner.IsTracked)
            {
                output.Add(new Rule(marked, RuleTarget.Nflog(NflogPrefix.Group(owner.IsInbound), owner.NflogPrefix(letter, index)), comments));
            }

            output.Add(new Rule(marked, verdict, comments));
        }
    }

    // The limit stands first: packets beyond it cost no more than that.
    private Match Limited(Match match) =>
        settings.LogRate is { } rate && Rates.TryParse(rate, out int packets, out RateUnit unit) ? Match.All.Limit(packets, unit, settings.LogBurst).And(match) : match;

    private sealed record Prepared(
        IReadOnlyList<IpPrefix> SourceNets,
        IReadOnlyList<IpPrefix> DestinationNets,
        IReadOnlyList<IpPrefix> NotSourceNets,
        IReadOnlyList<IpPrefix> NotDestinationNets,
        List<(ushort First, ushort Last)[]> SourcePorts,
        List<(ushort First, ushort Last)[]> DestinationPorts);
}
