using System.Net.Sockets;
using System.Text.Json.Nodes;

namespace Weft.EndToEnd;

/// <summary>What the rack survives: processes that die, a datastore that goes away, values that are wrong.</summary>
[Collection(KeptLabCollection.Name)]
public sealed class RackFailureTests
{
    [Fact]
    public async Task AgentKilledAndRestarted_EstablishedFlowGoesOn_AndRulesStay()
    {
        using Socket flow = await KeptLab.ConnectAsync("frontend-1", "backend-3") ?? throw new InvalidOperationException("no connection to begin with");
        string rules = await RulesAsync("node1");
        string routes = await RoutesAsync("node1");

        string[] command = await KeptLab.KillAsync(await CurrentPidAsync("node1", "agent"));
        await EchoAsync(flow, 20);
        await KeptLab.StartAsync("node1", command);
        await Executable.EventuallyAsync("agent of node1 in sync again", () => AgentInSyncAsync("node1"));
        await EchoAsync(flow, 20);

        Assert.Equal(rules, await RulesAsync("node1"));
        Assert.Equal(routes, await RoutesAsync("node1"));
    }

    [Fact]
    public async Task RouterKilledAndRestarted_RoutesStay_AndFlowGoesOn()
    {
        using Socket flow = await KeptLab.ConnectAsync("frontend-1", "backend-3") ?? throw new InvalidOperationException("no connection to begin with");
        string routes = await RoutesAsync("node1");

        string[] command = await KeptLab.KillAsync(await CurrentPidAsync("node1", "router"));
        string withoutRouter = await RoutesAsync("node1");
        await KeptLab.StartAsync("node1", command);
        await Executable.EventuallyAsync("session of node1 up again", () => SessionUpAsync("node1"), seconds: 60);
        await Executable.EventuallyAsync("frontend-1 reaches backend-3", () => KeptLab.ReachesAsync("frontend-1", "backend-3"), seconds: 60);
        await EchoAsync(flow, 5);

        Assert.Equal(routes, withoutRouter);
        await Executable.EventuallyAsync("the same routes as before", async () => await RoutesAsync("node1") == routes, seconds: 60);
    }

    [Fact]
    public async Task DatastoreKilled_KernelStays_AndChangesArriveAfterItsReturn()
    {
        string rules = await RulesAsync("node2");

        string[] command = await KeptLab.KillAsync(await CurrentPidAsync("store", "store"));
        await Executable.EventuallyAsync("agent of node2 says that the datastore is away", async () => !await AgentInSyncAsync("node2"));
        Assert.Equal(rules, await RulesAsync("node2"));
        Assert.True(await KeptLab.ReachesAsync("frontend-1", "backend-2"));
        await KeptLab.StartAsync("store", command);
        await Executable.EventuallyAsync("agent of node2 in sync again", () => AgentInSyncAsync("node2"));
        await KeptLab.ApplyAsync(DenyTo("backend-2", "away"));

        await Executable.EventuallyAsync("the new policy holds", async () => !await KeptLab.ReachesAsync("frontend-1", "backend-2", 700));
        await DeletePolicyAsync("away");
        await Executable.EventuallyAsync("open again", () => KeptLab.ReachesAsync("frontend-1", "backend-2"));
    }

    [Fact]
    public async Task InvalidPolicyInTheStore_IsSkippedAndReported_TheRestWorks()
    {
        const string key = "/calico/resources/v3/projectcalico.org/networkpolicies/demo/broken";
        await PutAsync(key, """{"kind":"NetworkPolicy","apiVersion":"projectcalico.org/v3","metadata":{"name":"broken","namespace":"demo"},"spec":{"selector":"app == ","types":["Ingress"]}}""");
        await KeptLab.ApplyAsync(DenyTo("backend-1", "fine"));

        await Executable.EventuallyAsync("the valid policy holds", async () => !await KeptLab.ReachesAsync("frontend-2", "backend-1", 700));
        JsonNode? status = await KeptLab.NodeStatusAsync("node1");
        await DeletePolicyAsync("fine");
        (await KeptLab.ExecAsync("store", "etcdctl", "--endpoints", "http://172.31.0.1:2379", "del", key)).MustSucceed();

        Assert.Contains("broken", status!.ToJsonString(), StringComparison.Ordinal);
        await Executable.EventuallyAsync("open again", () => KeptLab.ReachesAsync("frontend-2", "backend-1"));
    }

    [Fact]
    public async Task Drops_NameTheFlow_TheEndpoint_AndThePolicy()
    {
        await KeptLab.ApplyAsync(DenyTo("backend-1", "shut"));
        await Executable.EventuallyAsync("the policy holds", async () => !await KeptLab.ReachesAsync("frontend-2", "backend-1", 700));
        Task<Outcome> drops = KeptLab.ExecAsync("node1", "weft", "drops", "--for", "5", "-o", "json");
        while (!drops.IsCompleted)
        {
            await KeptLab.ReachesAsync("frontend-2", "backend-1", 700);
        }

        string output = (await drops).MustSucceed().Output;
        await DeletePolicyAsync("shut");

        string target = await KeptLab.AddressAsync("backend-1");
        JsonNode row = Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonNode.Parse(l)!), r => (string?)r["destination"] == target);
        Assert.Equal(await KeptLab.AddressAsync("frontend-2"), (string?)row["source"]);
        Assert.Contains("backend", (string?)row["destinationEndpoint"]);
        Assert.Equal(("ingress", "tcp", "8080"), ((string?)row["direction"], (string?)row["protocol"], (string?)row["port"]));
        Assert.Contains("shut", (string?)row["by"]);
        await Executable.EventuallyAsync("open again", () => KeptLab.ReachesAsync("frontend-2", "backend-1"));
    }

    [Fact]
    public async Task TwoAgentsWithOneName_AreReported()
    {
        string[] command = [.. (await File.ReadAllTextAsync($"/proc/{await CurrentPidAsync("node2", "agent")}/cmdline")).Split('\0', StringSplitOptions.RemoveEmptyEntries)];
        // A second agent of the same name on another machine: node3's namespace, with a folder of its own.
        int second = await KeptLab.StartAsync("node3", [.. command, "--set", "agent.run-dir=/run/weft-lab/twin"]);
        try
        {
            await Executable.EventuallyAsync(
                "node2 reports the twin",
                async () => (await KeptLab.NodeStatusAsync("node2"))?.ToJsonString().Contains("another agent", StringComparison.OrdinalIgnoreCase) ?? false,
                seconds: 60);
        }
        finally
        {
            await KeptLab.KillAsync(second);
        }
    }

    [Fact]
    public async Task Status_ListsEveryMachineForScripts()
    {
        JsonNode status = await KeptLab.StatusAsync();

        JsonNode[] members = [.. status["members"]!.AsArray().Select(m => m!)];

        Assert.Equal("http://172.31.0.1:2379", (string?)status["datastoreEndpoint"]);
        Assert.Equal(["store", "switch", "switch", "node", "node", "node", "pod", "pod", "pod", "pod", "pod", "pod"], members.Select(m => (string)m["kind"]!));
        Assert.All(members, m => Assert.True(File.Exists((string)m["netns"]!)));
        Assert.All(members, m => Assert.NotEmpty(m["addresses"]!.AsArray()));
        Assert.All(members.Where(m => (string)m["kind"]! == "pod"), m => Assert.Equal("demo", (string?)m["namespace"]));
        Assert.All(members.Where(m => (string)m["kind"]! == "pod"), m => Assert.NotNull(m["labels"]!["app"]));
    }

    private static async Task EchoAsync(Socket flow, int rounds)
    {
        byte[] buffer = new byte[16];
        for (int i = 0; i < rounds; i++)
        {
            using CancellationTokenSource limit = new(TimeSpan.FromSeconds(10));
            await flow.SendAsync("ping"u8.ToArray(), limit.Token);
            Assert.Equal(4, await flow.ReceiveAsync(buffer, limit.Token));
            await Task.Delay(50, limit.Token);
        }
    }

    /// <summary>The newest process of a role on a machine: a test before this one may have restarted it.</summary>
    private static async Task<int> CurrentPidAsync(string machine, string role)
    {
        string pattern = role == "store" ? "weft store --listen 172.31.0.1" : $"weft {role} --config /run/weft-lab/{machine}/";
        Outcome found = await Executable.RunAsync("pgrep", ["-n", "-f", pattern], string.Empty);
        return int.Parse(found.MustSucceed().Output.Trim());
    }

    private static async Task<bool> AgentInSyncAsync(string node) => (bool?)(await KeptLab.NodeStatusAsync(node))?["agent"]?["inSync"] ?? false;

    private static async Task<bool> SessionUpAsync(string node) =>
        (await KeptLab.ExecAsync(node, "weft", "router", "show", "neighbors")).Output.Contains("Established", StringComparison.OrdinalIgnoreCase);

    /// <summary>Rules without their counters.</summary>
    private static async Task<string> RulesAsync(string node) =>
        (await KeptLab.ExecAsync(node, "/bin/sh", "-c", "iptables-save | grep -v '^#' | sed 's/\\[[0-9]*:[0-9]*\\]//'; ipset save | sort")).MustSucceed().Output;

    private static async Task<string> RoutesAsync(string node) => (await KeptLab.ExecAsync(node, "/bin/sh", "-c", "ip route | sort; ip neigh show nud permanent | sort")).MustSucceed().Output;

    private static async Task PutAsync(string key, string value) =>
        (await KeptLab.ExecAsync("store", "etcdctl", "--endpoints", "http://172.31.0.1:2379", "put", key, value)).MustSucceed();

    private static async Task DeletePolicyAsync(string name) =>
        (await KeptLab.ExecAsync("store", "weft", "delete", "networkpolicy", name, "-n", "demo")).MustSucceed();

    private static string DenyTo(string pod, string name) =>
        $"""
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata:
          name: {name}
          namespace: demo
        spec:
          selector: app == '{pod.Split('-')[0]}'
          types: [Ingress]
          ingress:
          - action: Deny

        """;
}
