using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleAction = Weft.Policy.Output.RuleAction;

namespace Weft.Dataplane.Tests;

/// <summary>Host endpoints on the real kernel: a machine outside, the node, and pods behind it.</summary>
public sealed class HostEndpointTrafficTests
{
    private const byte Tcp = 6;
    private static readonly DataplaneRule s_allow = new() { Action = RuleAction.Allow };
    private static readonly ActiveProfileUpdate s_open = new("open", [s_allow], [s_allow]);
    private static readonly PolicyId s_policy = new("GlobalNetworkPolicy", "", "p");
    private static readonly TierPolicies[] s_both = [new("default", false, [s_policy], [s_policy])];
    private static readonly TierPolicies[] s_inbound = [new("default", false, [s_policy], [])];

    [Theory]
    [InlineData("eth0", RuleBackendChoice.IpTablesNft)]
    [InlineData("*", RuleBackendChoice.NfTables)]
    [InlineData("", RuleBackendChoice.NfTables)]
    public async Task Host_IsOpenWithoutEndpoint_ThenOnlyAsPolicyAndFailsafesSay(string interfaceName, RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        Outside outside = node.AddOutside();
        foreach (int port in (int[])[22, 80, 81])
        {
            node.Host.Serve(port);
            outside.Serve(port);
        }

        node.Start();
        await node.SendAsync(new InSync());
        await Written(node);
        Assert.True(await outside.TcpAsync(outside.NodeIPv4, 81));

        await node.SendAsync(Policy(Allow(80), Allow(80)), Endpoint(interfaceName, outside) with { Tiers = s_both });
        await PodNode.Eventually(() => !outside.TcpAsync(outside.NodeIPv4, 81, 200).GetAwaiter().GetResult(), "the host to be closed");

        foreach ((IpAddress host, IpAddress far) in ((IpAddress, IpAddress)[])[(outside.NodeIPv4, outside.IPv4), (outside.NodeIPv6, outside.IPv6)])
        {
            Assert.True(await outside.TcpAsync(host, 80), $"policy lets in to {host}: {node.Rules("-c")}");
            Assert.True(await outside.TcpAsync(host, 22), "failsafe in");
            Assert.True(await node.Host.TcpAsync(far, 80), $"policy lets out to {far}: {node.Rules("-c")}");
            bool[] closed = await Task.WhenAll(outside.TcpAsync(host, 81), outside.UdpAsync(host, 80), node.Host.TcpAsync(far, 81), node.Host.TcpAsync(far, 22));
            Assert.Equal([false, false, false, false], closed);
        }

        await node.SendAsync(new HostEndpointRemove("host"));
        await PodNode.Eventually(() => outside.TcpAsync(outside.NodeIPv4, 81, 200).GetAwaiter().GetResult(), "the host to be open again");
        Assert.DoesNotContain("cali-fh-", node.Rules(), StringComparison.Ordinal);
        Assert.DoesNotContain("cali-pi-", node.Rules("-t mangle"), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(WorkloadTrafficTests.Backends), MemberType = typeof(WorkloadTrafficTests))]
    public async Task ForwardPolicy_IsAskedBesideThatOfTheWorkload_AndFailsafesDoNotOpenIt(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        Outside outside = node.AddOutside();
        Pod pod = node.AddPod(1);
        foreach (int port in (int[])[22, 80, 81])
        {
            pod.Serve(port);
            outside.Serve(port);
        }

        node.Host.Serve(81);
        node.Start();

        // Normal policy of the host's interface says nothing of what passes through.
        await node.SendAsync(
            s_open, pod.Endpoint(profiles: ["open"]), Policy(Allow(80), Allow(80)), Endpoint("eth0", outside) with { Tiers = s_both }, new InSync());
        await node.Progress.WaitAsync(pod);
        Assert.True(await outside.TcpAsync(pod.IPv4, 81), node.Rules("-c"));
        Assert.True(await pod.TcpAsync(outside.IPv4, 81));
        Assert.False(await outside.TcpAsync(outside.NodeIPv4, 81));

        await node.SendAsync(Endpoint("eth0", outside) with { Tiers = s_both, ForwardTiers = s_both });
        await PodNode.Eventually(() => !outside.TcpAsync(pod.IPv4, 81, 200).GetAwaiter().GetResult(), "the way through to be closed");
        Assert.True(await outside.TcpAsync(pod.IPv4, 80), node.Rules("-c"));
        Assert.True(await pod.TcpAsync(outside.IPv4, 80));
        bool[] closed = await Task.WhenAll(outside.TcpAsync(pod.IPv4, 22), pod.TcpAsync(outside.IPv4, 81), pod.TcpAsync(outside.IPv4, 22));
        Assert.Equal([false, false, false], closed);

        // Both must agree: what the endpoint of the interface lets through the workload may still refuse.
        await node.SendAsync(pod.Endpoint(revision: 2));
        await node.Progress.WaitAsync(pod, 2);
        Assert.False(await outside.TcpAsync(pod.IPv4, 80));
    }

    [Theory]
    [MemberData(nameof(WorkloadTrafficTests.Backends), MemberType = typeof(WorkloadTrafficTests))]
    public async Task EndpointOfAllInterfaces_LeavesTheHostsWayToItsWorkloads(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        Outside outside = node.AddOutside();
        Pod pod = node.AddPod(1);
        pod.Serve(80);
        node.Start();

        await node.SendAsync(
            s_open, pod.Endpoint(profiles: ["open"]), Policy([], []), Endpoint("*", outside) with { Tiers = s_both }, new InSync());
        await node.Progress.WaitAsync(pod);

        Assert.True(await node.Host.TcpAsync(pod.IPv4, 80), node.Rules("-c"));
        Assert.True(await outside.TcpAsync(pod.IPv4, 80), "no policy applies to what is forwarded");
    }

    [Theory]
    [MemberData(nameof(WorkloadTrafficTests.Backends), MemberType = typeof(WorkloadTrafficTests))]
    public async Task PreDnatPolicy_SeesTheAddressOfTheService_NotThatOfThePod(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        Outside outside = node.AddOutside();
        Pod pod = node.AddPod(1);
        pod.Serve(80);
        node.Sh($"iptables-nft -t nat -A PREROUTING -p tcp --dport 30080 -j DNAT --to-destination {pod.IPv4}:80");
        node.Sh($"iptables-nft -t nat -A PREROUTING -p tcp --dport 30081 -j DNAT --to-destination {pod.IPv4}:80");
        node.Start();
        await node.SendAsync(s_open, pod.Endpoint(profiles: ["open"]), new InSync());
        await node.Progress.WaitAsync(pod);
        Assert.True(await outside.TcpAsync(outside.NodeIPv4, 30081));

        await node.SendAsync(
            Policy([new DataplaneRule { Action = RuleAction.Deny, Protocol = Tcp, DstPorts = [new PortRange(30081, 30081)] }], [], PolicyTraits.PreDnat | PolicyTraits.ApplyOnForward),
            Endpoint("eth0", outside) with { PreDnatTiers = [new("default", true, [s_policy], [])], ProfileIds = ["open"] });
        await PodNode.Eventually(() => !outside.TcpAsync(outside.NodeIPv4, 30081, 200).GetAwaiter().GetResult(), "the node port to be closed");

        Assert.True(await outside.TcpAsync(outside.NodeIPv4, 30080), node.Rules("-c"));
        Assert.True(await outside.TcpAsync(pod.IPv4, 80));
    }

    [Theory]
    [MemberData(nameof(WorkloadTrafficTests.Backends), MemberType = typeof(WorkloadTrafficTests))]
    public async Task UntrackedPolicy_IsEnforced_AndLeavesNoConnectionBehind(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        Outside outside = node.AddOutside();
        node.Host.Serve(80);
        node.Host.Serve(81);
        node.Start();

        DataplaneRule answers = new() { Action = RuleAction.Allow, Protocol = 17, SrcPorts = [new PortRange(80, 80)] };
        DataplaneRule asks = new() { Action = RuleAction.Allow, Protocol = 17, DstPorts = [new PortRange(80, 80)] };
        DataplaneRule refused = new() { Action = RuleAction.Deny, Protocol = 17, DstPorts = [new PortRange(81, 81)] };
        await node.SendAsync(
            s_open, Policy([asks, refused], [answers], PolicyTraits.Untracked),
            Endpoint("eth0", outside) with { UntrackedTiers = [new("default", true, [s_policy], [s_policy])], ProfileIds = ["open"] }, new InSync());
        await PodNode.Eventually(() => node.Rules("-t raw").Contains("cali-fh-eth0", StringComparison.Ordinal), "the raw chains");
        await Written(node);

        Assert.True(await outside.UdpAsync(outside.NodeIPv4, 80), node.Rules("-c -t raw"));
        Assert.DoesNotContain("dport=80", node.Sh("conntrack -L"), StringComparison.Ordinal);
        Assert.False(await outside.UdpAsync(outside.NodeIPv4, 81));
        Assert.True(await outside.TcpAsync(outside.NodeIPv4, 81), "what it does not decide the normal policy does");
    }

    [Theory]
    [MemberData(nameof(WorkloadTrafficTests.Backends), MemberType = typeof(WorkloadTrafficTests))]
    public async Task TranslatedPacketsOfTheHost_AreAskedAfterTheirTranslation(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        Outside outside = node.AddOutside();
        outside.Serve(80);
        outside.Serve(81);
        node.Sh($"iptables-nft -t nat -A OUTPUT -p tcp -d 10.96.0.1 --dport 80 -j DNAT --to-destination {outside.IPv4}:80");
        node.Sh($"iptables-nft -t nat -A OUTPUT -p tcp -d 10.96.0.1 --dport 81 -j DNAT --to-destination {outside.IPv4}:81");
        node.Sh("ip route add 10.96.0.0/12 dev eth0");
        node.Start();

        DataplaneRule toServer = new() { Action = RuleAction.Allow, Protocol = Tcp, DstNets = [outside.IPv4.ToPrefix()], DstPorts = [new PortRange(80, 80)] };
        await node.SendAsync(Policy([], [toServer]), Endpoint("eth0", outside) with { Tiers = s_both }, new InSync());
        await PodNode.Eventually(() => node.Rules("-t mangle").Contains("cali-th-eth0", StringComparison.Ordinal), "the mangle chains");
        await Written(node);

        Assert.True(await node.Host.TcpAsync(IpAddress.Parse("10.96.0.1"), 80), node.Rules("-c -t mangle"));
        Assert.False(await node.Host.TcpAsync(IpAddress.Parse("10.96.0.1"), 81));
    }

    [Theory]
    [MemberData(nameof(WorkloadTrafficTests.Backends), MemberType = typeof(WorkloadTrafficTests))]
    public async Task InvalidEndpoint_IsClosed_ButForFailsafesAndEstablishedFlows_AndNamed(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        Outside outside = node.AddOutside();
        Pod pod = node.AddPod(1);
        foreach (int port in (int[])[22, 80])
        {
            node.Host.Serve(port);
            pod.Serve(port);
        }

        node.Start();
        await node.SendAsync(s_open, pod.Endpoint(profiles: ["open"]), Endpoint("eth0", outside) with { ProfileIds = ["open"] }, new InSync());
        await node.Progress.WaitAsync(pod);
        using System.Net.Sockets.Socket? flow = await outside.ConnectAsync(outside.NodeIPv4, 80, 4000);

        await node.SendAsync(Endpoint("eth0", outside) with { Problem = "policy gnp/bad is invalid" }, pod.Endpoint(profiles: ["open"], revision: 2));
        await node.Progress.WaitAsync(pod, 2);
        Assert.True(await outside.TcpAsync(outside.NodeIPv4, 22, 4000), "failsafe in");
        Assert.True(await Station.EchoAsync(flow!, 4000), "the flow goes on");
        Assert.True(await outside.TcpAsync(pod.IPv4, 80, 4000), "nothing speaks of what passes through");
        bool[] closed = await Task.WhenAll(outside.TcpAsync(outside.NodeIPv4, 80), outside.UdpAsync(outside.NodeIPv6, 80), node.Host.TcpAsync(outside.IPv4, 22));
        Assert.Equal([false, false, false], closed);
        Assert.Contains("HostEndpoint host is closed: policy gnp/bad is invalid", node.Reports.Last().NotEnforced);

        await node.SendAsync(Endpoint("eth0", outside) with { Problem = "policy gnp/bad is invalid", ClosesForwarded = true }, pod.Endpoint(profiles: ["open"], revision: 3));
        await node.Progress.WaitAsync(pod, 3);
        Assert.False(await outside.TcpAsync(pod.IPv4, 80));
    }

    [Fact]
    public async Task EndpointsThatWantOneInterface_OrNone_AreNamed()
    {
        await using PodNode node = new();
        Outside outside = node.AddOutside();
        node.Start();
        HostEndpointUpdate endpoint = Endpoint("eth0", outside);

        await node.SendAsync(
            endpoint with { Name = "a" }, endpoint with { Name = "b" }, endpoint with { Name = "c", InterfaceName = "", ExpectedIps = [IpAddress.Parse("203.0.113.1")] },
            endpoint with { Name = "d", InterfaceName = "*", UntrackedTiers = s_inbound }, endpoint with { Name = "e", InterfaceName = "cali1" }, new InSync());
        await PodNode.Eventually(() => node.Reports.LastOrDefault()?.NotEnforced.Count == 4, "the report");

        Assert.Equal(
            [
                "HostEndpoint b: interface eth0 belongs to HostEndpoint a", "HostEndpoint c: no interface has one of 203.0.113.1",
                "HostEndpoint d: doNotTrack policy has no effect on an endpoint of all interfaces", "HostEndpoint e: interface cali1 is of a workload",
            ],
            node.Reports.Last().NotEnforced);

        // The address comes: it is somebody's interface now.
        node.Sh("ip link add far0 type veth peer name far1");
        node.Sh("ip address add 203.0.113.1/24 dev far0");
        await PodNode.Eventually(() => node.Rules().Contains("cali-fh-far0", StringComparison.Ordinal), "the interface to be found by its address");
        node.Sh("ip address del 203.0.113.1/24 dev far0");
        await PodNode.Eventually(() => !node.Rules().Contains("cali-fh-far0", StringComparison.Ordinal), "the interface to be given up");
    }

    private static HostEndpointUpdate Endpoint(string interfaceName, Outside outside) =>
        new("host", interfaceName, [outside.NodeIPv4, outside.NodeIPv6], [], [], [], [], []);

    private static DataplaneRule[] Allow(ushort port) =>
    [
        new DataplaneRule { Action = RuleAction.Allow, Protocol = Tcp, DstPorts = [new PortRange(port, port)] },

        // Without neighbour discovery there is no IPv6 at all.
        new DataplaneRule { Action = RuleAction.Allow, Protocol = 58 },
    ];

    private static ActivePolicyUpdate Policy(DataplaneRule[] inbound, DataplaneRule[] outbound, PolicyTraits traits = PolicyTraits.ApplyOnForward) =>
        new(s_policy, "default", inbound, outbound, "all()", traits);

    private static Task Written(PodNode node)
    {
        return PodNode.Eventually(() => node.Reports.LastOrDefault() is { Problem: null }, "a round that wrote everything");
    }
}
