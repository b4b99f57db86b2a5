using System.Diagnostics;
using System.Text.Json.Nodes;
using Weft.Linux.Namespaces;

namespace Weft.EndToEnd.Cni;

/// <summary>
/// One node as a namespace of the real kernel, with a store and an agent that are the published executable, and a runtime that calls the same executable as a plugin. Everything
/// goes away with the object.
/// </summary>
internal sealed class PublishedNode : IAsyncDisposable
{
    public const string Endpoint = "http://127.0.0.1:23790";
    private static int s_number;
    private readonly string _name = $"cni-{Environment.ProcessId}-{Interlocked.Increment(ref s_number)}";
    private readonly string _folder = Directory.CreateTempSubdirectory("weft-cni-").FullName;
    private readonly List<string> _pods = [];
    private Process? _store;
    private Process? _agent;

    public PublishedNode()
    {
        NamedNamespaces.Create(_name).Dispose();
    }

    public string RunDir => Path.Combine(_folder, "run");

    public string NetnsPath => NamedNamespaces.PathOf(_name);

    /// <summary>What the runtime calls; the published executable unless a test installs it elsewhere.</summary>
    public string Plugin { get; set; } = Executable.Path;

    public int AgentProcessId => _agent!.Id;

    public static async Task<PublishedNode> StartAsync()
    {
        PublishedNode node = new();
        await node.InsideAsync("ip", "link", "set", "lo", "up");
        await node.InsideAsync("ip", "address", "add", "192.0.2.10/32", "dev", "lo");
        node.StartStore();
        await Executable.EventuallyAsync("the store answers", async () => (await node.WeftAsync("get", "ippools", "--endpoints", Endpoint)).ExitCode == 0);
        (await node.InsideAsync(
            Executable.Path, ["apply", "-f", "-", "--endpoints", Endpoint], "apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: pool}\nspec: {cidr: 10.244.0.0/16, blockSize: 26}\n")).MustSucceed();
        await node.StartAgentAsync();
        return node;
    }

    public void StartStore() => _store = Start("store", "--listen", "127.0.0.1:23790", "--data", Path.Combine(_folder, "store.db"));

    /// <summary>Returns when STATUS says that pods can be added.</summary>
    public async Task StartAgentAsync()
    {
        _agent = Start("agent", "--run-dir", RunDir, "--set", "node.name=node1", "--set", "node.ipv4-address=192.0.2.10/24", "--set", $"datastore.endpoints={Endpoint}");
        await Executable.EventuallyAsync("the agent is ready", async () => (await CallAsync("STATUS", string.Empty)).ExitCode == 0);
    }

    public Task KillAgentAsync() => KillAsync(_agent!);

    public Task KillStoreAsync() => KillAsync(_store!);

    /// <returns>The path of the pod's namespace.</returns>
    public string NewPod(string container)
    {
        string name = $"{_name}-{container}";
        NamedNamespaces.Create(name).Dispose();
        lock (_pods)
        {
            _pods.Add(name);
        }

        return NamedNamespaces.PathOf(name);
    }

    public string NetnsPathOf(string container) => NamedNamespaces.PathOf($"{_name}-{container}");

    public void DropPod(string container)
    {
        string name = $"{_name}-{container}";
        NamedNamespaces.Delete(name);
        lock (_pods)
        {
            _pods.Remove(name);
        }
    }

    public Task<Outcome> AddAsync(string container) => CallAsync("ADD", container, NewPod(container));

    public Task<Outcome> DelAsync(string container) => CallAsync("DEL", container, NetnsPathOf(container));

    public Task<Outcome> GcAsync(params string[] containers) => CallAsync(
        "GC", string.Empty, more: new JsonObject { ["cni.dev/valid-attachments"] = new JsonArray([.. containers.Select(c => (JsonNode)new JsonObject { ["containerID"] = c, ["ifname"] = "eth0" })]) });

    public async Task<Outcome> CallAsync(string verb, string container, string netns = "", JsonObject? more = null)
    {
        JsonObject config = new() { ["cniVersion"] = "1.1.0", ["name"] = "net", ["type"] = "weft", ["agent_socket"] = Path.Combine(RunDir, "agent.sock"), ["nodename"] = "node1" };
        foreach ((string key, JsonNode? value) in more ?? [])
        {
            config[key] = value?.DeepClone();
        }

        Dictionary<string, string> environment = new()
        {
            ["CNI_COMMAND"] = verb, ["CNI_CONTAINERID"] = container, ["CNI_NETNS"] = netns, ["CNI_IFNAME"] = "eth0",
            ["CNI_ARGS"] = $"K8S_POD_NAMESPACE=default;K8S_POD_NAME={container}",
        };
        return await Executable.RunAsync("nsenter", [$"--net={NetnsPath}", Plugin], config.ToJsonString(), environment);
    }

    /// <summary>Nothing of any pod is left, in the kernel (once the reaper has been round) or in the datastore.</summary>
    public async Task AssertCleanAsync()
    {
        await Executable.EventuallyAsync("no interface of a pod is left", async () => !(await InsideAsync("ip", "-o", "link")).Output.Contains("cali"));
        Assert.Equal("[]", JsonNode.Parse((await WeftAsync("get", "workloadendpoints", "--all-namespaces", "-o", "json", "--endpoints", Endpoint)).MustSucceed().Output)!["items"]!.ToJsonString());
        Assert.Empty(await HandlesAsync());
    }

    /// <summary>Handles of pods in the datastore.</summary>
    public async Task<string[]> HandlesAsync()
    {
        Outcome keys = await InsideAsync("etcdctl", ["--endpoints", Endpoint, "get", "--prefix", "--keys-only", "/calico/ipam/v2/handle/net."], string.Empty, new() { ["ETCDCTL_API"] = "3" });
        return keys.MustSucceed().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    public Task<Outcome> WeftAsync(params string[] arguments) => InsideAsync(Executable.Path, arguments, string.Empty);

    public Task<Outcome> InsideAsync(string program, params string[] arguments) => InsideAsync(program, arguments, string.Empty);

    public Task<Outcome> InsideAsync(string program, string[] arguments, string input, Dictionary<string, string>? environment = null) =>
        Executable.RunAsync("nsenter", [$"--net={NetnsPath}", program, .. arguments], input, environment);

    public async ValueTask DisposeAsync()
    {
        foreach (Process? process in new[] { _agent, _store })
        {
            if (process is { HasExited: false })
            {
                await KillAsync(process);
            }
        }

        foreach (string name in _pods.Append(_name))
        {
            NamedNamespaces.Delete(name);
        }

        Directory.Delete(_folder, recursive: true);
    }

    private Process Start(params string[] arguments)
    {
        // Output goes to files: a pipe that nobody reads would stop the process one day.
        string log = Path.Combine(_folder, arguments[0] + ".log");
        return Executable.Start("nsenter", [$"--net={NetnsPath}", "sh", "-c", $"exec \"$@\" >>{log} 2>&1", "sh", Executable.Path, .. arguments]);
    }

    private static async Task KillAsync(Process process)
    {
        process.Kill();
        await process.WaitForExitAsync();
    }
}
