using System.Text;
using System.Text.Json.Nodes;
using Weft.Model.Ipam;
using Weft.Model.Json;
using Weft.Model.Keys;
using Weft.Model.Resources;

namespace Weft.Model.Tests.Json;

/// <summary>The rules by which values lie in etcd: read by Calico and by weft side by side.</summary>
public sealed class StoredValueTests
{
    [Theory]
    [InlineData(
        "/calico/ipam/v2/assignment/ipv4/block/10.1.4.0-30",
        """{"cidr":"10.1.4.0/30","affinity":"host:node-a","affinity_claim_time":"2026-01-02T03:04:05Z","allocations":[null,null,0,null],"unallocated":[0,1,3],"attributes":[{"handle_id":"k8s-pod-network.abcd","secondary":{"namespace":"ns1","node":"node-a","pod":"pod-1","timestamp":"2026-01-02 03:04:05 +0000 UTC"}}],"sequenceNumber":1767323045000000003,"sequenceNumberForAllocation":{"2":1767323045000000002},"deleted":false}""")]
    [InlineData(
        "/calico/ipam/v2/assignment/ipv6/block/fd00:10::-126",
        """{"cidr":"fd00:10::/126","affinity":null,"allocations":[null,null,null,null],"unallocated":[0,1,2,3],"attributes":[],"sequenceNumber":1,"sequenceNumberForAllocation":null,"deleted":false}""")]
    [InlineData("/calico/ipam/v2/handle/k8s-pod-network.abcd", """{"block":{"10.1.4.0/26":1},"deleted":false}""")]
    [InlineData("/calico/ipam/v2/host/node-a/ipv4/block/10.1.4.0-26", """{"state":"confirmed","deleted":false}""")]
    [InlineData("/calico/ipam/v2/virtual/load-balancer/ipv4/block/10.1.4.0-26", """{"state":"pendingDeletion","deleted":false}""")]
    [InlineData("/calico/ipam/v2/config", """{"auto_allocate_blocks":true}""")]
    [InlineData("/calico/ipam/v2/config", """{"strict_affinity":true,"maxBlocksPerHost":20,"kubeVirtVMAddressPersistence":"Enabled","ipCooldownSeconds":30}""")]
    [InlineData("/calico/ipam/v2/host/node-a", "{}")]
    [InlineData("/calico/felix/v2/no-region/host/node-a/status", """{"time":"2026-01-02T03:04:05Z","uptime":12.5,"first_update":true}""")]
    [InlineData("/calico/felix/v2/no-region/host/node-a/workload/k8s/ns%2fpod/endpoint/eth0", """{"status":"up"}""")]
    [InlineData("/calico/felix/v1/host/node-a/endpoint/eth0", """{"status":"down"}""")]
    [InlineData(
        "/calico/resources/v3/projectcalico.org/ippools/pool-a",
        """{"kind":"IPPool","apiVersion":"projectcalico.org/v3","metadata":{"name":"pool-a","uid":"0a3f","creationTimestamp":"2026-01-02T03:04:05Z"},"spec":{"cidr":"10.1.0.0/16","vxlanMode":"Never","ipipMode":"Always","natOutgoing":true,"blockSize":26,"nodeSelector":"all()","allowedUses":["Workload","Tunnel"],"assignmentMode":"Automatic"}}""")]
    [InlineData(
        "/calico/resources/v3/projectcalico.org/nodes/node-a",
        """{"kind":"Node","apiVersion":"projectcalico.org/v3","metadata":{"name":"node-a","uid":"u","creationTimestamp":"t"},"spec":{"bgp":{"asNumber":64512,"ipv4Address":"10.0.0.5/24","ipv4IPIPTunnelAddr":"10.1.4.1","routeReflectorClusterID":"244.0.0.1"},"ipv4VXLANTunnelAddr":"10.1.4.2","vxlanTunnelMACAddr":"66:ab:00:00:00:01","orchRefs":[{"nodeName":"node-a","orchestrator":"k8s"}],"wireguard":{"interfaceIPv4Address":"10.1.4.3"},"addresses":[{"address":"10.0.0.5/24","type":"CalicoNodeIP"}]},"status":{"wireguardPublicKey":"<base64>","podCIDRs":["10.244.1.0/24"]}}""")]
    [InlineData(
        "/calico/resources/v3/projectcalico.org/workloadendpoints/ns1/node--a-k8s-pod--1-eth0",
        """{"kind":"WorkloadEndpoint","apiVersion":"projectcalico.org/v3","metadata":{"name":"node--a-k8s-pod--1-eth0","namespace":"ns1","uid":"u","creationTimestamp":"t","labels":{"app":"x","projectcalico.org/namespace":"ns1","projectcalico.org/orchestrator":"k8s"}},"spec":{"orchestrator":"k8s","node":"node-a","containerID":"abcd","pod":"pod-1","endpoint":"eth0","serviceAccountName":"default","ipNetworks":["10.1.4.7/32"],"profiles":["kns.ns1","ksa.ns1.default"],"interfaceName":"calic440f455693","mac":"ea:00:00:00:00:01","ports":[{"name":"http","protocol":"TCP","port":80}]}}""")]
    [InlineData(
        "/calico/resources/v3/projectcalico.org/clusterinformations/default",
        """{"kind":"ClusterInformation","apiVersion":"projectcalico.org/v3","metadata":{"name":"default","uid":"u","creationTimestamp":"t"},"spec":{"clusterGUID":"b0f5c0c0c0ffee00b0f5c0c0c0ffee00","clusterType":"k8s,bgp","calicoVersion":"v3.33.0","datastoreReady":true,"variant":"Calico"}}""")]
    [InlineData(
        "/calico/resources/v3/projectcalico.org/bgppeers/tor",
        """{"kind":"BGPPeer","apiVersion":"projectcalico.org/v3","metadata":{"name":"tor","uid":"u","creationTimestamp":"t"},"spec":{"nodeSelector":"rack == 'r1'","peerIP":"192.0.2.1","asNumber":65001,"password":{"secretKeyRef":{"name":"bgp","key":"tor"}},"filters":["only-pods"]}}""")]
    public void ExampleOfTheReference_ReadAndWritten_KeepsItsBytes(string path, string json)
    {
        ModelKey key = ModelKey.TryParse(path)!;

        bool ok = ModelJson.TryDeserialize(key, Encoding.UTF8.GetBytes(json), out object? value, out string? problem);
        string written = ok ? Encoding.UTF8.GetString(ModelJson.Serialize(key, value)) : string.Empty;

        Assert.Null(problem);
        Assert.Equal(path, key.Path);
        Assert.Equal(json.Replace("<", "\\u003c").Replace(">", "\\u003e"), written);
    }

    [Fact]
    public void ResourceVersion_IsNotStored_AndTheSharedObjectIsNotTouched()
    {
        IPPool pool = new() { Metadata = { Name = "p", ResourceVersion = "7" }, Spec = { Cidr = "10.0.0.0/8" } };

        string json = Text(new ResourceKey(ResourceKind.IPPool, "p"), pool);

        Assert.DoesNotContain("resourceVersion", json);
        Assert.Equal("7", pool.Metadata.ResourceVersion);
    }

    [Fact]
    public void Policy_IsStoredWithItsTrueName_AndReadWithoutTheAnnotation()
    {
        ResourceKey key = new(ResourceKind.NetworkPolicy, "demo", "default.allow-web");
        NetworkPolicy policy = new() { Metadata = { Name = "allow-web", Namespace = "demo" }, Spec = { Selector = "a == 'b' && c" } };

        string json = Text(key, policy);
        NetworkPolicy back = Read<NetworkPolicy>(key, json);

        Assert.Equal("""{"name":"allow-web"}""", (string?)JsonNode.Parse(json)!["metadata"]!["annotations"]![ModelJson.PolicyMetadataAnnotation]);
        Assert.Equal("default.allow-web", (string?)JsonNode.Parse(json)!["metadata"]!["name"]);
        Assert.Contains(@"\u0026\u0026", json);
        Assert.Equal("allow-web", back.Metadata.Name);
        Assert.Null(back.Metadata.Annotations);
        Assert.Null(policy.Metadata.Annotations);
        Assert.Equal("a == 'b' && c", back.Spec.Selector);
    }

    [Theory]
    [InlineData("default.x", "", "x")]
    [InlineData("default.x", "default", "x")]
    [InlineData("x", "default", "x")]
    [InlineData("sec.x", "sec", "sec.x")]
    [InlineData("default.x", "sec", "default.x")]
    public void PolicyWithoutAnnotation_LosesThePrefixOfTheDefaultTierOnly(string stored, string tier, string expected)
    {
        ResourceKey key = new(ResourceKind.GlobalNetworkPolicy, stored);

        GlobalNetworkPolicy policy = Read<GlobalNetworkPolicy>(key, $$$"""{"metadata":{"name":"{{{stored}}}"},"spec":{"tier":"{{{tier}}}"}}""");

        Assert.Equal(expected, policy.Metadata.Name);
    }

    [Fact]
    public void BrokenTrueNameAnnotation_CountsAsNone()
    {
        ResourceKey key = new(ResourceKind.GlobalNetworkPolicy, "default.x");

        GlobalNetworkPolicy policy = Read<GlobalNetworkPolicy>(key, """{"metadata":{"annotations":{"projectcalico.org/metadata":"{broken","k":"v"}},"spec":{}}""");

        Assert.Equal("x", policy.Metadata.Name);
        Assert.Equal(["k"], policy.Metadata.Annotations!.Keys);
    }

    [Fact]
    public void BlockAffinityResource_StoresDeletedAsText()
    {
        ResourceKey key = new(ResourceKind.BlockAffinity, "a");
        BlockAffinity affinity = new() { Metadata = { Name = "a" }, Spec = { State = "confirmed", Node = "n", Cidr = "10.0.0.0/26", Deleted = true } };

        string json = Text(key, affinity);

        Assert.Contains("\"deleted\":\"true\"", json);
        Assert.True(Read<BlockAffinity>(key, json).Spec.Deleted);
        Assert.True(Read<BlockAffinity>(key, json.Replace("\"true\"", "true")).Spec.Deleted);
        Assert.Equal("spec.deleted: expected true or false", Problem(key, json.Replace("\"true\"", "\"maybe\"")));
    }

    [Fact]
    public void NullLiteral_IsWrittenForNull_AndReadAsAProblem()
    {
        HandleKey key = new("h");

        Assert.Equal("null"u8.ToArray(), ModelJson.Serialize(key, null));
        Assert.Equal("the value is null", Problem(key, "null"));
    }

    [Theory] // N17
    [InlineData("", "")]
    [InlineData("{}", "")]
    [InlineData("""{"state":"pending"}""", "pending")]
    [InlineData("""{"state":null}""", "")]
    public void AffinityValues_OfOldReleases_AreRead(string json, string state)
    {
        BlockAffinityValue value = Read<BlockAffinityValue>(ModelKey.TryParse("/calico/ipam/v2/host/h/ipv4/block/10.0.0.0-26")!, json);

        Assert.Equal(state, value.State);
    }

    [Fact]
    public void UnknownFields_SurviveAReadModifyWrite_AtEveryDepth()
    {
        ResourceKey key = new(ResourceKind.NetworkPolicy, "ns", "p");
        const string Json = """{"kind":"NetworkPolicy","apiVersion":"projectcalico.org/v3","metadata":{"name":"p","namespace":"ns","annotations":{"projectcalico.org/metadata":"{\"name\":\"p\"}"},"managedFields":[{"manager":"m"}]},"spec":{"ingress":[{"action":"Allow","source":{"nets":["10.0.0.0/8"],"domains":["a.b"]},"future":{"x":1}}],"newField":true},"extra":[1,2]}""";

        NetworkPolicy policy = Read<NetworkPolicy>(key, Json);
        policy.Spec.Order = 5;
        JsonNode back = JsonNode.Parse(Text(key, policy))!;

        JsonNode expected = JsonNode.Parse(Json)!;
        expected["spec"]!["order"] = 5;
        Assert.True(JsonNode.DeepEquals(expected, back), back.ToJsonString());
    }

    [Fact]
    public void ValueOfAnotherKind_IsRefused()
    {
        Assert.Equal("kind: \"Tier\" stands under a key of kind IPPool", Problem(new ResourceKey(ResourceKind.IPPool, "p"), """{"kind":"Tier","spec":{"cidr":"10.0.0.0/8"}}"""));
        Assert.Throws<ArgumentException>(() => ModelJson.Serialize(new ResourceKey(ResourceKind.IPPool, "p"), new Tier()));
    }

    [Theory]
    [InlineData("""{"spec":{"order":"high"}}""", "spec.order: the value is not of the kind that belongs here")]
    [InlineData("""{"spec":{"ingress":[{"action":"Allow","source":{"ports":["1:2:3"]}}]}}""", "spec.ingress[0].source.ports[0]: expected a port: 0..65535, \"FIRST:LAST\", or a name of letters, digits, '_', '.' and '-'")]
    [InlineData("""{"spec":{"ingress":[{"protocol":true}]}}""", "spec.ingress[0].protocol: expected a protocol: 1..255 or one of TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite")]
    [InlineData("""{"metadata":{"labels":{"a":1}}}""", "metadata.labels: a: expected text; numbers and booleans need quotes here")]
    [InlineData("""{"spec":""", "spec: not valid JSON at line 1, byte 8")]
    [InlineData("", "not valid JSON at line 1, byte 0")]
    [InlineData("[]", "the value is not of the kind that belongs here")]
    public void UnreadableValue_NamesThePath(string json, string problem)
    {
        Assert.Equal(problem, Problem(new ResourceKey(ResourceKind.GlobalNetworkPolicy, "p"), json));
    }

    [Theory]
    [InlineData("""{"spec":{"ingress":[null]}}""", false)]
    [InlineData("""{"spec":{"ingress":[{"source":{"nets":["10.0.0.0/8",null]}}]}}""", false)]
    [InlineData("""{"spec":{"ingress":null,"selector":"null"},"x":[[],{"a":null}]}""", true)]
    public void NullInAList_MakesTheValueUnreadable(string json, bool isReadable)
    {
        Assert.Equal(isReadable ? null : "a list holds null", Problem(new ResourceKey(ResourceKind.GlobalNetworkPolicy, "p"), json));
    }

    [Fact]
    public void NullMembers_OfGoObjects_AreTakenAsAbsent()
    {
        IPPool pool = Read<IPPool>(new ResourceKey(ResourceKind.IPPool, "p"), """{"metadata":null,"spec":null}""");
        AllocationBlock block = Read<AllocationBlock>(
            ModelKey.TryParse("/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-26")!, """{"cidr":"10.0.0.0/26","attributes":null,"unallocated":null,"allocations":null}""");

        Assert.Equal("p", pool.Metadata.Name);
        Assert.Empty(block.Attributes);
        Assert.Empty(block.Unallocated);
        Assert.Empty(block.Allocations);
    }

    [Fact]
    public void EveryKind_HasAContract_AndStartsWithKindAndApiVersion()
    {
        foreach (ResourceKind kind in ResourceKind.All)
        {
            ResourceKey key = kind.IsNamespaced ? new ResourceKey(kind, "ns", "x") : new ResourceKey(kind, "x");

            Resource value = Read<Resource>(key, "{}");

            Assert.StartsWith($$"""{"kind":"{{kind.Name}}","apiVersion":"projectcalico.org/v3","metadata":{"name":"x",""", Text(key, value).Replace("\"x\"}", "\"x\","));
            Assert.Equal(Text(key, value), Text(key, ModelJson.Clone(value)));
        }
    }

    [Theory]
    [InlineData("64512", 64512u)]
    [InlineData("\"64512\"", 64512u)]
    [InlineData("\"1.10\"", 65546u)]
    [InlineData("4294967295", 4294967295u)]
    public void AsNumber_IsANumberOrText_AndWrittenAsANumber(string json, uint expected)
    {
        ResourceKey key = new(ResourceKind.BGPPeer, "p");

        BGPPeer peer = Read<BGPPeer>(key, $$$"""{"spec":{"asNumber":{{{json}}}}}""");

        Assert.Equal(expected, peer.Spec.AsNumber!.Value.Value);
        Assert.Contains($"\"asNumber\":{expected}", Text(key, peer));
    }

    [Theory]
    [InlineData("80", "80")]
    [InlineData("\"80\"", "80")]
    [InlineData("\"80:80\"", "80")]
    [InlineData("\"0:65535\"", "\"0:65535\"")]
    [InlineData("\"foo-bar\"", "\"foo-bar\"")]
    [InlineData("0", "0")]
    public void Port_IsWrittenInItsShortestForm(string json, string expected)
    {
        ResourceKey key = new(ResourceKind.GlobalNetworkPolicy, "p");

        GlobalNetworkPolicy policy = Read<GlobalNetworkPolicy>(key, $$$"""{"spec":{"ingress":[{"action":"Allow","destination":{"ports":[{{{json}}}]}}]}}""");

        Assert.Contains($"\"ports\":[{expected}]", Text(key, policy));
    }

    [Theory] // 109
    [InlineData("\"0:65536\"")]
    [InlineData("\"10:1\"")]
    [InlineData("\"1:2:3\"")]
    [InlineData("\"*\"")]
    [InlineData("65536")]
    [InlineData("-1")]
    [InlineData("1.5")]
    public void MalformedPort_IsRefused(string json)
    {
        Assert.NotNull(Problem(new ResourceKey(ResourceKind.GlobalNetworkPolicy, "p"), $$$"""{"spec":{"ingress":[{"destination":{"ports":[{{{json}}}]}}]}}"""));
    }

    [Theory]
    [InlineData("\"TCP\"", "\"TCP\"")]
    [InlineData("\"6\"", "6")]
    [InlineData("132", "132")]
    [InlineData("\"ICMPv6\"", "\"ICMPv6\"")]
    public void Protocol_KeepsItsForm(string json, string expected)
    {
        ResourceKey key = new(ResourceKind.GlobalNetworkPolicy, "p");

        GlobalNetworkPolicy policy = Read<GlobalNetworkPolicy>(key, $$$"""{"spec":{"ingress":[{"action":"Allow","protocol":{{{json}}}}]}}""");

        Assert.Contains($"\"protocol\":{expected}", Text(key, policy));
    }

    [Theory]
    [InlineData("\"AF43\"", 38)]
    [InlineData("\"ef\"", 46)]
    [InlineData("\"CS6\"", 48)]
    [InlineData("10", 10)]
    [InlineData("\"10\"", 10)]
    public void Dscp_IsANumberOrAName(string json, int expected)
    {
        WorkloadEndpoint endpoint = Read<WorkloadEndpoint>(
            new ResourceKey(ResourceKind.WorkloadEndpoint, "ns", "w"), $$$$"""{"spec":{"qosControls":{"dscp":{{{{json}}}}}}}""");

        Assert.Equal(expected, endpoint.Spec.QosControls!.Dscp);
    }

    private static string Text(ModelKey key, object value) => Encoding.UTF8.GetString(ModelJson.Serialize(key, value));

    private static T Read<T>(ModelKey key, string json)
    {
        Assert.True(ModelJson.TryDeserialize(key, Encoding.UTF8.GetBytes(json), out object? value, out string? problem), problem);
        return Assert.IsType<T>(value, exactMatch: false);
    }

    private static string? Problem(ModelKey key, string json)
    {
        ModelJson.TryDeserialize(key, Encoding.UTF8.GetBytes(json), out _, out string? problem);
        return problem;
    }
}
