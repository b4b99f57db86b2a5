using System.Collections.Immutable;
using Weft.Bgp;
using Weft.Bgp.Policies;
using Weft.Model.Resources;
using Weft.Node.Router;

namespace Weft.Node.Tests.Router;

public sealed class FilterCompilerTests
{
    private static (ImmutableArray<PolicyRule> Rules, List<string> Problems) Import(params BGPFilterRule[] rules)
    {
        List<string> problems = [];
        Dictionary<string, BGPFilter> filters = new() { ["f"] = new BGPFilter { Spec = { ImportV4 = [.. rules] } } };
        return (FilterCompiler.Compile(["f"], filters, FilterDirection.Import, problems)!.Value, problems);
    }

    [Theory]
    [InlineData("In", null, null, 16, 32, false)]
    [InlineData("NotIn", null, null, 16, 32, true)]
    [InlineData("Equal", null, null, 16, 16, false)]
    [InlineData("NotEqual", null, null, 16, 16, true)]
    [InlineData("In", 8, 24, 16, 24, false)]
    [InlineData("In", 20, null, 20, 32, false)]
    public void B29_Operators_AreRangesOfLengths(string matchOperator, int? min, int? max, int low, int high, bool negated)
    {
        (ImmutableArray<PolicyRule> rules, _) = Import(new BGPFilterRule
        {
            Action = "Accept", Cidr = "10.1.0.0/16", MatchOperator = matchOperator, PrefixLength = min is null && max is null ? null : new BGPFilterPrefixLength { Min = min, Max = max },
        });

        PrefixMatch match = Assert.Single(Assert.Single(rules).Prefixes);
        Assert.Equal((low, high, negated), (match.MinimumLength, match.MaximumLength, match.Negated));
    }

    [Theory]
    [InlineData(100, 2147483547u)]
    [InlineData(200, 2147483447u)]
    [InlineData(256, 2147483391u)]
    public void B30_Priority_IsLocalPreferenceTurnedAround(int priority, uint expected)
    {
        (ImmutableArray<PolicyRule> rules, _) = Import(new BGPFilterRule
        {
            Action = "Accept", Priority = priority, Operations = [new BGPFilterOperation { SetPriority = new BGPFilterSetPriority { Value = priority } }],
        });

        Assert.Equal(RouteEdit.SetLocalPreference(expected), Assert.Single(rules[0].Edits));
        Assert.Equal(new PolicyCondition.Number(RouteNumber.LocalPreference, [NumberRange.Of(expected)]), Assert.Single(rules[0].Conditions));
    }

    [Fact]
    public void B31_PrependedPath_BeginsWithTheListAsWritten()
    {
        (ImmutableArray<PolicyRule> rules, _) = Import(new BGPFilterRule
        {
            Action = "Accept", Operations = [new BGPFilterOperation { PrependASPath = new BGPFilterPrependAsPath { Prefix = [new AsNumber(65000), new AsNumber(65001)] } }],
        });

        Assert.Equal([RouteEdit.PrependAs(65001), RouteEdit.PrependAs(65000)], rules[0].Edits);
    }

    [Fact]
    public void B32_PeerTypeAndCommunity_AreConditions()
    {
        (ImmutableArray<PolicyRule> rules, _) = Import(new BGPFilterRule
        {
            Action = "Accept", PeerType = "iBGP", Communities = new BGPFilterCommunities { Values = ["65000:100"] },
        });

        Assert.Equal(["community 65000:100", "peer-type ibgp"], rules[0].Conditions.Select(c => c.ToString()));
        Assert.Equal(PrefixMatch.Inside(Weft.Primitives.Net.IpPrefix.Parse("0.0.0.0/0")), Assert.Single(rules[0].Prefixes));
    }

    [Fact]
    public void EveryMember_IsACondition_AsBirdReadsIt()
    {
        (ImmutableArray<PolicyRule> rules, List<string> problems) = Import(new BGPFilterRule
        {
            Action = "Accept", Cidr = "10.0.0.0/8", MatchOperator = "NotIn", PrefixLength = new BGPFilterPrefixLength { Min = 16 }, Source = "RemotePeers", Interface = "eth*", PeerType = "eBGP",
            Communities = new BGPFilterCommunities { Values = ["65000:1:2"] }, AsPathPrefix = [new AsNumber(65000), new AsNumber(65001)], Priority = 1,
            Operations = [new BGPFilterOperation { AddCommunity = new BGPFilterAddCommunity { Value = "1:2:3" } }, new BGPFilterOperation { AddCommunity = new BGPFilterAddCommunity { Value = "1:2" } }],
        });

        Assert.Empty(problems);
        PolicyRule rule = Assert.Single(rules);
        Assert.Equal("BGPFilter f importV4[0]", rule.Name);
        Assert.Equal("!10.0.0.0/8{16,32}", Assert.Single(rule.Prefixes).ToString());
        Assert.Equal(
            ["community 65000:1:2", "interface eth*", "source bgp", "peer-type ebgp", "local-pref 2147483646", "as-path \"^65000 65001 .*$\""], rule.Conditions.Select(c => c.ToString()));
        Assert.Equal(["community add 1:2:3", "community add 1:2"], rule.Edits.Select(e => e.ToString()));
    }

    public static TheoryData<BGPFilterRule, string> NotUnderstood => new()
    {
        { new BGPFilterRule { Action = "Allow" }, "action \"Allow\": expected Accept or Reject" },
        { new BGPFilterRule { Action = "Accept", MatchOperator = "In" }, "matchOperator: needs a cidr" },
        { new BGPFilterRule { Action = "Accept", PrefixLength = new BGPFilterPrefixLength { Min = 8 } }, "prefixLength: needs a cidr" },
        { new BGPFilterRule { Action = "Accept", Cidr = "10.0.0.0/8" }, "matchOperator \"\": expected Equal, NotEqual, In or NotIn" },
        { new BGPFilterRule { Action = "Accept", Cidr = "10.0.0.0/8", MatchOperator = "In", PrefixLength = new BGPFilterPrefixLength { Max = 33 } }, "prefixLength ..33: expected 0 to 32" },
        { new BGPFilterRule { Action = "Accept", Source = "Kernel" }, "source \"Kernel\": expected RemotePeers" },
        { new BGPFilterRule { Action = "Accept", PeerType = "EBGP" }, "peerType \"EBGP\": expected eBGP or iBGP" },
        { new BGPFilterRule { Action = "Accept", Interface = "a-name-of-16-char" }, "interface \"a-name-of-16-char\": expected at most 15 characters" },
        { new BGPFilterRule { Action = "Accept", Priority = 0 }, "priority 0: expected 1 to 2147483646" },
        { new BGPFilterRule { Action = "Accept", Communities = new BGPFilterCommunities { Values = ["65000:*"] } }, "communities.values: expected exactly one, aa:nn or aa:nn:mm" },
        { new BGPFilterRule { Action = "Accept", Communities = new BGPFilterCommunities { Values = ["no-export"] } }, "communities.values: expected exactly one, aa:nn or aa:nn:mm" },
        { new BGPFilterRule { Action = "Accept", Operations = [new BGPFilterOperation()] }, "operations: expected exactly one of addCommunity, prependASPath and setPriority in each" },
        { new BGPFilterRule { Action = "Accept", Operations = [new BGPFilterOperation { SetPriority = new BGPFilterSetPriority() }] }, "setPriority 0: expected 1 to 2147483646" },
    };

    [Theory]
    [MemberData(nameof(NotUnderstood))]
    public void WhatIsNotUnderstood_IsNamed(BGPFilterRule rule, string expected)
    {
        (_, List<string> problems) = Import(rule);

        Assert.StartsWith($"BGPFilter f importV4[0]: {expected}; ", Assert.Single(problems));
    }

    [Fact]
    public void RuleThatCannotBeUnderstood_NeverLetsMoreThrough()
    {
        (ImmutableArray<PolicyRule> rules, List<string> problems) = Import(
            new BGPFilterRule { Action = "Accept", Cidr = "fd00::/8", MatchOperator = "In" },
            new BGPFilterRule { Action = "Reject", Cidr = "10.0.0.0/8", MatchOperator = "Around" });

        Assert.Equal(2, problems.Count);
        PolicyRule rule = Assert.Single(rules);
        Assert.Equal((PolicyVerdict.Reject, 0), (rule.Verdict, rule.Prefixes[0].MinimumLength));
    }

    [Fact]
    public void MissingFilter_LetsNothingPass()
    {
        Cluster cluster = Cluster.OfThree().Configuration("default", c => c.NodeToNodeMeshEnabled = false)
            .Peer("a", p => (p.PeerIP, p.AsNumber, p.Filters) = ("10.225.0.4", new AsNumber(65515), ["absent"]));

        PeerSettings peer = Assert.Single(cluster.Derive().Peers);

        Assert.Equal((RoutePolicy.RejectAll, RoutePolicy.RejectAll), (peer.Import, peer.Export));
    }

    [Fact]
    public void Filters_StandBeforeTheRulesOfTheNode()
    {
        Cluster cluster = Cluster.OfThree().Configuration("default", c => c.NodeToNodeMeshEnabled = false).Pool("172.17.0.0/16")
            .Filter("f", f => f.ExportV4 = [new BGPFilterRule { Action = "Reject", Cidr = "172.17.9.0/24", MatchOperator = "In" }])
            .Peer("a", p => (p.PeerIP, p.AsNumber, p.Filters) = ("10.225.0.4", new AsNumber(65515), ["f"]));

        PeerSettings peer = Assert.Single(cluster.Derive().Peers);

        Assert.Null(peer.Import);
        Assert.Equal(["BGPFilter f exportV4[0]", "tunnel of the cluster", "link of the agent", "pool 172.17.0.0/16"], peer.Export!.Rules.Select(r => r.Name));
    }
}
