using Weft.Linux.Netlink;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleAction = Weft.Policy.Output.RuleAction;

namespace Weft.Dataplane.Tests;

/// <summary>
/// Two nodes on the real kernel with an overlay between them, as the calculation graph describes it to each:
/// <code>
///   pod 101 - node one 192.0.2.1 ---- underlay ---- 192.0.2.2 node two - pod 201
///              10.65.1.0/24, 10.65.1.99 tunnel       10.65.2.0/24, 10.65.2.99 tunnel
/// </code>
/// </summary>
public sealed class OverlayTests
{
    private static readonly DataplaneRule s_allow = new() { Action = RuleAction.Allow };
    private static readonly ActiveProfileUpdate s_open = new("open", [s_allow], [s_allow]);

    [Fact]
    public async Task Vxlan_CarriesTcpAndUdp_OfBothFamilies_BetweenPods_AndFromTheHost()
    {
        await using Underlay under = await Underlay.StartAsync(IpPoolType.Vxlan, RouteTraits.None);

        Assert.True(await under.One.Pod.TcpAsync(under.Two.Pod.IPv4, 80, 5000), under.Dump());
        Assert.True(await under.One.Pod.UdpAsync(under.Two.Pod.IPv4, 80, 2000), under.Dump());
        Assert.True(await under.Two.Pod.TcpAsync(under.One.Pod.IPv4, 80, 2000), under.Dump());
        Assert.True(await under.One.Pod.TcpAsync(under.Two.Pod.IPv6, 80, 5000), under.Dump());
        Assert.True(await under.One.Pod.UdpAsync(under.Two.Pod.IPv6, 80, 2000), under.Dump());
        Assert.Contains("src 10.65.1.99", under.One.Node.Sh($"ip route get {under.Two.Pod.IPv4}"));
        Assert.Contains("0% packet loss", under.One.Node.Sh($"ping -c 1 -W 2 {under.Two.Pod.IPv4}"));
        Assert.Contains("0% packet loss", under.One.Node.Sh($"ping -c 1 -W 2 -M do -s {1450 - 28} {under.Two.Pod.IPv4}"));
    }

    [Fact]
    public async Task Device_IsWhatItMustBe_AndHealsWhenOthersChangeIt()
    {
        await using Underlay under = await Underlay.StartAsync(IpPoolType.Vxlan, RouteTraits.None);
        PodNode node = under.One.Node;
        string device = node.Sh("ip -d -o link show vxlan.calico");
        Assert.Contains("vxlan id 4096 local 192.0.2.1 dev under0", device);
        Assert.Contains("dstport 4789 nolearning", device);
        Assert.Contains("mtu 1450", device);
        Assert.Contains("66:00:00:00:00:01", device);
        Assert.Contains("66:00:00:00:00:02 dst 192.0.2.2 self permanent", node.Sh("bridge fdb show dev vxlan.calico"));
        Assert.Contains("10.65.2.0/24 via 10.65.2.99 dev vxlan.calico proto 80 onlink", node.Sh("ip route"));
        Assert.Contains("blackhole 10.65.1.0/24 proto 80", node.Sh("ip route"));

        // Another device of that name, made while nobody looks.
        await node.StopAsync();
        node.Sh("ip link del vxlan.calico");
        node.Sh("ip link add vxlan.calico type vxlan id 7 dstport 4444 local 192.0.2.1");
        node.Start();
        await node.SendAsync([.. under.StateOf(under.One)]);

        await PodNode.Eventually(
            () => node.Sh("ip -d -o link show").Contains("vxlan id 4096", StringComparison.Ordinal)
                && node.Sh("ip route").Contains("10.65.2.0/24 via 10.65.2.99 dev vxlan.calico", StringComparison.Ordinal), "the device made anew");
        await PodNode.Eventually(() => node.Sh("bridge fdb show dev vxlan.calico").Contains("dst 192.0.2.2", StringComparison.Ordinal), "its forwarding entries");
        Assert.True(await under.One.Pod.TcpAsync(under.Two.Pod.IPv4, 80, 5000), under.Dump());
    }

    [Fact]
    public async Task SameSubnet_GoesWithoutATunnel()
    {
        await using Underlay under = await Underlay.StartAsync(IpPoolType.Vxlan, RouteTraits.SameSubnet);

        Assert.True(await under.One.Pod.TcpAsync(under.Two.Pod.IPv4, 80, 5000), under.Dump());
        Assert.Contains("10.65.2.0/24 via 192.0.2.2 dev under0 proto 80 onlink", under.One.Node.Sh("ip route"));
    }

    [Fact]
    public async Task PacketsOfStrangers_AreDropped()
    {
        await using Underlay under = await Underlay.StartAsync(IpPoolType.Vxlan, RouteTraits.None);
        Assert.True(await under.One.Pod.TcpAsync(under.Two.Pod.IPv4, 80, 5000), under.Dump());

        // Node two forgets that node one is one of the cluster: what still comes from it is a stranger's.
        await under.Two.Node.SendAsync(new VXLANTunnelEndpointRemove(under.One.Node.Name));
        await PodNode.Eventually(() => !under.Two.Node.Sh("bridge fdb show dev vxlan.calico").Contains("192.0.2.1", StringComparison.Ordinal), "the end forgotten");

        Assert.False(await under.One.Pod.TcpAsync(under.Two.Pod.IPv4, 80, 1000));
        Assert.Matches(@"\[[1-9]\d*:\d+\] -A cali-INPUT.*Drop IPv4 VXLAN packets", under.Two.Node.Rules("-c -t filter"));
    }

    [Fact]
    public async Task OverlayNoLongerInUse_LeavesNoDeviceRouteOrRule()
    {
        await using Underlay under = await Underlay.StartAsync(IpPoolType.Vxlan, RouteTraits.None);
        PodNode node = under.One.Node;

        await node.SendAsync(new EncapsulationUpdate(Encapsulations.None));

        await PodNode.Eventually(() => !node.Sh("ip -o link show").Contains("vxlan", StringComparison.Ordinal), "the devices gone");
        await PodNode.Eventually(() => !node.Sh("ip route").Contains("10.65.2.0/24", StringComparison.Ordinal), "the route gone");
        await PodNode.Eventually(() => !node.Rules().Contains("4789 -j NOTRACK", StringComparison.Ordinal), "the rules gone");
    }

    [Fact]
    public async Task KernelWithoutIpip_IsNamed_AndEverythingElseIsWritten()
    {
        await using Underlay under = await Underlay.StartAsync(IpPoolType.Ipip, RouteTraits.None, wait: false);
        PodNode node = under.One.Node;
        using RouteSocket socket = RouteSocket.Open(node.Space);
        await node.Progress.WaitAsync(under.One.Pod);

        if (socket.Links.Find("tunl0") is { } device)
        {
            Assert.Equal("ipip", device.Kind);
            Assert.True(await under.One.Pod.TcpAsync(under.Two.Pod.IPv4, 80, 5000), under.Dump());
        }
        else
        {
            await PodNode.Eventually(() => node.Reports.Any(r => r.Problem?.Contains("this kernel has no IPIP", StringComparison.Ordinal) == true), "the problem told");
            Assert.DoesNotContain("10.65.2.0/24", node.Sh("ip route"));
        }
    }

    private sealed record Side(PodNode Node, Pod Pod);

    private sealed class Underlay : IAsyncDisposable
    {
        public Side One { get; }

        public Side Two { get; }

        private readonly IpPoolType _type;
        private readonly RouteTraits _traits;

        private Underlay(IpPoolType type, RouteTraits traits)
        {
            (_type, _traits) = (type, traits);
            PodNode one = new(), two = new();
            one.Sh($"ip link add under0 type veth peer name under0 netns {two.Name}");
            (One, Two) = (Prepare(one, 1), Prepare(two, 2));
        }

        public static async Task<Underlay> StartAsync(IpPoolType type, RouteTraits traits, bool wait = true)
        {
            Underlay under = new(type, traits);
            foreach (Side side in (Side[])[under.One, under.Two])
            {
                side.Node.Start();
                await side.Node.SendAsync([.. under.StateOf(side)]);
            }

            foreach (Side side in wait ? (Side[])[under.One, under.Two] : [])
            {
                await side.Node.Progress.WaitAsync(side.Pod);
                string other = side == under.One ? "10.65.2.0/24" : "10.65.1.0/24";
                await PodNode.Eventually(() => side.Node.Sh("ip route").Contains($"{other} via", StringComparison.Ordinal), $"the route to {other}");
                await PodNode.Eventually(
                    () => side.Node.Sh("ip -6 route").Contains(side == under.One ? "fd65::2:0/112 via" : "fd65::1:0/112 via", StringComparison.Ordinal), "the IPv6 route");
            }

            return under;
        }

        /// <summary>Everything the calculation graph tells a node at its start.</summary>
        public IEnumerable<DataplaneUpdate> StateOf(Side side) =>
        [
            s_open, side.Pod.Endpoint(profiles: ["open"]), .. Cluster(side == One ? 1 : 2, _type, _traits, One.Node.Name, Two.Node.Name), new InSync(),
        ];

        public string Dump() => One.Node.Dump() + Two.Node.Dump() + One.Node.Sh("bridge fdb show dev vxlan.calico");

        public async ValueTask DisposeAsync()
        {
            await One.Node.DisposeAsync();
            await Two.Node.DisposeAsync();
        }

        private static Side Prepare(PodNode node, int number)
        {
            foreach (string command in (string[])[
                "sysctl -qw net.ipv6.conf.under0.accept_dad=0", "ip link set under0 up", $"ip address add 192.0.2.{number}/24 dev under0",
                $"ip -6 address add 2001:db8::{number}/64 dev under0 nodad"])
            {
                node.Sh(command);
            }

            Side side = new(node, node.AddPod((number * 100) + 1));
            side.Pod.Serve(80);
            return side;
        }

        private static IEnumerable<DataplaneUpdate> Cluster(int self, IpPoolType type, RouteTraits traits, params string[] names)
        {
            yield return new EncapsulationUpdate(type == IpPoolType.Vxlan ? Encapsulations.Vxlan | Encapsulations.VxlanV6 : Encapsulations.Ipip);
            for (int n = 1; n <= 2; n++)
            {
                string name = names[n - 1];
                (IpAddress four, IpAddress six) = (IpAddress.Parse($"192.0.2.{n}"), IpAddress.Parse($"2001:db8::{n}"));
                (IpAddress tunnel, IpAddress tunnel6) = (IpAddress.Parse($"10.65.{n}.99"), IpAddress.Parse($"fd65::{n}:99"));
                yield return new HostMetadataUpdate(name, four, six);
                RouteTypes types = n == self ? RouteTypes.LocalWorkload : RouteTypes.RemoteWorkload;
                RouteTraits here = n == self ? RouteTraits.None : traits;
                yield return new RouteUpdate(IpPrefix.Parse($"10.65.{n}.0/24"), types, type, name, four, here, TunnelTypes.None);
                RouteTypes end = n == self ? RouteTypes.LocalTunnel : RouteTypes.RemoteTunnel;
                TunnelTypes kind = type == IpPoolType.Vxlan ? TunnelTypes.Vxlan : TunnelTypes.Ipip;
                yield return new RouteUpdate(tunnel.ToPrefix(), end, type, name, four, here, kind);
                if (type == IpPoolType.Vxlan)
                {
                    yield return new RouteUpdate(IpPrefix.Parse($"fd65::{n}:0/112"), types, type, name, six, here, TunnelTypes.None);
                    yield return new RouteUpdate(tunnel6.ToPrefix(), end, type, name, six, here, kind);
                    yield return new VXLANTunnelEndpointUpdate(
                        name, MacAddress.Parse($"66:00:00:00:00:0{n}"), tunnel, four, MacAddress.Parse($"66:00:00:00:06:0{n}"), tunnel6, six);
                }
            }
        }
    }
}
