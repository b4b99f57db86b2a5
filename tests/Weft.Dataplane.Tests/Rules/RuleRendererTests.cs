using Weft.Dataplane.Rules.Model;
using Weft.Dataplane.Rules;
using Weft.Dataplane.Tests.Drivers.IpTables;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleAction = Weft.Policy.Output.RuleAction;

namespace Weft.Dataplane.Tests.Rules;

/// <summary>Vectors of reference 10.10, with mark bits dealt from a mask of ours: the structure is what they assert.</summary>
public sealed class RuleRendererTests
{
    private static readonly RuleSettings s_settings = new() { MarkMask = 0xf80 };

    private static string Accept => $"--jump MARK --set-mark 0x{s_settings.Marks.Accept:x}/0x{s_settings.Marks.Accept:x}";

    private static string A => $"0x{s_settings.Marks.AllBlocks:x}";

    private static string T => $"0x{s_settings.Marks.ThisBlock:x}";

    private static string Both => $"0x{s_settings.Marks.AllBlocks | s_settings.Marks.ThisBlock:x}";

    private static string Return => $"-m mark --mark 0x{s_settings.Marks.Accept:x}/0x{s_settings.Marks.Accept:x} --jump RETURN";

    [Fact]
    public void TwoSourceNets_AreAPositiveBlock()
    {
        Check(
            new DataplaneRule { Action = RuleAction.Allow, SrcNets = Nets("10.0.0.0/24", "10.0.1.0/24") },
            $"--jump MARK --set-mark 0x0/{Both}",
            $"--source 10.0.0.0/24 --jump MARK --set-mark {A}/{A}",
            $"--source 10.0.1.0/24 --jump MARK --set-mark {A}/{A}",
            $"-m mark --mark {A}/{A} {Accept}",
            Return);
    }

    [Fact]
    public void TwoNegatedSourceNets_AreANegatedBlock()
    {
        Check(
            new DataplaneRule { Action = RuleAction.Allow, NotSrcNets = Nets("10.0.0.0/24", "10.0.1.0/24") },
            $"--jump MARK --set-mark {A}/{Both}",
            $"--source 10.0.0.0/24 --jump MARK --set-mark 0/{A}",
            $"--source 10.0.1.0/24 --jump MARK --set-mark 0/{A}",
            $"-m mark --mark {A}/{A} {Accept}",
            Return);
    }

    [Fact]
    public void OneSourceNetAndOneNegated_NeedABlockForTheNegatedOne()
    {
        Check(
            new DataplaneRule { Action = RuleAction.Allow, SrcNets = Nets("10.0.0.0/24"), NotSrcNets = Nets("11.0.0.0/24") },
            $"--jump MARK --set-mark {A}/{Both}",
            $"--source 11.0.0.0/24 --jump MARK --set-mark 0/{A}",
            $"--source 10.0.0.0/24 -m mark --mark {A}/{A} {Accept}",
            Return);
    }

    [Fact]
    public void TwoOfEachKind_PositiveBlocksFirst()
    {
        Check(
            new DataplaneRule
            {
                Action = RuleAction.Allow, SrcNets = Nets("10.0.0.0/24", "10.0.1.0/24"), NotSrcNets = Nets("11.0.0.0/24", "11.0.1.0/24"),
                DstNets = Nets("12.0.0.0/24", "12.0.1.0/24"), NotDstNets = Nets("13.0.0.0/24", "13.0.1.0/24"),
            },
            $"--jump MARK --set-mark 0x0/{Both}",
            $"--source 10.0.0.0/24 --jump MARK --set-mark {A}/{A}",
            $"--source 10.0.1.0/24 --jump MARK --set-mark {A}/{A}",
            $"--destination 12.0.0.0/24 --jump MARK --set-mark {T}/{T}",
            $"--destination 12.0.1.0/24 --jump MARK --set-mark {T}/{T}",
            $"-m mark --mark 0/{T} --jump MARK --set-mark 0/{A}",
            $"--source 11.0.0.0/24 --jump MARK --set-mark 0/{A}",
            $"--source 11.0.1.0/24 --jump MARK --set-mark 0/{A}",
            $"--destination 13.0.0.0/24 --jump MARK --set-mark 0/{A}",
            $"--destination 13.0.1.0/24 --jump MARK --set-mark 0/{A}",
            $"-m mark --mark {A}/{A} {Accept}",
            Return);
    }

    [Fact]
    public void ThirdPositiveBlock_ForgetsWhatTheSecondFound()
    {
        IReadOnlyList<string> rules = Render(new DataplaneRule
        {
            Action = RuleAction.Allow, Protocol = 6, SrcPorts = Ports(16), DstPorts = Ports(16), SrcNets = Nets("10.0.0.0/24", "10.0.1.0/24"),
        });

        int secondCheck = rules.ToList().FindIndex(r => r.StartsWith($"-m mark --mark 0/{T}", StringComparison.Ordinal));
        Assert.Equal($"--jump MARK --set-mark 0/{T}", rules[secondCheck + 1]);
    }

    [Fact]
    public void PortsAndNamedPorts_AreAlternatives()
    {
        Check(
            new DataplaneRule { Action = RuleAction.Allow, Protocol = 6, DstPorts = [new PortRange(1, 2)], DstNamedPortIpSetIds = ["ipset-1"] },
            $"--jump MARK --set-mark 0x0/{Both}",
            $"-p tcp -m multiport --destination-ports 1:2 --jump MARK --set-mark {A}/{A}",
            $"-m set --match-set cali40ipset-1 dst,dst --jump MARK --set-mark {A}/{A}",
            $"-p tcp -m mark --mark {A}/{A} {Accept}",
            Return);
    }

    [Fact]
    public void SixteenSlots_AreSplitAfterSevenRanges()
    {
        PortRange[] ranges = [.. Enumerable.Range(0, 8).Select(i => new PortRange((ushort)(2 * i + 1), (ushort)(2 * i + 2)))];

        IReadOnlyList<string> positive = Render(new DataplaneRule { Action = RuleAction.Allow, Protocol = 17, SrcPorts = ranges });
        IReadOnlyList<string> negative = Render(new DataplaneRule { Action = RuleAction.Allow, Protocol = 17, NotSrcPorts = ranges });

        Assert.Equal($"-p udp -m multiport --source-ports 1:2,3:4,5:6,7:8,9:10,11:12,13:14 --jump MARK --set-mark {A}/{A}", positive[1]);
        Assert.Equal($"-p udp -m multiport --source-ports 15:16 --jump MARK --set-mark {A}/{A}", positive[2]);
        Assert.Equal($"-p udp -m multiport ! --source-ports 1:2,3:4,5:6,7:8,9:10,11:12,13:14 -m multiport ! --source-ports 15:16 {Accept}", negative[0]);
    }

    [Theory]
    [InlineData(15, 1)]
    [InlineData(16, 2)]
    public void SinglePorts_TakeOneSlotEach(int ports, int splits) => Assert.Equal(splits, PortSplits.Of(Ports(ports)).Count);

    [Fact]
    public void EveryMatch_StandsInItsPlace()
    {
        Check(
            new DataplaneRule
            {
                Action = RuleAction.Deny, Protocol = 6, SrcNets = Nets("10.0.0.0/8"), SrcIpSetIds = ["a", "b"], SrcPorts = [new PortRange(1, 1)],
                DstNets = Nets("11.0.0.0/8"), DstIpSetIds = ["c"], DstIpPortSetIds = ["d"], DstNamedPortIpSetIds = ["e"],
                NotSrcIpSetIds = ["f"], NotSrcPorts = [new PortRange(2, 2)], NotSrcNamedPortIpSetIds = ["g"], NotDstIpSetIds = ["h"], NotDstNamedPortIpSetIds = ["i"],
            },
            "-p tcp --source 10.0.0.0/8 -m set --match-set cali40a src -m set --match-set cali40b src -m multiport --source-ports 1"
                + " --destination 11.0.0.0/8 -m set --match-set cali40c dst -m set --match-set cali40d dst,dst -m set --match-set cali40e dst,dst"
                + " -m set ! --match-set cali40f src -m multiport ! --source-ports 2 -m set ! --match-set cali40g src,src"
                + $" -m set ! --match-set cali40h dst -m set ! --match-set cali40i dst,dst --jump MARK --set-mark 0x{s_settings.Marks.Drop:x}/0x{s_settings.Marks.Drop:x}",
            $"-m mark --mark 0x{s_settings.Marks.Drop:x}/0x{s_settings.Marks.Drop:x} --jump DROP");
    }

    [Fact]
    public void RulesOfTheOtherFamily_AreLeftOut()
    {
        Assert.Empty(Render(new DataplaneRule { Action = RuleAction.Allow, IpVersion = IpFamily.IPv6 }));
        Assert.Empty(Render(new DataplaneRule { Action = RuleAction.Allow, SrcNets = Nets("fd00::/8") }));
        Assert.Empty(Render(new DataplaneRule { Action = RuleAction.Allow, NotDstNets = Nets("fd00::/8") }));
        Assert.Empty(Render(new DataplaneRule { Action = RuleAction.Allow, NotDstNets = Nets("0.0.0.0/0") }));
        Assert.NotEmpty(Render(new DataplaneRule { Action = RuleAction.Allow, SrcNets = Nets("fd00::/8", "10.0.0.0/8") }));
    }

    [Fact]
    public void Icmp_IsRenderedPerFamily_AndOnlyBesideItsProtocol()
    {
        DataplaneRule v4 = new() { Action = RuleAction.Allow, Protocol = 1, Icmp = new IcmpMatch(8, 0) };
        DataplaneRule v6 = new() { Action = RuleAction.Allow, Protocol = 58, Icmp = new IcmpMatch(128, null) };

        Assert.Equal($"-p 1 -m icmp --icmp-type 8/0 {Accept}", Render(v4)[0]);
        Assert.Empty(Render(v4, IpFamily.IPv6));
        Assert.Equal($"-p 58 -m icmp6 --icmpv6-type 128 {Accept}", Render(v6, IpFamily.IPv6)[0]);
        Assert.Empty(Render(v6));
    }

    [Fact]
    public void NotIcmp_WithoutProtocol_LetsOtherProtocolsThrough()
    {
        Check(
            new DataplaneRule { Action = RuleAction.Allow, NotIcmp = new IcmpMatch(8, null) },
            $"--jump MARK --set-mark {A}/{Both}",
            $"-p 1 -m icmp --icmp-type 8 --jump MARK --set-mark 0/{A}",
            $"-m mark --mark {A}/{A} {Accept}",
            Return);
    }

    [Fact]
    public void Chain_CarriesItsOwner_AndDropsTrailingReturns()
    {
        ActivePolicyUpdate policy = new(
            new PolicyId("NetworkPolicy", "ns", "p"), "default",
            [new DataplaneRule { Action = RuleAction.Allow, Annotations = [new("why", "because \"x\"")] }], [], "all()", PolicyTraits.None);

        Chain[] chains = [.. new PolicyRenderer(s_settings, IpFamily.IPv4, id => id, static _ => false).Policy(policy)];

        Assert.Equal(["cali-pi-np/ns/p", "cali-po-np/ns/p"], chains.Select(c => c.Name));
        Rule only = Assert.Single(chains[0].Rules);
        Assert.Equal($"-m comment --comment \"NetworkPolicy ns/p ingress\" -m comment --comment \"why=because _x_\" {Accept}", only.Text);
        Assert.Equal("-m comment --comment \"NetworkPolicy ns/p egress\"", Assert.Single(chains[1].Rules).Text);
    }

    private static void Check(DataplaneRule rule, params string[] expected) => Assert.Equal(expected, Render(rule));

    private static IReadOnlyList<string> Render(DataplaneRule rule, IpFamily family = IpFamily.IPv4)
    {
        List<Rule> rules = [];
        new RuleRenderer(s_settings, family, id => $"cali40{id}").Append(rule, new RuleOwner("default", "gnp", "", "p", true, true), 0, rules);
        return [.. rules.Select(r => r.Text)];
    }

    private static IpPrefix[] Nets(params string[] nets) => [.. nets.Select(IpPrefix.Parse)];

    private static PortRange[] Ports(int count) => [.. Enumerable.Range(1, count).Select(p => new PortRange((ushort)p, (ushort)p))];
}
