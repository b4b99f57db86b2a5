using System.Net.Sockets;
using System.Text.RegularExpressions;
using Weft.Dataplane.Drivers;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleAction = Weft.Policy.Output.RuleAction;

namespace Weft.Dataplane.Tests;

/// <summary>Updates in, real connections between pods out.</summary>
public sealed class WorkloadTrafficTests
{
    private static readonly DataplaneRule s_allow = new() { Action = RuleAction.Allow };
    private static readonly ActiveProfileUpdate s_open = new("open", [s_allow], [s_allow]);
    private static readonly PolicyId s_policy = new("NetworkPolicy", "default", "p");

    public static TheoryData<RuleBackendChoice> Backends => [RuleBackendChoice.NfTables, RuleBackendChoice.IpTablesNft];

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task Profile_Allows_TcpAndUdp_BothFamilies_AndWithoutItEverythingIsDropped(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        (Pod a, Pod b, Pod c) = (node.AddPod(1), node.AddPod(2), node.AddPod(3));
        b.Serve(80);
        c.Serve(80);
        node.Start();

        await node.SendAsync(s_open, a.Endpoint(profiles: ["open"]), b.Endpoint(profiles: ["open"]), c.Endpoint(), new InSync());
        await node.Progress.WaitAsync(a);
        await node.Progress.WaitAsync(b);
        await node.Progress.WaitAsync(c);

        Assert.True(await a.TcpAsync(b.IPv4, 80), node.Dump());
        Assert.True(await a.UdpAsync(b.IPv4, 80));
        Assert.True(await a.TcpAsync(b.IPv6, 80, 2000), node.Dump());
        Assert.True(await a.UdpAsync(b.IPv6, 80));
        bool[] closed = await Task.WhenAll(a.TcpAsync(c.IPv4, 80), a.UdpAsync(c.IPv4, 80), a.TcpAsync(c.IPv6, 80), c.TcpAsync(b.IPv4, 80), c.UdpAsync(b.IPv6, 80));
        Assert.Equal([false, false, false, false, false], closed);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task Hits_AreCountedByTheRuleThatMatched_InBothFamilies(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        (Pod server, Pod client) = (node.AddPod(1), node.AddPod(2));
        server.Serve(80);
        server.Serve(81);
        ActivePolicyUpdate policy = new(
            s_policy, "default",
            [
                new DataplaneRule { Action = RuleAction.Deny, Protocol = 6, DstPorts = [new PortRange(81, 81)] },
                new DataplaneRule { Action = RuleAction.Allow, Protocol = 17 },
                new DataplaneRule { Action = RuleAction.Allow, Protocol = 6, SrcNets = [client.IPv6.ToPrefix()] },
                new DataplaneRule { Action = RuleAction.Allow, Protocol = 6, DstPorts = [new PortRange(80, 80)] },
            ],
            [], "all()", PolicyTraits.None);
        node.Start();
        await node.SendAsync(
            policy, s_open, server.Endpoint([new TierPolicies("default", false, [s_policy], [])], ["open"]), client.Endpoint(profiles: ["open"]), new InSync());
        await Task.WhenAll(node.Progress.WaitAsync(server), node.Progress.WaitAsync(client));

        Assert.True(await client.TcpAsync(server.IPv4, 80, 2000));
        Assert.True(await client.TcpAsync(server.IPv6, 80, 2000));
        Assert.False(await client.TcpAsync(server.IPv4, 81));

        IReadOnlyList<RuleHits> hits = await node.ReadHitsAsync();
        long[] packets = [.. hits.Where(h => h.Owner.StartsWith(s_policy.Kind, StringComparison.Ordinal) && h.Owner.EndsWith(" ingress", StringComparison.Ordinal)).Select(h => h.Packets)];
        Assert.Equal(4, packets.Length);
        Assert.Equal([true, false, true, true], packets.Select(static p => p > 0)); // How many: an opening packet may be sent again.
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task Policy_SelectsPortsSetsAndNets(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        (Pod server, Pod friend, Pod stranger) = (node.AddPod(1), node.AddPod(2), node.AddPod(3));
        foreach (int port in (int[])[80, 81, 90, 100, 110])
        {
            server.Serve(port);
        }

        ActivePolicyUpdate policy = new(
            s_policy, "default",
            [
                new DataplaneRule { Action = RuleAction.Deny, Protocol = 6, DstPorts = [new PortRange(110, 110)] },
                new DataplaneRule { Action = RuleAction.Allow, Protocol = 6, DstPorts = [new PortRange(80, 81)], SrcIpSetIds = ["s:friends"] },
                new DataplaneRule { Action = RuleAction.Allow, Protocol = 6, DstPorts = [new PortRange(90, 90)], SrcNets = [friend.IPv4.ToPrefix(), IpPrefix.Parse("192.168.0.0/16"), friend.IPv6.ToPrefix()] },
                new DataplaneRule { Action = RuleAction.Allow, Protocol = 6, DstNamedPortIpSetIds = ["n:service"] },
                new DataplaneRule { Action = RuleAction.Allow, Protocol = 6, DstPorts = [new PortRange(110, 110)] },
            ],
            [], "all()", PolicyTraits.None);
        node.Start();

        await node.SendAsync(
            new IpSetUpdate("s:friends", IpSetType.Net, new HashSet<IpSetMember> { new(friend.IPv4.ToPrefix()), new(friend.IPv6.ToPrefix()) }),
            new IpSetUpdate("n:service", IpSetType.IpAndPort, new HashSet<IpSetMember> { new(server.IPv4.ToPrefix(), 6, 100), new(server.IPv6.ToPrefix(), 6, 100) }),
            policy, s_open, server.Endpoint([new TierPolicies("default", false, [s_policy], [])], ["open"]), friend.Endpoint(profiles: ["open"]),
            stranger.Endpoint(profiles: ["open"]), new InSync());
        await Task.WhenAll(node.Progress.WaitAsync(server), node.Progress.WaitAsync(friend), node.Progress.WaitAsync(stranger));

        foreach (IpAddress address in (IpAddress[])[server.IPv4, server.IPv6])
        {
            Assert.True(await friend.TcpAsync(address, 80, 2000), $"{address} set and range");
            Assert.True(await friend.TcpAsync(address, 81));
            Assert.True(await friend.TcpAsync(address, 90), $"{address} net");
            Assert.True(await stranger.TcpAsync(address, 100), $"{address} named port");
            bool[] closed = await Task.WhenAll(
                stranger.TcpAsync(address, 80), stranger.TcpAsync(address, 90), friend.TcpAsync(address, 110), friend.UdpAsync(address, 80), stranger.UdpAsync(address, 100));
            Assert.Equal([false, false, false, false, false], closed);
        }

        // A member that joins the set is let in; the rule tables are not written for that.
        await node.SendAsync(new IpSetDeltaUpdate("s:friends", [new IpSetMember(stranger.IPv4.ToPrefix())], [new IpSetMember(friend.IPv4.ToPrefix())]));
        await PodNode.Eventually(() => stranger.TcpAsync(server.IPv4, 80).GetAwaiter().GetResult(), "the new member to be let in");
        Assert.False(await friend.TcpAsync(server.IPv4, 80));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task Egress_AndTiers_PassToTheNextTier(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        (Pod a, Pod b) = (node.AddPod(1), node.AddPod(2));
        b.Serve(80);
        b.Serve(81);
        PolicyId first = new("GlobalNetworkPolicy", "", "first"), second = new("GlobalNetworkPolicy", "", "second");
        node.Start();

        await node.SendAsync(
            s_open,
            new ActivePolicyUpdate(first, "t1", [], [new DataplaneRule { Action = RuleAction.Pass, Protocol = 6 }], "all()", PolicyTraits.None),
            new ActivePolicyUpdate(second, "t2", [], [new DataplaneRule { Action = RuleAction.Allow, Protocol = 6, DstPorts = [new PortRange(80, 80)] }], "all()", PolicyTraits.None),
            a.Endpoint([new TierPolicies("t1", false, [], [first]), new TierPolicies("t2", false, [], [second])], ["open"]), b.Endpoint(profiles: ["open"]), new InSync());
        await Task.WhenAll(node.Progress.WaitAsync(a), node.Progress.WaitAsync(b));

        Assert.True(await a.TcpAsync(b.IPv4, 80));
        bool[] closed = await Task.WhenAll(a.TcpAsync(b.IPv4, 81), a.UdpAsync(b.IPv4, 80));
        Assert.Equal([false, false], closed);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task UnknownEndpoint_IsDropped_UntilItIsKnown_AndAfterItIsRemoved(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        (Pod a, Pod b) = (node.AddPod(1), node.AddPod(2));
        a.Serve(80);
        node.Sh($"ip route add {b.IPv4} dev {b.Interface}");
        node.Start();
        await node.SendAsync(s_open, a.Endpoint(profiles: ["open"]), new InSync());
        await node.Progress.WaitAsync(a);
        node.Sh($"sysctl -qw net.ipv4.conf.{b.Interface}.proxy_arp=1 net.ipv4.conf.{b.Interface}.forwarding=1");

        bool before = await b.TcpAsync(a.IPv4, 80);
        await node.SendAsync(b.Endpoint(profiles: ["open"]));
        await node.Progress.WaitAsync(b);
        bool while_ = await b.TcpAsync(a.IPv4, 80);
        await node.SendAsync(new WorkloadEndpointRemove(b.Id));
        await PodNode.Eventually(() => !node.Sh("ip route").Contains(b.IPv4.ToString(), StringComparison.Ordinal), "its route to go");
        node.Sh($"ip route add {b.IPv4} dev {b.Interface}");
        bool after = await b.TcpAsync(a.IPv4, 80);

        Assert.Equal([false, true, false], new[] { before, while_, after });
        Assert.DoesNotContain(b.Interface, node.Rules(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task ForgedSource_IsDropped_UnlessTheEndpointMaySpoof(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        (Pod a, Pod b) = (node.AddPod(1), node.AddPod(2));
        b.Serve(80);
        IpAddress forged = IpAddress.Parse("10.99.0.1");
        PodNode.Run(new Weft.Linux.Processes.ProcessRunner(a.Space), $"ip address add {forged}/32 dev lo");
        node.Start();
        await node.SendAsync(s_open, a.Endpoint(profiles: ["open"]), b.Endpoint(profiles: ["open"]), new InSync());
        await Task.WhenAll(node.Progress.WaitAsync(a), node.Progress.WaitAsync(b));

        // The answer needs a way back, which the dataplane gives nobody: so look at what arrives.
        await a.UdpAsync(b.IPv4, 80, 200, forged);
        string dropped = node.Rules("-c -t raw");
        await node.SendAsync(a.Endpoint(profiles: ["open"], revision: 2, spoof: [IpPrefix.Parse("10.99.0.0/24")]));
        await node.Progress.WaitAsync(a, 2);
        await a.UdpAsync(b.IPv4, 80, 200, forged);
        string skipped = node.Rules("-c -t raw");

        bool native = backend == RuleBackendChoice.NfTables;
        Assert.Matches(native ? @"fib saddr \. mark \. iif oif 0 counter packets [1-9]\d* .*drop" : @"\[[1-9]\d*:\d+\] -A cali-PREROUTING .*rpfilter.*DROP", dropped);
        Assert.Matches(native ? @"ip saddr 10.99.0.0/24 counter packets [1-9]\d* .*accept" : @"\[[1-9]\d*:\d+\] -A cali-rpf-skip -s 10.99.0.0/24 .*ACCEPT", skipped);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task InvalidEndpoint_IsClosed_EstablishedFlowsToo_AndReported(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        (Pod a, Pod b) = (node.AddPod(1), node.AddPod(2));
        b.Serve(80);
        node.Start();
        await node.SendAsync(s_open, a.Endpoint(profiles: ["open"]), b.Endpoint(profiles: ["open"]), new InSync());
        await Task.WhenAll(node.Progress.WaitAsync(a), node.Progress.WaitAsync(b));
        using Socket? flow = await a.ConnectAsync(b.IPv4, 80);
        Assert.NotNull(flow);

        await node.SendAsync(b.Endpoint(revision: 2, problem: "spec.ingress[0].action: nonsense"));
        await node.Progress.WaitForProblemAsync(b);

        Assert.False(await Pod.EchoAsync(flow));
        Assert.False(await a.TcpAsync(b.IPv4, 80));
        Assert.Contains("nonsense", node.Progress.ProblemOf(b), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task NothingIsWritten_BeforeInSync(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        Pod a = node.AddPod(1);
        node.Start();

        await node.SendAsync(s_open, a.Endpoint(profiles: ["open"]));
        await Task.Delay(300);

        Assert.Equal(0, node.Runner.Writes);
        Assert.DoesNotContain("cali", node.Rules(), StringComparison.Ordinal);
        Assert.DoesNotContain(a.IPv4.ToString(), node.Sh("ip route"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(RuleBackendChoice.NfTables)]
    [InlineData(RuleBackendChoice.IpTablesNft)]
    [InlineData(RuleBackendChoice.IpTablesLegacy)]
    public async Task Restart_RewritesNothing_AndFlowsGoOn(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        (Pod a, Pod b) = (node.AddPod(1), node.AddPod(2));
        b.Serve(80);
        DataplaneUpdate[] state =
        [
            new IpSetUpdate("s:x", IpSetType.Net, new HashSet<IpSetMember> { new(a.IPv4.ToPrefix()), new(a.IPv6.ToPrefix()) }),
            new ActivePolicyUpdate(
                s_policy, "default", [new DataplaneRule { Action = RuleAction.Allow, Protocol = 6, SrcIpSetIds = ["s:x"], SrcNets = [IpPrefix.Parse("10.0.0.0/8"), IpPrefix.Parse("fd00::/8")] }], [],
                "all()", PolicyTraits.None),
            s_open, a.Endpoint(profiles: ["open"]), b.Endpoint([new TierPolicies("default", false, [s_policy], [])], ["open"]),
            new HostMetadataUpdate("n", IpAddress.Parse("172.16.0.1"), null),
            new IpamPoolUpdate(IpPrefix.Parse("10.65.0.0/16"), true, EncapMode.Never, EncapMode.Never, ["Workload"]), new InSync(),
        ];
        node.Start();
        await node.SendAsync(state);
        await Task.WhenAll(node.Progress.WaitAsync(a), node.Progress.WaitAsync(b));
        using Socket? flow = await a.ConnectAsync(b.IPv4, 80);
        Assert.True(await Pod.EchoAsync(flow!));
        string before = Kernel(node);
        string counters = node.Rules("-c -t filter");
        int writes = node.Runner.Writes;

        await node.StopAsync();
        bool between = await Pod.EchoAsync(flow!);
        int rounds = node.Reports.Count;
        node.Start();
        await node.SendAsync(state);
        await PodNode.Eventually(() => node.Reports.Count > rounds, "the first round");

        Assert.True(between);
        Assert.Equal(writes, node.Runner.Writes);
        Assert.Equal(before, Kernel(node));
        Assert.True(Counted(node.Rules("-c -t filter")) >= Counted(counters), "counters were reset");
        Assert.True(await Pod.EchoAsync(flow!));
    }

    [Fact]
    public async Task RoutesNeighboursAndSettings_AreThere_WhenProgrammedIsSaid_AlsoForAnInterfaceThatComesLate()
    {
        await using PodNode node = new();
        Pod a = node.AddPod(1);
        node.Sh($"ip link set {a.Interface} down");
        node.Start();
        MacAddress mac = MacAddress.Parse("02:00:00:00:00:01");
        await node.SendAsync(s_open, a.Endpoint(profiles: ["open"]) with { Mac = mac }, new InSync());
        await node.Progress.WaitForProblemAsync(a);
        Assert.Contains("does not exist or is down", node.Progress.ProblemOf(a), StringComparison.Ordinal);

        node.Sh($"ip link set {a.Interface} up");
        await node.Progress.WaitAsync(a);

        Assert.Contains($"{a.IPv4} dev {a.Interface} proto 80 scope link metric 1024", node.Sh("ip -4 route"), StringComparison.Ordinal);
        Assert.Contains($"{a.IPv6} dev {a.Interface} proto 80 metric 1024", node.Sh("ip -6 route"), StringComparison.Ordinal);
        Assert.Matches($@"{a.IPv4} dev {a.Interface} lladdr {mac} .*PERMANENT", node.Sh("ip neigh"));
        Assert.Equal("1", node.Sh($"cat /proc/sys/net/ipv4/conf/{a.Interface}/proxy_arp").Trim());
        Assert.Equal("0", node.Sh($"cat /proc/sys/net/ipv6/conf/{a.Interface}/accept_ra").Trim());
        Assert.Equal("1", node.Sh("cat /proc/sys/net/ipv4/ip_forward").Trim());
    }

    [Fact]
    public async Task TwoEndpointsWithOneInterface_TheSmallerIdHasIt_TheOtherInherits()
    {
        await using PodNode node = new();
        Pod a = node.AddPod(1);
        node.Start();
        WorkloadEndpointUpdate other = a.Endpoint() with { Id = new WorkloadEndpointId("k8s", "default/aaa", "eth0"), Networks = [IpPrefix.Parse("10.65.0.77/32")] };

        await node.SendAsync(a.Endpoint(), other, new InSync());
        await node.Progress.WaitForProblemAsync(a);
        string shadowed = node.Sh("ip route");
        await node.SendAsync(new WorkloadEndpointRemove(other.Id));
        await node.Progress.WaitAsync(a);

        Assert.Contains("10.65.0.77", shadowed, StringComparison.Ordinal);
        Assert.DoesNotContain($"{a.IPv4} ", shadowed, StringComparison.Ordinal);
        Assert.DoesNotContain("10.65.0.77", node.Sh("ip route"), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task TrafficOutOfThePools_IsMasqueraded_WithinThemNot(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        (Pod a, Pod b) = (node.AddPod(1), node.AddPod(2));
        node.Start();
        await node.SendAsync(
            s_open, a.Endpoint(profiles: ["open"]), b.Endpoint(profiles: ["open"]),
            new IpamPoolUpdate(IpPrefix.Parse("10.65.0.0/16"), true, EncapMode.Never, EncapMode.Never, ["Workload"]), new InSync());
        await Task.WhenAll(node.Progress.WaitAsync(a), node.Progress.WaitAsync(b));

        bool native = backend == RuleBackendChoice.NfTables;
        string masquerade = native ? "masquerade" : "MASQUERADE";
        Assert.Matches(
            native
                ? "ip saddr .*@cali40masq-ipam-pools/16 .*ip daddr != @cali40network-ip-pools .*!= @cali40network-ip-pools/16 .*masquerade fully-random"
                : "--match-set cali40masq-ipam-pools src -m set ! --match-set cali40network-ip-pools dst -j MASQUERADE",
            node.Rules("-t nat"));
        Assert.DoesNotContain(masquerade, node.Rules("-t nat", "ip6tables"), StringComparison.Ordinal);

        await node.SendAsync(new IpamPoolRemove(IpPrefix.Parse("10.65.0.0/16")));
        await PodNode.Eventually(() => !node.Rules("-t nat").Contains(masquerade, StringComparison.Ordinal), "the rule to go");
    }

    [Fact]
    public async Task PolicyWhoseSetIsTooLarge_DeniesEverything_AndIsNamed_UntilTheSetFits()
    {
        await using PodNode node = new();
        (Pod a, Pod b) = (node.AddPod(1), node.AddPod(2));
        b.Serve(80);
        node.Start();
        ActivePolicyUpdate policy = new(
            s_policy, "default", [new DataplaneRule { Action = RuleAction.Deny, SrcIpSetIds = ["s:bad"] }, s_allow], [], "all()", PolicyTraits.None);

        await node.SendAsync(
            new ConfigUpdate(new Dictionary<string, string> { ["maxIpsetSize"] = "2" }, new Dictionary<string, string>()),
            new IpSetUpdate("s:bad", IpSetType.Net, new HashSet<IpSetMember> { new(IpPrefix.Parse("192.0.2.0/24")) }),
            policy, s_open, a.Endpoint(profiles: ["open"]), b.Endpoint([new TierPolicies("default", false, [s_policy], [])], ["open"]), new InSync());
        await node.Progress.WaitAsync(b);
        Assert.True(await a.TcpAsync(b.IPv4, 80));

        IpSetMember[] more = [new(IpPrefix.Parse("192.0.3.0/24")), new(IpPrefix.Parse("192.0.4.0/24"))];
        await node.SendAsync(new IpSetDeltaUpdate("s:bad", more, []));
        await PodNode.Eventually(() => node.Reports.Last().NotEnforced.Count > 0, "the refusal to be reported");

        Assert.Equal("NetworkPolicy np/default/p denies everything: its set s:bad has 3 members, more than maxIpsetSize", node.Reports.Last().NotEnforced.Single());
        Assert.False(await a.TcpAsync(b.IPv4, 80));
        Assert.Null(node.Reports.Last().Problem);
        await node.SendAsync(new IpSetDeltaUpdate("s:bad", [], [more[0]]));
        await PodNode.Eventually(() => node.Reports.Last().NotEnforced.Count == 0, "the refusal to end");
        Assert.True(await a.TcpAsync(b.IPv4, 80));
    }

    [Fact]
    public async Task RefusalThatPasses_IsReported_ThenEverythingIsWritten()
    {
        await using PodNode node = new();
        Pod a = node.AddPod(1);
        node.Runner.Fail = "restore --noflush";
        node.Start();

        await node.SendAsync(
            new IpSetUpdate("s:x", IpSetType.Net, new HashSet<IpSetMember> { new(a.IPv4.ToPrefix()) }), s_open, a.Endpoint(profiles: ["open"]), new InSync());
        await node.Progress.WaitForProblemAsync(a);
        node.Runner.Fail = null;
        await node.Progress.WaitAsync(a);

        Assert.Contains("add cali40s:x 10.65.0.1", node.Sh("ipset save"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task SetThatNothingUses_IsDestroyed_AfterTheRulesThatNamedIt()
    {
        await using PodNode node = new();
        Pod a = node.AddPod(1);
        DataplaneRule fromSet = new() { Action = RuleAction.Allow, SrcIpSetIds = ["s:x"] };
        TierPolicies[] tiers = [new TierPolicies("default", false, [s_policy], [])];
        node.Start();
        await node.SendAsync(
            new IpSetUpdate("s:x", IpSetType.Net, new HashSet<IpSetMember>()), new ActivePolicyUpdate(s_policy, "default", [fromSet], [], "all()", PolicyTraits.None),
            a.Endpoint(tiers), new InSync());
        await node.Progress.WaitAsync(a);
        Assert.Contains("cali40s:x", node.Sh("ipset save"), StringComparison.Ordinal);

        await node.SendAsync(a.Endpoint(revision: 2), new ActivePolicyRemove(s_policy), new IpSetRemove("s:x"));
        await node.Progress.WaitAsync(a, 2);

        await PodNode.Eventually(() => !node.Sh("ipset save").Contains("0s:x", StringComparison.Ordinal), "the sets of both families to go");
        Assert.DoesNotContain("cali-pi-", node.Rules(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RulesThatKeepBeingRefused_EndTheLoop()
    {
        await using PodNode node = new();
        DataplaneLoop loop = new(
            new DataplaneSettings { Backend = RuleBackendChoice.IpTables }, node.Progress, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance, TimeProvider.System, null, node.Space, node.Runner);
        node.Runner.Fail = "-restore --noflush";
        using CancellationTokenSource stop = new(TimeSpan.FromSeconds(20));
        Task running = loop.RunAsync(stop.Token);

        await loop.PostAsync(new InSync(), stop.Token);

        await Assert.ThrowsAsync<DataplaneException>(() => running);
        loop.Dispose();
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task Settings_ChangeTheRules(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        Pod a = node.AddPod(1);
        node.Start();
        await node.SendAsync(s_open, a.Endpoint(profiles: ["open"]), new InSync());
        await node.Progress.WaitAsync(a);

        await node.SendAsync(new ConfigUpdate(
            new Dictionary<string, string> { ["defaultEndpointToHostAction"] = "Accept", ["vxlanPort"] = "nonsense" },
            new Dictionary<string, string> { ["disableConntrackInvalidCheck"] = "true" }));

        bool native = backend == RuleBackendChoice.NfTables;
        await PodNode.Eventually(() => !node.Rules("-t filter").Contains(native ? "ct state invalid counter" : "INVALID", StringComparison.Ordinal), "the rules to change");
        Assert.Matches(
            native ? "accept comment \"cali:.*; Configured DefaultEndpointToHostAction\"" : "-A cali-wl-to-host .*Configured DefaultEndpointToHostAction.* -j ACCEPT",
            node.Rules("-t filter"));
    }

    private static string Kernel(PodNode node) =>
        string.Join('\n', node.Rules().Split('\n').Concat(node.Rules("", "ip6tables").Split('\n')).Where(l => !l.StartsWith('#') && !l.StartsWith(':')).Select(WithoutCounters))
        + node.Sh("ip route") + node.Sh("ip -6 route") + string.Join('\n', node.Sh("ipset save").Split('\n').Order(StringComparer.Ordinal));

    private static string WithoutCounters(string line) => Regex.Replace(line, @"packets \d+ bytes \d+", string.Empty);

    /// <summary>Packets counted by all rules together.</summary>
    private static long Counted(string saved) => Regex.Matches(saved, @"^\[(\d+):|packets (\d+) ", RegexOptions.Multiline).Sum(m => long.Parse(m.Groups[1].Length > 0 ? m.Groups[1].ValueSpan : m.Groups[2].ValueSpan));
}
