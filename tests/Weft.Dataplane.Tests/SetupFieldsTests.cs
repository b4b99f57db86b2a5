using Microsoft.Extensions.Logging.Abstractions;
using Weft.Dataplane.Drivers;
using Weft.Dataplane.Drivers.IpTables;
using Weft.Dataplane.Rules;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleAction = Weft.Policy.Output.RuleAction;

namespace Weft.Dataplane.Tests;

/// <summary>Fields of FelixConfiguration that the drivers are opened with.</summary>
public sealed class SetupFieldsTests
{
    private static readonly DataplaneRule s_allow = new() { Action = RuleAction.Allow };

    [Fact]
    public async Task PlaceOfRules_Metrics_Sources_ForeignRoutes_AndForwarding_AreAsConfigured()
    {
        await using PodNode node = new(RuleBackendChoice.IpTablesNft);
        Pod pod = node.AddPod(1);
        node.Sh("sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0");
        node.Sh("ip address add 192.0.2.7/32 dev lo");
        node.Sh("iptables-nft -A FORWARD -s 203.0.113.0/24 -j DROP");
        node.Sh($"ip route add 198.51.100.0/24 dev {pod.Interface}");
        node.Start();

        await node.SendAsync(
            Config(
                ("chainInsertMode", "Append"), ("ipv4NormalRoutePriority", "77"), ("ipv6NormalRoutePriority", "78"), ("deviceRouteSourceAddress", "192.0.2.7"),
                ("removeExternalRoutes", "false"), ("ipForwarding", "Disabled")),
            new ActiveProfileUpdate("open", [s_allow], [s_allow]), pod.Endpoint(profiles: ["open"]), new InSync());
        await node.Progress.WaitAsync(pod);

        string[] forward = [.. node.Rules().Split('\n').Where(l => l.StartsWith("-A FORWARD", StringComparison.Ordinal))];
        Assert.Contains("203.0.113.0/24", forward[0], StringComparison.Ordinal);
        Assert.EndsWith("-j cali-FORWARD", forward[1], StringComparison.Ordinal);
        Assert.Contains("metric 77", node.Sh($"ip route show {pod.IPv4}"), StringComparison.Ordinal);
        Assert.Contains("src 192.0.2.7", node.Sh($"ip route show {pod.IPv4}"), StringComparison.Ordinal);
        Assert.Contains("metric 78", node.Sh($"ip -6 route show {pod.IPv6}"), StringComparison.Ordinal);
        Assert.Contains("198.51.100.0/24", node.Sh("ip route"), StringComparison.Ordinal);
        Assert.Equal("0", node.Sh("sysctl -n net.ipv4.ip_forward").Trim());
    }

    [Fact]
    public async Task ChangeOfThem_StartsAnew_OneOfTheOthersDoesNot()
    {
        await using PodNode node = new();
        using CancellationTokenSource stop = new(TimeSpan.FromSeconds(30));
        int rounds = 0;
        using DataplaneLoop loop = new(
            new DataplaneSettings { Backend = RuleBackendChoice.NfTables }, node.Progress, NullLoggerFactory.Instance, TimeProvider.System, _ => Interlocked.Increment(ref rounds), node.Space, node.Runner);
        Task running = loop.RunAsync(stop.Token);
        await loop.PostAsync(Config(("nftablesRefreshInterval", "60s")), stop.Token);
        await loop.PostAsync(new InSync(), stop.Token);
        await PodNode.Eventually(() => Volatile.Read(ref rounds) > 0, "the first round");

        await loop.PostAsync(Config(("nftablesRefreshInterval", "60s"), ("vxlanPort", "4790")), stop.Token);
        await PodNode.Eventually(() => Volatile.Read(ref rounds) > 1, "the round of the other field");
        Assert.False(running.IsCompleted);
        await loop.PostAsync(Config(("nftablesRefreshInterval", "61s")), stop.Token);

        DataplaneException end = await Assert.ThrowsAsync<DataplaneException>(() => running);
        Assert.Contains("starting anew", end.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NfTables_HasVerdictsAndMarksOfItsOwn_OrThoseOfIptables()
    {
        List<string> problems = [];
        ConfigUpdate config = Config(
            ("iptablesMarkMask", "0xff0000"), ("nftablesMarkMask", "0xff00"), ("iptablesFilterDenyAction", "Reject"), ("nftablesFilterAllowAction", "Return"),
            ("iptablesRefreshInterval", "1m30s"), ("routeRefreshInterval", "0s"));

        RuleSettings native = FelixFields.Overlay(new RuleSettings(), config, RuleBackendChoice.NfTables, problems);
        RuleSettings iptables = FelixFields.Overlay(new RuleSettings(), config, RuleBackendChoice.IpTablesNft, problems);
        DataplaneSettings setup = FelixFields.Overlay(new DataplaneSettings(), config, RuleBackendChoice.NfTables, problems);

        Assert.Equal((0xff00u, DenyAction.Reject, AllowAction.Return), (native.MarkMask, native.Deny, native.FilterAllow));
        Assert.Equal((0xff0000u, DenyAction.Reject, AllowAction.Accept), (iptables.MarkMask, iptables.Deny, iptables.FilterAllow));
        Assert.Equal((TimeSpan.FromSeconds(90), TimeSpan.Zero, ChainInsertMode.Insert), (setup.RulesRefresh, setup.RoutesRefresh, setup.InsertMode));
        Assert.Empty(problems);
    }

    [Fact]
    public void WhatCannotBeRead_IsNamed_AndTheDefaultHolds()
    {
        List<string> problems = [];

        DataplaneSettings setup = FelixFields.Overlay(
            new DataplaneSettings(), Config(("ipsetsRefreshInterval", "often"), ("deviceRouteSourceAddress", "fd00::1"), ("ipv4NormalRoutePriority", "0")), RuleBackendChoice.IpTables, problems);

        Assert.Equal((TimeSpan.FromSeconds(90), default, 1024u), (setup.SetsRefresh, setup.RouteSource, setup.RouteMetric));
        Assert.Equal(3, problems.Count);
    }

    private static ConfigUpdate Config(params (string Name, string Value)[] fields) => new(fields.ToDictionary(f => f.Name, f => f.Value), new Dictionary<string, string>());
}
