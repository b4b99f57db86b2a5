using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Model.Selectors;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using static Weft.Policy.Tests.Build;

namespace Weft.Policy.Tests;

public sealed class PolicyGraphTests
{
    private static string AllId => Selector.All.Id;

    [Theory]
    [InlineData(10, 20, 30, "gnp/pol-1,gnp/pol-2,gnp/pol-3")]
    [InlineData(30, 20, 10, "gnp/pol-3,gnp/pol-2,gnp/pol-1")]
    [InlineData(10, 10, 10, "gnp/pol-1,gnp/pol-2,gnp/pol-3")]
    public void Policies_AreOrderedByOrderThenName(double a, double b, double c, string expected)
    {
        Replay state = States.Run(
            Workload("w1", "id=ep1", "10.0.0.1"),
            GlobalPolicy("pol-1", "id == 'ep1'", a), GlobalPolicy("pol-2", "id == 'ep1'", b), GlobalPolicy("pol-3", "id == 'ep1'", c));

        Assert.Equal(expected, string.Join(',', state.Workload("w1").Tiers.Single().Ingress));
    }

    [Fact]
    public void NoOrder_IsLast_AndADashSortsBeforeTheEndOfAName()
    {
        Replay state = States.Run(
            Workload("w1", "", "10.0.0.1"), GlobalPolicy("a", "", 5), GlobalPolicy("a-b", "", 5), GlobalPolicy("first", "", null), GlobalPolicy("z", "", 100));

        Assert.Equal("gnp/a-b,gnp/a,gnp/z,gnp/first", string.Join(',', state.Workload("w1").Tiers.Single().Ingress));
    }

    [Theory]
    [InlineData("10,20,30", "tier-1,tier-2,tier-3")]
    [InlineData("30,20,10", "tier-3,tier-2,tier-1")]
    [InlineData("10,10,10", "tier-1,tier-2,tier-3")]
    [InlineData("20,20,10", "tier-3,tier-1,tier-2")]
    [InlineData("none,10,1", "tier-3,tier-2,tier-1")]
    [InlineData("missing,10,20", "tier-2,tier-3,tier-1")]
    [InlineData("missing,none,20", "tier-3,tier-2,tier-1")]
    public void Tiers_AreOrderedByOrderThenName_MissingLast(string orders, string expected)
    {
        List<ModelUpdate> updates = [Workload("w1", "", "10.0.0.1")];
        foreach ((string order, int i) in orders.Split(',').Select((o, i) => (o, i + 1)))
        {
            updates.Add(GlobalPolicy($"pol-{i}", "", 1, $"tier-{i}"));
            if (order != "missing")
            {
                updates.Add(Tier($"tier-{i}", order == "none" ? null : double.Parse(order)));
            }
        }

        Replay state = States.Run([.. updates]);

        Assert.Equal(expected, string.Join(',', state.Workload("w1").Tiers.Select(t => t.Name)));
    }

    [Fact]
    public void TierThatPasses_IsMarked_AMissingOneDenies()
    {
        Replay state = States.Run(
            Workload("w1", "", "10.0.0.1"), GlobalPolicy("p", "", 1, "passing"), GlobalPolicy("q", "", 1, "missing"), Tier("passing", 5, "Pass"));

        Assert.Equal("passing(pass) in[gnp/p] out[gnp/p]; missing in[gnp/q] out[gnp/q]", Replay.Text(state.Workload("w1").Tiers));
    }

    [Fact]
    public void Types_DecideTheDirections_NoneMeansBoth()
    {
        Replay state = States.Run(
            Workload("w1", "", "10.0.0.1"), GlobalPolicy("a", "", 1, types: "Ingress"), GlobalPolicy("b", "", 2, types: "Egress"), GlobalPolicy("c", "", 3));

        Assert.Equal("default in[gnp/a,gnp/c] out[gnp/b,gnp/c]", Replay.Text(state.Workload("w1").Tiers));
    }

    [Fact]
    public void UntrackedAndPreDnat_GoToHostEndpointsOwnTiers()
    {
        Replay state = States.Run(
            HostEndpoint("hep", "id=h"),
            GlobalPolicy("untracked", "id == 'h'", 1, edit: s => (s.DoNotTrack, s.ApplyOnForward) = (true, true)),
            GlobalPolicy("prednat", "id == 'h'", 2, types: "Ingress", edit: s => (s.PreDNAT, s.ApplyOnForward) = (true, true)),
            GlobalPolicy("forward", "id == 'h'", 3, edit: s => s.ApplyOnForward = true));

        HostEndpointUpdate hep = state.HostEndpoints["hep"];
        Assert.Equal("default in[gnp/forward] out[gnp/forward]", Replay.Text(hep.Tiers));
        Assert.Equal("default(pass) in[gnp/untracked] out[gnp/untracked]", Replay.Text(hep.UntrackedTiers));
        Assert.Equal("default(pass) in[gnp/prednat] out[]", Replay.Text(hep.PreDnatTiers));
        Assert.Equal("default in[gnp/forward] out[gnp/forward]", Replay.Text(hep.ForwardTiers));
    }

    [Fact]
    public void MissingProfile_Denies_OthersStandAsWritten()
    {
        Replay state = States.Run(
            Workload("w1", "", "10.0.0.1", "prof-1,prof-2,prof-missing"), Profile("prof-1", "", [Allow()], [Allow()]), Profile("prof-2"), Profile("unused", "", [Allow()]));

        Assert.Equal(["prof-1", "prof-2", "prof-missing"], state.Profiles.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(RuleAction.Allow, state.Profiles["prof-1"].InboundRules.Single().Action);
        Assert.Empty(state.Profiles["prof-2"].InboundRules);
        Assert.Equal(RuleAction.Deny, state.Profiles["prof-missing"].InboundRules.Single().Action);
        Assert.Equal(RuleAction.Deny, state.Profiles["prof-missing"].OutboundRules.Single().Action);
    }

    [Fact]
    public void DefaultAllowProfile_ExistsWithoutBeingStored()
    {
        Replay state = States.Run(Workload("w1", "", "10.0.0.1", "projectcalico-default-allow"));

        Assert.Equal(RuleAction.Allow, state.Profiles["projectcalico-default-allow"].InboundRules.Single().Action);
    }

    [Fact]
    public void NamedPorts_BecomeAddressPortPairs_SharedAddressesCounted()
    {
        Replay state = States.Run(
            Workload("ep1", "", "10.0.0.1,10.0.0.2,fc00:fe11::1", ports: "tcpport:tcp:8080,udpport:udp:9091"),
            Workload("ep2", "", "10.0.0.2,10.0.0.3,fc00:fe11::3", ports: "tcpport:tcp:8080", node: "node2"),
            GlobalPolicy("pol", "", 1, ingress: [Allow(protocol: Protocol.Tcp, ports: "tcpport")]));

        string id = UniqueId.Make("n", $"{AllId},tcp,tcpport");
        Assert.Equal(
            ["10.0.0.1,6:8080", "10.0.0.2,6:8080", "10.0.0.3,6:8080", "fc00:fe11::1,6:8080", "fc00:fe11::3,6:8080"],
            state.Sets[id].Select(m => m.ToString()).Order(StringComparer.Ordinal));
        Assert.Equal([id], state.Policies.Values.Single().InboundRules.Single().DstNamedPortIpSetIds);
    }

    [Fact]
    public void NamedPort_DiffersBetweenEndpointsOfOneAddress_BothAreMembers()
    {
        Replay state = States.Run(
            Workload("ep1", "", "10.0.0.2", ports: "tcpport:tcp:1234"),
            Workload("ep2", "", "10.0.0.2", ports: "tcpport:tcp:2345"),
            GlobalPolicy("pol", "", 1, ingress: [Allow(protocol: Protocol.Tcp, ports: "tcpport")]));

        Assert.Equal(["10.0.0.2,6:1234", "10.0.0.2,6:2345"], state.Sets.Values.Single().Select(m => m.ToString()).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void NamedPort_OfAnotherProtocol_LeavesTheSetEmpty()
    {
        Replay state = States.Run(
            Workload("ep1", "", "10.0.0.2", ports: "tcpport:tcp:1234"), GlobalPolicy("pol", "", 1, ingress: [Allow(protocol: Protocol.Udp, ports: "tcpport")]));

        Assert.Empty(state.Sets.Values.Single());
    }

    [Fact]
    public void NamedPortsAlone_SwallowThePlainSet_NumericPortsBringItBack()
    {
        Replay alone = States.Run(
            Workload("w", "", "10.0.0.1"), GlobalPolicy("pol", "", 1, egress: [Allow(to: "role == 'x'", protocol: Protocol.Tcp, ports: "http")]));
        Replay both = States.Run(
            Workload("w", "", "10.0.0.1"), GlobalPolicy("pol", "", 1, egress: [Allow(to: "role == 'x'", protocol: Protocol.Tcp, ports: "http,80")]));

        Assert.Empty(alone.Policies.Values.Single().OutboundRules.Single().DstIpSetIds);
        Assert.Equal([Selector.Parse("role == 'x'").Id], both.Policies.Values.Single().OutboundRules.Single().DstIpSetIds);
        Assert.Equal([new PortRange(80, 80)], both.Policies.Values.Single().OutboundRules.Single().DstPorts);
    }

    [Fact]
    public void NotSelector_IsFoldedIntoAPositiveOne_ElseANegatedSet()
    {
        Rule folded = Allow(from: "a == 'b'");
        folded.Source!.NotSelector = "has(c)";
        Rule negated = new() { Action = "Allow", Source = new EntityRule { NotSelector = "has(c)" } };

        Replay state = States.Run(Workload("w", "", "10.0.0.1"), GlobalPolicy("pol", "", 1, ingress: [folded, negated]));

        IReadOnlyList<DataplaneRule> rules = state.Policies.Values.Single().InboundRules;
        Assert.Equal([Selector.Parse("(a == \"b\") && (!(has(c)))").Id], rules[0].SrcIpSetIds);
        Assert.Empty(rules[0].NotSrcIpSetIds);
        Assert.Equal([Selector.Parse("has(c)").Id], rules[1].NotSrcIpSetIds);
    }

    [Fact]
    public void Services_HaveEmptySetsOfTheirOwn()
    {
        Rule to = new() { Action = "Allow", Destination = new EntityRule { Services = new ServiceMatch { Name = "svc", Namespace = "default" } } };
        Rule from = new() { Action = "Allow", Source = new EntityRule { Services = new ServiceMatch { Name = "svc", Namespace = "default" } } };

        Replay state = States.Run(Workload("w", "", "10.0.0.1"), GlobalPolicy("pol", "", 1, ingress: [from], egress: [to]));

        Assert.Equal(["svcnoport:T03S_6hogdrGKrNFBcbKTFsH_uKwDHEo8JddOg"], state.Policies.Values.Single().InboundRules.Single().SrcIpSetIds);
        Assert.Equal(["svc:Jhwii46PCMT5NlhWsUqZmv7al8TeHFbNQMhoVg"], state.Policies.Values.Single().OutboundRules.Single().DstIpPortSetIds);
    }

    [Fact]
    public void ServiceSlices_FillTheSets_SharedAddressesCounted()
    {
        Rule to = new() { Action = "Allow", Destination = new EntityRule { Services = new ServiceMatch { Name = "svc", Namespace = "default" } } };
        Rule from = new() { Action = "Allow", Source = new EntityRule { Services = new ServiceMatch { Name = "svc", Namespace = "default" } } };

        Replay state = States.Run(
            Workload("w", "", "10.0.0.1"), GlobalPolicy("pol", "", 1, ingress: [from], egress: [to]),
            Slice("svc-1", "svc", "10.0.0.1,10.0.0.2", 80), Slice("svc-2", "svc", "10.0.0.2,fd00::1", 81), Slice("other", "another", "10.0.0.9", 80));

        Assert.Equal(
            ["10.0.0.1,6:80", "10.0.0.2,6:80", "10.0.0.2,6:81", "fd00::1,6:81"], state.Sets["svc:Jhwii46PCMT5NlhWsUqZmv7al8TeHFbNQMhoVg"].Select(m => m.ToString()).Order(StringComparer.Ordinal));
        Assert.Equal(
            ["10.0.0.1/32", "10.0.0.2/32", "fd00::1/128"], state.Sets["svcnoport:T03S_6hogdrGKrNFBcbKTFsH_uKwDHEo8JddOg"].Select(m => m.ToString()).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void StagedKubernetesPolicy_IsConverted_CountedAndNotMoreThanStaged()
    {
        ModelUpdate staged = new(
            new ResourceKey(ResourceKind.StagedKubernetesNetworkPolicy, "default", "s"),
            new StagedKubernetesNetworkPolicy { Metadata = { Name = "s", Namespace = "default" }, Spec = { PodSelector = new KubernetesLabelSelector { MatchLabels = new() { ["role"] = "web" } } } },
            1);

        Replay state = States.Run(Workload("a", "role=web", "10.0.0.1"), Workload("b", "role=db", "10.0.0.2"), staged);

        Assert.Equal("default in[sknp/default/s] out[]", Replay.Text(state.Workload("a").Tiers));
        Assert.Empty(state.Workload("b").Tiers);
        PolicyGraph graph = new(ThisNode);
        graph.OnUpdate(Workload("a", "role=web", "10.0.0.1"));
        graph.OnUpdate(staged);
        Assert.Equal([new StagedPolicy(new PolicyId("StagedKubernetesNetworkPolicy", "default", "s"), 1)], graph.Staged);
    }

    [Fact]
    public void Sets_HoldAllNodesEndpointsHostsAndNetworkSets()
    {
        Replay state = States.Run(
            Workload("w", "role=x", "10.0.0.1"), Workload("remote", "role=x", "10.0.1.1", node: "node2"), Workload("other", "role=y", "10.0.0.9"),
            HostEndpoint("hep", "role=x", node: "node2", ips: "172.16.0.1"), NetworkSet("ns", "role=x", "192.168.0.0/16"),
            GlobalNetworkSet("all", "role=x", "0.0.0.0/0"),
            GlobalPolicy("pol", "", 1, ingress: [Allow(from: "role == 'x'")]));

        Assert.Equal(
            ["0.0.0.0/1", "10.0.0.1/32", "10.0.1.1/32", "128.0.0.0/1", "172.16.0.1/32", "192.168.0.0/16"],
            state.Sets[Selector.Parse("role == 'x'").Id].Select(m => m.ToString()).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void NamespacedPeers_AreConfined_AndLabelsOfProfilesAreInherited()
    {
        Replay state = States.Run(
            Workload("w", "", "10.0.0.1"), Workload("same", "a=b", "10.0.0.2"), Workload("elsewhere", "a=b", "10.0.0.3", ns: "other", profiles: "kns.other"),
            Profile("kns.other", "pcns.team=red"), NetworkSet("set", "", "10.9.0.0/16", ns: "other"),
            NamespacedPolicy("own", "", [Allow(from: "a == 'b'")]),
            NamespacedPolicy("by-namespace", "", [new Rule { Action = "Allow", Source = new EntityRule { NamespaceSelector = "team == 'red'" } }]));

        Assert.Equal(["10.0.0.2/32"], Members(state, "(projectcalico.org/namespace == 'default') && (a == 'b')"));
        Assert.Equal(["10.0.0.3/32", "10.9.0.0/16"], Members(state, "pcns.team == 'red'"));
    }

    [Fact]
    public void PolicySelector_SeesInheritedLabels_OwnOnesWin()
    {
        Replay state = States.Run(
            Workload("a", "", "10.0.0.1", "p"), Workload("b", "color=blue", "10.0.0.2", "p"), Profile("p", "color=red"), GlobalPolicy("red", "color == 'red'", 1));

        Assert.Single(state.Workload("a").Tiers);
        Assert.Empty(state.Workload("b").Tiers);
    }

    [Fact]
    public void ForgedLabels_AreIgnored()
    {
        Replay state = States.Run(
            Workload("a", "pcns.team=red,projectcalico.org/namespace=kube-system", "10.0.0.1"),
            GlobalPolicy("team", "pcns.team == 'red'", 1), GlobalPolicy("ns", "projectcalico.org/namespace == 'kube-system'", 1));

        Assert.Empty(state.Workload("a").Tiers);
        Assert.Empty(state.Policies);
    }

    [Fact]
    public void StagedPolicies_AreSentWithTheirKind_StagedDeletionIsNone()
    {
        Replay state = States.Run(Workload("a", "", "10.0.0.1"), StagedPolicy("s", ""), StagedPolicy("d", "", "Delete"));

        Assert.Equal("sgnp/s", state.Workload("a").Tiers.Single().Ingress.Single().ToString());
        Assert.Single(state.Policies);
    }

    [Fact]
    public void PolicyWithoutLocalMatch_IsNotSent_UnlessItAsksFor()
    {
        Replay state = States.Run(
            Workload("remote", "", "10.0.0.1", node: "node2"), GlobalPolicy("plain", "", 1),
            GlobalPolicy("everywhere", "has(nothing)", 1, edit: s => s.PerformanceHints = ["AssumeNeededOnEveryNode"]));

        Assert.Equal(["gnp/everywhere"], state.Policies.Keys.Select(k => k.ToString()));
        Assert.Empty(state.Workloads);
    }

    [Fact]
    public void HostsPoolsAndSettings_PassThrough()
    {
        Node node = new() { Spec = new NodeSpec { Bgp = new NodeBgpSpec { Ipv4Address = "172.16.0.1/24", Ipv6Address = "fd00::1/64" } } };
        Node byAddress = new() { Spec = new NodeSpec { Addresses = [new NodeAddress { Address = "1.2.3.4", Type = "ExternalIP" }, new NodeAddress { Address = "10.1.1.1", Type = "InternalIP" }] } };
        IPPool pool = new() { Spec = new IPPoolSpec { Cidr = "10.0.0.0/16", NatOutgoing = true, IpipMode = "CrossSubnet" } };

        Replay state = States.Run(
            new ModelUpdate(new ResourceKey(ResourceKind.Node, "n1"), node, 1),
            new ModelUpdate(new ResourceKey(ResourceKind.Node, "n2"), byAddress, 1),
            new ModelUpdate(new ResourceKey(ResourceKind.Node, "n3"), new Node { Spec = new NodeSpec { Bgp = new NodeBgpSpec() } }, 1),
            new ModelUpdate(new ResourceKey(ResourceKind.IPPool, "p"), pool, 1));

        Assert.Equal(new HostMetadataUpdate("n1", IpAddress.Parse("172.16.0.1"), IpAddress.Parse("fd00::1")), state.Hosts["n1"]);
        Assert.Equal(IpAddress.Parse("10.1.1.1"), state.Hosts["n2"].IPv4);
        Assert.False(state.Hosts.ContainsKey("n3"));
        Assert.Equal(new IpamPoolUpdate(IpPrefix.Parse("10.0.0.0/16"), true, EncapMode.CrossSubnet, EncapMode.Never, ["Workload", "Tunnel"]), state.Pools.Values.Single());
    }

    [Fact]
    public void NothingIsSent_BeforeInSync()
    {
        PolicyGraph graph = new(ThisNode);
        Replay replay = new();
        graph.OnUpdate(Workload("a", "", "10.0.0.1"));

        graph.Flush(replay);

        Assert.Equal(0, replay.Count);
    }

    [Fact]
    public void NewRevision_IsSent_BecauseAddWaitsForIt()
    {
        PolicyGraph graph = new(ThisNode);
        Replay replay = new();
        graph.OnInSync();
        graph.OnUpdate(Workload("a", "", "10.0.0.1", revision: 5));
        graph.Flush(replay);

        graph.OnUpdate(Workload("a", "", "10.0.0.1", revision: 6));
        graph.Flush(replay);

        Assert.Equal(6, replay.Workload("a").Revision);
    }

    private static IEnumerable<string> Members(Replay state, string selector) =>
        state.Sets[Selector.Parse(selector).Id].Select(m => m.ToString()).Order(StringComparer.Ordinal);

    [Fact]
    public void WorkloadsWithOneIdentity_TheSmallestNameHasIt()
    {
        Replay state = States.Run(
            Workload("b", "", "10.0.0.2", edit: s => s.Pod = "same"), Workload("a", "", "10.0.0.1", edit: s => s.Pod = "same"), Workload("c", "", "10.0.0.3", edit: s => s.Pod = "same"),
            Workload("d", "", "10.0.0.4"));

        Assert.Equal(["default/a", "default/d"], state.Workloads.Values.Select(w => w.ResourceName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void BlocksOfServices_AreSent_OnceEach_InOrder()
    {
        Replay state = States.Run(Bgp("default", "10.96.0.0/12,fd10::/108,10.96.0.0/12"), Bgp("node.node1", "10.0.0.0/8"));

        Assert.Equal(["10.96.0.0/12", "fd10::/108"], state.ServiceCidrs.Select(c => c.ToString()));
    }
}
