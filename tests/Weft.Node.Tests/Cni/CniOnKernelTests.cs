using System.Text.Json.Nodes;
using Weft.Ipam;
using Weft.Linux.Namespaces;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Node.Cni;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Cni;

/// <summary>The verbs with the real kernel below and a datastore in memory above. Needs root.</summary>
public sealed class CniOnKernelTests : IDisposable
{
    private const string Pod = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=nginx";
    private readonly KernelNode _kernel = new();
    private readonly MemoryNode _node;

    public CniOnKernelTests() => _node = new MemoryNode(_kernel.Network);

    public void Dispose() => _kernel.Dispose();

    [Theory]
    [InlineData("0.2.0")]
    [InlineData("0.3.1")]
    [InlineData("0.4.0")]
    [InlineData("1.0.0")]
    [InlineData("1.1.0")]
    public async Task AddCheckDel_EveryVersion_LeavesNothing(string version)
    {
        string netns = _kernel.NewPod(out NetNamespace pod);

        CniOutcome add = await _node.CallAsync("ADD", args: Pod, netns: netns, config: MemoryNode.Config(version));
        string mac = (string)_kernel.Ip(pod, "link", "show", "dev", "eth0")[0]!["address"]!;
        JsonObject withResult = MemoryNode.Config(version, more: new JsonObject { ["prevResult"] = add.Body!.DeepClone() });
        CniOutcome? check = version == "0.2.0" || version == "0.3.1" ? null : await _node.CallAsync("CHECK", args: Pod, netns: netns, config: withResult);
        CniOutcome del = await _node.CallAsync("DEL", args: Pod, netns: netns, config: withResult);

        Assert.Equal(0, add.ExitCode);
        Assert.True(version == "0.2.0" || (string?)add.Body["interfaces"]![1]!["mac"] == mac);
        Assert.True(check is null || check == CniOutcome.Done, check?.Body?.ToJsonString());
        Assert.Equal(CniOutcome.Done, del);
        AssertNothingLeft(pod);
    }

    [Fact]
    public async Task Add_Twice_KeepsTheInterfaceAlive()
    {
        string netns = _kernel.NewPod(out NetNamespace pod);

        CniOutcome first = await _node.CallAsync("ADD", args: Pod, netns: netns);
        int index = (int)_kernel.Ip(pod, "link", "show", "dev", "eth0")[0]!["ifindex"]!;
        CniOutcome second = await _node.CallAsync("ADD", args: Pod, netns: netns);

        Assert.True(JsonNode.DeepEquals(first.Body, second.Body));
        Assert.Equal(index, (int)_kernel.Ip(pod, "link", "show", "dev", "eth0")[0]!["ifindex"]!);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task CrashAfterEachStep_DelLeavesNothing(int steps)
    {
        string netns = _kernel.NewPod(out NetNamespace pod);
        await CrashAsync(netns, steps);

        CniOutcome del = await _node.CallAsync("DEL", args: Pod, netns: netns);

        Assert.Equal(CniOutcome.Done, del);
        AssertNothingLeft(pod);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task CrashAfterEachStep_AddAgain_Completes_AndDelLeavesNothing(int steps)
    {
        string netns = _kernel.NewPod(out NetNamespace pod);
        await CrashAsync(netns, steps);

        CniOutcome add = await _node.CallAsync("ADD", args: Pod, netns: netns);
        CniOutcome del = await _node.CallAsync("DEL", args: Pod, netns: netns);

        Assert.Equal("10.1.0.1/32", (string?)add.Body!["ips"]![0]!["address"]);
        Assert.Equal(CniOutcome.Done, del);
        AssertNothingLeft(pod);
    }

    [Fact]
    public async Task Del_NamespaceVanished_LeavesNothing()
    {
        string netns = _kernel.NewPod(out NetNamespace pod);
        await _node.CallAsync("ADD", args: Pod, netns: netns);
        _kernel.Drop(netns); // The descriptor of this test still holds the namespace: the pair lives on.

        CniOutcome del = await _node.CallAsync("DEL", args: Pod, netns: netns);

        Assert.Equal(CniOutcome.Done, del);
        AssertNothingLeft(pod);
    }

    [Fact]
    public async Task Check_DamagedInterface_NamesTheDamage()
    {
        string netns = _kernel.NewPod(out NetNamespace pod);
        CniOutcome add = await _node.CallAsync("ADD", args: Pod, netns: netns);
        _kernel.Run(pod, "ip", "route", "del", "default");

        CniOutcome check = await _node.CallAsync("CHECK", args: Pod, netns: netns, config: MemoryNode.Config(more: new JsonObject { ["prevResult"] = add.Body!.DeepClone() }));

        Assert.Equal(103, (int)check.Body!["code"]!);
        Assert.Contains("0.0.0.0/0 via 169.254.1.1", (string?)check.Body["msg"]);
    }

    [Fact]
    public async Task Add_NetnsVanished_FailsAndLeavesNothing()
    {
        CniOutcome add = await _node.CallAsync("ADD", args: Pod, netns: "/run/netns/node-not-there");

        Assert.Equal(3, (int)add.Body!["code"]!);
        Assert.Empty(_node.Held);
        Assert.Empty(_node.Endpoints);
    }

    [Fact]
    public async Task Gc_RemovesTheInterfaceOfAForgottenPod()
    {
        string netns = _kernel.NewPod(out NetNamespace pod);
        await _node.CallAsync("ADD", args: Pod, netns: netns);

        await _node.CallAsync("GC", config: MemoryNode.Config(more: new JsonObject { ["cni.dev/valid-attachments"] = new JsonArray() }));

        AssertNothingLeft(pod);
    }

    /// <summary>What an agent killed with SIGKILL leaves behind.</summary>
    private async Task CrashAsync(string netns, int steps)
    {
        Allocation addresses = await _node.AllocateAsync(new AllocationRequest { HandleId = "net1.c1", Node = "node-a" }, CancellationToken.None);
        if (steps >= 2)
        {
            PodInterface plan = new() { NetnsPath = netns, Name = "eth0", HostName = "calic440f455693", Addresses = [.. addresses.Addresses.Select(a => a.Address)] };
            await _kernel.Network.CreateAsync(plan, CancellationToken.None);
        }

        if (steps >= 3)
        {
            _node.Datastore.Put(
                new ResourceKey(ResourceKind.WorkloadEndpoint, "default", "node--a-k8s-nginx-eth0"),
                new WorkloadEndpoint
                {
                    Metadata = { Name = "node--a-k8s-nginx-eth0", Namespace = "default" },
                    Spec = { Node = "node-a", Orchestrator = "k8s", Pod = "nginx", Endpoint = "eth0", ContainerID = "c1", InterfaceName = "calic440f455693", IpNetworks = ["10.1.0.1/32"] },
                });
        }
    }

    private void AssertNothingLeft(NetNamespace pod)
    {
        Assert.Empty(_node.Held);
        Assert.Empty(_node.Endpoints);
        Assert.Single(_kernel.Ip(pod, "link"));
        Assert.Single(_kernel.Ip(null, "link"));
        Assert.Empty(_kernel.Ip(null, "-4", "route"));
    }
}
