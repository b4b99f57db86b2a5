using System.Collections;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Dataplane.Drivers;
using Weft.Datastore.Etcd;
using Weft.Datastore.Sync;
using Weft.Hosting;
using Weft.Hosting.Configuration;
using Weft.Hosting.Control;
using Weft.Hosting.Systemd;
using Weft.Model.Felix;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Node.Agent;
using Weft.Node.Cni;
using Weft.Node.Startup;
using Weft.Node.Tests.Cni;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Agent;

/// <summary>The agent with its real socket, syncer, calculation graph and a real etcd; kernel and IPAM are in memory.</summary>
public sealed class AgentProcessTests : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("weft-agent-");
    private readonly EtcdServer _etcd = new();
    private readonly MemoryNode _memory = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly RecordingDataplane _dataplane = new();
    private readonly Socket _notify = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private EtcdDatastore? _store;
    private FelixLocalSettings _felix = FelixLocalSettings.None;
    private Task<ExitStatus>? _running;

    public AgentProcessTests() => _notify.Bind(new UnixDomainSocketEndPoint(NotifyPath));

    private string NotifyPath => Path.Combine(_folder.FullName, "notify");

    private string SocketPath => Path.Combine(_folder.FullName, "agent.sock");

    [Fact]
    public async Task DatastoreAbsentAtStart_ReadyAllTheSame_NothingWritten_RecoversWhenItComes()
    {
        Start();
        JsonNode before = await StatusAsync();
        CniOutcome refused = await CniAsync("ADD");

        Assert.StartsWith("READY=1\nSTATUS=waiting for datastore", Notification());
        Assert.False((bool)before["inSync"]!);
        Assert.Equal(11, (int)refused.Body!["code"]!);
        Assert.Empty(_dataplane.Updates);

        _etcd.Start();
        await Until(async () => (bool)(await StatusAsync())["inSync"]!, "in sync");
        await Until(() => Task.FromResult(_dataplane.Updates.OfType<InSync>().Any()), "dataplane told");
    }

    [Fact]
    public async Task Add_WaitsForTheDataplane_ThenStatusShowsTheEndpoint()
    {
        await StartInSyncAsync();

        CniOutcome outcome = await CniAsync("ADD");

        Assert.Equal(0, outcome.ExitCode);
        JsonNode endpoint = Assert.Single((await StatusAsync())["endpoints"]!.AsArray())!;
        Assert.Equal("programmed", (string?)endpoint["state"]);
        Assert.Equal(["10.1.0.1/32"], endpoint["addresses"]!.AsArray().Select(a => (string?)a));
        Assert.Contains("nginx", (string?)endpoint["name"]);
        Assert.Equal(CniOutcome.Done, await CniAsync("DEL"));
        await Until(async () => (await StatusAsync())["endpoints"]!.AsArray().Count == 0, "endpoint gone");
    }

    [Fact]
    public async Task Config_TellsValueSourceAndStanding_AndTheStatusWhatHasNoEffect()
    {
        _felix = FelixLocalSettings.Read(new Hashtable { ["FELIX_VXLANPORT"] = "4790", ["FELIX_GOGCTHRESHOLD"] = "99" }, "felix.cfg", []);
        await StartAsync();
        // The node's start-up makes one of its own, before or after.
        await _store!.ApplyAsync(
            new ResourceKey(ResourceKind.FelixConfiguration, "node.node-a"),
            new FelixConfiguration
            {
                Metadata = { Name = "node.node-a" },
                Spec = { Fields = { ["natOutgoingExclusions"] = JsonSerializer.SerializeToElement("IPPoolsAndHostIPs"), ["bpfEnabled"] = JsonSerializer.SerializeToElement(true) } },
            },
            null, default);

        await Until(async () => (await ConfigAsync("--set")).Contains("natOutgoingExclusions", StringComparison.Ordinal), "configuration taken up");
        string set = await ConfigAsync("--set");
        Assert.Matches(@"(?m)^vxlanPort +4790 +environment variable FELIX_VXLANPORT$", set);
        Assert.Matches(@"(?m)^goGCThreshold +99 +environment variable FELIX_GOGCTHRESHOLD +not applicable: there is no Go runtime in weft$", set);
        Assert.Matches(@"(?m)^natOutgoingExclusions +IPPoolsAndHostIPs +FelixConfiguration node.node-a$", set);
        Assert.Matches(@"(?m)^bpfEnabled +true +FelixConfiguration node.node-a +refused: weft has no eBPF dataplane$", set);
        Assert.DoesNotContain("vxlanMTU", set, StringComparison.Ordinal);
        Assert.Equal(210, (await ConfigAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Matches(@"(?m)^vxlanMTU +0 +default", await ConfigAsync("vxlanmtu"));
        await Until(
            async () => (await StatusAsync())["problems"]!.AsArray().Select(p => (string?)p!["reason"]).Order(StringComparer.Ordinal).SequenceEqual(
                ["environment variable FELIX_GOGCTHRESHOLD: GoGCThreshold: not applicable: there is no Go runtime in weft", "spec.bpfEnabled: refused: weft has no eBPF dataplane"]),
            "problems told");
    }

    [Fact]
    public async Task MetricsAndHealth_AreWhereFelixConfigurationSays_AndGoWithIt()
    {
        await StartInSyncAsync();
        await CniAsync("ADD");
        (int metrics, int health) = (FreePort(), FreePort());
        ResourceKey key = new(ResourceKind.FelixConfiguration, "default");
        FelixConfiguration Felix(bool enabled) => new()
        {
            Metadata = { Name = "default" },
            Spec =
            {
                Fields =
                {
                    ["prometheusMetricsEnabled"] = JsonSerializer.SerializeToElement(enabled), ["prometheusMetricsHost"] = JsonSerializer.SerializeToElement("127.0.0.1"),
                    ["prometheusMetricsPort"] = JsonSerializer.SerializeToElement(metrics), ["healthEnabled"] = JsonSerializer.SerializeToElement(enabled),
                    ["healthPort"] = JsonSerializer.SerializeToElement(health),
                },
            },
        };
        await _store!.ApplyAsync(key, Felix(enabled: true), null, default);
        using HttpClient http = new();

        await Until(async () => (await GetAsync($"http://127.0.0.1:{metrics}/metrics")).Contains("\nfelix_active_local_endpoints 1\n", StringComparison.Ordinal), "metrics");
        string text = await GetAsync($"http://127.0.0.1:{metrics}/metrics");
        Assert.Contains("\nfelix_resync_state 3\n", text);
        Assert.Contains("\nweft_agent_endpoints{state=\"programmed\"} 1\n", text);
        Assert.Contains("\nprocess_resident_memory_bytes ", text);
        Assert.All(AgentMetrics.All, m => Assert.Contains($"# TYPE {m.Name} ", text));
        Assert.Matches(@"^policy loop +ok +last round", await GetAsync($"http://127.0.0.1:{health}/liveness"));
        Assert.Matches(@"(?m)^datastore +ok +in sync$", await GetAsync($"http://127.0.0.1:{health}/readiness"));

        await _store!.ApplyAsync(key, Felix(enabled: false), null, default);
        await Until(async () => (await GetAsync($"http://127.0.0.1:{metrics}/metrics")).Length == 0 && (await GetAsync($"http://127.0.0.1:{health}/liveness")).Length == 0, "closed");

        async Task<string> GetAsync(string address)
        {
            try
            {
                using HttpResponseMessage answer = await http.GetAsync(address);
                return await answer.Content.ReadAsStringAsync();
            }
            catch (HttpRequestException)
            {
                return string.Empty;
            }
        }

        static int FreePort()
        {
            using Socket probe = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            return ((IPEndPoint)probe.LocalEndPoint!).Port;
        }
    }

    [Fact]
    public async Task Hits_AreATable_OfThePoliciesAskedFor()
    {
        await StartInSyncAsync();

        Assert.Equal(
            "POLICY                            RULE  PACKETS  BYTES\nNetworkPolicy demo/allow ingress  0     3        180\nNetworkPolicy demo/deny ingress   1     0        0\n",
            await RunAsync(AgentCommand.Hits));
        Assert.DoesNotContain("demo/allow", await RunAsync(AgentCommand.Hits, "deny"));
    }

    [Fact]
    public async Task Status_CountsTheEndpointsOfStagedPolicies()
    {
        await StartInSyncAsync();
        await CniAsync("ADD");
        await _store!.CreateAsync(
            new ResourceKey(ResourceKind.StagedGlobalNetworkPolicy, "tryout"), new StagedGlobalNetworkPolicy { Metadata = { Name = "tryout" }, Spec = { Selector = "all()" } }, default);

        await Until(async () => (await StatusAsync())["staged"]!.ToJsonString() == """[{"policy":"sgnp/tryout","endpoints":1}]""", "staged policy counted");
        Assert.Matches(@"(?m)^sgnp/tryout +1$", AgentText.Status((await StatusAsync()).AsObject()));
    }

    [Fact]
    public async Task Add_DataplaneDoesNotWrite_FailsClosedAndLeavesNothing()
    {
        await StartInSyncAsync();
        _dataplane.Stuck = true;

        CniOutcome outcome = await CniAsync("ADD");

        Assert.Equal(102, (int)outcome.Body!["code"]!);
        Assert.Empty(_memory.Interfaces);
        Assert.Empty(_memory.Held);
        Assert.Empty((await _store!.ListAsync(ModelPrefix.Of(ResourceKind.WorkloadEndpoint), default)).Items);
    }

    [Fact]
    public async Task DatastoreLost_KernelIsKept_StatusSaysSo_AndRecovers()
    {
        await StartInSyncAsync();
        await CniAsync("ADD");

        await _etcd.KillAsync();
        await Until(async () => !(bool)(await StatusAsync())["inSync"]!, "loss noticed");
        int updates = _dataplane.Updates.Count; // Only now: what start-up wrote last was still on its way before.
        CniOutcome status = await CniAsync("STATUS");
        Assert.Equal(50, (int)status.Body!["code"]!);
        Assert.Equal(updates, _dataplane.Updates.Count);

        _etcd.Start();
        await Until(async () => (bool)(await StatusAsync())["inSync"]!, "in sync again");
        Assert.DoesNotContain(_dataplane.Updates, u => u is WorkloadEndpointRemove);
        Assert.Equal(0, (await CniAsync("ADD", "c2", "other")).ExitCode);
    }

    [Fact]
    public async Task InvalidPolicy_IsReportedOnItsKey_TheRestWorks()
    {
        await StartInSyncAsync();
        ResourceKey key = new(ResourceKind.GlobalNetworkPolicy, "broken");

        await _store!.ApplyAsync(key, new GlobalNetworkPolicy { Metadata = { Name = "broken" }, Spec = { Selector = "this is no selector" } }, null, default);

        await Until(async () => (await StatusAsync())["problems"]!.AsArray().Any(p => (string?)p!["key"] == key.Path), "problem reported");
        await _store.DeleteAsync(key, null, default);
        await Until(async () => (await StatusAsync())["problems"]!.AsArray().All(p => (string?)p!["key"] != key.Path), "problem gone");
    }

    [Fact]
    public async Task SecondAgentOnTheSameSocket_IsRefused()
    {
        Start();
        await StatusAsync();

        ExitStatus second = await Make(_store!).RunAsync(CancellationToken.None);

        Assert.Equal(ExitStatus.Failed, second);
    }

    [Fact]
    public async Task UnknownCommand_GetsAnError()
    {
        Start();

        JsonNode answer = await ControlClient.RequestAsync(SocketPath, new JsonObject { ["command"] = "dance" }, default);

        Assert.Contains("dance", (string?)answer["error"]);
    }

    [Fact]
    public async Task Stop_EndsInOrder_AndTakesTheSocketAway()
    {
        await StartInSyncAsync();

        await _stop.CancelAsync();

        Assert.Equal(ExitStatus.Ok, await _running!.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.False(File.Exists(SocketPath));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_running is not null)
        {
            await _running;
        }

        if (_store is not null)
        {
            await _store.DisposeAsync();
        }

        await _etcd.DisposeAsync();
        _notify.Dispose();
        _stop.Dispose();
        _folder.Delete(recursive: true);
    }

    private async Task StartInSyncAsync()
    {
        _etcd.Start();
        Start();
        await Until(async () => (bool)(await StatusAsync())["inSync"]!, "in sync");
        await Until(async () => (await StatusAsync())["problems"]!.AsArray().Count == 0, "start-up complete");
        await _store!.CreateAsync(
            new ResourceKey(ResourceKind.IPPool, "pool"), new IPPool { Metadata = { Name = "pool" }, Spec = { Cidr = "10.1.0.0/16" } }, default);
    }

    private async Task StartAsync()
    {
        _etcd.Start();
        Start();
        await Until(async () => (bool)(await StatusAsync())["inSync"]!, "in sync");
    }

    private Task<string> ConfigAsync(params string[] arguments) => RunAsync(AgentCommand.Configuration, arguments);

    private async Task<string> RunAsync(AgentCommand command, params string[] arguments)
    {
        StringWriter output = new();
        CommandContext context = new() { In = Stream.Null, Out = output, Error = output, Environment = new Hashtable() };
        Assert.Equal(ExitStatus.Ok, await command.RunAsync([.. arguments, "--run-dir", _folder.FullName], context, default));
        return output.ToString();
    }

    private void Start()
    {
        _store = EtcdDatastore.Connect(_etcd.Settings, NullLoggerFactory.Instance, TimeProvider.System);
        _running = Make(_store).RunAsync(_stop.Token);
    }

    private AgentProcess Make(EtcdDatastore store)
    {
        SettingsReader reader = SettingsReader.Load(
            null, new Hashtable(), ("agent", "run-dir", _folder.FullName), ("agent", "policy-wait", "2s"), ("node", "name", "node-a"), ("node", "ipv4-address", "192.0.2.1/24"));
        AgentParts parts = new()
        {
            Settings = AgentSettings.Parse(reader), Node = NodeSettings.Parse(reader), Datastore = store, Felix = _felix,
            Syncer = new EtcdSyncer(store, PolicyLoop.Ranges, NullLoggerFactory.Instance, TimeProvider.System),
            Addresses = _memory, Network = _memory, Host = new EmptyHost(),
            Dataplane = (progress, state) =>
            {
                (_dataplane.Progress, _dataplane.State) = (progress, state);
                return _dataplane;
            },
        };
        Assert.Empty(reader.Problems);
        return new AgentProcess(parts, new RoleContext { Settings = reader, Logs = NullLoggerFactory.Instance, Systemd = SystemdNotifier.Create(NotifyPath, null) });
    }

    private string Notification()
    {
        byte[] buffer = new byte[4096];
        return Encoding.UTF8.GetString(buffer, 0, _notify.Receive(buffer));
    }

    private async Task<JsonNode> StatusAsync()
    {
        await Until(() => Task.FromResult(File.Exists(SocketPath)), "socket");
        return await ControlClient.RequestAsync(SocketPath, new JsonObject { ["command"] = "status" }, default);
    }

    private async Task<CniOutcome> CniAsync(string verb, string containerId = "c1", string pod = "nginx")
    {
        Dictionary<string, string> environment = new()
        {
            ["CNI_COMMAND"] = verb, ["CNI_CONTAINERID"] = containerId, ["CNI_NETNS"] = $"/run/netns/{containerId}", ["CNI_IFNAME"] = "eth0",
            ["CNI_ARGS"] = $"K8S_POD_NAMESPACE=default;K8S_POD_NAME={pod}",
        };
        return await AgentCall.AskAsync(SocketPath, environment, MemoryNode.Config());
    }

    private static async Task Until(Func<Task<bool>> condition, string what)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (!await condition())
        {
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(30), $"not within 30 s: {what}");
            await Task.Delay(20);
        }
    }

    private sealed class EmptyHost : INodeHost
    {
        public IReadOnlyList<HostInterface> Interfaces() => [];

        public IpAddress? SourceTowards(IpAddress target) => null;
    }

    /// <summary>Programs every endpoint at once, unless stuck.</summary>
    private sealed class RecordingDataplane : IDataplane
    {
        public List<DataplaneUpdate> Updates { get; } = [];

        public bool Stuck { get; set; }

        public EndpointProgress? Progress { get; set; }

        public AgentState? State { get; set; }

        public string Part => "dataplane";

        public long LastBeat => 0;

        public Task<IReadOnlyList<RuleHits>> ReadHitsAsync(CancellationToken stop) =>
            Task.FromResult<IReadOnlyList<RuleHits>>([new RuleHits("NetworkPolicy demo/allow ingress", 0, 3, 180), new RuleHits("NetworkPolicy demo/deny ingress", 1, 0, 0)]);

        public ValueTask PostAsync(DataplaneUpdate update, CancellationToken stop)
        {
            lock (Updates)
            {
                Updates.Add(update);
            }

            if (update is WorkloadEndpointUpdate endpoint && !Stuck)
            {
                Progress!.Programmed(endpoint.Id, endpoint.Revision);
            }

            State!.SetApply(new ApplyState(DateTimeOffset.UnixEpoch, TimeSpan.FromMilliseconds(1), null, 0, 0, 0, 0, "none", []));
            return ValueTask.CompletedTask;
        }

        public Task RunAsync(CancellationToken stop) => Task.Delay(Timeout.Infinite, stop);

        public void Beat()
        {
        }

        public void Dispose()
        {
        }
    }
}
