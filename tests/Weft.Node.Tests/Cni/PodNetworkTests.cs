using System.Text.Json.Nodes;
using Weft.Linux.Namespaces;
using Weft.Node.Cni;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Cni;

/// <summary>The pod's interface on the real kernel, compared with what iproute2 says of it. Needs root.</summary>
public sealed class PodNetworkTests : IDisposable
{
    private readonly KernelNode _node = new();

    public void Dispose() => _node.Dispose();

    [Fact]
    public async Task Create_DualStack_MakesExactlyTheInterfaceOfTheReference()
    {
        string path = _node.NewPod(out NetNamespace pod);
        PodInterface plan = Plan(path, "10.1.0.7", "fd00::7") with { Mtu = 1450 };

        (MacAddress mac, int mtu) = await _node.Network.CreateAsync(plan, CancellationToken.None);

        JsonNode eth0 = _node.Ip(pod, "addr", "show", "dev", "eth0")[0]!;
        Assert.Equal(1450, mtu);
        Assert.Equal(1450, (int)eth0["mtu"]!);
        Assert.Equal(mac.ToString(), (string?)eth0["address"]);
        Assert.Equal("UP", (string?)eth0["operstate"]);
        Assert.Equal(["10.1.0.7/32", "fd00::7/128"], eth0["addr_info"]!.AsArray().Where(a => (string?)a!["scope"] == "global").Select(a => $"{a!["local"]}/{a["prefixlen"]}"));
        Assert.DoesNotContain(eth0["addr_info"]!.AsArray(), a => (string?)a!["scope"] == "global" && a["tentative"] is not null);
        Assert.Equal(["default via 169.254.1.1", "169.254.1.1 via  link"], _node.Ip(pod, "-4", "route").Select(r => $"{r!["dst"]} via {r["gateway"]}{(r["scope"] is { } s ? $" {s}" : "")}"));
        Assert.Contains(_node.Ip(pod, "-6", "route"), r => (string?)r!["dst"] == "default" && (string?)r["gateway"] == "fe80::ecee:eeff:feee:eeee");

        JsonNode cali = _node.Ip(null, "addr", "show", "dev", plan.HostName)[0]!;
        Assert.Equal("ee:ee:ee:ee:ee:ee", (string?)cali["address"]);
        Assert.Equal(["fe80::ecee:eeff:feee:eeee"], cali["addr_info"]!.AsArray().Select(a => (string?)a!["local"]));
        JsonNode route = Assert.Single(_node.Ip(null, "-4", "route"))!;
        Assert.Equal(("10.1.0.7", plan.HostName, "link"), ((string?)route["dst"], (string?)route["dev"], (string?)route["scope"]));
        Assert.Contains(_node.Ip(null, "-6", "route"), r => (string?)r!["dst"] == "fd00::7" && (string?)r["dev"] == plan.HostName);
        foreach ((string setting, string value) in new[]
        {
            ("ipv4/conf/{0}/route_localnet", "1"), ("ipv4/neigh/{0}/proxy_delay", "0"), ("ipv4/conf/{0}/proxy_arp", "1"), ("ipv4/conf/{0}/forwarding", "1"),
            ("ipv6/conf/{0}/accept_dad", "0"), ("ipv6/conf/{0}/disable_ipv6", "0"), ("ipv6/conf/{0}/proxy_ndp", "1"), ("ipv6/conf/{0}/forwarding", "1"),
            ("ipv6/conf/{0}/accept_ra", "0"),
        })
        {
            Assert.Equal(value, _node.Sysctl(null, "net/" + string.Format(setting, plan.HostName)));
        }

        Assert.Equal("0", _node.Sysctl(pod, "net/ipv4/ip_forward"));
        Assert.Equal("0", _node.Sysctl(pod, "net/ipv6/conf/all/forwarding"));
    }

    [Fact]
    public async Task Create_TwoPods_TalkThroughTheHost()
    {
        string a = _node.NewPod(out NetNamespace first);
        string b = _node.NewPod(out NetNamespace second);
        _node.Host.Run(() => Linux.Processes.Sysctl.Write("net/ipv6/conf/all/forwarding", "1")); // The agent's part.

        await _node.Network.CreateAsync(Plan(a, "10.1.0.1", "fd00::1"), CancellationToken.None);
        await _node.Network.CreateAsync(Plan(b, "10.1.0.2", "fd00::2") with { HostName = "caliother" }, CancellationToken.None);

        Assert.Equal("10.1.0.1", KernelNode.Talk(first, second, "10.1.0.2"));
        Assert.Equal("fd00::1", KernelNode.Talk(first, second, "fd00::2"));
    }

    [Fact]
    public async Task Create_Queues_AreThoseAskedFor()
    {
        string path = _node.NewPod(out NetNamespace pod);

        await _node.Network.CreateAsync(Plan(path, "10.1.0.1") with { Queues = 4 }, CancellationToken.None);

        JsonNode eth0 = _node.Ip(pod, "-d", "link", "show", "dev", "eth0")[0]!;
        Assert.Equal((4, 4), ((int)eth0["num_tx_queues"]!, (int)eth0["num_rx_queues"]!));
    }

    [Fact]
    public async Task Create_OverAnOlderPair_ReplacesIt()
    {
        string old = _node.NewPod(out NetNamespace oldPod);
        string path = _node.NewPod(out NetNamespace pod);
        await _node.Network.CreateAsync(Plan(old, "10.1.0.1"), CancellationToken.None);

        await _node.Network.CreateAsync(Plan(path, "10.1.0.2"), CancellationToken.None);

        Assert.Single(_node.Ip(oldPod, "link"));
        Assert.Equal(2, _node.Ip(pod, "link").Count);
        Assert.Equal("10.1.0.2", (string?)Assert.Single(_node.Ip(null, "-4", "route"))!["dst"]);
    }

    [Fact]
    public async Task Create_AddressOfAnotherPod_FailsAndLeavesNothing()
    {
        string a = _node.NewPod(out _);
        string b = _node.NewPod(out NetNamespace second);
        await _node.Network.CreateAsync(Plan(a, "10.1.0.1"), CancellationToken.None);

        CniException e = await Assert.ThrowsAsync<CniException>(
            () => _node.Network.CreateAsync(Plan(b, "10.1.0.1") with { HostName = "caliother" }, CancellationToken.None).AsTask());

        Assert.Contains("10.1.0.1/32 dev caliother: the host already has it over calitest", e.Message);
        Assert.Single(_node.Ip(second, "link"));
        Assert.Equal(2, _node.Ip(null, "link").Count);
    }

    [Theory]
    [InlineData("/run/netns/node-never-there", 3)]
    [InlineData("/etc/hostname", 8)]
    public async Task Create_NoNamespace_SaysSo(string path, int code)
    {
        CniException e = await Assert.ThrowsAsync<CniException>(() => _node.Network.CreateAsync(Plan(path, "10.1.0.1"), CancellationToken.None).AsTask());

        Assert.Equal(code, (int)e.Code);
    }

    [Fact]
    public async Task Create_InTheHostsOwnNamespace_IsRefused()
    {
        CniException e = await Assert.ThrowsAsync<CniException>(
            () => _node.Network.CreateAsync(Plan(_node.Host.Path, "10.1.0.1"), CancellationToken.None).AsTask());

        Assert.Equal(CniErrorCode.InvalidNetns, e.Code);
    }

    [Fact]
    public async Task Remove_FromPod_TakesHostSideAndRouteAlong()
    {
        string path = _node.NewPod(out NetNamespace pod);
        await _node.Network.CreateAsync(Plan(path, "10.1.0.1", "fd00::1"), CancellationToken.None);

        await _node.Network.RemoveFromPodAsync(path, "eth0", CancellationToken.None);
        await _node.Network.RemoveFromPodAsync(path, "eth0", CancellationToken.None);

        Assert.Single(_node.Ip(pod, "link"));
        Assert.Single(_node.Ip(null, "link"));
        Assert.Empty(_node.Ip(null, "-4", "route"));
    }

    [Fact]
    public async Task Remove_NamespaceGone_IsSuccess()
    {
        string path = _node.NewPod(out NetNamespace pod);
        await _node.Network.CreateAsync(Plan(path, "10.1.0.1"), CancellationToken.None);
        _node.Drop(path);

        await _node.Network.RemoveFromPodAsync(path, "eth0", CancellationToken.None);
        await _node.Network.RemoveFromHostAsync("calitest", CancellationToken.None);

        Assert.Single(_node.Ip(null, "link"));
        pod.Dispose();
    }

    [Fact]
    public async Task Read_WhatWasMade_HasNoDifferences_AndDamageIsNamed()
    {
        string path = _node.NewPod(out NetNamespace pod);
        PodInterface plan = Plan(path, "10.1.0.1", "fd00::1");
        (MacAddress mac, int mtu) = await _node.Network.CreateAsync(plan, CancellationToken.None);

        PodInterfaceState whole = (await _node.Network.ReadAsync(plan, CancellationToken.None))!;
        _node.Run(pod, "ip", "route", "del", "default");
        _node.Run(pod, "ip", "addr", "del", "10.1.0.1/32", "dev", "eth0");
        PodInterfaceState damaged = (await _node.Network.ReadAsync(plan, CancellationToken.None))!;

        Assert.Empty(whole.DifferencesFrom(plan));
        Assert.Equal((mac, mtu), (whole.Mac, whole.Mtu));
        Assert.Equal(["eth0 lacks the address 10.1.0.1/32", "the route 0.0.0.0/0 via 169.254.1.1 dev eth0 is missing"], damaged.DifferencesFrom(plan));
    }

    [Fact]
    public async Task Create_FiftyAtOnce_AllStand()
    {
        List<PodInterface> plans = [.. Enumerable.Range(1, 50).Select(n => Plan(_node.NewPod(out _), $"10.1.0.{n}") with { HostName = $"cali{n}" })];

        await Task.WhenAll(plans.Select(p => _node.Network.CreateAsync(p, CancellationToken.None).AsTask()));

        Assert.Equal(50, _node.Ip(null, "-4", "route").Count);
    }

    private static PodInterface Plan(string path, params string[] addresses) =>
        new() { NetnsPath = path, Name = "eth0", HostName = "calitest", Addresses = [.. addresses.Select(IpAddress.Parse)] };
}
