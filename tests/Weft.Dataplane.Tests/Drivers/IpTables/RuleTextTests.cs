using Weft.Dataplane.Drivers.IpTables;
using Weft.Dataplane.Rules.Model;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests.Drivers.IpTables;

public class RuleTextTests
{
    [Fact]
    public void Matches_HaveCalicosText()
    {
        (Match Match, string Expected)[] cases =
        [
            (Match.All.MarkClear(0x1000), "-m mark --mark 0/0x1000"),
            (Match.All.MarkNotClear(0x1000), "-m mark ! --mark 0/0x1000"),
            (Match.All.MarkSet(0x10), "-m mark --mark 0x10/0x10"),
            (Match.All.MarkNotEquals(0x1, 0xf), "-m mark ! --mark 0x1/0xf"),
            (Match.All.InInterface("cali+").OutInterface("eth0"), "--in-interface cali+ --out-interface eth0"),
            (Match.All.SourceIsLocal(limitToOutInterface: true), "-m addrtype --src-type LOCAL --limit-iface-out"),
            (Match.All.SourceIsNotLocal(), "-m addrtype ! --src-type LOCAL"),
            (Match.All.ConntrackState(ConntrackStates.Related | ConntrackStates.Established), "-m conntrack --ctstate RELATED,ESTABLISHED"),
            (Match.All.Protocol(6), "-p tcp"),
            (Match.All.NotProtocol(47), "! -p 47"),
            (Match.All.Net(PacketEnd.Source, IpPrefix.Parse("10.0.0.0/8"), negated: true), "! --source 10.0.0.0/8"),
            (Match.All.IpPortSet(PacketEnd.Destination, "cali40n:x"), "-m set --match-set cali40n:x dst,dst"),
            (Match.All.NotSourceIpSet("x"), "-m set ! --match-set x src"),
            (Match.All.SourcePorts([(1, 1), (5, 9)]), "-m multiport --source-ports 1,5:9"),
            (Match.All.Ports(PacketEnd.Destination, [(80, 80)], negated: true), "-m multiport ! --destination-ports 80"),
            (Match.All.IcmpType(IpFamily.IPv4, 8, 0), "-m icmp --icmp-type 8/0"),
            (Match.All.IcmpType(IpFamily.IPv6, 130, negated: true), "-m icmp6 ! --icmpv6-type 130"),
            (Match.All.Limit(10, RateUnit.Second, 5), "-m limit --limit 10/second --limit-burst 5"),
            (Match.All.ReversePathFails(), "-m rpfilter --invert --validmark"),
            (Match.All.NotIpvs(), "-m ipvs ! --ipvs"),
        ];

        foreach ((Match match, string expected) in cases)
        {
            Assert.Equal(expected, match.Text);
        }
    }

    [Fact]
    public void Actions_HaveCalicosText()
    {
        IpTablesText modern = new(new IpTablesFeatures()), old = new(new IpTablesFeatures(false, false, false, false));
        (IpTablesText Writer, RuleAction Action, string Expected)[] cases =
        [
            (modern, RuleAction.Goto("cali-x"), "--goto cali-x"),
            (modern, RuleAction.SetMark(0x80), "--jump MARK --set-mark 0x80/0x80"),
            (modern, RuleAction.ClearMark(0xe0), "--jump MARK --set-mark 0/0xe0"),
            (modern, RuleAction.SetMaskedMark(0, 0x600), "--jump MARK --set-mark 0x0/0x600"),
            (modern, RuleAction.Dnat("10.0.0.1", 80), "--jump DNAT --to-destination 10.0.0.1:80"),
            (modern, RuleAction.Snat("10.0.0.1"), "--jump SNAT --to-source 10.0.0.1 --random-fully"),
            (modern, RuleAction.Masquerade(new PortSpan(1024, 65535)), "--jump MASQUERADE --to-ports 1024-65535 --random-fully"),
            (old, RuleAction.Masquerade(), "--jump MASQUERADE"),
            (modern, RuleAction.Nflog(1, "DRI"), "--jump NFLOG --nflog-group 1 --nflog-prefix DRI --nflog-size 80"),
            (old, RuleAction.Nflog(2, "DRE"), "--jump NFLOG --nflog-group 2 --nflog-prefix DRE --nflog-range 80"),
            (modern, RuleAction.Log("prefix"), "--jump LOG --log-prefix \"prefix: \" --log-level 5"),
            (modern, RuleAction.Dscp(20), "--jump DSCP --set-dscp 20"),
        ];

        foreach ((IpTablesText writer, RuleAction action, string expected) in cases)
        {
            Assert.Equal(expected, writer.Of(action));
        }
    }

    [Fact]
    public void Features_FollowTheVersions()
    {
        Assert.Equal(new IpTablesFeatures(), IpTablesFeatures.Of(new Version(1, 8, 9), new Version(6, 1)));
        Assert.Equal(new IpTablesFeatures(true, false, true, false), IpTablesFeatures.Of(new Version(1, 6, 1), new Version(4, 9)));
        Assert.Equal(new Version(1, 8, 9), IpTablesTools.ParseVersion("iptables-restore v1.8.9 (nf_tables)\n"));
    }
}
