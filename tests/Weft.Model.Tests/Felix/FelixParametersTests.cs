using System.Collections;
using System.Text.Json.Nodes;
using Weft.Model.Felix;
using Weft.Model.Resources;
using Weft.Model.Validation;

namespace Weft.Model.Tests.Felix;

public sealed class FelixParametersTests
{
    [Fact]
    public void EveryParameterIsKnown_EachWithAStanding_AndAReasonWhenItDoesNothing()
    {
        Assert.Equal(209, FelixParameters.All.Count);
        Assert.All(FelixParameters.All, p => Assert.Equal(p.IsImplemented, p.Remark is null));
        Assert.All(FelixParameters.All, p => Assert.Equal(p.IsImplemented, p.Why.Length == 0));
    }

    [Fact]
    public void FieldsAreThoseOfTheSchema()
    {
        // The object's own selector is no parameter.
        IEnumerable<string> schema = SchemaCatalog.Of(ResourceKind.FelixConfiguration).Members["spec"].Members.Keys.Where(f => f != "nodeSelector");

        Assert.Equal(schema.Order(StringComparer.Ordinal), FelixParameters.All.Where(p => p.Field != p.Name).Select(p => p.Field).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("BPFEnabled", "1", "true")]
    [InlineData("BPFEnabled", "No", "false")]
    [InlineData("BPFEnabled", "none", "false")]
    [InlineData("BPFEnabled", "maybe", null)]
    [InlineData("RouteRefreshInterval", "90", "90s")]
    [InlineData("RouteRefreshInterval", "1.5", "1500ms")]
    [InlineData("RouteRefreshInterval", "1m30s", "90s")]
    [InlineData("IptablesLockProbeIntervalMillis", "50", "50ms")]
    [InlineData("DefaultEndpointToHostAction", "accept", "ACCEPT")]
    [InlineData("DefaultEndpointToHostAction", "allow", null)]
    [InlineData("IptablesMarkMask", "0xff000000", "0xff000000")]
    [InlineData("IptablesMarkMask", "4278190080", "0xff000000")]
    [InlineData("IptablesMarkMask", "0x0", null)]
    [InlineData("MetadataPort", "65536", null)]
    [InlineData("GoGCThreshold", "-1", "-1")]
    [InlineData("NATPortRange", "1024:2048", "1024:2048")]
    [InlineData("NATPortRange", "http", null)]
    [InlineData("NATOutgoingAddress", "10.0.0.1", "10.0.0.1")]
    [InlineData("NATOutgoingAddress", "fd00::1", null)]
    [InlineData("BPFDSROptoutCIDRs", "10.0.0.0/8, fd00::/8", "[\"10.0.0.0/8\",\"fd00::/8\"]")]
    [InlineData("HealthTimeoutOverrides", "a=5s,b=6s", "{\"a\":\"5s\",\"b\":\"6s\"}")]
    [InlineData("FailsafeInboundHostPorts", "tcp:22,udp:10.0.0.0/8:53,sctp:[fd00::/8]:7,5473",
        "[{\"protocol\":\"tcp\",\"port\":22},{\"protocol\":\"udp\",\"port\":53,\"net\":\"10.0.0.0/8\"},{\"protocol\":\"sctp\",\"port\":7,\"net\":\"fd00::/8\"},{\"protocol\":\"tcp\",\"port\":5473}]")]
    [InlineData("FailsafeInboundHostPorts", "none", "[]")]
    [InlineData("FailsafeInboundHostPorts", "tcp:0", null)]
    [InlineData("FailsafeInboundHostPorts", "tcp:everywhere:22", null)]
    public void LocalValues_AreReadIntoTheFormOfTheApi(string name, string text, string? expected)
    {
        bool ok = FelixParameters.OfName(name)!.Type.TryRead(text, FelixSyntax.Local, out string value, out string reason);

        Assert.Equal(expected is not null, ok);
        Assert.Equal(expected ?? string.Empty, ok ? value : string.Empty);
        Assert.Equal(expected is null, reason.Length > 0 && !ok);
    }

    [Theory]
    [InlineData("bpfEnabled", "true", "refused: weft has no eBPF dataplane")]
    [InlineData("bpfEnabled", "false", null)]
    [InlineData("bpfEnabled", "", null)]
    [InlineData("iptablesRefreshInterval", "3m0s", null)]
    [InlineData("natPortRange", "1024:2048", null)]
    [InlineData("EtcdEndpoints", "http://etcd:2379", "can be set by the environment and the file of a node only")]
    public void Complaint_IsMadeOfWhatDiffersFromTheDefault(string field, string value, string? expected) =>
        Assert.Equal(expected, FelixParameters.OfField(field)!.Complaint(value));

    [Fact]
    public void Environment_WinsOverTheFile_NamesInAnyCase_ProblemsNameTheirSource()
    {
        Hashtable environment = new() { ["FELIX_vxlanport"] = "4790", ["Felix_BPFENABLED"] = "true", ["FELIX_NOSUCH"] = "x", ["OTHER"] = "y", ["FELIX_NATPORTRANGE"] = "" };

        FelixLocalSettings settings = FelixLocalSettings.Read(
            environment, "/etc/calico/felix.cfg", ["[global]", "# VXLANVNI = 1", "VXLANPort = 4791", "NATOutgoingExclusions=IPPoolsAndHostIPs", "VXLANMTU = big"]);

        Assert.Equal("4790", settings.Values["vxlanPort"]);
        Assert.Equal("environment variable FELIX_vxlanport", settings.Origins["vxlanPort"]);
        Assert.Equal("IPPoolsAndHostIPs", settings.Values["natOutgoingExclusions"]);
        Assert.Equal("/etc/calico/felix.cfg line 4", settings.Origins["natOutgoingExclusions"]);
        Assert.False(settings.Values.ContainsKey("natPortRange"));
        Assert.Equal(
            ["/etc/calico/felix.cfg line 5: VXLANMTU: \"big\" cannot be used, expected a number from -2147483648 to 2147483647: the default holds",
             "environment variable Felix_BPFENABLED: BPFEnabled: refused: weft has no eBPF dataplane"],
            settings.Problems);
    }

    [Fact]
    public void DefaultsThatAreJson_AreJson()
    {
        Assert.Equal(9, JsonNode.Parse(FelixParameters.OfField("failsafeInboundHostPorts")!.Default)!.AsArray().Count);
    }
}
