using System.Text.Json.Nodes;
using Weft.Ctl.Output;
using Weft.Hosting;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ctl.Tests;

public sealed class GetCommandTests
{
    private readonly MemoryDatastore _store = new();
    private readonly Cli _cli;

    public GetCommandTests()
    {
        _cli = new Cli(_store);
        _store.Put(
            new ResourceKey(ResourceKind.IPPool, "ippool-name1"),
            new IPPool { Metadata = { Name = "ippool-name1", Uid = "u" }, Spec = { Cidr = "10.0.1.0/24", NodeSelector = "foo == 'bar'", IpipMode = "Always", VxlanMode = "Never", AssignmentMode = "Automatic" } });
        _store.Put(new ResourceKey(ResourceKind.NetworkPolicy, "demo", "b"), new NetworkPolicy { Metadata = { Name = "b", Namespace = "demo", Labels = new() { ["app"] = "web" } }, Spec = { Order = 10, Selector = "all()" } });
        _store.Put(new ResourceKey(ResourceKind.NetworkPolicy, "demo", "a"), new NetworkPolicy { Metadata = { Name = "a", Namespace = "demo" }, Spec = { Tier = "sec" } });
        _store.Put(new ResourceKey(ResourceKind.NetworkPolicy, "default", "c"), new NetworkPolicy { Metadata = { Name = "c", Namespace = "default" } });
        _store.Put(new ResourceKey(ResourceKind.Node, "n1"), new Node { Metadata = { Name = "n1" }, Spec = { Bgp = new NodeBgpSpec { Ipv4Address = "10.0.0.1/24" } } });
        _store.Put(new ResourceKey(ResourceKind.Node, "n2"), new Node { Metadata = { Name = "n2" }, Spec = { Bgp = new NodeBgpSpec { AsNumber = new AsNumber(65001) } } });
    }

    [Fact] // Vector 42, without the blanks at the end of lines
    public async Task PoolTable_HasTheColumnsOfCalicoctl()
    {
        CliResult plain = await _cli.RunAsync("get ippool");
        CliResult wide = await _cli.RunAsync("get pools -o wide");

        Assert.Equal("NAME           CIDR          SELECTOR\nippool-name1   10.0.1.0/24   foo == 'bar'\n", plain.Out);
        Assert.Equal(
            "NAME           CIDR          NAT     IPIPMODE   VXLANMODE   DISABLED   DISABLEBGPEXPORT   SELECTOR       ASSIGNMENTMODE\n"
            + "ippool-name1   10.0.1.0/24   false   Always     Never       false      false              foo == 'bar'   Automatic\n", wide.Out);
    }

    [Fact]
    public async Task Policies_AreListedByNamespaceAndName()
    {
        CliResult all = await _cli.RunAsync("get networkpolicy -A");
        CliResult one = await _cli.RunAsync("get np -n demo -o wide");
        CliResult standard = await _cli.RunAsync("get policies");

        Assert.Equal("NAMESPACE   NAME   TIER\ndefault     c      default\ndemo        a      sec\ndemo        b      default\n", all.Out);
        Assert.Equal("NAMESPACE   NAME   TIER      ORDER   SELECTOR\ndemo        a      sec       -       -\ndemo        b      default   10      all()\n", one.Out);
        Assert.Equal("NAME   TIER\nc      default\n", standard.Out);
    }

    [Theory]
    [InlineData("app == 'web'")]
    [InlineData("app=web")]
    [InlineData("has(app),x")]
    [InlineData("app=web,tier!=db")]
    public async Task Selector_ChoosesByLabels(string selector)
    {
        CliResult result = await _cli.RunAsync(["get", "np", "-A", "-o", "name", "-l", selector]);

        if (selector.StartsWith("has", StringComparison.Ordinal))
        {
            Assert.Equal(ExitStatus.Usage, result.Status);
        }
        else
        {
            Assert.Equal("networkpolicy/b\n", result.Out);
        }
    }

    [Fact]
    public async Task NodeWithoutAs_ShowsTheClustersInBrackets()
    {
        CliResult before = await _cli.RunAsync("get nodes -o wide");
        _store.Put(new ResourceKey(ResourceKind.BGPConfiguration, "default"), new BGPConfiguration { Metadata = { Name = "default" }, Spec = { AsNumber = new AsNumber(64999) } });
        CliResult after = await _cli.RunAsync("get nodes -o wide");

        Assert.Equal("NAME   ASN       IPV4          IPV6\nn1     (64512)   10.0.0.1/24   -\nn2     65001     -             -\n", before.Out);
        Assert.Contains("(64999)", after.Out);
    }

    [Fact]
    public async Task Yaml_OfOne_IsTheObject_OfMany_AListThatCanBeApplied()
    {
        CliResult one = await _cli.RunAsync("get ippool ippool-name1 -o yaml");
        CliResult many = await _cli.RunAsync("get np -A -o yaml");
        CliResult json = await _cli.RunAsync("get np -A -o json");
        CliResult applied = await _cli.RunAsync("apply -f -", many.Out);

        Assert.StartsWith("kind: IPPool\napiVersion: projectcalico.org/v3\nmetadata:\n  name: ippool-name1\n  uid: u\n  resourceVersion: '2'\nspec:\n  cidr: 10.0.1.0/24\n", one.Out);
        Assert.StartsWith("kind: NetworkPolicyList\n", many.Out);
        Assert.Equal(3, JsonNode.Parse(json.Out)!["items"]!.AsArray().Count);
        Assert.Empty(applied.Error);
        Assert.Equal(3, applied.Out.Split(" updated\n").Length - 1); // They were stored without defaults.
    }

    [Fact]
    public async Task Export_TakesAwayWhatTheClusterGave()
    {
        CliResult result = await _cli.RunAsync("get ippool ippool-name1 -o yaml --export");

        Assert.DoesNotContain("uid", result.Out);
        Assert.DoesNotContain("resourceVersion", result.Out);
    }

    [Fact]
    public async Task MissingObject_IsReported_TheOthersAreShown()
    {
        CliResult result = await _cli.RunAsync("get node n1 nx -o name");

        Assert.Equal((ExitStatus.Failed, "node/n1\n", "weft get: resource does not exist: Node(nx)\n"), (result.Status, result.Out, result.Error));
    }

    [Fact] // Vector 44
    public async Task NamespaceOfAClusterKind_IsRefused()
    {
        CliResult result = await _cli.RunAsync("get ippool -A");

        Assert.Equal((ExitStatus.Failed, "weft get: IPPool is not namespaced\n"), (result.Status, result.Error));
    }

    [Fact]
    public async Task UnreadableValue_IsReported_TheOthersAreShown()
    {
        _store.PutRaw("/calico/resources/v3/projectcalico.org/nodes/bad", """{"spec":{"bgp":{"asNumber":"x"}}}""");

        CliResult result = await _cli.RunAsync("get nodes");

        Assert.Equal("NAME\nn1\nn2\n", result.Out);
        Assert.Contains("/nodes/bad: spec.bgp.asNumber: expected an AS number", result.Error);
        Assert.Equal(ExitStatus.Failed, result.Status);
    }

    [Fact]
    public async Task EveryKind_HasATable()
    {
        foreach (ResourceKind kind in ResourceKind.All)
        {
            foreach (string format in new[] { string.Empty, "-o wide" })
            {
                CliResult result = await _cli.RunAsync($"get {kind.Name} {format}");

                Assert.Equal((ExitStatus.Ok, string.Empty), (result.Status, result.Error));
                Assert.NotEmpty(result.Out);
            }
        }
    }

    [Theory] // Vector 39
    [InlineData("123456", 6, "123456")]
    [InlineData("1234567", 6, "123...")]
    [InlineData("123=4567", 3, "...")]
    public void LongLists_AreCut(string text, int max, string expected)
    {
        Assert.Equal(expected, ResourceColumns.Truncate(text, max));
    }
}
