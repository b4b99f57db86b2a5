using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Dataplane.Drivers;
using Weft.Dataplane.Drivers.IpSets;
using Weft.Dataplane.Drivers.NfTables;
using Weft.Dataplane.Rules;
using Weft.Linux.Namespaces;
using Weft.Linux.Netfilter;
using Weft.Linux.Netlink;
using Weft.Linux.Processes;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using IpSetMember = Weft.Dataplane.Drivers.IpSets.IpSetMember;
using IpSetType = Weft.Dataplane.Drivers.IpSets.IpSetType;
using RuleAction = Weft.Policy.Output.RuleAction;

namespace Weft.Load.Policy;

/// <summary>
/// What the nf_tables driver costs, in a namespace of its own: members of large sets, one policy of many, a start from empty and from what is there, and the
/// way of a packet through few and many endpoints. Prints the rows of RESULTS.md.
/// </summary>
internal static class Program
{
    private const int Members = 100_000;
    private const int Changes = 1000;

    /// <param name="args">Which of "addresses", "cidrs", "moves", "policy" and "packets"; none for all of them.</param>
    private static void Main(string[] args)
    {
        Measure("addresses", () => MembersOfASet("addresses", i => new IpPrefix(IpAddress.FromIPv4(0x0a000000u + (uint)i), 32)));
        Measure("cidrs", () => MembersOfASet("CIDRs of /24 to /28", i => new IpPrefix(IpAddress.FromIPv4(0x0a000000u + ((uint)i << 8)), 24 + (i % 5))));
        Measure("moves", EndpointsThatMove);
        Measure("policy", OnePolicyOfMany);
        foreach (int endpoints in (int[])[10, 1000, 10_000])
        {
            Measure("packets", () => WayOfAPacket(endpoints));
        }

        void Measure(string name, Action measure)
        {
            if (args.Length == 0 || args.Contains(name))
            {
                measure();
            }
        }
    }

    private static void MembersOfASet(string kind, Func<int, IpPrefix> member)
    {
        using World world = new();
        world.Rules.Sets.AddOrReplace(new IpSetMetadata("s:x", IpSetType.Net), Enumerable.Range(0, Members).Select(i => new IpSetMember(member(i))));
        DataplaneRule rule = new() { Action = RuleAction.Allow, SrcIpSetIds = ["s:x"] };
        world.Endpoints(1, [new ActivePolicyUpdate(Id(0), "default", [rule], [], "all()", PolicyTraits.None)]);
        double load = world.Apply();
        double floor = world.TakeKernelTime();
        List<double> times = [], floors = [];
        for (int i = 0; i < Changes; i++)
        {
            IpSetMember changed = new(member(Members + (i / 2)));
            long started = Stopwatch.GetTimestamp();
            if (i % 2 == 0)
            {
                world.Rules.Sets.AddMembers("s:x", [changed]);
            }
            else
            {
                world.Rules.Sets.RemoveMembers("s:x", [changed]);
            }

            world.Apply();
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            floors.Add(world.TakeKernelTime());
        }

        Print($"one member of {Members} {kind}", times, floors);
        Console.WriteLine($"| load of {Members} {kind} | {load:F0} | | {floor:F0} | |");
    }

    /// <summary>A label changes that moves 10 000 endpoints from one set to another.</summary>
    private static void EndpointsThatMove()
    {
        const int Moved = 10_000;
        using World world = new();
        IpSetMember[] members = [.. Enumerable.Range(0, Members).Select(i => new IpSetMember(new IpPrefix(IpAddress.FromIPv4(0x0a000000u + (uint)i), 32)))];
        world.Rules.Sets.AddOrReplace(new IpSetMetadata("s:x", IpSetType.Net), members);
        world.Rules.Sets.AddOrReplace(new IpSetMetadata("s:y", IpSetType.Net), []);
        DataplaneRule[] rules = [new() { Action = RuleAction.Allow, SrcIpSetIds = ["s:x"] }, new() { Action = RuleAction.Allow, SrcIpSetIds = ["s:y"] }];
        world.Endpoints(1, [new ActivePolicyUpdate(Id(0), "default", rules, [], "all()", PolicyTraits.None)]);
        world.Apply();
        world.TakeKernelTime();
        List<double> times = [], floors = [];
        for (int i = 0; i < Members / Moved; i++)
        {
            IpSetMember[] moved = members[(i * Moved)..((i + 1) * Moved)];
            long started = Stopwatch.GetTimestamp();
            world.Rules.Sets.AddMembers("s:y", moved);
            world.Rules.Sets.RemoveMembers("s:x", moved);
            world.Apply();
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            floors.Add(world.TakeKernelTime());
        }

        Print($"{Moved} members from one set to another", times, floors);
    }

    private static void Print(string what, List<double> times, List<double> floors) => Console.WriteLine(
        $"| {what} | {Quantile(times, 50):F3} | {Quantile(times, 99):F3} | {Quantile(floors, 50):F3} | {Quantile(floors, 99):F3} |");

    private static void OnePolicyOfMany()
    {
        using World world = new();
        ActivePolicyUpdate[] policies = [.. Enumerable.Range(0, 2500).Select(i => Policy(i, 80))];
        world.Endpoints(1000, policies);
        double load = world.Apply();
        double floor = world.TakeKernelTime();
        List<double> times = [], floors = [];
        for (int i = 0; i < Changes; i++)
        {
            ActivePolicyUpdate changed = Policy(i % 1000, i % 2 == 0 ? (ushort)81 : (ushort)80);
            long started = Stopwatch.GetTimestamp();
            world.Set(changed);
            world.Apply();
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            floors.Add(world.TakeKernelTime());
        }

        int rules = world.CountRules();
        Print($"one policy, {rules} rules and 1000 endpoints in the kernel", times, floors);
        Console.WriteLine($"| full start from empty | {load:F0} | | {floor:F0} | |");
        using NfTablesSocket socket = NfTablesSocket.Open(IpFamily.IPv4, world.Space);
        World again = new(world.Space);
        again.Endpoints(1000, [.. Enumerable.Range(0, 2500).Select(i => Policy(i, i < 1000 && (i % 2 == 0) ? (ushort)81 : (ushort)80))]);
        double restart = again.Apply();
        Console.WriteLine($"| restart with the same intent | {restart:F0} | | transactions: {again.Rules.Writes} | |");
    }

    /// <summary>One thread sends and receives: the way through the node's FORWARD is carried out inside the call that sends.</summary>
    private static void WayOfAPacket(int endpoints)
    {
        using World world = new();
        using Pair pair = new(world);
        world.Endpoints(endpoints, [.. Enumerable.Range(0, endpoints).Select(i => Policy(i, 9000))], pair.Interfaces);
        world.Apply();
        double established = pair.NanosecondsOneWay();
        double fresh = pair.MicrosecondsNewFlow();
        Console.WriteLine($"| packet, {endpoints} endpoints and policies | established, one way: {established:F0} ns | first packet of a flow: {fresh:F2} us | |");
    }

    private static PolicyId Id(int i) => new("GlobalNetworkPolicy", "", $"p{i}");

    private static ActivePolicyUpdate Policy(int i, ushort port) => new(
        Id(i), "default",
        [
            .. Enumerable.Range(0, 5).Select(r => new DataplaneRule { Action = RuleAction.Allow, Protocol = 6, DstPorts = [new PortRange((ushort)(port + r), (ushort)(port + r))] }),
            new DataplaneRule { Action = RuleAction.Allow, Protocol = 17, DstPorts = [new PortRange(port, port)] },
        ],
        [new DataplaneRule { Action = RuleAction.Allow }], "all()", PolicyTraits.None);

    private static double Quantile(List<double> values, int percent)
    {
        values.Sort();
        return values[Math.Min(values.Count - 1, values.Count * percent / 100)];
    }

    /// <summary>A namespace, the driver of IPv4, and the renderers before it.</summary>
    private sealed class World : IDisposable
    {
        private readonly string? _name;
        private readonly TimedNetlink _netlink;
        private readonly NfTablesSocket _socket;
        private readonly RuleSettings _settings = new();

        public World(NetNamespace? space = null)
        {
            _name = space is null ? $"policy-bench-{Environment.ProcessId}" : null;
            Space = space ?? NamedNamespaces.Create(_name!);
            _netlink = new TimedNetlink(NfTablesSocket.OpenNetlink(Space));
            _socket = new NfTablesSocket(_netlink, IpFamily.IPv4);
            Rules = new NfTablesRules(_socket, IpFamily.IPv4, new NfCommits(), TimeProvider.System, NullLogger<NfTablesRules>.Instance, TimeSpan.Zero);
            StaticRenderer renderer = new(_settings, IpFamily.IPv4, Rules.Sets.NameOf);
            renderer.RenderRaw(Rules.Raw);
            renderer.RenderMangle(Rules.Mangle);
            renderer.RenderNat(Rules.Nat);
            renderer.RenderFilter(Rules.Filter);
            Rules.Filter.SetChain(renderer.CidrBlock([]));
            Rules.Nat.SetChain(new NatRenderer(_settings, IpFamily.IPv4, Rules.Sets.NameOf).NatOutgoing(anyPool: false));

            // No host endpoints, no pod that may spoof. A chain that nobody defines drops: without these no packet comes through.
            Rules.Raw.SetChain(new Dataplane.Rules.Model.Chain(ChainNames.RpfSkip, []));
            DispatchRenderer dispatch = new(_settings);
            foreach (IRuleTable table in (IRuleTable[])[Rules.Filter, Rules.Mangle, Rules.Raw])
            {
                table.SetDispatch(DispatchRenderer.FromHosts(ChainNames.FromHostEndpoint, [], hasAny: false, ChainNames.FromHost));
                table.SetDispatch(dispatch.ToHosts(ChainNames.ToHostEndpoint, [], hasAny: false, ChainNames.ToHost));
            }

            Rules.Filter.SetDispatch(DispatchRenderer.FromHosts(ChainNames.FromHostForward, [], hasAny: false, ChainNames.FromHostForwarded));
            Rules.Filter.SetDispatch(dispatch.ToHosts(ChainNames.ToHostForward, [], hasAny: false, ChainNames.ToHostForwarded));
        }

        public NetNamespace Space { get; }

        public NfTablesRules Rules { get; }

        public void Set(ActivePolicyUpdate policy)
        {
            foreach (Dataplane.Rules.Model.Chain chain in new PolicyRenderer(_settings, IpFamily.IPv4, Rules.Sets.NameOf, static _ => false).Policy(policy))
            {
                Rules.Filter.SetChain(chain);
            }
        }

        /// <summary>Each endpoint has a few of the policies.</summary>
        public void Endpoints(int count, ActivePolicyUpdate[] policies, string[]? first = null)
        {
            string[] names = [.. first ?? [], .. Enumerable.Range(0, count - (first?.Length ?? 0)).Select(i => $"cali{i:x}")];
            foreach (ActivePolicyUpdate policy in policies)
            {
                Set(policy);
            }

            EndpointRenderer renderer = new(_settings);
            for (int i = 0; i < names.Length; i++)
            {
                PolicyId[] used = [.. Enumerable.Range(0, Math.Min(3, policies.Length)).Select(k => policies[(i + (k * 833)) % policies.Length].Id)];
                WorkloadEndpointUpdate endpoint = new(
                    new WorkloadEndpointId("k8s", names[i], "eth0"), names[i], names[i], null, [], [], [new TierPolicies("default", false, used, used)], [], 1);
                foreach (Dataplane.Rules.Model.Chain chain in renderer.Workload(endpoint))
                {
                    Rules.Filter.SetChain(chain);
                }
            }

            DispatchRenderer dispatch = new(_settings);
            Rules.Filter.SetDispatch(dispatch.FromWorkloads(names));
            Rules.Filter.SetDispatch(dispatch.ToWorkloads(names));
        }

        /// <summary>Milliseconds in the kernel since the last call: the floor of what was written meanwhile.</summary>
        public double TakeKernelTime() => _netlink.Take();

        public double Apply()
        {
            long started = Stopwatch.GetTimestamp();
            if (!Rules.ApplyUpdates().IsDone)
            {
                throw new InvalidOperationException("the kernel refused");
            }

            return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        }

        public int CountRules()
        {
            List<KernelRule> rules = [];
            _socket.ReadRules("weft-filter", rules);
            return rules.Count;
        }

        public void Dispose()
        {
            _socket.Dispose();
            if (_name is not null)
            {
                Space.Dispose();
                NamedNamespaces.Delete(_name);
            }
        }
    }

    /// <summary>Two pods behind the node, each with a socket.</summary>
    private sealed class Pair : IDisposable
    {
        private const int Port = 9000;
        private const int Batches = 200;
        private const int BatchSize = 500;

        private readonly World _world;
        private readonly NetNamespace[] _pods;
        private readonly string[] _names;

        public Pair(World world)
        {
            _world = world;
            _names = [.. Interfaces.Select(name => $"{name}-{Environment.ProcessId}")];
            _pods = [.. _names.Select(NamedNamespaces.Create)];
            ProcessRunner node = new(world.Space);
            Sh(node, "sysctl -qw net.ipv4.ip_forward=1");
            for (int i = 0; i < 2; i++)
            {
                Sh(node, $"ip link add {Interfaces[i]} type veth peer name eth0 netns {_names[i]}");
                Sh(node, $"ip address add 10.77.{i}.1/24 dev {Interfaces[i]}");
                Sh(node, $"ip link set {Interfaces[i]} up");
                ProcessRunner pod = new(_pods[i]);
                Sh(pod, $"ip address add 10.77.{i}.2/24 dev eth0");
                Sh(pod, "ip link set eth0 up");
                Sh(pod, $"ip route add default via 10.77.{i}.1");
            }
        }

        public string[] Interfaces { get; } = ["calibencha", "calibenchb"];

        public double NanosecondsOneWay()
        {
            using Socket receiver = Open(1, Port);
            using Socket sender = Open(0, 0);
            byte[] data = new byte[64];
            EndPoint to = new IPEndPoint(IPAddress.Parse("10.77.1.2"), Port), from = new IPEndPoint(IPAddress.Any, 0);
            sender.SendTo(data, to);
            receiver.ReceiveFrom(data, ref from);
            receiver.SendTo(data, from); // The answer makes the flow an established one.
            sender.Receive(data);
            List<double> times = [];
            for (int batch = 0; batch < Batches; batch++)
            {
                long started = Stopwatch.GetTimestamp();
                for (int i = 0; i < BatchSize; i++)
                {
                    sender.SendTo(data, to);
                    receiver.Receive(data);
                }

                times.Add(Stopwatch.GetElapsedTime(started).TotalNanoseconds / BatchSize);
            }

            return Quantile(times, 50);
        }

        public double MicrosecondsNewFlow()
        {
            using Socket receiver = Open(1, Port);
            byte[] data = new byte[64];
            EndPoint to = new IPEndPoint(IPAddress.Parse("10.77.1.2"), Port);
            List<double> times = [];
            for (int i = 0; i < 5000; i++)
            {
                using Socket sender = Open(0, 10_000 + i);
                long started = Stopwatch.GetTimestamp();
                sender.SendTo(data, to);
                receiver.Receive(data);
                times.Add(Stopwatch.GetElapsedTime(started).TotalMicroseconds);
            }

            return Quantile(times, 50);
        }

        public void Dispose()
        {
            for (int i = 0; i < 2; i++)
            {
                _pods[i].Dispose();
                NamedNamespaces.Delete(_names[i]);
            }
        }

        private Socket Open(int pod, int port) => _pods[pod].Run(() =>
        {
            Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 2000 };
            socket.Bind(new IPEndPoint(IPAddress.Any, port));
            return socket;
        });

        private static void Sh(ProcessRunner runner, string command)
        {
            string[] words = command.Split(' ');
            ProcessResult result = runner.Run(new ProcessRequest(words[0], words[1..]));
            if (!result.IsSuccess)
            {
                throw new InvalidOperationException($"{command}: {result}");
            }
        }
    }
}
