using System.Diagnostics;
using System.Text.Json.Nodes;
using Weft.Linux.Namespaces;
using Weft.Node.Cni;

namespace Weft.Node.Tests.Cni;

/// <summary>What happens to interfaces after the answer, limits, second interfaces, on the real kernel. Needs root.</summary>
public sealed class PodLifeOnKernelTests : IDisposable
{
    private const string Pod = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=nginx";
    private readonly KernelNode _kernel = new(withReaper: true);
    private readonly MemoryNode _node;

    public PodLifeOnKernelTests() => _node = new MemoryNode(_kernel.Network);

    public void Dispose() => _kernel.Dispose();

    [Fact]
    public async Task Del_CutsAtOnce_AndTheKernelIsCleanSoon()
    {
        string netns = _kernel.NewPod(out NetNamespace pod);
        await _node.CallAsync("ADD", args: Pod, netns: netns);

        CniOutcome del = await _node.CallAsync("DEL", args: Pod, netns: netns);

        Assert.Equal(CniOutcome.Done, del);
        Assert.DoesNotContain(_kernel.Ip(null, "link"), l => (string?)l!["ifname"] == "calic440f455693" || ((string?)l["operstate"] == "UP"));
        Assert.DoesNotContain(_kernel.Ip(pod, "link"), l => (string?)l!["ifname"] == "eth0");
        Assert.Empty(_kernel.Ip(null, "-4", "route"));
        Until(() => _kernel.Ip(null, "link").Count == 1 && _kernel.Ip(pod, "link").Count == 1);
    }

    [Fact]
    public async Task AddRightAfterDel_InTheSameNamespace_FindsItsNamesFree()
    {
        string netns = _kernel.NewPod(out NetNamespace pod);
        for (int i = 0; i < 5; i++)
        {
            CniOutcome add = await _node.CallAsync("ADD", $"c{i}", Pod, netns);
            CniOutcome del = await _node.CallAsync("DEL", $"c{i}", Pod, netns);
            Assert.True(add.ExitCode == 0 && del == CniOutcome.Done, $"{add.Body?.ToJsonString()} {del.Body?.ToJsonString()}");
        }

        Until(() => _kernel.Ip(null, "link").Count == 1 && _kernel.Ip(pod, "link").Count == 1);
    }

    [Fact]
    public async Task CutButNotDeleted_TheNextLifeDeletesIt()
    {
        string netns = _kernel.NewPod(out _);
        await _node.CallAsync("ADD", args: Pod, netns: netns);
        JsonNode link = _kernel.Ip(null, "link", "show", "dev", "calic440f455693")[0]!;
        _kernel.Run(null, "ip", "link", "set", "calic440f455693", "down", "group", $"{LinkReaper.Group}", "name", LinkReaper.HostName((int)link["ifindex"]!));

        new LinkReaper(_kernel.Host, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance).Wake();

        Until(() => _kernel.Ip(null, "link").Count == 1);
    }

    [Fact]
    public async Task Limits_StandOnTheHost_BothWays_AndCheckMissesThem()
    {
        string netns = _kernel.NewPod(out NetNamespace pod);
        string other = _kernel.NewPod(out NetNamespace second);
        JsonObject config = MemoryNode.Config(more: JsonNode.Parse("""{"runtimeConfig":{"bandwidth":{"ingressRate":8000000,"ingressBurst":800000,"egressRate":4000000,"egressBurst":800000}}}""")!.AsObject());

        CniOutcome add = await _node.CallAsync("ADD", args: Pod, netns: netns, config: config);
        await _node.CallAsync("ADD", "c2", netns: other);
        string talked = KernelNode.Talk(second, pod, "10.1.0.1");
        config["prevResult"] = add.Body!.DeepClone();
        CniOutcome whole = await _node.CallAsync("CHECK", args: Pod, netns: netns, config: config);
        string shaped = _kernel.Run(null, "tc", "qdisc", "show").OutputText;
        _kernel.Run(null, "tc", "qdisc", "del", "dev", "bw~c440f455693", "root");
        CniOutcome damaged = await _node.CallAsync("CHECK", args: Pod, netns: netns, config: config);
        await _node.CallAsync("DEL", args: Pod, netns: netns);
        await _node.CallAsync("DEL", "c2", netns: other);

        Assert.Equal("10.1.0.2", talked);
        Assert.True(whole == CniOutcome.Done, whole.Body?.ToJsonString());
        Assert.Contains("rate 8Mbit", shaped);
        Assert.Contains("rate 4Mbit", shaped);
        Assert.Contains("may send without limit instead of 4000000 bit/s", (string?)damaged.Body!["msg"]);
        Until(() => _kernel.Ip(null, "link").Count == 1);
    }

    [Fact]
    public async Task SecondInterface_AnswersFromItsOwnAddress()
    {
        string netns = _kernel.NewPod(out NetNamespace pod);
        string other = _kernel.NewPod(out NetNamespace client);
        JsonObject both = MemoryNode.Config(more: JsonNode.Parse("""{"ipam":{"type":"weft-ipam","assign_ipv6":"true"}}""")!.AsObject());
        _kernel.Host.Run(() => Linux.Processes.Sysctl.Write("net/ipv6/conf/all/forwarding", "1")); // The agent's part.

        CniOutcome first = await _node.CallAsync("ADD", args: Pod, netns: netns, config: both);
        CniOutcome second = await _node.CallAsync("ADD", args: Pod, netns: netns, interfaceName: "net1", config: both);
        await _node.CallAsync("ADD", "c2", netns: other, config: both);
        JsonObject check = (JsonObject)both.DeepClone();
        check["prevResult"] = second.Body!.DeepClone();
        CniOutcome checkedSecond = await _node.CallAsync("CHECK", args: Pod, netns: netns, interfaceName: "net1", config: check);

        Assert.True(first.ExitCode == 0 && second.ExitCode == 0, second.Body?.ToJsonString());
        Assert.True(checkedSecond == CniOutcome.Done, checkedSecond.Body?.ToJsonString());
        foreach (JsonNode? ip in second.Body!["ips"]!.AsArray())
        {
            KernelNode.Talk(client, pod, ((string)ip!["address"]!).Split('/')[0]);
        }

        foreach (JsonNode? ip in first.Body!["ips"]!.AsArray())
        {
            KernelNode.Talk(client, pod, ((string)ip!["address"]!).Split('/')[0]);
        }
    }

    [Fact]
    public async Task IPv6Only_TalksWithoutAnyIPv4()
    {
        string a = _kernel.NewPod(out NetNamespace first);
        string b = _kernel.NewPod(out NetNamespace second);
        JsonObject config = MemoryNode.Config(more: JsonNode.Parse("""{"ipam":{"type":"weft-ipam","assign_ipv4":"false","assign_ipv6":"true"}}""")!.AsObject());
        _kernel.Host.Run(() => Linux.Processes.Sysctl.Write("net/ipv6/conf/all/forwarding", "1")); // The agent's part.

        await _node.CallAsync("ADD", "c1", netns: a, config: config);
        await _node.CallAsync("ADD", "c2", netns: b, config: config);

        Assert.Empty(_kernel.Ip(first, "-4", "route"));
        Assert.Equal("fd00::1", KernelNode.Talk(first, second, "fd00::2"));
    }

    private static void Until(Func<bool> condition)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), "interfaces of pods that are gone are still there");
        }
    }
}
