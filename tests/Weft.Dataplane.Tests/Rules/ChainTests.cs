using Weft.Dataplane.Drivers.IpTables;
using Weft.Dataplane.Drivers;
using Weft.Dataplane.Rules.Model;
using Weft.Dataplane.Rules;
using Weft.Dataplane.Tests.Drivers.IpTables;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests.Rules;

/// <summary>Static, dispatch and endpoint chains as text.</summary>
public sealed class ChainTests
{
    // accept 0x10, pass 0x20, drop 0x40, scratch 0x80 and 0x100
    private static readonly RuleSettings s_settings = new() { MarkMask = 0x1f0 };

    [Fact]
    public void Forward_ClearsMarks_ThenAsksBothEnds()
    {
        Recorder filter = Filter();

        Assert.Equal(
            [
                "--jump MARK --set-mark 0/0x1a0", "-m mark --mark 0/0x10 --jump cali-from-hep-forward", "--in-interface cali+ --jump cali-from-wl-dispatch",
                "--out-interface cali+ --jump cali-to-wl-dispatch", "--jump cali-to-hep-forward", "--jump cali-cidr-block",
            ],
            filter.Text("cali-FORWARD"));
        Assert.Equal(
            ["-m comment --comment \"Policy explicitly accepted packet.\" -m mark --mark 0x10/0x10 --jump ACCEPT", "--jump MARK --set-mark 0x10/0x10"],
            filter.Appends["FORWARD"].Select(r => r.Text));
    }

    [Fact]
    public void Input_SendsWorkloadsToTheirOwnChain()
    {
        Assert.Equal(
            [
                "--in-interface cali+ --goto cali-wl-to-host", "-m mark --mark 0x10/0x10 --jump ACCEPT", "--jump MARK --set-mark 0/0x1b0", "--jump cali-from-host-endpoint",
                "-m comment --comment \"Host endpoint policy accepted packet.\" -m mark --mark 0x10/0x10 --jump ACCEPT",
            ],
            Filter().Text("cali-INPUT"));
        Assert.Equal(
            ["--jump cali-from-wl-dispatch", "-m comment --comment \"Configured DefaultEndpointToHostAction\" --jump DROP"], Filter().Text("cali-wl-to-host"));
    }

    [Fact]
    public void WorkloadToHost_LetsNeighbourDiscoveryThrough() =>
        Assert.Equal("-p 58 -m icmp6 --icmpv6-type 130 --jump ACCEPT", Filter(IpFamily.IPv6).Text("cali-wl-to-host")[0]);

    [Fact]
    public void RawFailsafes_HaveRulesForAnswers_AndOnlyNetsOfTheFamily()
    {
        RuleSettings settings = s_settings with
        {
            FailsafeInbound = [new FailsafePort(6, 22, IpPrefix.Parse("0.0.0.0/0")), new FailsafePort(6, 22, IpPrefix.Parse("::/0")), new FailsafePort(6, 1022, IpPrefix.Parse("10.0.0.0/24"))],
            FailsafeOutbound = [new FailsafePort(6, 23, IpPrefix.Parse("0.0.0.0/0")), new FailsafePort(6, 23, IpPrefix.Parse("::/0"))],
        };
        Recorder v4 = new(), v6 = new();
        Static(settings, IpFamily.IPv4).RenderRaw(v4);
        Static(settings, IpFamily.IPv6).RenderRaw(v6);

        Assert.Equal(
            [
                "-p tcp -m multiport --destination-ports 22 --source 0.0.0.0/0 --jump ACCEPT", "-p tcp -m multiport --destination-ports 1022 --source 10.0.0.0/24 --jump ACCEPT",
                "-p tcp -m multiport --source-ports 23 --source 0.0.0.0/0 --jump ACCEPT",
            ],
            v4.Text("cali-failsafe-in"));
        Assert.Equal(
            ["-p tcp -m multiport --destination-ports 22 --source ::/0 --jump ACCEPT", "-p tcp -m multiport --source-ports 23 --source ::/0 --jump ACCEPT"],
            v6.Text("cali-failsafe-in"));
    }

    [Fact]
    public void Raw_DropsForgedSources()
    {
        Recorder raw = new();
        Static(s_settings, IpFamily.IPv4).RenderRaw(raw);

        Assert.Equal(
            [
                "--jump MARK --set-mark 0/0x1b0", "--in-interface cali+ --jump MARK --set-mark 0x80/0x80", "-m mark --mark 0x80/0x80 --jump cali-rpf-skip",
                "-m mark --mark 0x80/0x80 -m rpfilter --invert --validmark --jump DROP", "-m mark --mark 0/0x80 --jump cali-from-host-endpoint",
                "-m mark --mark 0x10/0x10 --jump ACCEPT",
            ],
            raw.Text("cali-PREROUTING"));
    }

    [Fact]
    public void Dispatch_SharesChainsByPrefix_AndRepeatsTheEnd()
    {
        Dictionary<string, string[]> chains = DispatchTree.Of(new DispatchRenderer(s_settings).FromWorkloads(["cali2444", "cali1234", "cali2333"])).ToDictionary(c => c.Name, Text);

        Assert.Equal(
            [
                "--in-interface cali1234 --goto cali-fw-cali1234", "--in-interface cali2+ --goto cali-from-wl-dispatch-2",
                "-m comment --comment \"Unknown interface\" --jump DROP",
            ],
            chains["cali-from-wl-dispatch"]);
        Assert.Equal(
            [
                "--in-interface cali2333 --goto cali-fw-cali2333", "--in-interface cali2444 --goto cali-fw-cali2444",
                "-m comment --comment \"Unknown interface\" --jump DROP",
            ],
            chains["cali-from-wl-dispatch-2"]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("cali1")]
    [InlineData("cali,cali1,cali2")]
    [InlineData("cali,cali1,cali12,cali13,cali2,cali20")]
    [InlineData("a,b,c,ab,ac,bd")]
    public void Dispatch_ReachesEveryInterfaceExactlyOnce(string list)
    {
        string[] names = list.Split(',', StringSplitOptions.RemoveEmptyEntries);

        Dictionary<string, Chain> chains = DispatchTree.Of(new DispatchRenderer(s_settings).ToWorkloads(names)).ToDictionary(c => c.Name);

        foreach (string name in names.Append("unknown").Append("cali19"))
        {
            string? reached = Walk(chains, "cali-to-wl-dispatch", name);
            Assert.Equal(names.Contains(name) ? $"cali-tw-{name}" : null, reached);
        }
    }

    [Fact]
    public void ProfileThatPasses_ForgetsThatATierPassed()
    {
        DataplaneRule pass = new() { Action = Policy.Output.RuleAction.Pass, Protocol = 17 }, allow = new() { Action = Policy.Output.RuleAction.Allow };

        Chain[] chains = [.. new PolicyRenderer(s_settings, IpFamily.IPv4, id => id, static _ => false).Profile(new ActiveProfileUpdate("p", [pass, allow], [allow]))];

        Assert.Equal(
            [
                "-m comment --comment \"Profile p ingress\" --jump MARK --set-mark 0/0x20", "-p udp --jump MARK --set-mark 0x20/0x20", "-m mark --mark 0x20/0x20 --jump RETURN",
                "--jump MARK --set-mark 0x10/0x10",
            ],
            Text(chains[0]));
        Assert.Equal(["-m comment --comment \"Profile p egress\" --jump MARK --set-mark 0x10/0x10"], Text(chains[1]));
    }

    [Fact]
    public void Endpoint_TiersThenProfilesThenDrop()
    {
        WorkloadEndpointUpdate endpoint = Endpoint(
            [new TierPolicies("t1", false, [Gnp("a"), new PolicyId("StagedGlobalNetworkPolicy", "", "s"), Gnp("b")], []), new TierPolicies("t2", true, [Gnp("c")], [Gnp("c")])],
            ["prof"]);

        Dictionary<string, string[]> chains = new EndpointRenderer(s_settings).Workload(endpoint).ToDictionary(c => c.Name, Text);

        Assert.Equal(
            [
                "-m conntrack --ctstate RELATED,ESTABLISHED --jump ACCEPT", "-m conntrack --ctstate INVALID --jump DROP", "--jump MARK --set-mark 0/0x30",
                "-m comment --comment \"Start of tier t1\" --jump MARK --set-mark 0/0x20",
                "-m mark --mark 0/0x20 --jump cali-pi-gnp/a", "-m comment --comment \"Return if policy accepted\" -m mark --mark 0x10/0x10 --jump RETURN",
                "-m mark --mark 0/0x20 --jump cali-pi-gnp/b", "-m comment --comment \"Return if policy accepted\" -m mark --mark 0x10/0x10 --jump RETURN",
                "-m comment --comment \"End of tier t1. DROP if no policies passed packet\" -m mark --mark 0/0x20 --jump DROP",
                "-m comment --comment \"Start of tier t2\" --jump MARK --set-mark 0/0x20",
                "-m mark --mark 0/0x20 --jump cali-pi-gnp/c", "-m comment --comment \"Return if policy accepted\" -m mark --mark 0x10/0x10 --jump RETURN",
                "--jump cali-pri-prof", "-m comment --comment \"Return if profile accepted\" -m mark --mark 0x10/0x10 --jump RETURN",
                "-m comment --comment \"DROP if no profiles matched\" --jump DROP",
            ],
            chains["cali-tw-cali1"]);
        Assert.Contains("-m comment --comment \"Drop VXLAN encapped packets originating in workloads\" -p udp -m multiport --destination-ports 4789 --jump DROP", chains["cali-fw-cali1"]);
        Assert.DoesNotContain(chains["cali-fw-cali1"], r => r.Contains("tier t1", StringComparison.Ordinal));
    }

    [Fact]
    public void TierOfStagedPoliciesOnly_DecidesNothing()
    {
        WorkloadEndpointUpdate endpoint = Endpoint([new TierPolicies("t", false, [new PolicyId("StagedGlobalNetworkPolicy", "", "s")], [])], []);

        string[] inbound = Text(new EndpointRenderer(s_settings).Workload(endpoint).First());

        Assert.DoesNotContain(inbound, r => r.Contains("tier", StringComparison.Ordinal));
    }

    [Fact]
    public void InvalidEndpoint_IsClosedBothWays()
    {
        WorkloadEndpointUpdate endpoint = Endpoint([], ["prof"]) with { Problem = "spec.mac: bad" };

        Assert.All(new EndpointRenderer(s_settings).Workload(endpoint), c => Assert.Equal(["-m comment --comment \"Endpoint is not valid\" --jump DROP"], Text(c)));
    }

    [Fact]
    public void Masquerade_LeavesThePools()
    {
        NatRenderer plain = new(s_settings, IpFamily.IPv4, id => $"cali40{id}");
        NatRenderer ports = new(s_settings with { NatPortRange = "1024:2048", NatExcludesHosts = true }, IpFamily.IPv4, id => $"cali40{id}");

        Assert.Empty(plain.NatOutgoing(anyPool: false).Rules);
        Assert.Equal(
            ["-m set --match-set cali40masq-ipam-pools src -m set ! --match-set cali40network-ip-pools dst --jump MASQUERADE --random-fully"],
            Text(plain.NatOutgoing(anyPool: true)));
        Assert.Equal(5, ports.NatOutgoing(anyPool: true).Rules.Count);
        Assert.StartsWith("-p tcp -m set", ports.NatOutgoing(anyPool: true).Rules[0].Text, StringComparison.Ordinal);
        Assert.Contains("cali40all-hosts-net dst --jump MASQUERADE --to-ports 1024-2048", ports.NatOutgoing(anyPool: true).Rules[0].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void MarkBits_AreTakenLowestFirst()
    {
        Assert.Equal(new MarkBits(0x10000, 0x20000, 0x40000, 0x80000, 0x100000), MarkBits.From(0xffff0000));
        Assert.Throws<ArgumentException>(() => MarkBits.From(0x0f));
    }

    private static StaticRenderer Static(RuleSettings settings, IpFamily family) => new(settings, family, id => $"cali40{id}");

    private static PolicyId Gnp(string name) => new("GlobalNetworkPolicy", "", name);

    private static WorkloadEndpointUpdate Endpoint(IReadOnlyList<TierPolicies> tiers, IReadOnlyList<string> profiles) =>
        new(new WorkloadEndpointId("k8s", "ns/w", "eth0"), "ns/w", "cali1", null, [], profiles, tiers, [], 1);

    private static string[] Text(Chain chain) => [.. chain.Rules.Select(r => r.Text)];

    private static Recorder Filter(IpFamily family = IpFamily.IPv4)
    {
        Recorder table = new();
        Static(s_settings, family).RenderFilter(table);
        return table;
    }

    private static string? Walk(Dictionary<string, Chain> chains, string chain, string name)
    {
        foreach (Rule rule in chains[chain].Rules)
        {
            string wanted = rule.Match.Text.Replace("--out-interface ", "", StringComparison.Ordinal);
            if (wanted.Length > 0 && (wanted.EndsWith('+') ? name.StartsWith(wanted[..^1], StringComparison.Ordinal) : wanted == name))
            {
                string target = rule.Action.ReferencedChain!;
                return chains.ContainsKey(target) ? Walk(chains, target, name) : target;
            }
        }

        return null;
    }
}
