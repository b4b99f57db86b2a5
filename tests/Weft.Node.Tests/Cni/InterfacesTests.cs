using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Model.Resources;
using Weft.Node.Cni;

namespace Weft.Node.Tests.Cni;

/// <summary>More than one interface per pod, leftovers without an endpoint, calls that wait for the agent.</summary>
public sealed class InterfacesTests : IDisposable
{
    private const string Pod = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=nginx";
    private readonly MemoryNode _node = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("weft-node-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task SecondInterface_HasEndpointAddressAndHostSideOfItsOwn()
    {
        CniOutcome first = await _node.CallAsync("ADD", args: Pod);
        CniOutcome second = await _node.CallAsync("ADD", args: Pod, interfaceName: "net1");
        CniOutcome again = await _node.CallAsync("ADD", args: Pod, interfaceName: "net1");

        Assert.Equal("calic440f455693", (string?)first.Body!["interfaces"]![0]!["name"]);
        Assert.NotEqual("calic440f455693", (string?)second.Body!["interfaces"]![0]!["name"]);
        Assert.True(JsonNode.DeepEquals(second.Body, again.Body));
        Assert.Equal(["node--a-k8s-nginx-eth0", "node--a-k8s-nginx-net1"], _node.Endpoints.Select(e => e.Metadata.Name).Order());
        Assert.Equal(["net1.c1", "net1.c1.net1"], _node.Held.Keys.Order());
        Assert.Equal(2, _node.Interfaces.Count);
    }

    [Theory]
    [InlineData("eth0", "net1")]
    [InlineData("net1", "eth0")]
    public async Task OneInterfaceGone_TheOtherStays_InEitherOrder(string first, string second)
    {
        await _node.CallAsync("ADD", args: Pod);
        await _node.CallAsync("ADD", args: Pod, interfaceName: "net1");

        await _node.CallAsync("DEL", args: Pod, interfaceName: first);
        (string? endpoint, int held, int interfaces) = (_node.Endpoints.Single().Spec.Endpoint, _node.Held.Count, _node.Interfaces.Count);
        await _node.CallAsync("DEL", args: Pod, interfaceName: second);

        Assert.Equal((second, 1, 1), (endpoint, held, interfaces));
        Assert.Empty(_node.Endpoints);
        Assert.Empty(_node.Held);
        Assert.Empty(_node.Interfaces);
    }

    [Fact]
    public async Task Gc_OneOfTwoAttachments_KeepsTheOther()
    {
        await _node.CallAsync("ADD", args: Pod);
        await _node.CallAsync("ADD", args: Pod, interfaceName: "net1");

        CniOutcome gc = await _node.CallAsync("GC", config: Valid("""[{"containerID":"c1","ifname":"eth0"}]"""));

        Assert.Equal(CniOutcome.Done, gc);
        Assert.Equal("net1.c1", Assert.Single(_node.Held).Key);
        Assert.Equal("calic440f455693", Assert.Single(_node.Interfaces).Key);
    }

    [Fact]
    public async Task Gc_InterfaceWithoutEndpoint_IsFoundByWhatIsWrittenOnIt()
    {
        await _node.CallAsync("ADD", args: Pod);
        _node.Datastore.Remove(_node.Datastore.All.First(v => v.Value is WorkloadEndpoint).Key);
        _node.Held.Clear();
        _node.Block.Attributes.Clear();

        await _node.CallAsync("GC", config: Valid("[]"));

        Assert.Empty(_node.Interfaces);
    }

    [Fact]
    public async Task Add_BeforeTheNodeIsInTheDatastore_AsksForRepetition()
    {
        _node.NotStarted = "the node has not been entered into the datastore yet";

        CniOutcome add = await _node.CallAsync("ADD", args: Pod);

        Assert.Equal(11, (int)add.Body!["code"]!);
        Assert.Empty(_node.Held);
    }

    [Fact]
    public async Task Check_PolicyNotInTheKernel_IsNamed()
    {
        CniOutcome add = await _node.CallAsync("ADD", args: Pod);
        _node.MissingPolicy = "the kernel has not been written yet";

        CniOutcome check = await _node.CallAsync("CHECK", args: Pod, config: MemoryNode.Config(more: new JsonObject { ["prevResult"] = add.Body!.DeepClone() }));

        Assert.Equal(103, (int)check.Body!["code"]!);
        Assert.Contains("the kernel has not been written yet", (string?)check.Body["msg"]);
    }

    [Fact]
    public async Task DeferredDel_IsDoneWhenTheAgentIsBack_AndOnlyOnce()
    {
        await _node.CallAsync("ADD", args: Pod);
        Dictionary<string, string> environment = new()
        {
            ["CNI_COMMAND"] = "DEL", ["CNI_CONTAINERID"] = "c1", ["CNI_NETNS"] = "/run/netns/c1", ["CNI_IFNAME"] = "eth0", ["CNI_ARGS"] = Pod,
        };
        JsonObject config = MemoryNode.Config();
        PluginCall call = PluginCall.Read(environment, System.Text.Encoding.UTF8.GetBytes(config.ToJsonString()));
        DeferredDels deferred = new(_folder, TimeProvider.System, NullLogger.Instance);
        DeferredDels.Write(_folder, CniRequest.Parse(environment, config), call);
        File.WriteAllText(Path.Combine(_folder, "broken.json"), "{");

        _node.Datastore.Down = true;
        await deferred.RunOnceAsync(new CniExecutor(_node.Services), CancellationToken.None);
        int whileDown = Directory.GetFiles(_folder, "net1*").Length;
        _node.Datastore.Down = false;
        await deferred.RunOnceAsync(new CniExecutor(_node.Services), CancellationToken.None);

        Assert.Equal(1, whileDown);
        Assert.Empty(Directory.GetFiles(_folder, "net1*"));
        Assert.Empty(_node.Endpoints);
        Assert.Empty(_node.Held);
    }

    [Theory]
    [InlineData("weft net1 c1 eth0", true)]
    [InlineData("weft  c1 eth0", true)]
    [InlineData("", false)]
    [InlineData("uplink to tor1", false)]
    [InlineData("weft net1 c1", false)]
    public void Owner_IsReadBackFromTheLink(string alias, bool ours) => Assert.Equal(ours, InterfaceOwner.TryParse(alias, out _));

    private static JsonObject Valid(string attachments) => MemoryNode.Config(more: new JsonObject { ["cni.dev/valid-attachments"] = JsonNode.Parse(attachments) });
}
