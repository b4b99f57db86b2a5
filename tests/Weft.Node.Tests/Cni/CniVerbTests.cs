using System.Text.Json.Nodes;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Node.Cni;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Cni;

public sealed class CniVerbTests
{
    private const string Pod = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=nginx;K8S_POD_INFRA_CONTAINER_ID=c1";
    private readonly MemoryNode _node = new();

    [Fact]
    public async Task Add_OutsideKubernetes_MakesEndpointProfileAndInterface()
    {
        JsonObject config = MemoryNode.Config(more: new JsonObject { ["args"] = JsonNode.Parse("""{"cni":{"labels":[{"key":"app","value":"web"}]}}""") });

        CniOutcome outcome = await _node.CallAsync("ADD", "abcdef0123456789", config: config);

        Assert.Equal(0, outcome.ExitCode);
        WorkloadEndpoint endpoint = Assert.Single(_node.Endpoints);
        Assert.Equal("node--a-cni-abcdef0123456789-eth0", endpoint.Metadata.Name);
        Assert.Equal("default", endpoint.Metadata.Namespace);
        Assert.Equal("web", endpoint.Metadata.Labels!["app"]);
        Assert.Equal("default", endpoint.Metadata.Labels["projectcalico.org/namespace"]);
        Assert.Equal("cni", endpoint.Metadata.Labels["projectcalico.org/orchestrator"]);
        Assert.Equal(["10.1.0.1/32"], endpoint.Spec.IpNetworks);
        Assert.Equal(["net1"], endpoint.Spec.Profiles);
        Assert.Equal("caliabcdef01234", endpoint.Spec.InterfaceName);
        Profile profile = _node.Datastore.Find<Profile>(new ResourceKey(ResourceKind.Profile, "net1"))!;
        Assert.Equal("has(net1)", profile.Spec.Ingress![0].Source!.Selector);
        Assert.Contains("net1", profile.Spec.LabelsToApply!.Keys);
        Assert.Equal("caliabcdef01234", Assert.Single(_node.Interfaces).Key);
    }

    [Fact]
    public async Task Add_KubernetesPod_NamesFollowThePod()
    {
        await _node.CallAsync("ADD", args: Pod);

        WorkloadEndpoint endpoint = Assert.Single(_node.Endpoints);
        Assert.Equal("node--a-k8s-nginx-eth0", endpoint.Metadata.Name);
        Assert.Equal("calic440f455693", endpoint.Spec.InterfaceName);
        Assert.Equal(new WorkloadEndpointId("k8s", "default/nginx", "eth0"), _node.Waited[0].Endpoint);
        Assert.Null(_node.Datastore.Find<Profile>(new ResourceKey(ResourceKind.Profile, "net1"))!.Spec.Ingress![0].Source);
        Assert.Equal("nginx", _node.Block.Attributes[0].Secondary!["pod"]);
    }

    [Fact]
    public async Task Add_Twice_SameContainer_SameResultAndNothingTouched()
    {
        CniOutcome first = await _node.CallAsync("ADD", args: Pod);
        long revision = _node.Datastore.All.First(v => v.Value is WorkloadEndpoint).Revision.Value;

        CniOutcome second = await _node.CallAsync("ADD", args: Pod);

        Assert.True(JsonNode.DeepEquals(first.Body, second.Body));
        Assert.Equal(revision, _node.Datastore.All.First(v => v.Value is WorkloadEndpoint).Revision.Value);
        Assert.Single(_node.Held);
    }

    [Fact]
    public async Task Add_SamePodNewContainer_NewAddressOneEndpoint()
    {
        await _node.CallAsync("ADD", "old", Pod, "/run/netns/old");

        CniOutcome outcome = await _node.CallAsync("ADD", "new", Pod, "/run/netns/new");

        Assert.Equal(0, outcome.ExitCode);
        Assert.Equal("new", Assert.Single(_node.Endpoints).Spec.ContainerID);
        Assert.Equal(["10.1.0.2/32"], _node.Endpoints.Single().Spec.IpNetworks);
        Assert.Equal(2, _node.Held.Count);
    }

    [Fact]
    public async Task Del_OfOldSandbox_KeepsNewEndpoint_FreesOldAddress()
    {
        await _node.CallAsync("ADD", "old", Pod, "/run/netns/old");
        await _node.CallAsync("ADD", "new", Pod, "/run/netns/new");

        CniOutcome outcome = await _node.CallAsync("DEL", "old", Pod, "/run/netns/old");

        Assert.Equal(CniOutcome.Done, outcome);
        Assert.Equal("new", Assert.Single(_node.Endpoints).Spec.ContainerID);
        Assert.Single(_node.Interfaces);
        Assert.Equal("net1.new", Assert.Single(_node.Held).Key);
    }

    [Fact]
    public async Task Add_SecondFails_FirstAddressIsNotReleased()
    {
        await _node.CallAsync("ADD", args: Pod);
        _node.Interfaces.Clear();
        _node.FailInterface = true;

        CniOutcome outcome = await _node.CallAsync("ADD", args: Pod);

        Assert.Equal(1, outcome.ExitCode);
        Assert.Equal("net1.c1", Assert.Single(_node.Held).Key);
    }

    [Fact]
    public async Task Add_SameContainerOtherNetwork_AppendsProfile()
    {
        await _node.CallAsync("ADD");

        CniOutcome outcome = await _node.CallAsync("ADD", config: MemoryNode.Config(name: "net2"));

        Assert.Equal("10.1.0.1/32", (string?)outcome.Body!["ips"]![0]!["address"]);
        Assert.Equal(["net1", "net2"], Assert.Single(_node.Endpoints).Spec.Profiles);
        Assert.Single(_node.Held);
    }

    [Theory]
    [InlineData("interface")]
    [InlineData("endpoint")]
    [InlineData("policy")]
    public async Task Add_FailingStep_UndoesEverythingBefore(string step)
    {
        _node.FailInterface = step == "interface";
        _node.FailPolicy = step == "policy";
        _node.Datastore.BeforeWrite = key => _ = step == "endpoint" && key is ResourceKey { Kind.Name: "WorkloadEndpoint" }
            ? throw new Weft.Datastore.DatastoreException("put: request timed out") : 0;

        CniOutcome outcome = await _node.CallAsync("ADD", args: Pod);

        Assert.Equal(1, outcome.ExitCode);
        Assert.Equal(step switch { "interface" => 100, "endpoint" => 11, _ => 102 }, (int)outcome.Body!["code"]!);
        Assert.Empty(_node.Endpoints);
        Assert.Empty(_node.Interfaces);
        Assert.Empty(_node.Held);
    }

    [Fact]
    public async Task Add_AfterCrashHalfWay_ReusesAddressesOfTheHandle()
    {
        _node.Held["net1.c1"] = [IpAddress.Parse("10.1.0.9")];

        CniOutcome outcome = await _node.CallAsync("ADD", args: Pod);

        Assert.Equal("10.1.0.9/32", (string?)outcome.Body!["ips"]![0]!["address"]);
        Assert.Single(_node.Held["net1.c1"]);
    }

    [Theory]
    [InlineData("/run/netns/c1")]
    [InlineData("")]
    [InlineData("/run/netns/never")]
    public async Task Del_NeverAdded_Succeeds(string netns)
    {
        CniOutcome outcome = await _node.CallAsync("DEL", args: Pod, netns: netns);

        Assert.Equal(CniOutcome.Done, outcome);
    }

    [Fact]
    public async Task Del_Twice_LeavesNothing()
    {
        await _node.CallAsync("ADD", args: Pod);

        CniOutcome first = await _node.CallAsync("DEL", args: Pod);
        CniOutcome second = await _node.CallAsync("DEL", args: Pod);

        Assert.Equal(CniOutcome.Done, first);
        Assert.Equal(CniOutcome.Done, second);
        Assert.Empty(_node.Endpoints);
        Assert.Empty(_node.Interfaces);
        Assert.Empty(_node.Held);
    }

    [Fact]
    public async Task Del_NetnsPathGone_RemovesHostSide()
    {
        await _node.CallAsync("ADD", args: Pod);

        await _node.CallAsync("DEL", args: Pod, netns: "");

        Assert.Empty(_node.Interfaces);
    }

    [Fact]
    public async Task Del_DatastoreDown_CleansKernelAndAsksForRepetition()
    {
        await _node.CallAsync("ADD", args: Pod);
        _node.Datastore.Down = true;

        CniOutcome outcome = await _node.CallAsync("DEL", args: Pod);

        Assert.Equal(11, (int)outcome.Body!["code"]!);
        Assert.Empty(_node.Interfaces);
        Assert.Single(_node.Held);
    }

    [Theory]
    [InlineData("ADD", true)]
    [InlineData("DEL", true)]
    [InlineData("ADD", false)]
    [InlineData("DEL", false)]
    public async Task DatastoreNotReady_AddAndDelFail(string verb, bool exists)
    {
        ResourceKey key = new(ResourceKind.ClusterInformation, "default");
        _node.Datastore.Remove(key);
        if (exists)
        {
            _node.Datastore.Put(key, new ClusterInformation { Spec = { DatastoreReady = false } });
        }

        CniOutcome outcome = await _node.CallAsync(verb, args: Pod);

        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains(exists ? "not ready to process requests" : "error getting ClusterInformation", (string?)outcome.Body!["msg"]);
    }

    [Fact]
    public async Task Add_WantedAddress_IsGiven_AndRefusedToASecond()
    {
        CniOutcome first = await _node.CallAsync("ADD", "c1", "IP=192.168.123.123");
        CniOutcome second = await _node.CallAsync("ADD", "c2", "IP=192.168.123.123", "/run/netns/c2");

        Assert.Equal("192.168.123.123/32", (string?)first.Body!["ips"]![0]!["address"]);
        Assert.Equal(101, (int)second.Body!["code"]!);
    }

    [Fact]
    public async Task Add_ConcurrentCallsForOnePod_TakeTurns()
    {
        CniOutcome[] outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => _node.CallAsync("ADD", args: Pod))));

        Assert.Equal(1, _node.MostAtOnce);
        Assert.All(outcomes, o => Assert.True(JsonNode.DeepEquals(outcomes[0].Body, o.Body)));
        Assert.Single(_node.Held);
    }

    [Fact]
    public async Task Check_AfterAdd_Succeeds()
    {
        CniOutcome add = await _node.CallAsync("ADD", args: Pod);

        CniOutcome check = await _node.CallAsync("CHECK", args: Pod, config: WithPrevious(add));

        Assert.Equal(CniOutcome.Done, check);
    }

    [Fact]
    public async Task Check_InterfaceAndEndpointGone_NamesBoth()
    {
        CniOutcome add = await _node.CallAsync("ADD", args: Pod);
        _node.Interfaces.Clear();
        _node.Datastore.Remove(_node.Datastore.All.First(v => v.Value is WorkloadEndpoint).Key);

        CniOutcome check = await _node.CallAsync("CHECK", args: Pod, config: WithPrevious(add));

        Assert.Equal(103, (int)check.Body!["code"]!);
        Assert.Contains("eth0 is not in /run/netns/c1", (string?)check.Body["details"]);
        Assert.Contains("node--a-k8s-nginx-eth0 is missing", (string?)check.Body["details"]);
    }

    [Fact]
    public async Task Check_WithoutPreviousResult_IsInvalid()
    {
        await _node.CallAsync("ADD", args: Pod);

        CniOutcome check = await _node.CallAsync("CHECK", args: Pod);

        Assert.Equal(7, (int)check.Body!["code"]!);
    }

    [Fact]
    public async Task Gc_RemovesWhatIsNotListed_OfThisNetworkAndNode()
    {
        await _node.CallAsync("ADD", "keep", netns: "/run/netns/keep");
        await _node.CallAsync("ADD", "gone", netns: "/run/netns/gone");
        await _node.CallAsync("ADD", "other", netns: "/run/netns/other", config: MemoryNode.Config(name: "net2"));
        JsonObject config = MemoryNode.Config(more: new JsonObject { ["cni.dev/valid-attachments"] = JsonNode.Parse("""[{"containerID":"keep","ifname":"eth0"}]""") });

        CniOutcome outcome = await _node.CallAsync("GC", config: config);

        Assert.Equal(CniOutcome.Done, outcome);
        Assert.Equal(["keep", "other"], _node.Endpoints.Select(e => e.Spec.ContainerID).Order());
        Assert.Equal(["net1.keep", "net2.other"], _node.Held.Keys.Order());
        Assert.Equal(2, _node.Interfaces.Count);
    }

    [Fact]
    public async Task Gc_WithoutAList_RemovesNothing()
    {
        await _node.CallAsync("ADD");

        CniOutcome outcome = await _node.CallAsync("GC");

        Assert.Equal(7, (int)outcome.Body!["code"]!);
        Assert.Single(_node.Endpoints);
    }

    [Fact]
    public async Task Status_Ready_PrintsNothing() => Assert.Equal(CniOutcome.Done, await _node.CallAsync("STATUS"));

    [Theory]
    [InlineData("agent", 51)]
    [InlineData("datastore", 50)]
    [InlineData("pool", 50)]
    public async Task Status_NotReady_SaysWhy(string trouble, int code)
    {
        switch (trouble)
        {
            case "agent":
                _node.Trouble = (CniErrorCode.LimitedConnectivity, "the last write to the kernel failed");
                break;
            case "datastore":
                _node.Datastore.Down = true;
                break;
            default:
                _node.Datastore.Find<IPPool>(new ResourceKey(ResourceKind.IPPool, "pool"))!.Spec.Disabled = true;
                break;
        }

        CniOutcome outcome = await _node.CallAsync("STATUS");

        Assert.Equal(code, (int)outcome.Body!["code"]!);
    }

    [Fact]
    public async Task Add_DualStack_BothFamiliesAndGateways()
    {
        JsonObject config = MemoryNode.Config(more: new JsonObject { ["ipam"] = JsonNode.Parse("""{"type":"calico-ipam","assign_ipv4":"true","assign_ipv6":"true"}""") });

        CniOutcome outcome = await _node.CallAsync("ADD", config: config);

        Assert.Equal(["10.1.0.1/32", "fd00::1/128"], outcome.Body!["ips"]!.AsArray().Select(i => (string?)i!["address"]));
        Assert.Equal(["169.254.1.1", "fe80::ecee:eeff:feee:eeee"], outcome.Body["routes"]!.AsArray().Select(r => (string?)r!["gw"]));
    }

    [Fact]
    public async Task Add_SecondInAChain_KeepsWhatCameBefore()
    {
        JsonObject config = MemoryNode.Config(more: new JsonObject
        {
            ["prevResult"] = JsonNode.Parse("""{"cniVersion":"1.1.0","interfaces":[{"name":"lo","sandbox":"/run/netns/c1"}],"ips":[{"interface":0,"address":"127.0.0.1/8"}]}"""),
        });

        CniOutcome outcome = await _node.CallAsync("ADD", config: config);

        Assert.Equal(["lo", "calic1", "eth0"], outcome.Body!["interfaces"]!.AsArray().Select(i => (string?)i!["name"]));
        Assert.Equal([0, 2], outcome.Body["ips"]!.AsArray().Select(i => (int?)i!["interface"] ?? -1));
    }

    [Fact]
    public async Task Ipam_ForAnotherPlugin_AddressWithBlockMask_NothingElse()
    {
        CniOutcome add = await _node.CallAsync("ADD", args: Pod, ipam: true);
        CniOutcome check = await _node.CallAsync("CHECK", args: Pod, ipam: true, config: WithPrevious(add));
        bool nothingElse = !_node.Endpoints.Any() && _node.Interfaces.Count == 0;
        CniOutcome del = await _node.CallAsync("DEL", args: Pod, ipam: true);

        Assert.Equal("10.1.0.1/26", (string?)add.Body!["ips"]![0]!["address"]);
        Assert.Equal("10.1.0.1/32", (string?)add.Body["routes"]![0]!["dst"]);
        Assert.Equal(CniOutcome.Done, check);
        Assert.True(nothingElse);
        Assert.Equal(CniOutcome.Done, del);
        Assert.Empty(_node.Held);
    }

    private static JsonObject WithPrevious(CniOutcome add) => MemoryNode.Config(more: new JsonObject { ["prevResult"] = add.Body!.DeepClone() });
}
