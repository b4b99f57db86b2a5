using System.Net.Sockets;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleAction = Weft.Policy.Output.RuleAction;

namespace Weft.Dataplane.Tests.Equality;

/// <summary>
/// The same policies, endpoints and packets against every backend and against a model written here: real connections between namespaces, both families.
/// WEFT_EQUALITY_ROUNDS makes it longer than the tests of every day.
/// </summary>
public sealed class BackendEqualityTests
{
    private const int Pods = 4;

    private const int LongPatience = 4000;

    private static readonly DataplaneRule s_allow = new() { Action = RuleAction.Allow };
    private static readonly ActiveProfileUpdate s_open = new("open", [s_allow], [s_allow]);
    private static readonly PolicyId s_policy = new("GlobalNetworkPolicy", "", "p");

    public static TheoryData<RuleBackendChoice> Backends => [RuleBackendChoice.NfTables, RuleBackendChoice.IpTablesNft, RuleBackendChoice.IpTablesLegacy];

    private static int Rounds => int.TryParse(Environment.GetEnvironmentVariable("WEFT_EQUALITY_ROUNDS"), out int rounds) ? rounds : 3;

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task RandomPolicies_MeanWhatTheModelSays(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        Dictionary<int, Pod> world = Enumerable.Range(1, Pods).ToDictionary(i => i, i => node.AddPod(i));
        foreach (Pod pod in world.Values)
        {
            foreach (int port in RandomPolicies.Ports)
            {
                pod.Serve(port);
            }

            pod.ServeSctp();
        }

        node.Start();
        ushort sourcePort = 29000;
        int allowed = 0, denied = 0;
        for (int seed = 1; seed <= Rounds; seed++)
        {
            PolicyModel model = new();
            await node.SendAsync([.. new RandomPolicies(seed, [.. world.Values.SelectMany(p => new[] { p.IPv4, p.IPv6 })]).Fill(model, world, seed), new InSync()]);
            foreach (Pod pod in world.Values)
            {
                await node.Progress.WaitAsync(pod, seed);
            }

            Probe[] probes = [.. AllProbes(world, () => sourcePort++)];
            (int Allowed, int Denied) seen = await ProbeSender.CompareAsync(
                probes, p => world[p.From], model.Allows, probe => $"{backend}, seed {seed}: {probe}\n{node.Rules("-c")}");
            (allowed, denied) = (allowed + seen.Allowed, denied + seen.Denied);
        }

        Assert.True(allowed > 20 && denied > 20, $"{allowed} allowed and {denied} denied: the world says too little");
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task EstablishedFlow_OutlivesAPolicyThatDeniesIt_NewOnesDoNotBegin(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        (Pod a, Pod b) = (node.AddPod(1), node.AddPod(2));
        b.Serve(80);
        node.Start();
        TierPolicies[] tiers = [new TierPolicies("default", false, [s_policy], [])];
        await node.SendAsync(s_open, Policy(RuleAction.Allow), a.Endpoint(profiles: ["open"]), b.Endpoint(tiers), new InSync());
        await Task.WhenAll(node.Progress.WaitAsync(a), node.Progress.WaitAsync(b));
        using Socket? v4 = await a.ConnectAsync(b.IPv4, 80, LongPatience), v6 = await a.ConnectAsync(b.IPv6, 80, LongPatience);

        await node.SendAsync(Policy(RuleAction.Deny), b.Endpoint(tiers, revision: 2));
        await node.Progress.WaitAsync(b, 2);

        Assert.True(await Pod.EchoAsync(v4!, LongPatience));
        Assert.True(await Pod.EchoAsync(v6!, LongPatience));
        bool[] begun = await Task.WhenAll(a.TcpAsync(b.IPv4, 80), a.TcpAsync(b.IPv6, 80));
        Assert.Equal([false, false], begun);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task PolicyAndProfileThatNobodyDefined_Deny(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        (Pod a, Pod b, Pod c) = (node.AddPod(1), node.AddPod(2), node.AddPod(3));
        b.Serve(80);
        c.Serve(80);
        node.Start();
        await node.SendAsync(
            s_open, a.Endpoint(profiles: ["open"]), b.Endpoint([new TierPolicies("default", true, [new PolicyId("NetworkPolicy", "ns", "unknown")], [])], ["open"]),
            c.Endpoint(profiles: ["unknown", "open"]), new InSync());
        await Task.WhenAll(node.Progress.WaitAsync(a), node.Progress.WaitAsync(b), node.Progress.WaitAsync(c));

        bool[] passed = await Task.WhenAll(a.TcpAsync(b.IPv4, 80), a.TcpAsync(b.IPv6, 80), a.TcpAsync(c.IPv4, 80), a.UdpAsync(c.IPv6, 80));
        Assert.Equal([false, false, false, false], passed);
    }

    [Theory]
    [InlineData(RuleBackendChoice.IpTablesNft, RuleBackendChoice.NfTables)]
    [InlineData(RuleBackendChoice.IpTablesLegacy, RuleBackendChoice.NfTables)]
    [InlineData(RuleBackendChoice.NfTables, RuleBackendChoice.IpTablesNft)]
    public async Task SwitchOfBackend_IsNeverOpen_KeepsFlows_AndLeavesNothingOfTheOld(RuleBackendChoice from, RuleBackendChoice to)
    {
        await using PodNode node = new(from);
        (Pod a, Pod b, Pod c) = (node.AddPod(1), node.AddPod(2), node.AddPod(3));
        b.Serve(80);
        c.Serve(80);
        DataplaneUpdate[] state =
        [
            s_open, new IpSetUpdate("s:x", IpSetType.Net, new HashSet<IpSetMember> { new(a.IPv4.ToPrefix()) }),
            new ActivePolicyUpdate(s_policy, "default", [new DataplaneRule { Action = RuleAction.Allow, SrcIpSetIds = ["s:x"] }], [], "all()", PolicyTraits.None),
            a.Endpoint(profiles: ["open"]), b.Endpoint([new TierPolicies("default", false, [s_policy], [])]), c.Endpoint(profiles: ["open"]), new InSync(),
        ];
        node.Start();
        await node.SendAsync(state);
        await Task.WhenAll(node.Progress.WaitAsync(a), node.Progress.WaitAsync(b), node.Progress.WaitAsync(c));
        using Socket? flow = await a.ConnectAsync(b.IPv4, 80, LongPatience);
        await node.StopAsync();

        using CancellationTokenSource end = new();
        Task<int> intruder = IntrudeAsync(c, b.IPv4, end.Token);
        node.Start(backend: to);
        await node.SendAsync(state);
        await PodNode.Eventually(() => !Old().Contains("cali", StringComparison.Ordinal), "the old rules to go");
        await end.CancelAsync();

        Assert.Equal(0, await intruder);
        Assert.True(await Pod.EchoAsync(flow!, LongPatience));
        Assert.True(await a.TcpAsync(b.IPv4, 80, LongPatience));
        Assert.False(await c.TcpAsync(b.IPv4, 80));
        return;

        string Old() => from switch
        {
            RuleBackendChoice.NfTables => node.Sh("nft list tables").Contains("weft-", StringComparison.Ordinal) ? "cali" : string.Empty,
            RuleBackendChoice.IpTablesLegacy => node.Sh("iptables-legacy-save") + node.Sh("ip6tables-legacy-save") + node.Sh("ipset list -name"),
            _ => node.Sh("iptables-nft-save") + node.Sh("ip6tables-nft-save") + node.Sh("ipset list -name"),
        };
    }

    private static ActivePolicyUpdate Policy(RuleAction action) => new(s_policy, "default", [new DataplaneRule { Action = action }], [], "all()", PolicyTraits.None);

    private static async Task<int> IntrudeAsync(Pod from, IpAddress to, CancellationToken stop)
    {
        int passed = 0;
        while (!stop.IsCancellationRequested)
        {
            bool[] tries = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => from.UdpAsync(to, 80, 30)));
            passed += tries.Count(t => t);
        }

        return passed;
    }

    private static IEnumerable<Probe> AllProbes(Dictionary<int, Pod> world, Func<ushort> nextPort)
    {
        foreach ((int from, Pod source) in world)
        {
            foreach ((int to, Pod target) in world.Where(w => w.Key != from))
            {
                foreach (byte protocol in (byte[])[6, 17, SctpSocket.Protocol])
                {
                    foreach (int port in RandomPolicies.Ports)
                    {
                        yield return new Probe(from, to, source.IPv4, target.IPv4, protocol, nextPort(), (ushort)port, 0);
                        yield return new Probe(from, to, source.IPv6, target.IPv6, protocol, nextPort(), (ushort)port, 0);
                    }
                }

                yield return new Probe(from, to, source.IPv4, target.IPv4, 1, nextPort(), 0, 8);
                yield return new Probe(from, to, source.IPv6, target.IPv6, 58, nextPort(), 0, 128);
            }
        }
    }
}
