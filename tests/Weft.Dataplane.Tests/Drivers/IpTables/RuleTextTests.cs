using Weft.Dataplane.Drivers.IpTables;

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
            (Match.All.SourceAddressType("LOCAL", limitToOutInterface: true), "-m addrtype --src-type LOCAL --limit-iface-out"),
            (Match.All.NotSourceAddressType("LOCAL"), "-m addrtype ! --src-type LOCAL"),
            (Match.All.ConntrackState("RELATED,ESTABLISHED"), "-m conntrack --ctstate RELATED,ESTABLISHED"),
            (Match.All.Protocol("tcp"), "-p tcp"),
            (Match.All.NotProtocol("47"), "! -p 47"),
            (Match.All.NotSourceNet("10.0.0.0/8"), "! --source 10.0.0.0/8"),
            (Match.All.DestinationIpPortSet("cali40n:x"), "-m set --match-set cali40n:x dst,dst"),
            (Match.All.NotSourceIpSet("x"), "-m set ! --match-set x src"),
            (Match.All.SourcePorts([(1, 1), (5, 9)]), "-m multiport --source-ports 1,5:9"),
            (Match.All.NotDestinationPorts([(80, 80)]), "-m multiport ! --destination-ports 80"),
            (Match.All.IcmpType(8, 0), "-m icmp --icmp-type 8/0"),
            (Match.All.NotIcmpv6Type(130), "-m icmp6 ! --icmpv6-type 130"),
            (Match.All.Limit("10/second", 5), "-m limit --limit 10/second --limit-burst 5"),
            (Match.All.ReversePathFails(), "-m rpfilter --invert --validmark"),
            (Match.All.NotIpvs(), "-m ipvs ! --ipvs"),
        ];

        foreach ((Match match, string expected) in cases)
        {
            Assert.Equal(expected, match.ToString());
        }
    }

    [Fact]
    public void Actions_HaveCalicosText()
    {
        IpTablesFeatures modern = new(), old = new(false, false, false, false);
        (RuleAction Action, string Expected)[] cases =
        [
            (RuleAction.Goto("cali-x"), "--goto cali-x"),
            (RuleAction.SetMark(0x80), "--jump MARK --set-mark 0x80/0x80"),
            (RuleAction.ClearMark(0xe0), "--jump MARK --set-mark 0/0xe0"),
            (RuleAction.SetMaskedMark(0, 0x600), "--jump MARK --set-mark 0x0/0x600"),
            (RuleAction.Dnat("10.0.0.1", 80), "--jump DNAT --to-destination 10.0.0.1:80"),
            (RuleAction.Snat("10.0.0.1", modern), "--jump SNAT --to-source 10.0.0.1 --random-fully"),
            (RuleAction.Masquerade(modern, "1024-65535"), "--jump MASQUERADE --to-ports 1024-65535 --random-fully"),
            (RuleAction.Masquerade(old), "--jump MASQUERADE"),
            (RuleAction.Nflog(1, "DRI", modern), "--jump NFLOG --nflog-group 1 --nflog-prefix DRI --nflog-size 80"),
            (RuleAction.Nflog(2, "DRE", old), "--jump NFLOG --nflog-group 2 --nflog-prefix DRE --nflog-range 80"),
            (RuleAction.Log("prefix"), "--jump LOG --log-prefix \"prefix: \" --log-level 5"),
            (RuleAction.Dscp(20), "--jump DSCP --set-dscp 20"),
        ];

        foreach ((RuleAction action, string expected) in cases)
        {
            Assert.Equal(expected, action.Text);
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
