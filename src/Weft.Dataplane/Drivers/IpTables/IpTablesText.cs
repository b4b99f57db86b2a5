using System.Text;
using Weft.Dataplane.Rules.Model;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.IpTables;

/// <summary>
/// Rules as iptables text. The text is part of a rule's hash: any change of a blank rewrites the rule on every node. It is Calico's, bit for bit.
/// </summary>
/// <param name="features">What the installed programs understand.</param>
internal sealed class IpTablesText(IpTablesFeatures features)
{
    /// <summary>Comments, match and action, joined by single blanks.</summary>
    public string Of(Rule rule)
    {
        StringBuilder text = new();
        foreach (string comment in rule.Comments)
        {
            text.Append("-m comment --comment \"").Append(RuleComment.Clean(comment)).Append("\" ");
        }

        foreach (Criterion criterion in rule.Match.Criteria)
        {
            text.Append(Of(criterion)).Append(' ');
        }

        text.Append(Of(rule.Action));
        return text.ToString().TrimEnd(' ');
    }

    public static string Of(Criterion criterion) => criterion switch
    {
        MarkCriterion m => $"-m mark {Not(m.Negated)}--mark {(m.Mark == 0 ? "0" : Hex(m.Mark))}/{Hex(m.Mask)}",
        InterfaceCriterion i => $"{(i.Way == InterfaceWay.In ? "--in-interface" : "--out-interface")} {i.Name}",
        ReversePathFailsCriterion => "-m rpfilter --invert --validmark",
        LocalAddressCriterion a =>
            $"-m addrtype {Not(a.Negated)}{(a.End == PacketEnd.Source ? "--src-type" : "--dst-type")} LOCAL{(a.LimitToOutInterface ? " --limit-iface-out" : string.Empty)}",
        ConntrackCriterion c => $"-m conntrack {Not(c.Negated)}--ctstate {States(c.States)}",
        ProtocolCriterion p => $"{Not(p.Negated)}-p {ProtocolText(p.Number)}",
        NetCriterion n => $"{Not(n.Negated)}{(n.End == PacketEnd.Source ? "--source" : "--destination")} {n.Net}",
        SetCriterion s => $"-m set {Not(s.Negated)}--match-set {s.Set} {SetFlags(s)}",
        PortsCriterion p => $"-m multiport {Not(p.Negated)}{(p.End == PacketEnd.Source ? "--source-ports" : "--destination-ports")} {Ports(p.Ports)}",
        IcmpCriterion { Family: IpFamily.IPv6 } i => $"-m icmp6 {Not(i.Negated)}--icmpv6-type {TypeAndCode(i)}",
        IcmpCriterion i => $"-m icmp {Not(i.Negated)}--icmp-type {TypeAndCode(i)}",
        LimitCriterion l => $"-m limit --limit {l.Packets}/{l.Unit.ToString().ToLowerInvariant()}{(l.Burst == 0 ? string.Empty : $" --limit-burst {l.Burst}")}",
        IpvsCriterion i => $"-m ipvs {Not(i.Negated)}--ipvs",
        _ => throw new ArgumentOutOfRangeException(nameof(criterion), criterion, "iptables has no such match"),
    };

    public string Of(RuleAction action) => action switch
    {
        VerdictAction { Verdict: Verdict.Continue } => string.Empty,
        VerdictAction v => $"--jump {v.Verdict.ToString().ToUpperInvariant()}",
        RejectAction r => r.WithTcpReset ? "--jump REJECT --reject-with tcp-reset" : "--jump REJECT",
        NoTrackAction => "--jump NOTRACK",
        JumpAction j => j.ComesBack ? $"--jump {j.Chain}" : $"--goto {j.Chain}",
        MarkAction m => $"--jump MARK --set-mark {Hex(m.Mark)}/{Hex(m.Mask)}",
        ClearMarkAction c => $"--jump MARK --set-mark 0/{Hex(c.Bits)}",
        ConnectionMarkAction c => $"--jump CONNMARK {(c.Save ? "--save-mark" : "--restore-mark")} --mask {Hex(c.Mask)}",
        DnatAction d => d.Port == 0 ? $"--jump DNAT --to-destination {d.Address}" : $"--jump DNAT --to-destination {d.Address}:{d.Port}",
        SnatAction { Address: null } s =>
            $"--jump MASQUERADE{(s.Ports is { } ports ? $" --to-ports {ports}" : string.Empty)}{(features.MasqueradeRandomFully ? " --random-fully" : string.Empty)}",
        SnatAction s =>
            $"--jump SNAT --to-source {s.Address}{(s.Ports is { } ports ? $":{ports}" : string.Empty)}{(features.SnatRandomFully ? " --random-fully" : string.Empty)}",
        NflogAction n => $"--jump NFLOG --nflog-group {n.Group} --nflog-prefix {n.Prefix} {(features.NflogSize ? "--nflog-size" : "--nflog-range")} 80",
        LogAction l => $"--jump LOG --log-prefix \"{l.Prefix}: \" --log-level 5",
        DscpAction d => $"--jump DSCP --set-dscp {d.Value}",
        _ => throw new ArgumentOutOfRangeException(nameof(action), action, "iptables has no such target"),
    };

    private static string Hex(uint value) => $"0x{value:x}";

    private static string Not(bool negated) => negated ? "! " : string.Empty;

    private static string ProtocolText(byte number) => number switch
    {
        IpProtocol.Tcp => "tcp",
        IpProtocol.Udp => "udp",
        IpProtocol.Sctp => "sctp",
        _ => number.ToString(),
    };

    private static string States(ConntrackStates states)
    {
        StringBuilder text = new();
        foreach (ConntrackStates state in Enum.GetValues<ConntrackStates>())
        {
            if (state != ConntrackStates.None && states.HasFlag(state))
            {
                text.Append(text.Length == 0 ? string.Empty : ",").Append(state.ToString().ToUpperInvariant());
            }
        }

        return text.ToString();
    }

    private static string SetFlags(SetCriterion set) => (set.End, set.Key) switch
    {
        (PacketEnd.Source, SetKey.Address) => "src",
        (PacketEnd.Destination, SetKey.Address) => "dst",
        (PacketEnd.Source, _) => "src,src",
        _ => "dst,dst",
    };

    private static string TypeAndCode(IcmpCriterion icmp) => icmp.Code is null ? $"{icmp.Type}" : $"{icmp.Type}/{icmp.Code}";

    private static string Ports(IReadOnlyList<(ushort First, ushort Last)> ports)
    {
        StringBuilder text = new();
        foreach ((ushort first, ushort last) in ports)
        {
            text.Append(text.Length == 0 ? string.Empty : ",").Append(first);
            if (last != first)
            {
                text.Append(':').Append(last);
            }
        }

        return text.ToString();
    }
}
