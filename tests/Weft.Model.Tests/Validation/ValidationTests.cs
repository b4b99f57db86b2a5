using Weft.Model.Resources;
using Weft.Model.Validation;
using Weft.Model.Yaml;

namespace Weft.Model.Tests.Validation;

public sealed class ValidationTests
{
    private const string Gnp = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: p}\nspec: ";

    [Theory] // 101, 102
    [InlineData("GlobalNetworkPolicy", "thing", true)]
    [InlineData("GlobalNetworkPolicy", "tier.thing", true)]
    [InlineData("GlobalNetworkPolicy", "t.h.i.ng", false)]
    [InlineData("GlobalNetworkPolicy", "knp.default.thing", false)]
    [InlineData("GlobalNetworkPolicy", "tHiNg", false)]
    [InlineData("NetworkPolicy", "knp.default.thing", true)]
    [InlineData("NetworkPolicy", "knp.default.a.b.c", true)]
    [InlineData("NetworkPolicy", "ossg.default.x", true)]
    [InlineData("NetworkPolicy", "a.b.c", false)]
    [InlineData("Tier", "sec", true)]
    [InlineData("Tier", "a.b", false)]
    [InlineData("IPPool", "a.b.c-d", true)]
    [InlineData("IPPool", "-a", false)]
    [InlineData("ClusterInformation", "other", false)]
    [InlineData("ClusterInformation", "default", true)]
    [InlineData("StagedKubernetesNetworkPolicy", "Any Thing", true)]
    public void Name_FollowsTheRuleOfItsKind(string kind, string name, bool isValid)
    {
        string space = ResourceKind.FromName(kind)!.IsNamespaced ? ", namespace: ns" : string.Empty;
        string spec = kind == "IPPool" ? "{cidr: 10.0.0.0/16}" : "{}";

        IReadOnlyList<Problem> problems = Problems($"apiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata: {{name: '{name}'{space}}}\nspec: {spec}");

        Assert.Equal(isValid, !problems.Any(p => p.Path == "metadata.name"));
    }

    [Theory]
    [InlineData("{action: Allow, destination: {ports: [http]}}", null)] // 103
    [InlineData("{action: Allow, destination: {ports: [80]}}", "spec.ingress[0].destination: has port numbers, and the rule has no protocol; expected protocol TCP, UDP or SCTP")] // 104
    [InlineData("{action: Allow, protocol: TCP, destination: {ports: [0]}}", "spec.ingress[0].destination.ports[0]: \"0\": expected a port of 1..65535")]
    [InlineData("{action: Allow, protocol: 100, destination: {ports: []}}", null)] // 105
    [InlineData("{action: Allow, protocol: 100, destination: {ports: [80]}}", "spec.ingress[0].destination: has ports, and protocol 100 has none; expected protocol TCP, UDP or SCTP")]
    [InlineData("{action: Allow, protocol: ICMP, icmp: {type: 128, code: 0}}", null)] // 107
    [InlineData("{action: Allow, protocol: ICMP, icmp: {type: 128, code: 256}}", "spec.ingress[0].icmp.code: \"256\": expected a whole number, 0..255")]
    [InlineData("{action: Allow, protocol: 0}", "spec.ingress[0].protocol: \"0\": expected 1..255 or one of TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite")]
    [InlineData("{action: Allow, protocol: 1, icmp: {type: 8}}", null)]
    [InlineData("{action: Allow, protocol: TCP, icmp: {type: 8}}", "spec.ingress[0].icmp: needs protocol ICMP or ICMPv6 in the same rule")]
    [InlineData("{action: Allow, protocol: ICMP, icmp: {code: 8}}", "spec.ingress[0].icmp.code: \"8\": a code needs a type beside it")]
    [InlineData("{action: Allow, protocol: tcp}", "spec.ingress[0].protocol: \"tcp\": expected 1..255 or one of TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite")]
    [InlineData("{action: Allow, protocol: ICMPv6, ipVersion: 4}", "spec.ingress[0].protocol: \"ICMPv6\": needs ipVersion 6, and the rule says 4")]
    [InlineData("{action: Allow, ipVersion: 5}", "spec.ingress[0].ipVersion: \"5\": expected 4 or 6")]
    [InlineData("{action: Allow, http: {methods: [GET], paths: [{prefix: /a}]}}", null)] // 108
    [InlineData("{action: Deny, http: {methods: [GET]}}", "spec.ingress[0].http: an HTTP match can stand only in an Allow rule, and this one's action is Deny")]
    [InlineData("{action: Allow, http: {paths: [{prefix: /a, exact: /b}]}}", "spec.ingress[0].http.paths[0]: expected exactly one of exact and prefix")]
    [InlineData("{action: Permit}", "spec.ingress[0].action: \"Permit\": expected one of Allow, Deny, Log, Pass")]
    [InlineData("{source: {nets: [10.0.0.0/8]}}", "spec.ingress[0].action: missing; expected one of Allow, Deny, Log, Pass")]
    [InlineData("{action: Allow, source: {nets: [10.0.0.1/8]}}", "spec.ingress[0].source.nets[0]: \"10.0.0.1/8\": has host bits; expected 10.0.0.0/8")]
    [InlineData("{action: Allow, source: {nets: [10.0.0.1]}}", "spec.ingress[0].source.nets[0]: \"10.0.0.1\": expected a CIDR prefix such as 10.0.0.0/16")]
    [InlineData("{action: Allow, source: {notNets: [0.0.0.0/0]}}", "spec.ingress[0].source.notNets[0]: \"0.0.0.0/0\": a net that holds every address cannot be excluded")]
    [InlineData("{action: Allow, source: {nets: [10.0.0.0/8]}, destination: {nets: ['fd00::/8']}}", "spec.ingress[0]: \"fd00::/8\": is IPv6, and the rule is for IPv4: write one rule per family")]
    [InlineData("{action: Allow, source: {selector: 'a == '}}", "spec.ingress[0].source.selector")]
    [InlineData("{action: Allow, source: {selector: 'global()'}}", "spec.ingress[0].source.selector")]
    [InlineData("{action: Allow, source: {namespaceSelector: 'global( )'}}", null)]
    [InlineData("{action: Allow, source: {namespaceSelector: 'global() || all()'}}", "spec.ingress[0].source.namespaceSelector: \"global() || all()\": global() cannot be combined with other terms")]
    [InlineData("{action: Allow, source: {services: {name: x, namespace: y}}}", null)]
    [InlineData("{action: Allow, source: {services: {name: x}}}", "spec.ingress[0].source.services.namespace: missing; a policy without a namespace must name the service's")]
    [InlineData("{action: Allow, destination: {services: {name: x, namespace: y}}}", "spec.ingress[0].destination.services: services can stand in the source of an ingress rule and the destination of an egress rule")]
    [InlineData("{action: Allow, source: {services: {name: x, namespace: y}, selector: 'has(a)'}}", "spec.ingress[0].source: services cannot stand beside selector")]
    [InlineData("{action: Allow, source: {net: [10.0.0.0/8]}}", "spec.ingress[0].source.net: unknown field; did you mean \"nets\"?")]
    [InlineData("{action: Allow, protocol: TCP, destination: {ports: ['0:65536']}}", "spec.ingress[0].destination.ports[0]: \"0:65536\": expected a port")] // 109
    [InlineData("{action: Allow, protocol: TCP, destination: {ports: ['10:1']}}", "spec.ingress[0].destination.ports[0]")]
    [InlineData("{action: Allow, protocol: TCP, destination: {ports: ['*']}}", "spec.ingress[0].destination.ports[0]")]
    [InlineData("{action: Allow, protocol: TCP, destination: {ports: [65536]}}", "spec.ingress[0].destination.ports[0]")]
    public void Rule_IsChecked(string rule, string? expected)
    {
        Expect(Gnp + $"{{ingress: [{rule}]}}", expected);
    }

    [Theory]
    [InlineData("{preDNAT: true, doNotTrack: true, applyOnForward: true}", "spec.preDNAT: \"true\": preDNAT and doNotTrack cannot both be true")] // 106
    [InlineData("{preDNAT: true}", "spec.applyOnForward: must be true when preDNAT or doNotTrack is")]
    [InlineData("{preDNAT: true, applyOnForward: true}", null)]
    [InlineData("{preDNAT: true, applyOnForward: true, egress: [{action: Allow}]}", "spec.egress: a preDNAT policy cannot have egress rules")]
    [InlineData("{types: [Ingress, Ingress]}", "spec.types[1]: \"Ingress\": stands here twice; expected every element once")]
    [InlineData("{types: []}", "spec.types: has 0 elements; expected 1..2")]
    [InlineData("{selector: 'global()'}", "spec.selector")]
    [InlineData("{order: high}", "spec.order: \"high\": expected a number")]
    [InlineData("{order: 1e3}", null)]
    [InlineData("{tier: no}", null)]
    [InlineData("{applyOnForward: 'yes'}", "spec.applyOnForward: \"yes\": expected true or false")]
    [InlineData("{serviceAccountSelecter: a}", "spec.serviceAccountSelecter: unknown field; did you mean \"serviceAccountSelector\"?")]
    [InlineData("[]", "spec: is a list; expected a mapping")]
    public void GlobalNetworkPolicy_IsChecked(string spec, string? expected)
    {
        Expect(Gnp + spec, expected);
    }

    [Theory]
    [InlineData("IPPool", "{cidr: 10.0.0.0/16}", null)]
    [InlineData("IPPool", "{}", "spec.cidr: missing; expected text")]
    [InlineData("IPPool", "{cidr: 10.0.0.1/16}", "spec.cidr: \"10.0.0.1/16\": IPPool CIDR is not strictly masked; expected 10.0.0.0/16")]
    [InlineData("IPPool", "{cidr: 10.0.0.0/16, blockSize: 19}", "spec.blockSize: \"19\": expected 20..32 for an IPv4 pool")]
    [InlineData("IPPool", "{cidr: 'fd00::/64', blockSize: 26}", "spec.blockSize: \"26\": expected 116..128 for an IPv6 pool")]
    [InlineData("IPPool", "{cidr: 10.0.0.0/27}", "spec.cidr: \"10.0.0.0/27\": the pool is smaller than one of its blocks (/26)")]
    [InlineData("IPPool", "{cidr: 10.0.0.0/27, disabled: true}", null)]
    [InlineData("IPPool", "{cidr: 169.254.1.0/24}", "spec.cidr: \"169.254.1.0/24\": overlaps with the link-local range 169.254.0.0/16")]
    [InlineData("IPPool", "{cidr: 'fd00::/64', ipipMode: Always}", "spec.ipipMode")]
    [InlineData("IPPool", "{cidr: 10.0.0.0/16, ipipMode: Always, vxlanMode: Always}", "spec.vxlanMode")]
    [InlineData("IPPool", "{cidr: 10.0.0.0/16, ipipMode: always}", "spec.ipipMode: \"always\": expected one of Never, Always, CrossSubnet")]
    [InlineData("IPPool", "{cidr: 10.0.0.0/16, allowedUses: [LoadBalancer, Workload]}", "spec.allowedUses")]
    [InlineData("IPPool", "{cidr: 10.0.0.0/16, allowedUses: [LoadBalancer], nodeSelector: a == 'b'}", "spec.nodeSelector")]
    [InlineData("IPPool", "{cidr: 10.0.0.0/16, namespaceSelector: a == 'b'}", "spec.namespaceSelector")]
    [InlineData("IPPool", "{cidr: 10.0.0.0/16, namespaceSelector: a == 'b', allowedUses: [Workload]}", null)]
    [InlineData("IPPool", "{cidr: 10.0.0.0/16, natOutgoing: 'true'}", "spec.natOutgoing: \"true\": expected true or false")]
    [InlineData("IPReservation", "{reservedCIDRs: [10.0.0.0/24, x]}", "spec.reservedCIDRs[1]: \"x\": expected a CIDR prefix")]
    [InlineData("IPAMConfiguration", "{strictAffinity: false, autoAllocateBlocks: false}", "spec.autoAllocateBlocks")]
    [InlineData("IPAMConfiguration", "{strictAffinity: true, autoAllocateBlocks: false, ipCooldownSeconds: 1201}", "spec.ipCooldownSeconds: \"1201\": expected a whole number, 0..1200")]
    [InlineData("Tier", "{order: 10}", null)]
    [InlineData("Tier", "{defaultAction: Allow}", "spec.defaultAction: \"Allow\": expected one of Pass, Deny")]
    [InlineData("GlobalNetworkSet", "{nets: [10.0.0.1/8, 10.0.0.1, 'fd00::1']}", null)]
    [InlineData("GlobalNetworkSet", "{nets: [10.0.0]}", "spec.nets[0]: \"10.0.0\": expected a CIDR prefix or an IP address")]
    [InlineData("HostEndpoint", "{node: n, interfaceName: '*'}", null)]
    [InlineData("HostEndpoint", "{node: n}", "spec: expected interfaceName or expectedIPs, or both")]
    [InlineData("HostEndpoint", "{interfaceName: eth0}", "spec.node: missing")]
    [InlineData("HostEndpoint", "{node: n, interfaceName: eth0, ports: [{name: http, protocol: ICMP, port: 80}]}", "spec.ports[0].protocol")]
    [InlineData("BGPPeer", "{peerIP: 192.0.2.1, asNumber: 65001}", null)]
    [InlineData("BGPPeer", "{peerIP: '192.0.2.1:1790', asNumber: '1.10'}", null)]
    [InlineData("BGPPeer", "{peerIP: '[fd00::1]:179'}", null)]
    [InlineData("BGPPeer", "{peerIP: 'fd00::1:x'}", "spec.peerIP")]
    [InlineData("BGPPeer", "{peerIP: 192.0.2.1, peerSelector: has(a)}", "spec.peerSelector")]
    [InlineData("BGPPeer", "{peerSelector: has(a), asNumber: 1}", "spec.asNumber")]
    [InlineData("BGPPeer", "{node: a, nodeSelector: has(b)}", "spec.nodeSelector")]
    [InlineData("BGPPeer", "{localWorkloadSelector: has(a)}", "spec.asNumber: must be set beside localWorkloadSelector")]
    [InlineData("BGPPeer", "{reachableBy: 10.0.0.1}", "spec.reachableBy: \"10.0.0.1\": needs peerIP")]
    [InlineData("BGPPeer", "{peerIP: 192.0.2.1, reachableBy: 'fd00::1'}", "spec.reachableBy")]
    [InlineData("BGPPeer", "{ttlSecurity: 256}", "spec.ttlSecurity")]
    [InlineData("BGPPeer", "{keepOriginalNextHop: true, nextHopMode: Keep}", "spec.keepOriginalNextHop")]
    [InlineData("BGPPeer", "{asNumber: 4294967296}", "spec.asNumber: \"4294967296\": expected an AS number")]
    [InlineData("BGPFilter", "{importV4: [{action: Accept, matchOperator: In, cidr: 10.0.0.0/8, prefixLength: {min: 24, max: 32}}]}", null)]
    [InlineData("BGPFilter", "{importV4: [{action: Accept, cidr: 10.0.0.0/8}]}", "spec.importV4[0]: cidr and matchOperator must both be set, or neither")]
    [InlineData("BGPFilter", "{importV4: [{action: Accept, matchOperator: In, cidr: 'fd00::/8'}]}", "spec.importV4[0].cidr: \"fd00::/8\": expected an IPv4 prefix here")]
    [InlineData("BGPFilter", "{importV4: [{action: Accept, prefixLength: {min: 33}}]}", "spec.importV4[0].prefixLength.min: \"33\": expected a whole number, 0..32")]
    [InlineData("BGPFilter", "{exportV6: [{action: Reject, operations: [{setPriority: {value: 1}}]}]}", "spec.exportV6[0].operations: can stand only beside action Accept")]
    [InlineData("BGPFilter", "{exportV6: [{action: Accept, operations: [{setPriority: {value: 1}, addCommunity: {value: '1:1'}}]}]}", "spec.exportV6[0].operations[0]: has 2 members; expected exactly one of")]
    [InlineData("BGPFilter", "{exportV6: [{action: Accept, communities: {values: ['65536:1']}}]}", "spec.exportV6[0].communities.values[0]")]
    [InlineData("BGPConfiguration", "{asNumber: 1}", "spec.asNumber: can be set only in the BGPConfiguration named \"default\"")]
    [InlineData("BGPConfiguration", "{logSeverityScreen: debug, listenPort: 1790}", null)]
    [InlineData("BGPConfiguration", "{communities: [{name: a, value: '1:1'}]}", "spec.communities: are defined, but no prefixAdvertisements use them")]
    [InlineData("BGPConfiguration", "{ignoredInterfaces: ['*']}", "spec.ignoredInterfaces[0]: \"*\": would ignore every interface")]
    [InlineData("FelixConfiguration", "{iptablesRefreshInterval: 90s, bpfEnabled: false, chainInsertMode: insert}", null)]
    [InlineData("FelixConfiguration", "{iptablesRefreshInterval: 90}", "spec.iptablesRefreshInterval: \"90\": expected text: put it in quotes")]
    [InlineData("FelixConfiguration", "{iptablesRefreshInterval: '90'}", "spec.iptablesRefreshInterval: \"90\": expected a duration")]
    [InlineData("FelixConfiguration", "{iptablesRefreshIntervall: 90s}", "spec.iptablesRefreshIntervall: unknown field; did you mean \"iptablesRefreshInterval\"?")]
    [InlineData("FelixConfiguration", "{routeTableRange: {min: 1, max: 251}}", "spec.routeTableRange")]
    [InlineData("FelixConfiguration", "{natOutgoingAddress: 'fd00::1'}", "spec.natOutgoingAddress")]
    [InlineData("Node", "{bgp: {ipv4Address: 10.0.0.5/24, asNumber: 64512}}", null)]
    [InlineData("Node", "{bgp: {ipv4Address: 'fd00::1/64'}}", "spec.bgp.ipv4Address")]
    [InlineData("Node", "{vxlanTunnelMACAddr: xx}", "spec.vxlanTunnelMACAddr")]
    [InlineData("CalicoNodeStatus", "{node: n, classes: [Agent, Agent]}", "spec.classes[1]")]
    [InlineData("KubeControllersConfiguration", "{controllers: {node: {reconcilerPeriod: 5x}}}", "spec.controllers.node.reconcilerPeriod")]
    [InlineData("Profile", "{labelsToApply: {'-bad': x}}", "spec.labelsToApply: \"-bad\": not a label key")]
    [InlineData("StagedKubernetesNetworkPolicy", "{podSelector: {}, ingress: [{ports: [{port: 80, endPort: 90}], from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}]}", null)]
    [InlineData("StagedKubernetesNetworkPolicy", "{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}]}", "spec.ingress[0].from[0].ipBlock.except[0]")]
    [InlineData("StagedKubernetesNetworkPolicy", "{ingress: [{from: [{}]}]}", "spec.ingress[0].from[0]")]
    [InlineData("StagedGlobalNetworkPolicy", "{stagedAction: Delete, selector: has(a)}", "spec: with stagedAction Delete every other field than tier must be absent")]
    [InlineData("StagedGlobalNetworkPolicy", "{stagedAction: Delete, tier: sec}", null)]
    public void Spec_IsChecked(string kind, string spec, string? expected)
    {
        string name = kind is "IPAMConfiguration" or "KubeControllersConfiguration" ? "default" : "x";
        string space = ResourceKind.FromName(kind)!.IsNamespaced ? ", namespace: ns" : string.Empty;

        Expect($"apiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata: {{name: {name}{space}}}\nspec: {spec}", expected);
    }

    [Theory] // 110
    [InlineData("default", "{order: 10}", "spec.order")]
    [InlineData("default", "{defaultAction: Pass}", "spec.defaultAction")]
    [InlineData("default", "{}", null)]
    [InlineData("kube-admin", "{order: 1000, defaultAction: Pass}", null)]
    [InlineData("kube-baseline", "{}", "spec.order")]
    public void BuiltInTier_KeepsItsOrderAndAction(string name, string spec, string? expected)
    {
        Expect($"apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {{name: {name}}}\nspec: {spec}", expected);
    }

    [Theory]
    [InlineData("{node: n, orchestrator: k8s, pod: p, endpoint: eth0, interfaceName: cali1, ipNetworks: [10.0.0.1/32, 'fd00::1']}", "n-k8s-p-eth0", null)]
    [InlineData("{node: n, orchestrator: k8s, pod: p, endpoint: eth0, interfaceName: cali1}", "other", "metadata.name: \"other\": expected \"n-k8s-p-eth0\"")]
    [InlineData("{node: n, orchestrator: k8s, endpoint: eth0, interfaceName: cali1}", "n-k8s-p-eth0", "spec: pod: missing")]
    [InlineData("{node: n, orchestrator: k8s, pod: p, endpoint: eth0, interfaceName: cali1, ipNetworks: [10.0.0.0/24]}", "n-k8s-p-eth0", "spec.ipNetworks[0]")]
    [InlineData("{node: n, orchestrator: k8s, pod: p, endpoint: eth0}", "n-k8s-p-eth0", "spec.interfaceName")]
    [InlineData("{node: n, orchestrator: k8s, pod: p, endpoint: eth0, interfaceName: cali1, ipNetworks: [10.0.0.1/32], ipNATs: [{internalIP: 10.0.0.2, externalIP: 1.1.1.1}]}", "n-k8s-p-eth0", "spec.ipNATs[0].internalIP")]
    [InlineData("{node: n, orchestrator: k8s, pod: p, endpoint: eth0, interfaceName: cali1, ports: [{name: '', protocol: TCP, port: 80}]}", "n-k8s-p-eth0", "spec.ports[0].name")]
    public void WorkloadEndpoint_IsChecked(string spec, string name, string? expected)
    {
        Expect($"apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata: {{name: {name}, namespace: ns}}\nspec: {spec}", expected);
    }

    [Fact]
    public void AllProblems_AreFoundAtOnce_EachWithItsLine()
    {
        const string Yaml = """
            apiVersion: projectcalico.org/v3
            kind: NetworkPolicy
            metadata:
              name: allow-web
              namespace: demo
            spec:
              selectr: app == 'web'
              order: first
              ingress:
              - action: Alow
                protocol: TCP
                destination:
                  ports: [80, 70000]
            """;

        ResourceDocument document = Assert.Single(ResourceReader.Read(Yaml, "policy.yaml"));

        Assert.Equal("NetworkPolicy demo/allow-web", document.Title);
        Assert.Equal(
            [
                (7, "spec.selectr: unknown field; did you mean \"selector\"?"),
                (8, "spec.order: \"first\": expected a number"),
                (10, "spec.ingress[0].action: \"Alow\": expected one of Allow, Deny, Log, Pass"),
                (13, "spec.ingress[0].destination.ports[1]: \"70000\": expected a port: 0..65535, \"FIRST:LAST\" or a name"),
            ],
            document.Problems.Select(p => (p.Line, p.ToString())));
    }

    [Theory]
    [InlineData("a: 1", "kind: missing; expected a kind such as IPPool or NetworkPolicy")]
    [InlineData("apiVersion: projectcalico.org/v3\nkind: IpPool", "kind: \"IpPool\": is not a kind of projectcalico.org/v3; did you mean IPPool?")]
    [InlineData("apiVersion: v1\nkind: Pod", "apiVersion: \"v1\": unknown resource type (Pod) and/or version (v1); expected projectcalico.org/v3")]
    [InlineData("just text", "expected an object with apiVersion, kind, metadata and spec")]
    [InlineData("apiVersion: projectcalico.org/v3\nkind: IPPool\nspec: {cidr: 10.0.0.0/8}", "metadata: missing; expected a mapping")]
    public void DocumentThatIsNoObject_IsRefused(string yaml, string expected)
    {
        ResourceDocument document = Assert.Single(ResourceReader.Read(yaml, "-"));

        Assert.Contains(expected, document.Problems.Select(p => p.ToString()));
    }

    [Theory]
    [InlineData("cdir", "cidr")]
    [InlineData("net", "nets")]
    [InlineData("NotICMP", "notICMP")]
    [InlineData("zzzz", null)]
    public void NearestName_SeesSwappedMissingAndChangedLetters(string typed, string? expected)
    {
        Assert.Equal(expected, NearestName.Find(typed, ["cidr", "blockSize", "nets", "notNets", "notICMP"]));
    }

    [Fact]
    public void Lists_AreTakenApart()
    {
        const string Tier = "{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: NAME}, spec: {}}";

        IReadOnlyList<ResourceDocument> documents = ResourceReader.Read(
            $"kind: TierList\napiVersion: projectcalico.org/v3\nitems:\n- {Tier.Replace("NAME", "a")}\n- {Tier.Replace("NAME", "b")}\n---\n- {Tier.Replace("NAME", "c")}\n---\n{Tier.Replace("NAME", "d")}\n", "-");

        Assert.Equal(["a", "b", "c", "d"], documents.Select(d => d.Resource!.Metadata.Name));
        Assert.Equal([4, 5, 7, 9], documents.Select(d => d.Line));
        Assert.Equal([0, 1, 2, 3], documents.Select(d => d.Index));
    }

    [Fact]
    public void Pool_CannotChangeWhatItsBlocksRestOn()
    {
        IPPool stored = new() { Metadata = { Name = "p" }, Spec = { Cidr = "10.0.0.0/16", BlockSize = 26 } };
        IPPool other = new() { Metadata = { Name = "p" }, Spec = { Cidr = "10.1.0.0/16", BlockSize = 27 } };
        IPPool same = new() { Metadata = { Name = "p" }, Spec = { Cidr = "10.0.0.0/16", NatOutgoing = true } };

        Assert.Equal(["spec.cidr", "spec.blockSize"], ResourceValidator.Validate(other, stored).Select(p => p.Path));
        Assert.Empty(ResourceValidator.Validate(same, stored));
    }

    [Theory]
    [InlineData("{}", "Ingress")]
    [InlineData("{ingress: [{action: Allow}]}", "Ingress")]
    [InlineData("{egress: [{action: Allow}]}", "Egress")]
    [InlineData("{ingress: [{action: Allow}], egress: [{action: Allow}]}", "Ingress,Egress")]
    [InlineData("{types: [Egress], ingress: [{action: Allow}]}", "Egress")]
    public void PolicyTypes_FollowFromTheRules(string spec, string types)
    {
        GlobalNetworkPolicy policy = Read<GlobalNetworkPolicy>(Gnp + spec);

        GlobalNetworkPolicy complete = ResourceDefaults.Apply(policy);

        Assert.Equal(types, string.Join(",", complete.Spec.Types!));
        Assert.Equal("default", complete.Spec.Tier);
        Assert.Equal("default", complete.Metadata.Labels![ResourceDefaults.TierLabel]);
        Assert.Null(policy.Metadata.Labels);
    }

    [Theory]
    [InlineData("10.0.0.0/16", 26)]
    [InlineData("fd00::/64", 122)]
    public void PoolDefaults_AreThoseOfCalico(string cidr, int blockSize)
    {
        IPPoolSpec spec = ResourceDefaults.Apply(new IPPool { Metadata = { Name = "p" }, Spec = { Cidr = cidr } }).Spec;

        Assert.Equal((blockSize, "Never", "Never", "all()", "Automatic"), (spec.BlockSize, spec.IpipMode, spec.VxlanMode, spec.NodeSelector, spec.AssignmentMode));
        Assert.Equal(["Workload", "Tunnel"], spec.AllowedUses);
    }

    private static T Read<T>(string yaml)
        where T : Resource
    {
        ResourceDocument document = Assert.Single(ResourceReader.Read(yaml, "-"));
        Assert.Empty(document.Problems);
        return (T)document.Resource!;
    }

    /// <summary>As the command line does it: schema, defaults, rules.</summary>
    private static IReadOnlyList<Problem> Problems(string yaml)
    {
        ResourceDocument document = Assert.Single(ResourceReader.Read(yaml, "-"));
        return document.Resource is null ? document.Problems : ResourceValidator.Validate(ResourceDefaults.Apply(document.Resource));
    }

    private static void Expect(string yaml, string? expected)
    {
        IReadOnlyList<Problem> problems = Problems(yaml);

        if (expected is null)
        {
            Assert.Empty(problems);
        }
        else
        {
            Assert.Contains(problems, p => p.ToString().StartsWith(expected, StringComparison.Ordinal));
        }
    }
}
