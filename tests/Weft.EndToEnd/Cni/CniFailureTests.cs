using System.Text.Json.Nodes;

namespace Weft.EndToEnd.Cni;

/// <summary>Pods come and go while parts of the node die, restart, or are replaced; the published executable on the real kernel.</summary>
public sealed class CniFailureTests
{
    /// <summary>The most pods a kubelet runs on a node unless told otherwise; WEFT_PODS asks for more (250 and 1000 have been run).</summary>
    private static readonly int s_pods = int.TryParse(Environment.GetEnvironmentVariable("WEFT_PODS"), out int pods) ? pods : 110;

    [Fact]
    public async Task AgentKilledAtAnyMomentOfAdd_NothingIsLeftAfterGc()
    {
        await using PublishedNode node = await PublishedNode.StartAsync();

        // From before the request arrives to after the answer has left.
        for (int round = 0; round < 12; round++)
        {
            Task<Outcome> add = node.AddAsync($"c{round}");
            await Task.Delay(TimeSpan.FromMilliseconds(2 + round * 3));
            await node.KillAgentAsync();
            Outcome outcome = await add;
            await node.StartAgentAsync();
            if (outcome.ExitCode != 0)
            {
                // The runtime learns that it may try again, and what it tries again works.
                Assert.Equal(11, (int)JsonNode.Parse(outcome.Output)!["code"]!);
                if (round % 2 == 0)
                {
                    (await node.CallAsync("ADD", $"c{round}", node.NetnsPathOf($"c{round}"))).MustSucceed();
                }
            }
        }

        (await node.GcAsync()).MustSucceed();

        await node.AssertCleanAsync();
    }

    [Fact]
    public async Task DelWithoutAgent_CutsTheTraffic_AndIsFinishedWhenTheAgentIsBack()
    {
        await using PublishedNode node = await PublishedNode.StartAsync();
        (await node.AddAsync("c1")).MustSucceed();
        await node.KillAgentAsync();

        (await node.DelAsync("c1")).MustSucceed();
        bool cut = !(await node.InsideAsync("ip", "-o", "link")).Output.Contains("cali");
        string[] held = await node.HandlesAsync();
        await node.StartAgentAsync();

        Assert.True(cut);
        Assert.Single(held);
        await Executable.EventuallyAsync("the address is released", async () => (await node.HandlesAsync()).Length == 0);
        await node.AssertCleanAsync();
    }

    [Fact]
    public async Task StoreKilledDuringAdd_AddSaysWhatToDo_AndTheNextOneWorks()
    {
        await using PublishedNode node = await PublishedNode.StartAsync();
        (await node.AddAsync("before")).MustSucceed();

        Task<Outcome> add = node.AddAsync("during");
        await node.KillStoreAsync();
        Outcome status = await node.CallAsync("STATUS", string.Empty);
        node.StartStore();
        Outcome during = await add;
        await Executable.EventuallyAsync("STATUS is well again", async () => (await node.CallAsync("STATUS", string.Empty)).ExitCode == 0);
        Outcome again = await node.CallAsync("ADD", "during", node.NetnsPathOf("during"));

        Assert.True(status.ExitCode == 0 || (int)JsonNode.Parse(status.Output)!["code"]! == 50, status.Output);
        Assert.True(during.ExitCode == 0 || (int)JsonNode.Parse(during.Output)!["code"]! is 11 or 102, during.Output);
        again.MustSucceed();
        (await node.DelAsync("before")).MustSucceed();
        (await node.DelAsync("during")).MustSucceed();
        await node.AssertCleanAsync();
    }

    [Fact]
    public async Task NamespaceGoneBeforeDel_PoolDeletedWhileInUse_DelTakesEverything()
    {
        await using PublishedNode node = await PublishedNode.StartAsync();
        (await node.AddAsync("c1")).MustSucceed();
        (await node.AddAsync("c2")).MustSucceed();

        node.DropPod("c1");
        (await node.WeftAsync("delete", "ippool", "pool", "--endpoints", PublishedNode.Endpoint)).MustSucceed();
        Outcome refused = await node.AddAsync("c3");
        (await node.DelAsync("c1")).MustSucceed();
        (await node.DelAsync("c2")).MustSucceed();
        (await node.DelAsync("c3")).MustSucceed();

        Assert.Equal(101, (int)JsonNode.Parse(refused.Output)!["code"]!);
        await node.AssertCleanAsync();
    }

    [Fact]
    public async Task ManyPodsAtOnce_EachItsOwnAddress_AndNothingIsLeft()
    {
        await using PublishedNode node = await PublishedNode.StartAsync();
        string[] containers = [.. Enumerable.Range(0, s_pods).Select(i => $"c{i}")];
        System.Collections.Concurrent.ConcurrentDictionary<string, string> addresses = new();

        await Parallel.ForEachAsync(containers, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (container, _) =>
            addresses[container] = (string)JsonNode.Parse((await node.AddAsync(container)).MustSucceed().Output)!["ips"]![0]!["address"]!);
        long resident = Resident(node.AgentProcessId);
        await Parallel.ForEachAsync(containers, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (container, _) => (await node.DelAsync(container)).MustSucceed());

        Assert.Equal(s_pods, addresses.Values.Distinct().Count());
        Assert.True(resident < 256 << 10, $"the agent takes {resident} KiB with {s_pods} pods");
        await node.AssertCleanAsync();
    }

    [Fact]
    public async Task InstalledAnewWhilePodsComeAndGo_NoCallFails()
    {
        await using PublishedNode node = await PublishedNode.StartAsync();
        string root = Directory.CreateTempSubdirectory("weft-cni-").FullName;
        string plugin = Path.Combine(root, "opt/cni/bin/weft");
        (await Executable.RunAsync("cni", "install", "--host-prefix", root)).MustSucceed();
        node.Plugin = plugin;
        using CancellationTokenSource end = new();

        Task<int> installing = Task.Run(async () =>
        {
            int rounds = 0;
            for (; !end.IsCancellationRequested; rounds++)
            {
                // Another mode is a difference: the installation has something to replace.
                File.SetUnixFileMode(plugin, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                (await Executable.RunAsync("cni", "install", "--host-prefix", root)).MustSucceed();
            }

            return rounds;
        });
        for (int i = 0; i < 10; i++)
        {
            (await node.AddAsync($"c{i}")).MustSucceed();
            (await node.DelAsync($"c{i}")).MustSucceed();
        }

        await end.CancelAsync();
        Assert.True(await installing > 0);
        (await Executable.RunAsync("cni", "uninstall", "--host-prefix", root)).MustSucceed();
        Assert.False(File.Exists(plugin));
        Directory.Delete(root, recursive: true);
        await node.AssertCleanAsync();
    }

    private static long Resident(int process)
    {
        string line = File.ReadLines($"/proc/{process}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);
    }
}
