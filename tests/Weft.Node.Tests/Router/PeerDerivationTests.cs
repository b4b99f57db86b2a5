using Weft.Bgp;
using Weft.Bgp.Policies;
using Weft.Model.Resources;
using Weft.Node.Router;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Router;

/// <summary>The BGP vectors of the compatibility reference (section 8.5, B1 to B33), in weft's own terms.</summary>
public sealed class PeerDerivationTests
{
    private static AsNumber As(uint value) => new(value);

    private static string[] Peers(DerivedRouting derived) => [.. derived.Peers.Select(Cluster.Describe)];

    [Fact]
    public void B1_ConfirmedBlocks_AreOriginated_LargerOnesDropUnusedAddresses_PendingOnesAreNot()
    {
        Cluster cluster = Cluster.OfThree().Block("10.0.0.0/30", "").Block("10.1.0.0/24", "").Block("10.2.0.1/32", "")
            .Block("192.168.221.192/26", "").Block("192.168.221.64/26", "confirmed").Block("192.168.221.0/26", "pending");

        DerivedRouting derived = cluster.Derive();

        Assert.Equal(["10.0.0.0/30", "10.1.0.0/24", "192.168.221.64/26", "192.168.221.192/26"], derived.Blackholes.Select(b => b.ToString()));
        Assert.Equal(["10.0.0.0/30", "10.1.0.0/24", "10.2.0.1/32", "192.168.221.64/26", "192.168.221.192/26"], derived.Originated.Keys.Select(b => b.ToString()));
        Assert.All(derived.Originated.Values, a => Assert.Equal(2147482623u, a.LocalPreference));
    }

    [Fact]
    public void B2_Mesh_IsPassiveTowardsTheLaterAddress()
    {
        DerivedRouting derived = Cluster.OfThree().Derive();

        Assert.Equal(["Mesh_10_192_0_3 passive", "Mesh_10_192_0_4 passive"], Peers(derived));
        Assert.All(derived.Peers, p => Assert.Equal((64512u, IpAddress.Parse("10.192.0.2")), (p.RemoteAs, p.LocalAddress)));
    }

    [Fact]
    public void B3_MeshOverIPv6_ComparesTextNotNumbers()
    {
        Cluster cluster = new Cluster().Node(Cluster.Self, null, "2001::103/64").Node("a", null, "2001::102/64").Node("b", null, "2001::104/64");
        cluster.Settings = cluster.Settings with { RouterIdFromName = true };

        Assert.Equal(["Mesh_2001__102", "Mesh_2001__104 passive"], Peers(cluster.Derive()));
    }

    [Fact]
    public void MeshPassivity_IsAStringComparison()
    {
        Cluster cluster = new Cluster().Node(Cluster.Self, "10.0.0.10/24").Node("nine", "10.0.0.9/24");

        Assert.Equal(["Mesh_10_0_0_9 passive"], Peers(cluster.Derive()));
    }

    [Fact]
    public void B4_ListenPort_OfTheNodeBeatsThatOfTheCluster()
    {
        Cluster cluster = Cluster.OfThree().Configuration("default", c => c.ListenPort = 177).Configuration($"node.{Cluster.Self}", c => c.ListenPort = 180);

        DerivedRouting derived = cluster.Derive();

        Assert.Equal(["0.0.0.0:180", "[::]:180"], derived.Listen.Select(l => l.ToString()));
        Assert.Equal(["Mesh_10_192_0_3 passive port 177", "Mesh_10_192_0_4 passive port 177"], Peers(derived));
    }

    [Fact]
    public void B5_MeshRestartTime_ReachesEveryMeshPeer()
    {
        Cluster cluster = Cluster.OfThree().Configuration("default", c => c.NodeMeshMaxRestartTime = "10s");

        Assert.Equal(["Mesh_10_192_0_3 passive restart 10", "Mesh_10_192_0_4 passive restart 10"], Peers(cluster.Derive()));
    }

    [Fact]
    public void B6_ReflectorsAreNotInTheMesh()
    {
        Cluster cluster = new Cluster().Node(Cluster.Self, "10.192.0.2/16").Node("n1", "10.192.0.3/16").Node("n2", "10.192.0.4/16", clusterId: "10.0.0.1")
            .Peer("rr", p => (p.Node, p.PeerIP, p.AsNumber) = (Cluster.Self, "10.192.0.4", As(64512)));

        Assert.Equal(["Mesh_10_192_0_3 passive", "Node_10_192_0_4"], Peers(cluster.Derive()));
    }

    private static Cluster Reflector(bool keep) =>
        new Cluster().Node(Cluster.Self, "10.192.0.2/16", asNumber: 64532, clusterId: "10.0.0.1").Node("n1", "10.192.0.3/16", asNumber: 64532).Node("n2", "10.192.0.4/16", asNumber: 64532)
            .Peer("a", p => (p.Node, p.PeerIP, p.AsNumber, p.KeepOriginalNextHop) = (Cluster.Self, "10.192.0.3", As(64532), keep))
            .Peer("b", p => (p.Node, p.PeerIP, p.AsNumber, p.KeepOriginalNextHop) = (Cluster.Self, "10.192.0.4", As(64532), keep))
            .Peer("c", p => (p.Node, p.PeerIP, p.AsNumber, p.KeepOriginalNextHop) = (Cluster.Self, "172.19.4.87", As(64533), keep));

    [Fact]
    public void B7_Reflector_HasNoMesh_AndReflectsToInternalPeersOnly()
    {
        DerivedRouting derived = Reflector(keep: false).Derive();

        Assert.Equal(["Node_10_192_0_3 rr 10.0.0.1", "Node_10_192_0_4 rr 10.0.0.1", "Node_172_19_4_87"], Peers(derived));
        Assert.Equal(64532u, derived.LocalAs);
    }

    [Fact]
    public void B8_KeepOriginalNextHop_OnlyMattersToExternalPeers() =>
        Assert.Equal(["Node_10_192_0_3 rr 10.0.0.1", "Node_10_192_0_4 rr 10.0.0.1", "Node_172_19_4_87 keep"], Peers(Reflector(keep: true).Derive()));

    [Fact]
    public void B9_GlobalPeers_PortsInTheName_BindMode()
    {
        Cluster cluster = new Cluster().Node(Cluster.Self, "10.192.0.2/16", asNumber: 64567).Node("n1", "10.192.0.3/16", asNumber: 64567)
            .Configuration("default", c => (c.NodeToNodeMeshEnabled, c.BindMode, c.ListenPort) = (false, "NodeIP", 150))
            .Peer("a", p => (p.PeerIP, p.AsNumber) = ("10.192.0.1:150", As(64567)))
            .Peer("b", p => (p.PeerIP, p.AsNumber) = ("10.192.0.1:166", As(64567)))
            .Peer("c", p => (p.PeerIP, p.AsNumber, p.SourceAddress) = ("10.192.0.3", As(64567), "None"));

        DerivedRouting derived = cluster.Derive();

        Assert.Equal(["10.192.0.2:150"], derived.Listen.Select(l => l.ToString()));
        Assert.Equal(["Global_10_192_0_1_port_150 port 150", "Global_10_192_0_1_port_166 port 166", "Global_10_192_0_3_port_150 passive nosource port 150"], Peers(derived));
    }

    [Fact]
    public void B10_GlobalExternalPeers_OnlyNodesGetAPortAndPassivity()
    {
        Cluster cluster = new Cluster().Node(Cluster.Self, "10.192.0.2/16").Node("n1", "10.192.0.3/16")
            .Configuration("default", c => (c.NodeToNodeMeshEnabled, c.ListenPort) = (false, 150))
            .Peer("a", p => (p.PeerIP, p.AsNumber) = ("10.192.0.3", As(64512)))
            .Peer("b", p => (p.PeerIP, p.AsNumber) = ("10.192.0.4", As(64512)))
            .Peer("c", p => (p.PeerIP, p.AsNumber) = ("10.192.0.4:166", As(64512)));

        DerivedRouting derived = cluster.Derive();

        Assert.Equal(["0.0.0.0:150", "[::]:150"], derived.Listen.Select(l => l.ToString()));
        Assert.Equal(["Global_10_192_0_3_port_150 passive port 150", "Global_10_192_0_4", "Global_10_192_0_4_port_166 port 166"], Peers(derived));
    }

    [Fact]
    public void B12_NodePeers_TheAsDecidesWhetherTheSessionIsInternal()
    {
        Cluster cluster = Cluster.OfThree().Configuration("default", c => c.NodeToNodeMeshEnabled = false)
            .Peer("a", p => (p.Node, p.PeerIP, p.AsNumber) = (Cluster.Self, "10.192.0.3", As(64512)))
            .Peer("b", p => (p.Node, p.PeerIP, p.AsNumber) = (Cluster.Self, "10.192.0.4", As(64566)))
            .Peer("elsewhere", p => (p.Node, p.PeerIP, p.AsNumber) = ("kube-node-1", "10.192.0.9", As(64512)));

        DerivedRouting derived = cluster.Derive();

        Assert.Equal(["Node_10_192_0_3", "Node_10_192_0_4"], Peers(derived));
        Assert.Equal([true, false], derived.Peers.Select(p => p.RemoteAs == derived.LocalAs));
    }

    [Fact]
    public void B15_LocalWorkloads_ArePassivePeersByTheirFirstAddress()
    {
        Cluster cluster = Cluster.OfThree().Configuration("default", c => c.NodeToNodeMeshEnabled = false)
            .Peer("reds", p => (p.LocalWorkloadSelector, p.AsNumber, p.LocalASNumber, p.TtlSecurity) = ("color == 'red'", As(64516), As(65002), 1))
            .Peer("blues", p => (p.Node, p.LocalWorkloadSelector, p.AsNumber, p.LocalASNumber) = (Cluster.Self, "color == 'blue'", As(64517), As(65001)))
            .Workload("red", Cluster.Self, ["192.168.162.134/32", "192.168.162.135/32"], ("color", "red"))
            .Workload("blue", Cluster.Self, ["192.168.162.136/32"], ("color", "blue"))
            .Workload("green", Cluster.Self, ["192.168.162.137/32"], ("color", "green"))
            .Workload("far", "kube-node-1", ["192.168.1.1/32"], ("color", "red"));

        DerivedRouting derived = cluster.Derive();

        Assert.Equal(["Local_Workload_192_168_162_134 passive nosource local 65002", "Local_Workload_192_168_162_136 passive nosource local 65001"], Peers(derived));
        Assert.Equal([64516u, 64517u], derived.Peers.Select(p => p.RemoteAs));
        Assert.True(derived.NeedsWorkloads);
        Assert.False(Cluster.OfThree().Derive().NeedsWorkloads);
    }

    [Fact]
    public void LocalWorkload_ThatGoes_TakesItsPeerAlong()
    {
        Cluster cluster = Cluster.OfThree().Configuration("default", c => c.NodeToNodeMeshEnabled = false)
            .Peer("reds", p => (p.LocalWorkloadSelector, p.AsNumber) = ("all()", As(64516))).Workload("red", Cluster.Self, ["192.168.162.134/32", "fd00::1/128"]);

        Assert.Equal(["Local_Workload_192_168_162_134 passive nosource", "Local_Workload_fd00__1 passive nosource"], Peers(cluster.Derive()));
        Assert.True(cluster.State.Apply(new Weft.Model.Keys.ModelUpdate(new Weft.Model.Keys.ResourceKey(ResourceKind.WorkloadEndpoint, "default", "red"), null, 2)));
        Assert.Empty(cluster.Derive().Peers);
    }

    [Fact]
    public void MovingWorkload_LeavesItsBlockOnlyWithABetterPriority()
    {
        WorkloadRoutes rule = Cluster.OfThree().Pool("10.244.0.0/16").Block("10.244.1.0/26", "confirmed").Derive().Workloads;

        Assert.Equal(
            [false, false, true, true, true],
            ((string, uint)[])[("10.244.1.5/32", 0), ("10.244.1.5/32", 1024), ("10.244.1.5/32", 512), ("10.244.9.9/32", 0), ("10.244.9.9/32", 1024)] is var routes
                ? routes.Select(r => rule.Announces(IpPrefix.Parse(r.Item1), r.Item2)) : []);
    }

    [Fact]
    public void ServiceRanges_OfOneAddress_AndLoadBalancersWithoutAggregation_AreNotAnnouncedAsAWhole()
    {
        Cluster cluster = Cluster.OfThree().Configuration("default", c =>
        {
            c.ServiceClusterIPs = [new ServiceCidr { Cidr = "10.101.0.1/32" }];
            c.ServiceExternalIPs = [new ServiceCidr { Cidr = "80.15.0.1/32" }];
            c.ServiceLoadBalancerIPs = [new ServiceCidr { Cidr = "80.16.0.0/24" }];
            c.ServiceLoadBalancerAggregation = "Disabled";
        });

        DerivedRouting derived = cluster.Derive();

        Assert.Equal(["10.101.0.1/32"], derived.Originated.Keys.Select(k => k.ToString()));
        Assert.Equal(3, derived.Kernel.Rules.Length);
        Assert.Contains("only Kubernetes knows", Assert.Single(derived.Problems));
    }

    [Fact]
    public void RoutesToEncryptedNodes_AreTheAgents()
    {
        Cluster cluster = Cluster.OfThree();
        foreach (string name in (string[])[Cluster.Self, "kube-node-1"])
        {
            cluster.State.Nodes[name].Spec.Wireguard = new NodeWireguardSpec { InterfaceIPv4Address = "10.9.0.1" };
        }

        KernelRules rules = cluster.Derive().Kernel;

        Assert.Equal(KernelAction.Skip, rules.Decide(IpPrefix.Parse("10.244.0.0/26"), IpAddress.Parse("10.192.0.3")));
        Assert.Equal(KernelAction.Install, rules.Decide(IpPrefix.Parse("10.244.0.0/26"), IpAddress.Parse("10.192.0.4")));
    }

    [Fact]
    public void B11_Selectors_TakeTheRemoteNodesPort_AndDropIt()
    {
        Cluster cluster = new Cluster().Node(Cluster.Self, "10.192.0.2/16", labels: ("role", "a")).Node("n1", "10.192.0.3/16", labels: ("role", "b")).Node("n2", "10.192.0.4/16", labels: ("role", "b"))
            .Configuration("default", c => c.NodeToNodeMeshEnabled = false).Configuration("node.n1", c => c.ListenPort = 500)
            .Peer("p", p => (p.NodeSelector, p.PeerSelector) = ("role == 'a'", "role == 'b'"));

        string[] before = Peers(cluster.Derive());
        cluster.State.Configurations.Remove("node.n1");
        cluster.State.Nodes.Remove("n2");
        string[] after = Peers(cluster.Derive());

        Assert.Equal(["Node_10_192_0_3_port_500 port 500", "Node_10_192_0_4"], before);
        Assert.Equal(["Node_10_192_0_3"], after);
    }

    [Fact]
    public void B13_LocalAs_AndAllowedLocalAs()
    {
        Cluster cluster = Cluster.OfThree().Configuration("default", c => c.NodeToNodeMeshEnabled = false)
            .Peer("a", p => (p.Node, p.PeerIP, p.AsNumber, p.LocalASNumber, p.NumAllowedLocalASNumbers) = (Cluster.Self, "10.192.0.3", As(64512), As(64512), 1))
            .Peer("b", p => (p.Node, p.PeerIP, p.AsNumber, p.LocalASNumber) = (Cluster.Self, "10.192.0.4", As(64566), As(65001)));

        Assert.Equal(["Node_10_192_0_3 local 64512 allow 1", "Node_10_192_0_4 local 65001"], Peers(cluster.Derive()));
    }

    [Fact]
    public void B14_GlobalPeerWithLocalAs_IsPassiveTowardsALaterNode()
    {
        Cluster cluster = Cluster.OfThree().Configuration("default", c => c.NodeToNodeMeshEnabled = false)
            .Peer("a", p => (p.PeerIP, p.AsNumber, p.LocalASNumber) = ("10.192.0.3:150", As(64567), As(64515)));

        Assert.Equal(["Global_10_192_0_3_port_150 passive local 64515 port 150"], Peers(cluster.Derive()));
    }

    [Fact]
    public void B16_NextHopMode()
    {
        Cluster cluster = Cluster.OfThree().Configuration("default", c => c.NodeToNodeMeshEnabled = false)
            .Peer("a", p => (p.PeerIP, p.AsNumber, p.NextHopMode) = ("10.225.0.4", As(65515), "Keep"))
            .Peer("b", p => (p.PeerIP, p.AsNumber, p.NextHopMode) = ("10.225.0.5", As(64512), "Self"));

        Assert.Equal(["Global_10_225_0_4 keep", "Global_10_225_0_5 self"], Peers(cluster.Derive()));
    }

    [Fact]
    public void B17_ReachableBy_IsAHostRoute_AndMustBeOfThePeersFamily()
    {
        Cluster cluster = new Cluster().Node(Cluster.Self, "10.192.0.2/16", "ffee::2/64")
            .Peer("a", p => (p.PeerIP, p.AsNumber, p.ReachableBy) = ("10.225.0.4", As(65515), "10.224.0.1"))
            .Peer("b", p => (p.PeerIP, p.AsNumber, p.ReachableBy) = ("ffee::10", As(65515), "ffee::1:1"))
            .Peer("c", p => (p.PeerIP, p.AsNumber, p.ReachableBy) = ("10.225.0.6", As(65515), "ffee::1:1"));

        DerivedRouting derived = cluster.Derive();

        Assert.Equal(["10.225.0.4/32 10.224.0.1", "ffee::10/128 ffee::1:1"], derived.HostRoutes.Select(h => $"{h.Key} {h.Value}"));
        Assert.Equal(["Global_10_225_0_4", "Global_ffee__10"], Peers(derived));
        Assert.Contains("reachableBy", Assert.Single(derived.Problems));
    }

    [Theory]
    [InlineData("Manual", "")]
    [InlineData("Auto", "Node_10_192_0_3,Node_10_192_0_4,Node_2001__102,Node_2001__104")]
    public void B18_ReversePeering_AnswersUnlessManual(string mode, string expected)
    {
        Cluster cluster = new Cluster().Node(Cluster.Self, "10.192.0.2/16", "2001::103/64", labels: ("me", "yes"))
            .Node("n1", "10.192.0.3/16", "2001::102/64").Node("n2", "10.192.0.4/16", "2001::104/64")
            .Configuration("default", c => c.NodeToNodeMeshEnabled = false)
            .Peer("p", p => (p.NodeSelector, p.PeerSelector, p.ReversePeering) = ("all() && !has(me)", "has(me)", mode));

        Assert.Equal(expected, string.Join(',', Peers(cluster.Derive())));
    }

    [Fact]
    public void B19_B20_TtlSecurity_AndNoSource()
    {
        Cluster cluster = Cluster.OfThree().Configuration("default", c => c.NodeToNodeMeshEnabled = false)
            .Peer("a", p => (p.PeerIP, p.AsNumber, p.TtlSecurity) = ("10.225.0.4", As(65515), 2))
            .Peer("b", p => (p.PeerIP, p.AsNumber, p.SourceAddress) = ("10.225.0.5", As(65515), "None"));

        Assert.Equal(["Global_10_225_0_4 ttl 2", "Global_10_225_0_5 nosource"], Peers(cluster.Derive()));
    }

    [Theory]
    [InlineData(null, "172.16.0.0/16 Skip,172.17.0.0/16 Install,192.168.0.0/16 Skip")]
    [InlineData("EnabledNoEncapOnly", "172.16.0.0/16 Skip,172.17.0.0/16 Install,192.168.0.0/16 Skip")]
    [InlineData("Enabled", "172.16.0.0/16 TunnelAcrossSubnets,172.17.0.0/16 Install,192.168.0.0/16 Tunnel")]
    [InlineData("EnabledIPIPOnly", "172.16.0.0/16 TunnelAcrossSubnets,172.17.0.0/16 Skip,192.168.0.0/16 Tunnel,2002::/64 Skip,2010::/64 Skip")]
    [InlineData("Disabled", "172.16.0.0/16 Skip,172.17.0.0/16 Skip,192.168.0.0/16 Skip,2002::/64 Skip,2010::/64 Skip")]
    public void B21_to_B23_ProgramClusterRoutes_DecidesWhoseRoutesArePoolRoutes(string? programs, string expected)
    {
        Cluster cluster = Cluster.OfThree().Configuration("default", c => c.ProgramClusterRoutes = programs)
            .Pool("192.168.0.0/16", ipip: "Always").Pool("172.16.0.0/16", ipip: "CrossSubnet").Pool("172.17.0.0/16").Pool("2002::/64").Pool("2010::/64");

        KernelRules rules = cluster.Derive().Kernel;

        Assert.Equal(expected, string.Join(',', rules.Rules.Select(r => $"{r.Prefix} {r.Action}")));
    }

    [Fact]
    public void B22_CrossSubnet_TunnelsOnlyAcrossSubnets()
    {
        KernelRules rules = Cluster.OfThree().Configuration("default", c => c.ProgramClusterRoutes = "Enabled").Pool("172.16.0.0/16", ipip: "CrossSubnet").Derive().Kernel;

        Assert.Equal(KernelAction.Install, rules.Decide(IpPrefix.Parse("172.16.1.0/26"), IpAddress.Parse("10.192.0.3")));
        Assert.Equal(KernelAction.Tunnel, rules.Decide(IpPrefix.Parse("172.16.1.0/26"), IpAddress.Parse("10.200.0.3")));
        Assert.Equal(KernelAction.Install, rules.Decide(IpPrefix.Parse("0.0.0.0/0"), IpAddress.Parse("10.192.0.1")));
    }

    [Fact]
    public void B24_Export_RefusesWhatAPoolDoesNotExport_ThenOwnBlocks_ThenPools()
    {
        Cluster cluster = Cluster.OfThree().Pool("192.168.2.0/24", disableExport: true).Pool("172.17.0.0/16").Block("172.17.1.0/26", "confirmed");

        RoutePolicy export = cluster.Derive().Export;

        Assert.Equal(
            ["192.168.2.0/24 24-32 Reject", "172.17.1.0/26 26-26 Accept", "172.17.1.0/26 26-32 Accept", "172.17.1.0/26 26-32 Reject", "172.17.0.0/16 16-32 Accept"],
            export.Rules.Where(r => !r.Prefixes.IsEmpty).Select(r => $"{r.Prefixes[0].Prefix} {r.Prefixes[0].MinimumLength}-{r.Prefixes[0].MaximumLength} {r.Verdict}"));
        Assert.Equal(PolicyVerdict.Reject, export.Default);
    }

    [Fact]
    public void B25_Communities_InTheOrderOfTheirText()
    {
        Cluster cluster = Cluster.OfThree().Configuration("default", c =>
        {
            c.Communities = [new NamedCommunity { Name = "gold", Value = "100:6532" }];
            c.PrefixAdvertisements = [new PrefixAdvertisement { Cidr = "192.168.0.0/16", Communities = ["gold", "5663:12", "100:555:107", "unknown"] }];
        });

        PolicyRule rule = Assert.Single(cluster.Derive().Export.Rules, r => !r.Prefixes.IsEmpty);

        Assert.Equal(PolicyVerdict.Continue, rule.Verdict);
        Assert.Equal(
            [RouteEdit.AddLargeCommunity(new LargeCommunity(100, 555, 107)), RouteEdit.AddCommunity(100 << 16 | 6532), RouteEdit.AddCommunity(5663 << 16 | 12)],
            rule.Edits);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void B26_B27_ServiceRanges_AreAnnouncedUnlessExcluded_AndNeverInstalled(bool excluded)
    {
        Cluster cluster = new Cluster().Node(Cluster.Self, "10.192.0.2/16", labels: excluded ? [("node.kubernetes.io/exclude-from-external-load-balancers", "true")] : [])
            .Configuration("default", c => (c.ServiceClusterIPs, c.ServiceExternalIPs) = ([new ServiceCidr { Cidr = "10.101.0.0/16" }], [new ServiceCidr { Cidr = "80.15.0.0/24" }, new ServiceCidr()]));

        DerivedRouting derived = cluster.Derive();

        Assert.Equal(excluded ? [] : ["10.101.0.0/16", "80.15.0.0/24"], derived.Originated.Keys.Select(k => k.ToString()));
        Assert.Equal(["10.101.0.0/16 Skip", "80.15.0.0/24 Skip"], derived.Kernel.Rules.Select(r => $"{r.Prefix} {r.Action}"));
    }

    [Fact]
    public void B28_NodeWithoutIPv4_NeedsARouterId_AndHasNoIPv4Peers()
    {
        Cluster cluster = new Cluster().Node(Cluster.Self, null, "fd00::2/64").Node("n1", "10.192.0.3/16", "fd00::3/64");

        string? waiting = cluster.Derive().Waiting;
        cluster.Settings = cluster.Settings with { RouterId = IpAddress.Parse("10.10.10.10") };
        DerivedRouting derived = cluster.Derive();

        Assert.Contains("router-id", waiting);
        Assert.Null(derived.Waiting);
        Assert.Equal(["Mesh_fd00__3 passive"], Peers(derived));
    }

    [Fact]
    public void B33_Password_FollowsItsSecret_AndItsAbsenceIsReported()
    {
        Cluster cluster = Cluster.OfThree().Configuration("default", c => c.NodeToNodeMeshEnabled = false)
            .Peer("a", p => (p.PeerIP, p.AsNumber, p.Password) = ("10.225.0.4", As(65515), new BgpPassword { SecretKeyRef = new SecretKeyRef { Name = "bgp", Key = "rack1" } }));

        DerivedRouting without = cluster.Derive();
        cluster.Secrets["bgp/rack1"] = new Secret("one");
        DerivedRouting with = cluster.Derive();

        Assert.Equal(["bgp/rack1"], without.Secrets);
        Assert.Contains("bgp/rack1", Assert.Single(without.Problems));
        Assert.Equal(new Secret("one"), ((PeerTransportOptions)with.Peers[0].TransportOptions!).Password);
        Assert.NotEqual(without.Peers[0], with.Peers[0]);
    }

    [Fact]
    public void GlobalPeer_SuppressesNodePeerForTheSameAddressAndPort()
    {
        Cluster cluster = Cluster.OfThree().Configuration("default", c => c.NodeToNodeMeshEnabled = false)
            .Peer("a", p => (p.PeerIP, p.AsNumber) = ("10.225.0.4", As(65515)))
            .Peer("b", p => (p.Node, p.PeerIP, p.AsNumber) = (Cluster.Self, "10.225.0.4:179", As(65515)));

        Assert.Equal(["Global_10_225_0_4"], Peers(cluster.Derive()));
    }

    [Fact]
    public void SameState_GivesEqualPeers()
    {
        Cluster cluster = Reflector(keep: true).Filter("f", f => f.ImportV4 = [new BGPFilterRule { Action = "Reject", Cidr = "10.0.0.0/8", MatchOperator = "In" }]);
        cluster.State.Peers["a"].Spec.Filters = ["f"];

        DerivedRouting one = cluster.Derive();
        DerivedRouting two = cluster.Derive();

        Assert.Equal(one.Peers, two.Peers.Zip(one.Peers, (b, a) => PolicyComparer.Reuse(a, b)));
    }

    [Fact]
    public void MissingNode_Waits()
    {
        DerivedRouting derived = new Cluster().Derive();

        Assert.Contains(Cluster.Self, derived.Waiting);
    }
}
