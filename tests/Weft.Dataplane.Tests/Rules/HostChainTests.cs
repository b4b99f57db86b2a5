using Weft.Dataplane.Rules;
using Weft.Dataplane.Rules.Model;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleAction = Weft.Policy.Output.RuleAction;

namespace Weft.Dataplane.Tests.Rules;

/// <summary>Chains of host endpoints and overlays, and what logged packets say, as text.</summary>
public sealed class HostChainTests
{
    // accept 0x10, pass 0x20, drop 0x40, scratch 0x80 and 0x100
    private static readonly RuleSettings s_settings = new() { MarkMask = 0x1f0 };
    private static readonly PolicyId s_policy = new("GlobalNetworkPolicy", "", "a");
    private static readonly TierPolicies[] s_tiers = [new("default", false, [s_policy], [s_policy])];

    private static readonly HostEndpointUpdate s_endpoint = new("host", "eth0", [], ["prof"], s_tiers, s_tiers, s_tiers, s_tiers);

    private const string Established = "-m conntrack --ctstate RELATED,ESTABLISHED --jump ACCEPT";
    private const string Invalid = "-m conntrack --ctstate INVALID --jump DROP";
    private const string Clear = "--jump MARK --set-mark 0/0x30";
    private const string Start = "-m comment --comment \"Start of tier default\" --jump MARK --set-mark 0/0x20";
    private const string Accepted = "-m comment --comment \"Return if policy accepted\" -m mark --mark 0x10/0x10 --jump RETURN";
    private const string EndOfTier = "-m comment --comment \"End of tier default. DROP if no policies passed packet\" -m mark --mark 0/0x20 --jump DROP";

    [Fact]
    public void NormalPolicy_ComesAfterTheFailsafes_AndEndsInADrop()
    {
        Dictionary<string, string[]> chains = Filter(s_endpoint);

        Assert.Equal(["cali-fh-eth0", "cali-fhfw-eth0", "cali-th-eth0", "cali-thfw-eth0"], chains.Keys.Order());
        Assert.Equal(
            [
                Established, Invalid, "--jump cali-failsafe-in", Clear, Start, "-m mark --mark 0/0x20 --jump cali-pi-gnp/a", Accepted, EndOfTier, "--jump cali-pri-prof",
                "-m comment --comment \"Return if profile accepted\" -m mark --mark 0x10/0x10 --jump RETURN", "-m comment --comment \"DROP if no profiles matched\" --jump DROP",
            ],
            chains["cali-fh-eth0"]);
        Assert.Contains("--jump cali-failsafe-out", chains["cali-th-eth0"]);
        Assert.Contains("-m mark --mark 0/0x20 --jump cali-po-gnp/a", chains["cali-th-eth0"]);
    }

    [Fact]
    public void Forward_HasNoFailsafes_AndAllowsWhenNothingAppliesToIt()
    {
        Assert.Equal([Established, Invalid, Clear, Start, "-m mark --mark 0/0x20 --jump cali-pi-gnp/a", Accepted, EndOfTier], Filter(s_endpoint)["cali-fhfw-eth0"]);
        Assert.Equal(
            [
                Established, Invalid, Clear, "-m comment --comment \"Allow forwarded traffic by default\" --jump MARK --set-mark 0x10/0x10",
                "-m comment --comment \"Return for accepted forward traffic\" --jump RETURN",
            ],
            Filter(s_endpoint with { ForwardTiers = [] })["cali-thfw-eth0"]);
    }

    [Fact]
    public void PreDnatPolicy_IsInMangle_AndLeavesWhatItDoesNotDecide()
    {
        Dictionary<string, string[]> chains = new EndpointRenderer(s_settings).HostMangle(s_endpoint, "eth0").ToDictionary(c => c.Name, Text);

        Assert.Equal([Established, Invalid, "--jump cali-failsafe-in", Clear, Start, "-m mark --mark 0/0x20 --jump cali-pi-gnp/a", Accepted], chains["cali-fh-eth0"]);
        Assert.Equal(
            ["-m conntrack --ctstate RELATED,ESTABLISHED --jump MARK --set-mark 0x10/0x10", "-m conntrack --ctstate RELATED,ESTABLISHED --jump RETURN"],
            chains["cali-th-eth0"][..2]);
        Assert.Equal(["cali-th-eth0"], new EndpointRenderer(s_settings).HostMangle(s_endpoint with { PreDnatTiers = [] }, "eth0").Select(c => c.Name));
    }

    [Fact]
    public void UntrackedPolicy_IsInRaw_AndTakesAcceptedPacketsOutOfTracking()
    {
        Dictionary<string, string[]> chains = new EndpointRenderer(s_settings).HostRaw(s_endpoint, "eth0").ToDictionary(c => c.Name, Text);

        Assert.Equal(
            ["--jump cali-failsafe-in", Clear, Start, "-m mark --mark 0/0x20 --jump cali-pi-gnp/a", "-m mark --mark 0x10/0x10 --jump NOTRACK", Accepted],
            chains["cali-fh-eth0"]);
        Assert.Empty(new EndpointRenderer(s_settings).HostRaw(s_endpoint with { UntrackedTiers = [] }, "eth0"));
    }

    [Fact]
    public void Dispatch_EndsAtTheEndpointOfAllInterfaces_ExceptFromTheHostToItsWorkloads()
    {
        Recorder table = new();
        DispatchRenderer renderer = new(s_settings);
        table.SetDispatch(DispatchRenderer.FromHosts(ChainNames.FromHostEndpoint, ["eth0", "eth1"], hasAny: true, ChainNames.FromHost));
        table.SetDispatch(renderer.ToHosts(ChainNames.ToHostEndpoint, ["bond0"], hasAny: true, ChainNames.ToHost));
        table.SetDispatch(renderer.ToHosts(ChainNames.ToHostForward, [], hasAny: true, ChainNames.ToHostForwarded));
        table.SetDispatch(DispatchRenderer.FromHosts(ChainNames.FromHostForward, [], hasAny: false, ChainNames.FromHostForwarded));

        Assert.Equal(
            ["--in-interface eth0 --goto cali-fh-eth0", "--in-interface eth1 --goto cali-fh-eth1", "--goto cali-fh-any-interface-at-all"],
            table.Text("cali-from-host-endpoint"));
        Assert.Equal(
            [
                "--out-interface bond0 --goto cali-th-bond0",
                "-m comment --comment \"Skip egress WHEP policy for traffic to local workload\" --out-interface cali+ --jump RETURN",
                "--goto cali-th-any-interface-at-all",
            ],
            table.Text("cali-to-host-endpoint"));
        Assert.Equal([$"--goto {ChainNames.ToHostForwarded(ChainNames.AnyInterface)}"], table.Text("cali-to-hep-forward"));
        Assert.Empty(table.Text("cali-from-hep-forward"));
    }

    [Fact]
    public void AllowAction_Return_AsksTheHostsOwnRulesToo()
    {
        RuleSettings settings = s_settings with { FilterAllow = AllowAction.Return, MangleAllow = AllowAction.Return };
        Recorder filter = new(), mangle = new();
        new StaticRenderer(settings, IpFamily.IPv4, static id => id).RenderFilter(filter);
        new StaticRenderer(settings, IpFamily.IPv4, static id => id).RenderMangle(mangle);

        Assert.Contains("-m mark --mark 0x10/0x10 --jump RETURN", filter.Text("cali-INPUT"));
        Assert.Equal("-m conntrack --ctstate RELATED,ESTABLISHED --jump RETURN", mangle.Text("cali-PREROUTING")[0]);
        Assert.DoesNotContain(filter.Chains.Where(c => !c.Key.Contains("failsafe", StringComparison.Ordinal)).SelectMany(c => filter.Text(c.Key)), r => r.EndsWith("ACCEPT", StringComparison.Ordinal));
        Assert.Equal(
            ["-m conntrack --ctstate RELATED,ESTABLISHED --jump MARK --set-mark 0x10/0x10", "-m conntrack --ctstate RELATED,ESTABLISHED --jump RETURN"],
            new EndpointRenderer(settings).HostFilter(s_endpoint, "eth0").Select(Text).First()[..2]);
    }

    [Fact]
    public void Overlays_TakeEncapsulatedPacketsOnlyFromNodes()
    {
        Recorder filter = new(), raw = new(), nat = new();
        StaticRenderer renderer = new(s_settings with { Encapsulation = Encapsulations.Ipip | Encapsulations.Vxlan }, IpFamily.IPv4, static id => $"cali40{id}");
        renderer.RenderFilter(filter);
        renderer.RenderRaw(raw);
        renderer.RenderNat(nat);

        Assert.Equal(
            [
                "-m comment --comment \"Allow IPIP packets from Calico hosts\" -p 4 -m set --match-set cali40all-hosts-net src -m addrtype --dst-type LOCAL --jump ACCEPT",
                "-m comment --comment \"Drop IPIP packets from non-Calico hosts\" -p 4 --jump DROP",
                "-m comment --comment \"Allow IPv4 VXLAN packets from allowed hosts\" -p udp -m multiport --destination-ports 4789 -m set --match-set cali40all-vxlan-net src -m addrtype --dst-type LOCAL --jump ACCEPT",
                "-m comment --comment \"Drop IPv4 VXLAN packets from non-allowed hosts\" -p udp -m multiport --destination-ports 4789 -m addrtype --dst-type LOCAL --jump DROP",
            ],
            filter.Text("cali-INPUT")[..4]);
        Assert.Contains(
            "-m comment --comment \"Allow IPIP packets to other Calico hosts\" -p 4 -m set --match-set cali40all-hosts-net dst -m addrtype --src-type LOCAL --jump ACCEPT",
            filter.Text("cali-OUTPUT"));
        Assert.Equal("-p udp -m multiport --destination-ports 4789 --jump NOTRACK", raw.Text("cali-PREROUTING")[1]);
        Assert.Equal("-p udp -m multiport --destination-ports 4789 --jump NOTRACK", raw.Text("cali-OUTPUT")[2]);
        Assert.Equal(
            [
                "--jump cali-fip-snat", "--jump cali-nat-outgoing",
                "-p udp --out-interface tunl0 -m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL --jump MASQUERADE --to-ports 4790-65535 --random-fully",
                "--out-interface tunl0 -m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL --jump MASQUERADE --random-fully",
                "-p udp --out-interface vxlan.calico -m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL --jump MASQUERADE --to-ports 4790-65535 --random-fully",
                "--out-interface vxlan.calico -m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL --jump MASQUERADE --random-fully",
            ],
            nat.Text("cali-POSTROUTING"));
    }

    [Fact]
    public void Overlays_OfIPv6_AreVxlanAlone()
    {
        Recorder filter = new();
        new StaticRenderer(s_settings with { Encapsulation = Encapsulations.Ipip | Encapsulations.Vxlan | Encapsulations.VxlanV6 }, IpFamily.IPv6, static id => $"cali60{id}").RenderFilter(filter);

        Assert.DoesNotContain(filter.Text("cali-INPUT"), r => r.Contains("-p 4 ", StringComparison.Ordinal));
        Assert.Contains("IPv6 VXLAN packets from allowed hosts", filter.Text("cali-INPUT")[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(4789, "4790-65535")]
    [InlineData(60000, "1024-59999")]
    public void PortsBesideVxlan_AreTheWiderSide(ushort port, string expected) => Assert.Equal(expected, TunnelRenderer.WiderSide(port).ToString());

    [Fact]
    public void ServiceAddresses_AreBlocked_AsConfigured()
    {
        IpPrefix[] cidrs = [IpPrefix.Parse("10.96.0.0/12"), IpPrefix.Parse("fd96::/108"), IpPrefix.Parse("10.1.0.0/16")];

        Assert.Equal(["--destination 10.1.0.0/16 --jump DROP", "--destination 10.96.0.0/12 --jump DROP"], Block(s_settings));
        Assert.Equal(["--destination 10.1.0.0/16 --jump REJECT", "--destination 10.96.0.0/12 --jump REJECT"], Block(s_settings with { ServiceLoop = LoopPrevention.Reject }));
        Assert.Empty(Block(s_settings with { ServiceLoop = LoopPrevention.Disabled }));

        string[] Block(RuleSettings settings) => Text(new StaticRenderer(settings, IpFamily.IPv4, static id => id).CidrBlock(cidrs));
    }

    [Fact]
    public void NatOutgoing_ToAFixedAddress_ByOneInterface()
    {
        NatRenderer v4 = new(s_settings with { NatAddress = IpAddress.Parse("192.0.2.1"), NatInterface = "eth0", NatPortRange = "1000:2000" }, IpFamily.IPv4, static id => id);
        NatRenderer v6 = new(s_settings with { NatAddress = IpAddress.Parse("192.0.2.1") }, IpFamily.IPv6, static id => id);

        Assert.EndsWith("--out-interface eth0 --jump SNAT --to-source 192.0.2.1:1000-2000 --random-fully", Text(v4.NatOutgoing(anyPool: true))[0], StringComparison.Ordinal);
        Assert.EndsWith("--jump SNAT --to-source 192.0.2.1 --random-fully", Text(v4.NatOutgoing(anyPool: true))[^1], StringComparison.Ordinal);
        Assert.EndsWith("--jump MASQUERADE --random-fully", Text(v6.NatOutgoing(anyPool: true))[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData('A', true, 0, "np/namespace1/default.policy", "API0|np/namespace1/default.policy")]
    [InlineData('D', false, 88, "gnp/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "DPE88|gnp/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")]
    [InlineData('D', true, 88, "gnp/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0", "DPI88|gnp/_12IXaBPahNM7a7dZhI8zg6PStmHsgneYaax8LVSIq_RSTUVWXYZ0")]
    public void NflogPrefix_NamesTheRule_AndIsCutWhereTheKernelWould(char action, bool inbound, int rule, string name, string expected) =>
        Assert.Equal(expected, NflogPrefix.Of(action, 'P', inbound, rule, name));

    [Fact]
    public void NflogPrefixes_OfTiersAndProfiles()
    {
        Assert.Equal(("DRI", "DRE"), (NflogPrefix.NoProfileMatched(true), NflogPrefix.NoProfileMatched(false)));
        Assert.Equal("DPI|default", NflogPrefix.EndOfTier(inbound: true, "default"));
        Assert.Equal((1, 2), (NflogPrefix.Group(true), NflogPrefix.Group(false)));
    }

    [Fact]
    public void LoggedPolicy_TellsTheRule_BeforeItsVerdict()
    {
        ActivePolicyUpdate policy = new(
            new PolicyId("NetworkPolicy", "ns", "p"), "net", [new DataplaneRule { Action = RuleAction.Deny }, new DataplaneRule { Action = RuleAction.Allow }],
            [new DataplaneRule { Action = RuleAction.Log }], "all()", PolicyTraits.None);
        RuleSettings settings = s_settings with { LogsDenied = true, LogPrefix = "%t %k %p", LogRate = "10/minute", LogBurst = 7 };

        Chain[] chains = [.. new PolicyRenderer(settings, IpFamily.IPv4, static id => id, static _ => false).Policy(policy)];

        Assert.Equal(
            [
                "-m comment --comment \"NetworkPolicy ns/p ingress\" --jump MARK --set-mark 0x40/0x40",
                "-m mark --mark 0x40/0x40 --jump NFLOG --nflog-group 1 --nflog-prefix DPI0|np/ns/p --nflog-size 80", "-m mark --mark 0x40/0x40 --jump DROP",
                "--jump MARK --set-mark 0x10/0x10",
            ],
            Text(chains[0]));
        Assert.EndsWith("-m limit --limit 10/minute --limit-burst 7 --jump LOG --log-prefix \"net np ns/p: \" --log-level 5", Text(chains[1])[0], StringComparison.Ordinal);
        Assert.Equal(27, RuleOwner.Of(policy, true).LogPrefix(new string('x', 90)).Length);
    }

    [Fact]
    public void MarkMask_WithTooFewBits_IsRefusedWithTheReason()
    {
        List<string> problems = [];
        ConfigUpdate config = new(
            new Dictionary<string, string> { ["iptablesMarkMask"] = "0xf", ["logActionRateLimit"] = "1/week", ["externalNodesList"] = "[\"192.0.2.0/24\"]" },
            new Dictionary<string, string>());

        RuleSettings settings = FelixFields.Overlay(new RuleSettings(), config, RuleBackendChoice.IpTables, problems);

        Assert.Equal(0xffff0000u, settings.MarkMask);
        Assert.Equal([IpPrefix.Parse("192.0.2.0/24")], settings.ExternalNodes);
        Assert.Equal(["iptablesMarkMask: \"0xf: mark mask 0xf has 4 bits and five are needed\" cannot be used", "logActionRateLimit: \"1/week\" cannot be used"], problems);
    }

    private static Dictionary<string, string[]> Filter(HostEndpointUpdate endpoint) =>
        new EndpointRenderer(s_settings).HostFilter(endpoint, "eth0").ToDictionary(c => c.Name, Text);

    private static string[] Text(Chain chain)
    {
        Recorder recorder = new();
        recorder.SetChain(chain);
        return recorder.Text(chain.Name);
    }
}
