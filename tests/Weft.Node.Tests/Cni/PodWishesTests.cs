using System.Text.Json.Nodes;
using Weft.Model.Resources;
using Weft.Node.Cni;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Cni;

/// <summary>Annotations, capability arguments, conventions and CNI_ARGS, from the text of the call to what the pod gets.</summary>
public sealed class PodWishesTests
{
    private const string Pod = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=nginx";
    private readonly MemoryNode _node = new();

    [Theory]
    [InlineData("""{"cni.projectcalico.org/ipAddrs":"[\"10.1.0.99\"]"}""", "10.1.0.99/32")]
    [InlineData("""{"cni.projectcalico.org/ipAddrs":"[\"10.1.0.99\",\"fd00::99\"]"}""", "10.1.0.99/32 fd00::99/128")]
    [InlineData("""{"cni.projectcalico.org/ipFamilies":"[\"IPv6\"]"}""", "fd00::1/128")]
    [InlineData("""{"cni.projectcalico.org/ipFamilies":"[\"IPv4\",\"IPv6\"]"}""", "10.1.0.1/32 fd00::1/128")]
    public async Task Annotation_ChoosesAddresses(string annotations, string expected)
    {
        CniOutcome outcome = await _node.CallAsync("ADD", args: Pod, config: Annotated(annotations));

        Assert.Equal(expected, string.Join(' ', outcome.Body!["ips"]!.AsArray().Select(i => (string?)i!["address"])));
    }

    [Theory]
    [InlineData("""{"cni.projectcalico.org/ipAddrs":"[\"10.1.0.9\"]","cni.projectcalico.org/ipAddrsNoIpam":"[\"10.1.0.9\"]"}""", "cannot have both annotations")]
    [InlineData("""{"cni.projectcalico.org/ipAddrsNoIpam":"[\"10.1.0.9\"]"}""", "requested feature is not enabled: ip_addrs_no_ipam")]
    [InlineData("""{"cni.projectcalico.org/ipAddrs":"[\"10.1.0.9\",\"10.1.0.8\"]"}""", "at most one address of each family")]
    [InlineData("""{"cni.projectcalico.org/ipAddrs":"10.1.0.9"}""", "expected a JSON list")]
    [InlineData("""{"cni.projectcalico.org/ipFamilies":"[\"IPX\"]"}""", "expected IPv4 or IPv6")]
    [InlineData("""{"cni.projectcalico.org/floatingIPs":"[\"192.0.2.1\"]"}""", "requested feature is not enabled: floating_ips")]
    [InlineData("""{"cni.projectcalico.org/hwAddr":"no"}""", "failed to parse MAC address no provided via cni.projectcalico.org/hwAddr")]
    [InlineData("""{"cni.projectcalico.org/hwAddr":"f3:3d:c1:00:00:01"}""", "failed to parse MAC address")]
    public void BadWish_IsRefusedWithItsKey(string annotations, string words)
    {
        CniException refused = Assert.Throws<CniException>(() => Parse(Annotated(annotations)));

        Assert.Contains(words, refused.Message);
    }

    [Fact]
    public void NoIpamFeature_OutsideKubernetes_IsRefused()
    {
        JsonObject config = MemoryNode.Config(more: new JsonObject { ["feature_control"] = new JsonObject { ["ip_addrs_no_ipam"] = true } });

        CniException refused = Assert.Throws<CniException>(() => Parse(config, string.Empty));

        Assert.Equal("requested feature is not supported for this runtime: ip_addrs_no_ipam", refused.Message);
    }

    [Fact]
    public async Task NoIpam_Enabled_TakesTheAddressAsItIs()
    {
        JsonObject config = Annotated("""{"cni.projectcalico.org/ipAddrsNoIpam":"[\"10.9.9.9\"]"}""");
        config["feature_control"] = new JsonObject { ["ip_addrs_no_ipam"] = true };

        CniOutcome add = await _node.CallAsync("ADD", args: Pod, config: config);

        Assert.Equal("10.9.9.9/32", (string?)add.Body!["ips"]![0]!["address"]);
        Assert.Empty(_node.Held);
    }

    [Fact]
    public async Task FloatingAddress_IsPairedWithThePodsOwn()
    {
        JsonObject config = Annotated("""{"cni.projectcalico.org/floatingIPs":"[\"192.0.2.1\",\"2001:db8::1\"]"}""");
        config["feature_control"] = new JsonObject { ["floating_ips"] = true };

        await _node.CallAsync("ADD", args: Pod, config: config);

        IpNat pair = Assert.Single(_node.Endpoints.Single().Spec.IpNATs!);
        Assert.Equal(("10.1.0.1", "192.0.2.1"), (pair.InternalIP, pair.ExternalIP));
    }

    [Theory]
    [InlineData("""{"cni.projectcalico.org/hwAddr":"f2:3d:c1:10:20:30"}""", "{}", "f2:3d:c1:10:20:30")]
    [InlineData("{}", """{"mac":"f2:3d:c1:10:20:31"}""", "f2:3d:c1:10:20:31")]
    public async Task Mac_ByAnnotationOrCapability(string annotations, string runtime, string mac)
    {
        JsonObject config = Annotated(annotations);
        foreach ((string key, JsonNode? value) in JsonNode.Parse(runtime)!.AsObject())
        {
            config["runtimeConfig"]![key] = value?.DeepClone();
        }

        CniOutcome add = await _node.CallAsync("ADD", args: Pod, config: config);

        Assert.Equal(mac, (string?)add.Body!["interfaces"]![1]!["mac"]);
        Assert.Equal(mac, _node.Endpoints.Single().Spec.Mac);
    }

    [Theory]
    [InlineData("""{"runtimeConfig":{"ips":["10.1.0.77/24"]}}""", "", "10.1.0.77")]
    [InlineData("""{"args":{"cni":{"ips":["10.1.0.78"]}}}""", "", "10.1.0.78")]
    [InlineData("{}", "IP=10.1.0.79", "10.1.0.79")]
    public void Address_ByCapabilityConventionOrArgument(string more, string argument, string expected)
    {
        PodWishes wishes = Parse(MemoryNode.Config(more: JsonNode.Parse(more)!.AsObject()), $"{Pod};{argument}");

        Assert.Equal(expected, Assert.Single(wishes.Addresses).ToString());
    }

    [Fact]
    public void Pools_AnnotationReplacesTheConfiguration()
    {
        JsonObject config = Annotated("""{"cni.projectcalico.org/ipv4pools":"[\"a\",\"10.2.0.0/16\"]"}""");
        config["ipam"] = JsonNode.Parse("""{"type":"calico-ipam","ipv4_pools":["z"],"ipv6_pools":["y"]}""");

        PodWishes wishes = Parse(config);

        Assert.Equal(["a", "10.2.0.0/16"], wishes.IPv4Pools);
        Assert.Equal(["y"], wishes.IPv6Pools);
    }

    [Theory]
    [InlineData("1M", 1_000_000L)]
    [InlineData("2k", 2_000L)]
    [InlineData("1.5Mi", 1_572_864L)]
    [InlineData("1500m", 2L)]
    [InlineData("9E", 9_000_000_000_000_000_000)]
    [InlineData("99E", long.MaxValue)]
    [InlineData("10Q", null)]
    [InlineData("x", null)]
    [InlineData("", null)]
    public void Quantity_AsKubernetesWritesIt(string text, long? expected) => Assert.Equal(expected, Model.Kubernetes.QosAnnotations.Quantity(text));

    [Theory]
    [InlineData("""{"qos.projectcalico.org/ingressBandwidth":"1M"}""", 1_000_000L, 4_294_967_296L)]
    [InlineData("""{"kubernetes.io/ingress-bandwidth":"2M"}""", 2_000_000L, 4_294_967_296L)]
    [InlineData("""{"kubernetes.io/ingress-bandwidth":"2M","qos.projectcalico.org/ingressBandwidth":"1M","qos.projectcalico.org/ingressBurst":"2M"}""", 1_000_000L, 2_000_000L)]
    [InlineData("""{"qos.projectcalico.org/ingressBandwidth":"1","qos.projectcalico.org/ingressBurst":"1"}""", 1_000L, 1_000L)]
    [InlineData("""{"qos.projectcalico.org/ingressBandwidth":"5P","qos.projectcalico.org/ingressBurst":"1T"}""", 1_000_000_000_000_000L, 34_359_738_360L)]
    public void Bandwidth_IsReadAndKeptWithinBounds(string annotations, long rate, long burst)
    {
        QosControls qos = Parse(Annotated(annotations)).Qos!;

        Assert.Equal((rate, burst, (long?)null), (qos.IngressBandwidth, qos.IngressBurst, qos.EgressBandwidth));
    }

    [Theory]
    [InlineData("1", 1_010L)]
    [InlineData("5P", 1_010_000_000_000_000L)]
    public void Peakrate_IsKeptWithinBounds(string peak, long expected)
    {
        string rate = expected == 1_010L ? "1k" : "1P";

        QosControls qos = Parse(Annotated($$$"""{"qos.projectcalico.org/egressBandwidth":"{{{rate}}}","qos.projectcalico.org/egressPeakrate":"{{{peak}}}","qos.projectcalico.org/egressMinburst":"1G"}""")).Qos!;

        Assert.Equal((expected, 100_000_000L), (qos.EgressPeakrate, qos.EgressMinburst));
    }

    [Fact]
    public void Bandwidth_ByCapability()
    {
        JsonObject config = MemoryNode.Config(more: JsonNode.Parse("""{"runtimeConfig":{"bandwidth":{"ingressRate":8000000,"ingressBurst":800000,"egressRate":4000000,"egressBurst":0}}}""")!.AsObject());

        QosControls qos = Parse(config).Qos!;

        Assert.Equal((8_000_000L, 800_000L, 4_000_000L, 4_294_967_296L), (qos.IngressBandwidth, qos.IngressBurst, qos.EgressBandwidth, qos.EgressBurst));
    }

    private static JsonObject Annotated(string annotations) => MemoryNode.Config(more: new JsonObject
    {
        ["runtimeConfig"] = new JsonObject { ["io.kubernetes.cri.pod-annotations"] = JsonNode.Parse(annotations) },
    });

    private static PodWishes Parse(JsonObject config, string arguments = Pod) => CniRequest.Parse(
        new Dictionary<string, string> { ["CNI_COMMAND"] = "ADD", ["CNI_CONTAINERID"] = "c1", ["CNI_NETNS"] = "/run/netns/c1", ["CNI_IFNAME"] = "eth0", ["CNI_ARGS"] = arguments },
        config).Wishes;
}
