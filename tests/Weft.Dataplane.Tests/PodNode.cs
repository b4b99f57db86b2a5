using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Dataplane.Drivers;
using Weft.Linux.Namespaces;
using Weft.Linux.Processes;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests;

/// <summary>
/// A node with pods on the real kernel, wired as the CNI plugin wires them: a namespace per pod, host side cali*, gateway 169.254.1.1 by proxy ARP, for
/// IPv6 the link-local address of the host side. The dataplane loop runs in the node's namespace.
/// </summary>
internal sealed class PodNode : IAsyncDisposable
{
    private static int _counter;

    private readonly List<Pod> _pods = [];
    private readonly List<Outside> _outsides = [];
    private Station? _host;
    private DataplaneLoop? _loop;
    private CancellationTokenSource? _stop;
    private Task? _running;

    private RuleBackendChoice _backend;

    public PodNode(RuleBackendChoice backend = RuleBackendChoice.IpTablesNft)
    {
        _backend = backend;
        Name = $"policy-{Environment.ProcessId}-{Interlocked.Increment(ref _counter)}";
        Space = NamedNamespaces.Create(Name);
        Tools = new ProcessRunner(Space);
        Runner = new CountingRunner(Tools);
        Sh("ip link set lo up");

    }

    public string Name { get; }

    public NetNamespace Space { get; }

    public ProcessRunner Tools { get; }

    public CountingRunner Runner { get; }

    public Progress Progress { get; } = new();

    public ConcurrentQueue<DataplaneReport> Reports { get; } = [];

    /// <summary>The node itself as one that speaks.</summary>
    public Station Host => _host ??= new Station(Space);

    /// <summary>A machine at the other end of the node's interface, 192.0.(number + 1).0/24 and 2001:db8:(number)::/64, whose way to the pods leads through the node.</summary>
    public Outside AddOutside(string hostInterface = "eth0", int number = 1)
    {
        Outside outside = new(this, hostInterface, number);
        _outsides.Add(outside);
        return outside;
    }

    /// <summary>Pods of different nodes need different numbers: their addresses come from them.</summary>
    /// <param name="number">Its number.</param>
    /// <param name="interfaceName">Null for one made of the number.</param>
    /// <param name="ipv4">Null for one made of the number.</param>
    public Pod AddPod(int number, string? interfaceName = null, IpAddress? ipv4 = null)
    {
        Pod pod = new(this, number, interfaceName, ipv4);
        _pods.Add(pod);
        return pod;
    }

    /// <param name="settings">Null for the defaults; the backend and the name of the node are set here.</param>
    /// <param name="backend">Null for the one it had before.</param>
    public void Start(DataplaneSettings? settings = null, RuleBackendChoice? backend = null)
    {
        _backend = backend ?? _backend;
        _stop = new CancellationTokenSource();
        _loop = new DataplaneLoop((settings ?? new DataplaneSettings()) with { Backend = _backend, NodeName = Name }, Progress, NullLoggerFactory.Instance, TimeProvider.System, Reports.Enqueue, Space, Runner);
        _running = _loop.RunAsync(_stop.Token);
    }

    public async Task StopAsync()
    {
        if (_loop is not null)
        {
            await _stop!.CancelAsync();
            await _running!;
            _loop.Dispose();
            _stop.Dispose();
            _loop = null;
        }
    }

    public async Task SendAsync(params DataplaneUpdate[] updates)
    {
        foreach (DataplaneUpdate update in updates)
        {
            await _loop!.PostAsync(update, CancellationToken.None);
        }
    }

    public Task<IReadOnlyList<RuleHits>> ReadHitsAsync() => _loop!.ReadHitsAsync(CancellationToken.None);

    public static async Task Eventually(Func<bool> condition, string what)
    {
        long started = Environment.TickCount64;
        while (!condition())
        {
            Assert.True(Environment.TickCount64 - started < 15_000, $"waited 15 s for {what}");
            await Task.Delay(20);
        }
    }

    public string Sh(string command) => Run(Tools, command);

    /// <summary>What the node's rules are, by the programs of its backend.</summary>
    public string Rules(string options = "", string family = "iptables") => _backend == RuleBackendChoice.NfTables
        ? Sh($"nft list ruleset {(family == "iptables" ? "ip" : "ip6")}")
        : Sh($"{family}-{(_backend == RuleBackendChoice.IpTablesLegacy ? "legacy" : "nft")}-save {options}");

    /// <summary>The kernel's state with counters, for messages.</summary>
    public string Dump() => Rules("-c") + Sh("ip route") + Sh("ip neigh") + Sh("ip -s link") + Sh("ip -6 route");

    internal static string Run(ProcessRunner runner, string command)
    {
        string[] words = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        ProcessResult result = runner.Run(new ProcessRequest(words[0], words[1..]));
        Assert.True(result.IsSuccess, $"{command}: {result}");
        return result.OutputText;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        foreach (Station station in _pods.Concat<Station>(_outsides))
        {
            station.Dispose();
        }

        _host?.Dispose();

        Space.Dispose();
        NamedNamespaces.Delete(Name);
    }
}

/// <summary>A machine outside the node.</summary>
internal sealed class Outside : Station
{
    private readonly string _name;

    public Outside(PodNode node, string hostInterface, int number)
        : base(NamedNamespaces.Create($"{node.Name}-out{number}"))
    {
        _name = $"{node.Name}-out{number}";
        Number = number;
        node.Sh($"ip link add {hostInterface} type veth peer name eth0 netns {_name}");
        ProcessRunner inside = new(Space);
        foreach (string command in (string[])[
            "sysctl -qw net.ipv6.conf.eth0.accept_dad=0", "ip link set lo up", "ip link set eth0 up",
            $"ip address add {IPv4}/24 dev eth0", $"ip -6 address add {IPv6}/64 dev eth0 nodad"])
        {
            PodNode.Run(inside, command);
        }

        node.Sh($"sysctl -qw net.ipv6.conf.{hostInterface}.accept_dad=0");
        node.Sh($"ip link set {hostInterface} up");
        node.Sh($"ip address add {NodeIPv4}/24 dev {hostInterface}");
        node.Sh($"ip -6 address add {NodeIPv6}/64 dev {hostInterface} nodad");
        PodNode.Run(inside, $"ip route add default via {NodeIPv4}");
        PodNode.Run(inside, $"ip -6 route add default via {NodeIPv6}");
    }

    public int Number { get; }

    public IpAddress IPv4 => IpAddress.Parse($"192.0.{Number + 1}.9");

    public IpAddress IPv6 => IpAddress.Parse($"2001:db8:{Number}::9");

    public IpAddress NodeIPv4 => IpAddress.Parse($"192.0.{Number + 1}.1");

    public IpAddress NodeIPv6 => IpAddress.Parse($"2001:db8:{Number}::1");

    public override void Dispose()
    {
        base.Dispose();
        Space.Dispose();
        NamedNamespaces.Delete(_name);
    }
}

/// <summary>A pod: namespace, addresses, and an echo service on any port.</summary>
internal sealed class Pod : Station
{
    private readonly string _name;

    public Pod(PodNode node, int number, string? interfaceName = null, IpAddress? ipv4 = null)
        : base(NamedNamespaces.Create($"{node.Name}-pod{number}"))
    {
        Number = number;
        _name = $"{node.Name}-pod{number}";
        Interface = interfaceName ?? $"cali{number}aaaa{number}";
        IPv4 = ipv4 ?? IpAddress.Parse($"10.65.{number / 100}.{number % 100}");
        node.Sh($"ip link add {Interface} address ee:ee:ee:ee:ee:ee type veth peer name eth0 netns {_name}");
        ProcessRunner inside = new(Space);
        foreach (string command in (string[])[
            "sysctl -qw net.ipv6.conf.eth0.accept_dad=0 net.ipv6.conf.default.accept_dad=0",
            "ip link set lo up", "ip link set eth0 up", $"ip address add {IPv4}/32 dev eth0", $"ip -6 address add {IPv6}/128 dev eth0 nodad"])
        {
            PodNode.Run(inside, command);
        }

        node.Sh($"sysctl -qw net.ipv6.conf.{Interface}.accept_dad=0");
        node.Sh($"ip link set {Interface} up");
        foreach (string command in (string[])[
            "ip route add 169.254.1.1 dev eth0 scope link", "ip route add default via 169.254.1.1 dev eth0", "ip -6 route add default via fe80::ecee:eeff:feee:eeee dev eth0"])
        {
            PodNode.Run(inside, command);
        }

        // "... link/ether 0a:58:0a:41:00:01 brd ..."
        string[] words = PodNode.Run(inside, "ip -o link show eth0").Split(' ');
        Mac = MacAddress.Parse(words[Array.IndexOf(words, "link/ether") + 1]);
    }

    public int Number { get; }

    public string Interface { get; }

    public IpAddress IPv4 { get; }

    public IpAddress IPv6 => IpAddress.Parse($"fd65::{Number / 100}:{Number % 100}");

    public MacAddress Mac { get; }

    public WorkloadEndpointId Id => new("k8s", $"default/pod{Number}", "eth0");

    public WorkloadEndpointUpdate Endpoint(
        TierPolicies[]? tiers = null, string[]? profiles = null, long revision = 1, string? problem = null, IpPrefix[]? spoof = null) => new(
        Id, $"default/pod{Number}", Interface, null, [IPv4.ToPrefix(), IPv6.ToPrefix()], profiles ?? [], tiers ?? [], spoof ?? [], revision, problem);

    public override void Dispose()
    {
        base.Dispose();
        Space.Dispose();
        NamedNamespaces.Delete(_name);
    }
}

/// <summary>Remembers what was reported.</summary>
internal sealed class Progress : IEndpointProgress
{
    private readonly ConcurrentDictionary<WorkloadEndpointId, long> _programmed = [];
    private readonly ConcurrentDictionary<WorkloadEndpointId, string> _failed = [];

    public void Programmed(WorkloadEndpointId id, long revision)
    {
        _programmed[id] = revision;
        _failed.TryRemove(id, out _);
    }

    public void Failed(WorkloadEndpointId id, string problem) => _failed[id] = problem;

    public string? ProblemOf(Pod pod) => ProblemOf(pod.Id);

    public string? ProblemOf(WorkloadEndpointId id) => _failed.GetValueOrDefault(id);

    public bool IsProgrammed(Pod pod, long revision = 1) => IsProgrammed(pod.Id, revision);

    public bool IsProgrammed(WorkloadEndpointId id, long revision = 1) => _programmed.GetValueOrDefault(id) >= revision;

    public Task WaitAsync(Pod pod, long revision = 1) => PodNode.Eventually(() => IsProgrammed(pod, revision), $"{pod.Id} at revision {revision}; problem: {ProblemOf(pod)}");

    public Task WaitForProblemAsync(Pod pod) => PodNode.Eventually(() => ProblemOf(pod) is not null, $"a problem of {pod.Id}");
}

/// <summary>Runs programs for real and counts those that write.</summary>
internal sealed class CountingRunner(IProcessRunner inner) : IProcessRunner
{
    private int _writes;

    public int Writes => Volatile.Read(ref _writes);

    /// <summary>Programs whose name contains this fail without being run.</summary>
    public string? Fail { get; set; }

    public ProcessResult Run(ProcessRequest request, CancellationToken stop = default)
    {
        if (request.FileName.Contains("restore", StringComparison.Ordinal) && request.Arguments is not ["--version"])
        {
            Interlocked.Increment(ref _writes);
        }

        return Fail is { } pattern && request.ToString().Contains(pattern, StringComparison.Ordinal)
            ? new ProcessResult(ProcessOutcome.Exited, 4, [], "refused by the test"u8.ToArray())
            : inner.Run(request, stop);
    }
}
