using System.Collections;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Datastore.Etcd;
using Weft.Datastore.Sync;
using Weft.Hosting;
using Weft.Hosting.Configuration;
using Weft.Hosting.Control;
using Weft.Ipam;
using Weft.Linux.Namespaces;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Node.Agent;
using Weft.Node.Cni;
using Weft.Node.Startup;
using Weft.Node.Tests.Cni;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Agent;

/// <summary>The whole agent on a namespace of the real kernel with a real etcd: pods by CNI, traffic, policy, restarts. Needs root and etcd.</summary>
public sealed class AgentOnKernelTests : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("weft-agent-");
    private readonly EtcdServer _etcd = new();
    private readonly KernelNode _node = new();
    private readonly EtcdDatastore _store;
    private CancellationTokenSource? _stop;
    private Task<ExitStatus>? _running;

    public AgentOnKernelTests() => _store = EtcdDatastore.Connect(_etcd.Settings, NullLoggerFactory.Instance, TimeProvider.System);

    private string SocketPath => Path.Combine(_folder.FullName, "agent.sock");

    [Fact]
    public async Task TwoPods_Talk_PolicyCloses_DeletedPolicyOpens_NothingIsLeft()
    {
        await StartAsync();
        (NetNamespace web, string webAddress, string webPath) = await AddAsync("web");
        (NetNamespace client, string clientAddress, string clientPath) = await AddAsync("client");
        ResourceKey policy = new(ResourceKind.GlobalNetworkPolicy, "close-web");

        Assert.Equal(clientAddress, KernelNode.Talk(client, web, webAddress));
        await _store.ApplyAsync(
            policy, new GlobalNetworkPolicy { Metadata = { Name = policy.Name }, Spec = { Selector = "app == 'web'", Types = ["Ingress"], Ingress = [] } }, null, default);
        await Until(() => Task.FromResult(!CanConnect(client, web, webAddress)), "policy closes");
        await _store.DeleteAsync(policy, null, default);
        await Until(() => Task.FromResult(CanConnect(client, web, webAddress)), "deleted policy opens");

        await CniAsync("DEL", "web", webPath);
        await CniAsync("DEL", "client", clientPath);
        Assert.Single(_node.Ip(null, "link"));
        Assert.Empty((await _store.ListAsync(ModelPrefix.Handles, default)).Items);
        await Until(() => Task.FromResult(!Rules().Contains("cali-tw-", StringComparison.Ordinal)), "chains of the pods are gone");
    }

    [Fact]
    public async Task PolicyThatIsThereBefore_HoldsFromTheFirstPacket()
    {
        await StartAsync();
        await _store.CreateAsync(
            new ResourceKey(ResourceKind.GlobalNetworkPolicy, "close-web"),
            new GlobalNetworkPolicy { Metadata = { Name = "close-web" }, Spec = { Selector = "app == 'web'", Types = ["Ingress"], Ingress = [] } }, default);
        (NetNamespace client, _, _) = await AddAsync("client");

        (NetNamespace web, string webAddress, _) = await AddAsync("web");

        Assert.False(CanConnect(client, web, webAddress));
    }

    [Fact]
    public async Task AgentRestarts_WhileTcpFlows_FlowSurvives_RulesAndRoutesStay()
    {
        await StartAsync();
        (NetNamespace web, string webAddress, _) = await AddAsync("web");
        (NetNamespace client, _, _) = await AddAsync("client");
        using Flow flow = new(client, web, webAddress);
        flow.Exchange();
        (string rules, string routes) = (Rules(), _node.Run(null, "ip", "route").OutputText);

        await StopAsync();
        flow.Exchange();
        Assert.Equal((rules, routes), (Rules(), _node.Run(null, "ip", "route").OutputText));
        await StartAsync();
        await Until(async () => (await StatusAsync())["endpoints"]!.AsArray() is { Count: 2 } all && all.All(e => (string?)e!["state"] == "programmed"), "endpoints programmed again");

        flow.Exchange();
        Assert.Equal((rules, routes), (Rules(), _node.Run(null, "ip", "route").OutputText));
    }

    [Fact]
    public async Task DatastoreKilled_FlowSurvives_AddFailsCleanly_AndWorksWhenItIsBack()
    {
        await StartAsync();
        (NetNamespace web, string webAddress, _) = await AddAsync("web");
        (NetNamespace client, _, _) = await AddAsync("client");
        using Flow flow = new(client, web, webAddress);

        await _etcd.KillAsync();
        await Until(async () => !(bool)(await StatusAsync())["inSync"]!, "loss noticed");
        string path = _node.NewPod(out _);
        CniOutcome refused = await CniAsync("ADD", "late", path);
        flow.Exchange();
        Assert.Equal(11, (int)refused.Body!["code"]!);
        Assert.Equal(3, _node.Ip(null, "link").Count);

        _etcd.Start();
        await Until(async () => (bool)(await StatusAsync())["inSync"]!, "in sync again");
        CniOutcome added = await CniAsync("ADD", "late", path);
        flow.Exchange();
        Assert.Equal(0, added.ExitCode);
    }

    [Fact]
    public async Task MissingProfile_FailsClosed()
    {
        await StartAsync();
        (NetNamespace client, _, _) = await AddAsync("client");
        (NetNamespace web, string webAddress, _) = await AddAsync("web");

        await _store.DeleteAsync(new ResourceKey(ResourceKind.Profile, "net1"), null, default);

        await Until(() => Task.FromResult(!CanConnect(client, web, webAddress)), "closed");
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await _store.DisposeAsync();
        await _etcd.DisposeAsync();
        _node.Dispose();
        _folder.Delete(recursive: true);
    }

    private async Task StartAsync()
    {
        if (_running is null && _stop is null)
        {
            _etcd.Start();
        }

        SettingsReader reader = SettingsReader.Load(
            null, new Hashtable(), ("agent", "run-dir", _folder.FullName), ("node", "name", "node-a"), ("node", "ipv4-address", "192.0.2.1/24"),
            ("node", "default-ipv4-pool", "10.1.0.0/16"));
        RoleContext context = new() { Settings = reader, Logs = NullLoggerFactory.Instance };
        AgentSettings settings = AgentSettings.Parse(reader);
        AgentParts parts = new()
        {
            Settings = settings, Node = NodeSettings.Parse(reader), Datastore = _store,
            Syncer = new EtcdSyncer(_store, PolicyLoop.Ranges, NullLoggerFactory.Instance, TimeProvider.System),
            Addresses = new AddressAllocator(_store, NullLoggerFactory.Instance, TimeProvider.System),
            Network = new PodNetwork(NullLogger.Instance, HostRoutes.ByDataplane, _node.Host),
            Host = new EmptyHost(),
            Dataplane = (progress, state) => new KernelDataplane(settings, "node-a", progress, state, context, _node.Host),
        };
        _stop = new CancellationTokenSource();
        _running = new AgentProcess(parts, context).RunAsync(_stop.Token);
        await Until(() => Task.FromResult(File.Exists(SocketPath)), "socket");
        await Until(async () => (bool)(await StatusAsync())["inSync"]! && (await StatusAsync())["problems"]!.AsArray().Count == 0, "in sync");
    }

    private async Task StopAsync()
    {
        if (_running is not null)
        {
            await _stop!.CancelAsync();
            Assert.Equal(ExitStatus.Ok, await _running);
            _running = null;
        }
    }

    private async Task<(NetNamespace Space, string Address, string Path)> AddAsync(string app)
    {
        string path = _node.NewPod(out NetNamespace space);
        CniOutcome outcome = await CniAsync("ADD", app, path);
        Assert.True(outcome.ExitCode == 0, outcome.Body?.ToJsonString());
        return (space, ((string)outcome.Body!["ips"]![0]!["address"]!).Split('/')[0], path);
    }

    private async Task<CniOutcome> CniAsync(string verb, string app, string netns)
    {
        Dictionary<string, string> environment = new()
        {
            ["CNI_COMMAND"] = verb, ["CNI_CONTAINERID"] = $"id-{app}", ["CNI_NETNS"] = netns, ["CNI_IFNAME"] = "eth0",
        };
        JsonObject config = MemoryNode.Config(more: new JsonObject { ["args"] = JsonNode.Parse($$$"""{"cni":{"labels":[{"key":"app","value":"{{{app}}}"}]}}""") });
        return await AgentCall.AskAsync(SocketPath, environment, config);
    }

    private async Task<JsonNode> StatusAsync() => await ControlClient.RequestAsync(SocketPath, new JsonObject { ["command"] = "status" }, default);

    /// <summary>Without counters, which differ from one reading to the next.</summary>
    private string Rules() => _node.Run(null, "nft", "-s", "list", "ruleset").OutputText;

    private static bool CanConnect(NetNamespace client, NetNamespace server, string address)
    {
        IPEndPoint target = new(IPAddress.Parse(address), 8080);
        using Socket listener = server.Run(() => new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(target);
        listener.Listen();
        using Socket connection = client.Run(() => new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        try
        {
            return connection.ConnectAsync(target).Wait(TimeSpan.FromMilliseconds(500));
        }
        catch (AggregateException)
        {
            return false; // Refused by a reset.
        }
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

    /// <summary>An established connection from pod to pod.</summary>
    private sealed class Flow : IDisposable
    {
        private readonly Socket _client;
        private readonly Socket _server;

        public Flow(NetNamespace client, NetNamespace server, string address)
        {
            IPEndPoint target = new(IPAddress.Parse(address), 9090);
            using Socket listener = server.Run(() => new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
            listener.Bind(target);
            listener.Listen();
            _client = client.Run(() => new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { SendTimeout = 5000, ReceiveTimeout = 5000 });
            Assert.True(_client.ConnectAsync(target).Wait(TimeSpan.FromSeconds(5)));
            _server = listener.Accept();
            _server.ReceiveTimeout = 5000;
        }

        public void Exchange()
        {
            byte[] buffer = new byte[8];
            _client.Send("ping"u8);
            Assert.Equal(4, _server.Receive(buffer));
            _server.Send("pong"u8);
            Assert.Equal(4, _client.Receive(buffer));
        }

        public void Dispose()
        {
            _client.Dispose();
            _server.Dispose();
        }
    }
}
