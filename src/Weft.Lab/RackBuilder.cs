using System.Collections.Concurrent;
using Weft.Primitives.Net;

namespace Weft.Lab;

/// <summary>
/// Builds the rack step by step, in the order an operator would: datastore, switches, resources, nodes, sessions, pods. Every process and namespace is
/// in the state file before the next step begins.
/// </summary>
internal sealed class RackBuilder(Topology topology, LabConsole console, string executable, TimeProvider time)
{
    private const int StartedTogether = 4;

    private static readonly TimeSpan s_sessionLimit = TimeSpan.FromSeconds(60);

    private readonly Lock _gate = new(); // Guards the list of members: nodes and pods are started in parallel.
    private readonly List<LabMember> _members = [];
    private readonly RackWiring _wiring = new(topology);
    private readonly PodRunner _pods = new(topology, executable, time);

    public async Task StoreAsync(CancellationToken stop)
    {
        _wiring.CreateStore();
        Directory.CreateDirectory(LabFiles.RunDir(RackWiring.Store));
        string listen = $"{Topology.StoreAddress}:2379";
        string data = $"{LabFiles.RunDir(RackWiring.Store)}/{(topology.Options.Store == StoreKind.Etcd ? "etcd" : "store.db")}";
        string[] command = topology.Options.Store == StoreKind.Etcd
            ? ["etcd", "--name", "lab", "--data-dir", data, "--listen-client-urls", topology.StoreEndpoint, "--advertise-client-urls", topology.StoreEndpoint,
                "--listen-peer-urls", "http://127.0.0.1:2380", "--initial-advertise-peer-urls", "http://127.0.0.1:2380", "--initial-cluster", "lab=http://127.0.0.1:2380"]
            : [executable, "store", "--listen", listen, "--data", data];
        LabProcessRecord process = await LabProcess.StartAsync(RackWiring.Store, "store", RackWiring.Store, command, stop);
        Add(new LabMember
        {
            Name = RackWiring.Store,
            Kind = "store",
            Netns = LabFiles.NamespacePath(RackWiring.Store),
            Addresses = [Topology.StoreAddress.ToString()],
            Processes = [process],
            RunDir = LabFiles.RunDir(RackWiring.Store),
        });
        console.Step("store", $"{command[0].Split('/')[^1]} answers on {topology.StoreEndpoint}");
    }

    public async Task SwitchesAsync(CancellationToken stop)
    {
        foreach (LabSwitch self in topology.Switches)
        {
            _wiring.CreateSwitch(self);
            WriteFiles(self.Name, MachineSettings.Switch(topology, self));
        }

        await InParallelAsync(topology.Switches, async (self, token) =>
        {
            LabProcessRecord process = self.IsBird ? await StartBirdAsync(self, token) : await LabProcess.StartAsync(
                $"{self.Name}-router", "router", self.Name, [executable, "router", "--config", LabFiles.Settings(self.Name)], token);
            Add(new LabMember
            {
                Name = self.Name,
                Kind = "switch",
                Netns = LabFiles.NamespacePath(self.Name),
                Addresses = Addresses(self.RouterId, self.RackAddress, self.RackAddressV6),
                Processes = [process],
                RunDir = LabFiles.RunDir(self.Name),
            });
            console.Step(self.Name, $"{(self.IsBird ? "BIRD" : "router")} up, AS {self.As}, {MachineSettings.Neighbors(topology, self).Count()} neighbours configured");
        }, stop);
    }

    public async Task ResourcesAsync(CancellationToken stop)
    {
        string output = await ApplyAsync(ClusterResources.Cluster(topology), stop);
        console.Step("resources", $"{output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length} applied: pool {Topology.PodPool}, nodes, BGP peers");
    }

    public async Task NodesAsync(CancellationToken stop)
    {
        foreach (LabNode self in topology.Nodes)
        {
            _wiring.CreateNode(self);
            WriteFiles(self.Name, MachineSettings.Node(topology, self));
        }

        await InParallelAsync(topology.Nodes, async (self, token) =>
        {
            LabProcessRecord[] processes = await Task.WhenAll(
                LabProcess.StartAsync($"{self.Name}-agent", "agent", self.Name, [executable, "agent", "--config", LabFiles.Settings(self.Name)], token),
                LabProcess.StartAsync($"{self.Name}-router", "router", self.Name, [executable, "router", "--config", LabFiles.Settings(self.Name)], token));
            Add(new LabMember
            {
                Name = self.Name,
                Kind = "node",
                Netns = LabFiles.NamespacePath(self.Name),
                Addresses = Addresses(self.RackAddress.Address, self.RackAddress, self.RackAddressV6),
                Processes = processes,
                RunDir = LabFiles.RunDir(self.Name),
                Parent = self.Switch.Name,
                Labels = new Dictionary<string, string> { ["rack"] = self.Switch.Name },
            });
            console.Step(self.Name, $"agent and router up, {self.RackAddress.Address} in the rack of {self.Switch.Name}");
        }, stop);
    }

    /// <summary>Waits for every session of the rack, printing each as it comes up.</summary>
    public async Task SessionsAsync(CancellationToken stop)
    {
        HashSet<string> shown = [];
        string[] machines = [.. topology.Switches.Where(s => !s.IsBird).Select(s => s.Name), .. topology.Nodes.Select(n => n.Name)];
        int expected = machines.Sum(SessionsOf);
        long start = time.GetTimestamp();
        while (true)
        {
            SessionView[] sessions = [.. (await Task.WhenAll(machines.Select(m => RouterView.SessionsAsync(m, stop)))).SelectMany(s => s)];
            foreach (SessionView session in sessions.Where(s => s.IsEstablished && shown.Add($"{s.Machine} {s.Address}")))
            {
                console.Good("bgp", $"{session.Machine} <-> {session.Peer} ({session.Address}, AS {session.RemoteAs}) established");
            }

            if (shown.Count >= expected)
            {
                return;
            }

            if (time.GetElapsedTime(start) > s_sessionLimit)
            {
                string missing = string.Join("\n", sessions.Where(s => !s.IsEstablished).Select(s => $"    {s.Machine} -> {s.Peer} ({s.Address}): {s.State} {s.LastError}"));
                throw new LabException($"{shown.Count} of {expected} BGP sessions came up in {s_sessionLimit.TotalSeconds} s; missing:\n{missing}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), time, stop);
        }
    }

    public async Task<IReadOnlyList<RunningPod>> PodsAsync(CancellationToken stop)
    {
        ConcurrentBag<RunningPod> running = [];
        await InParallelAsync(topology.Pods, async (plan, token) =>
        {
            long start = time.GetTimestamp();
            RunningPod pod = await _pods.AddAsync(plan, token);
            TimeSpan took = time.GetElapsedTime(start);
            string machine = PodRunner.Machine(plan);
            LabProcessRecord process = await LabProcess.StartAsync($"pod-{machine}", "pod", machine, [executable, "lab", "pod", plan.Name], token);
            Add(new LabMember
            {
                Name = plan.Name,
                Kind = "pod",
                Netns = LabFiles.NamespacePath(machine),
                Addresses = [.. pod.Addresses.Select(a => a.ToString())],
                Processes = [process],
                Namespace = LabPod.Namespace,
                Parent = plan.Node.Name,
                Labels = new Dictionary<string, string> { ["app"] = plan.App },
                ContainerId = PodRunner.ContainerId(plan),
            });
            running.Add(pod);
            console.Step(plan.Name, $"CNI ADD on {plan.Node.Name} gave {string.Join(", ", pod.Addresses)} in {took.TotalMilliseconds:0} ms");
        }, stop);
        return [.. topology.Pods.Select(plan => running.Single(r => r.Plan == plan))];
    }

    public async Task DeletePodsAsync(IReadOnlyList<RunningPod> pods, CancellationToken stop) =>
        await InParallelAsync(pods, async (pod, token) =>
        {
            await _pods.DeleteAsync(pod.Plan, token);
            console.Step(pod.Plan.Name, $"CNI DEL on {pod.Plan.Node.Name} returned {string.Join(", ", pod.Addresses)}");
        }, stop);

    public Task<string> ApplyAsync(string yaml, CancellationToken stop) => CommandAsync(yaml, stop, "apply", "-f", "-");

    /// <summary>Runs a weft command next to the datastore and returns what it printed.</summary>
    public async Task<string> CommandAsync(string input, CancellationToken stop, params string[] arguments)
    {
        (int exitCode, string output, string error) = await LabProcess.RunAsync(
            RackWiring.Store, [executable, .. arguments, "--endpoints", topology.StoreEndpoint], input, new Dictionary<string, string>(), stop);
        return exitCode == 0 ? output : throw new LabException($"weft {string.Join(' ', arguments)} failed (exit {exitCode}):\n{output}{error}");
    }

    public void WriteState()
    {
        lock (_gate)
        {
            new LabState
            {
                Owner = new LabProcessRecord("lab", Environment.ProcessId, LabProcess.StartTicks(Environment.ProcessId) ?? 0),
                DatastoreEndpoint = topology.StoreEndpoint,
                DatastoreNetns = LabFiles.NamespacePath(RackWiring.Store),
                Keep = topology.Options.Keep,
                Members = [.. _members.OrderBy(m => m.Kind switch { "store" => 0, "switch" => 1, "node" => 2, _ => 3 }).ThenBy(m => m.Name, StringComparer.Ordinal)],
            }.Write();
        }
    }

    private int SessionsOf(string machine) =>
        topology.Switches.FirstOrDefault(s => s.Name == machine) is { } self
            ? MachineSettings.Neighbors(topology, self).Count()
            : topology.Options.IPv6 ? 2 : 1;

    private IReadOnlyList<string> Addresses(IpAddress first, InterfaceAddress rack, InterfaceAddress rackV6) =>
        [.. new[] { first, rack.Address }.Concat(topology.Options.IPv6 ? [rackV6.Address] : []).Distinct().Select(a => a.ToString())];

    private void Add(LabMember member)
    {
        lock (_gate)
        {
            _members.Add(member);
        }

        WriteState();
    }

    private static void WriteFiles(string machine, string settings)
    {
        const UnixFileMode ownerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Directory.CreateDirectory($"{LabFiles.RunDir(machine)}/secrets/bgp");
        File.WriteAllText(LabFiles.Settings(machine), settings);
        foreach (string key in new[] { $"{LabFiles.RunDir(machine)}/bgp.key", $"{LabFiles.RunDir(machine)}/secrets/bgp/rack" })
        {
            File.WriteAllText(key, MachineSettings.BgpPassword + "\n");
            File.SetUnixFileMode(key, ownerOnly);
        }
    }

    private async Task<LabProcessRecord> StartBirdAsync(LabSwitch self, CancellationToken stop)
    {
        string folder = LabFiles.RunDir(self.Name);
        await File.WriteAllTextAsync($"{folder}/bird.conf", MachineSettings.Bird(topology, self), stop);
        return await LabProcess.StartUntilFileAsync(
            $"{self.Name}-bird", "bird", self.Name, ["bird", "-f", "-c", $"{folder}/bird.conf", "-s", RouterView.BirdSocket(self)], RouterView.BirdSocket(self), stop);
    }

    private static Task InParallelAsync<T>(IEnumerable<T> items, Func<T, CancellationToken, Task> action, CancellationToken stop) =>
        Parallel.ForEachAsync(items, new ParallelOptions { MaxDegreeOfParallelism = StartedTogether, CancellationToken = stop }, async (item, token) => await action(item, token));
}
