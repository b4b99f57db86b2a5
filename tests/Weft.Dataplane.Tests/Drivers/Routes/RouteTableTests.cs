using Microsoft.Extensions.Logging.Abstractions;
using Weft.Dataplane.Drivers;
using Weft.Dataplane.Drivers.Links;
using Weft.Dataplane.Drivers.Routes;
using Weft.Linux;
using Weft.Linux.Netfilter;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests.Drivers.Routes;

public class RouteTableTests
{
    private const byte Protocol = 80;
    private static readonly LinkId Pod1 = new("cali1"), Pod2 = new("cali2"), Uplink = new("eth0");

    [Theory]
    [InlineData(IpFamily.IPv4)]
    [InlineData(IpFamily.IPv6)]
    public void Apply_WritesEveryShape_ThenNothing(IpFamily family)
    {
        using Bench bench = new(family);
        Fill(bench);

        Assert.True(bench.Apply().IsDone);
        int writes = bench.Netlink.Writes, dumps = bench.Netlink.Dumps;
        Assert.True(bench.Apply().IsDone);

        Assert.Equal((writes, dumps), (bench.Netlink.Writes, bench.Netlink.Dumps));
        Assert.Equal(bench.Expected, bench.Shown());
    }

    [Theory]
    [InlineData(IpFamily.IPv4)]
    [InlineData(IpFamily.IPv6)]
    public void Restart_WithNoMemory_WritesNothing(IpFamily family)
    {
        using Bench bench = new(family);
        Fill(bench);
        bench.Apply();

        bench.Restart();
        Fill(bench);
        bench.Apply();

        Assert.Equal(0, bench.Netlink.Writes);
    }

    [Theory]
    [InlineData(IpFamily.IPv4)]
    [InlineData(IpFamily.IPv6)]
    public void Damage_IsHealed_AndForeignRoutesStay(IpFamily family)
    {
        using Bench bench = new(family);
        bench.Ip($"route add {bench.Net(200)} dev eth0 proto static");
        bench.Ip($"route add {bench.Net(201)} dev eth0 proto bird");
        Fill(bench);
        bench.Apply();

        string[] damages =
        [
            $"route del {bench.Net(2)}",
            $"route replace {bench.Net(2)} via {bench.Gateway(9)} dev eth0 proto 80",
            $"route replace {bench.Net(4)} via {bench.Gateway(1)} dev eth0 proto 80",
            $"route add {bench.Net(99)} dev eth0 proto 80",
            $"route add {bench.Net(98)} dev eth0 proto 80 metric 77",
            "route flush proto 80",
        ];
        foreach (string damage in damages)
        {
            bench.Ip(damage);
            bench.Table.QueueResync();
            Assert.True(bench.Apply().IsDone);

            Assert.Equal(bench.Expected, bench.Shown());
        }

        Assert.Contains(bench.Net(200), bench.Ip("route show proto static"));
        Assert.Contains(bench.Net(201), bench.Ip("route show proto bird"));
    }

    [Fact]
    public void ForeignRouteWithTheSameKey_IsAConflict_UntilItGoes()
    {
        using Bench bench = new(IpFamily.IPv4);
        bench.Ip("route add 10.0.2.0/24 via 192.0.2.77 dev eth0 proto static");
        Fill(bench);

        Assert.True(bench.Apply().IsDone);

        Assert.Equal(["10.0.2.0/24"], bench.Table.Conflicts.Select(static c => c.Prefix.ToString()));
        Assert.Contains("192.0.2.77", bench.Ip("route show 10.0.2.0/24"));
        Assert.False(bench.Table.IsWritten(bench.Key(2)));
        bench.Ip("route del 10.0.2.0/24");
        bench.Kernel.Time.Advance(TimeSpan.FromSeconds(90));
        bench.Apply();
        Assert.Empty(bench.Table.Conflicts);
        Assert.Equal(bench.Expected, bench.Shown());
    }

    [Fact]
    public void LinkThatAppearsLater_GetsItsRoutesThen()
    {
        using Bench bench = new(IpFamily.IPv4);
        LinkId late = new("cali-late");
        bench.Table.SetRoutes(RouteOwner.LocalWorkload, late, [(bench.Key(7), RouteTarget.OnLink())]);

        Assert.True(bench.Apply().IsDone);
        Assert.Equal((1, false), (bench.Table.WaitingCount, bench.Table.IsWritten(bench.Key(7))));
        bench.Ip("link add cali-late type veth peer name late-peer");
        bench.SyncLinks();
        bench.Apply();
        Assert.Equal(1, bench.Table.WaitingCount);
        bench.Ip("link set cali-late up");
        bench.SyncLinks();
        bench.Apply();

        Assert.Equal((0, true), (bench.Table.WaitingCount, bench.Table.IsWritten(bench.Key(7))));
        Assert.Contains("10.0.7.0/24 dev cali-late", bench.Ip("route show proto 80"));
    }

    [Fact]
    public void LinkThatGoesDownAndUp_GetsItsRoutesBack()
    {
        using Bench bench = new(IpFamily.IPv4);
        Fill(bench);
        bench.Apply();

        foreach (string link in (string[])["cali1", "eth0"])
        {
            bench.Ip($"link set {link} down");
            bench.SyncLinks();

            // Without eth0 there is no way to the gateway that names no link: that one is retried, the others wait.
            Assert.Equal(link != "eth0", bench.Apply().IsDone);
            bench.Ip($"link set {link} up");
            bench.SyncLinks();
            Assert.True(bench.Apply().IsDone);

            Assert.Equal(bench.Expected, bench.Shown());
        }
    }

    [Fact]
    public void LinkThatIsMadeAnew_GetsItsRoutesUnderItsNewIndex()
    {
        using Bench bench = new(IpFamily.IPv4);
        Fill(bench);
        bench.Apply();

        bench.Ip("link del cali1");
        bench.AddLink("cali1");
        bench.SyncLinks();
        bench.Apply();

        Assert.Equal(bench.Expected, bench.Shown());
    }

    [Fact]
    public void TwoOwnersOfOneKey_TheFirstInOrderWins_AndTheOtherFollows()
    {
        using Bench bench = new(IpFamily.IPv4);
        bench.Table.SetRoutes(RouteOwner.Blackhole, LinkId.None, [(bench.Key(5), RouteTarget.Blackhole)]);
        bench.Table.SetRoutes(RouteOwner.LocalWorkload, Pod2, [(bench.Key(5), RouteTarget.OnLink())]);
        bench.Table.SetRoutes(RouteOwner.LocalWorkload, Pod1, [(bench.Key(5), RouteTarget.OnLink())]);
        bench.Apply();
        Assert.Contains("dev cali1", bench.Ip("route show 10.0.5.0/24"));

        bench.Table.SetRoutes(RouteOwner.LocalWorkload, Pod1, []);
        bench.Apply();
        Assert.Contains("dev cali2", bench.Ip("route show 10.0.5.0/24"));

        bench.Table.SetRoutes(RouteOwner.LocalWorkload, Pod2, []);
        bench.Apply();
        Assert.Contains("blackhole", bench.Ip("route show 10.0.5.0/24"));

        bench.Table.SetRoutes(RouteOwner.Blackhole, LinkId.None, []);
        bench.Apply();
        Assert.Empty(bench.Ip("route show 10.0.5.0/24").Trim());
    }

    [Fact]
    public void ChangesThatCancelOut_AreNotWritten_AndRemovalsAre()
    {
        using Bench bench = new(IpFamily.IPv4);
        Fill(bench);
        bench.Apply();
        int writes = bench.Netlink.Writes;

        bench.Table.SetRoute(RouteOwner.Bgp, bench.Key(60), RouteTarget.Via(IpAddress.Parse(bench.Gateway(1)), Uplink));
        bench.Table.RemoveRoute(RouteOwner.Bgp, bench.Key(60));
        bench.Apply();
        Assert.Equal(writes, bench.Netlink.Writes);

        bench.Table.RemoveRoute(RouteOwner.Bgp, bench.Key(2));
        bench.Apply();
        Assert.Equal(writes + 1, bench.Netlink.Writes);
        Assert.Equal(bench.Expected.Where(l => !l.Contains(bench.Net(2))), bench.Shown());
    }

    [Fact]
    public void Failures_AreRetried_AndNothingIsLost()
    {
        foreach ((int calls, int results) in ((int, int)[])[(1, 0), (2, 0), (0, 3), (3, 2)])
        {
            using Bench bench = new(IpFamily.IPv4);
            Fill(bench);
            bench.Netlink.FailNext = calls;
            bench.Netlink.FailResults = results;

            int attempts = 1;
            ApplyStatus status;
            while (!(status = bench.Apply()).IsDone)
            {
                Assert.True(status.Next > TimeSpan.Zero);
                Assert.True(++attempts < 10);
            }

            Assert.True(attempts > 1);
            Assert.Equal(bench.Expected, bench.Shown());
        }
    }

    [Fact]
    public void UnreachableGateway_KeepsTheRestWorking_AndIsRetriedEverMoreRarely()
    {
        using Bench bench = new(IpFamily.IPv4);
        Fill(bench);
        bench.Table.SetRoute(RouteOwner.Bgp, bench.Key(70), RouteTarget.Via(IpAddress.Parse("203.0.113.1"), Uplink));

        ApplyStatus first = bench.Apply();
        ApplyStatus second = bench.Apply();

        Assert.Equal((false, false), (first.IsDone, second.IsDone));
        Assert.Equal(2 * first.Next, second.Next);
        Assert.Equal(bench.Expected, bench.Shown());
        bench.Ip("address add 203.0.113.9/24 dev eth0");
        Assert.True(bench.Apply().IsDone);
        Assert.True(bench.Table.IsWritten(bench.Key(70)));
    }

    [Fact]
    public void ExclusiveLink_IsSweptAfterTheGrace()
    {
        using Bench bench = new(
            IpFamily.IPv4, s => s with { HasExclusiveLinks = true, IsExclusiveLink = static name => name.StartsWith("cali", StringComparison.Ordinal) });
        bench.Ip("route add 10.0.44.0/24 dev cali1 proto static");
        bench.Ip("route add 10.0.45.0/24 dev eth0 proto static");
        Fill(bench);

        ApplyStatus early = bench.Apply();
        Assert.Contains("10.0.44.0/24", bench.Ip("route show"));
        bench.Kernel.Time.Advance(early.Next!.Value);
        bench.Apply();

        Assert.Equal(10, early.Next.Value.TotalSeconds);
        Assert.DoesNotContain("10.0.44.0/24", bench.Ip("route show"));
        Assert.Contains("10.0.45.0/24", bench.Ip("route show"));
        Assert.Equal(bench.Expected, bench.Shown());
    }

    [Fact]
    public void AdoptedProtocol_IsTakenOver()
    {
        using Bench bench = new(IpFamily.IPv4, static s => s with { AdoptedProtocols = [12] });
        bench.Ip($"route add {bench.Net(2)} via {bench.Gateway(1)} dev eth0 proto bird");
        bench.Ip($"route add {bench.Net(90)} via {bench.Gateway(1)} dev eth0 proto bird");
        Fill(bench);

        bench.Apply();

        Assert.Empty(bench.Ip("route show proto bird").Trim());
        Assert.Equal(bench.Expected, bench.Shown());
    }

    [Fact]
    public void RouteOfTheOtherFamily_IsRefused()
    {
        using Bench bench = new(IpFamily.IPv4);

        Assert.Throws<ArgumentException>(() => bench.Table.SetRoute(RouteOwner.Bgp, new RouteKey(IpPrefix.Parse("fd00::/64")), RouteTarget.Blackhole));
    }

    [Fact]
    public void PodAddressThatMovesOrGoes_LosesItsConnections()
    {
        using Bench bench = new(IpFamily.IPv4);
        RouteKey first = new(IpPrefix.Parse("10.0.0.1/32")), second = new(IpPrefix.Parse("10.0.0.2/32")), third = new(IpPrefix.Parse("10.0.0.3/32"));
        bench.Table.SetRoutes(RouteOwner.LocalWorkload, Pod1, [(first, RouteTarget.OnLink()), (second, RouteTarget.OnLink()), (third, RouteTarget.OnLink())]);
        bench.Apply();
        foreach (string source in (string[])["10.0.0.1", "10.0.0.2", "10.0.0.3"])
        {
            bench.Kernel.Sh($"conntrack -I -s {source} -d 10.9.9.9 -p tcp --sport 1000 --dport 80 --state ESTABLISHED -t 100");
        }

        bench.Table.SetRoutes(RouteOwner.LocalWorkload, Pod1, [(third, RouteTarget.OnLink())]);
        bench.Table.SetRoutes(RouteOwner.LocalWorkload, Pod2, [(second, RouteTarget.OnLink())]);
        Assert.True(bench.Apply().IsDone);

        string left = bench.Kernel.Sh("conntrack -L -f ipv4");
        Assert.DoesNotContain("src=10.0.0.1 ", left);
        Assert.DoesNotContain("src=10.0.0.2 ", left);
        Assert.Contains("src=10.0.0.3 ", left);
    }

    /// <summary>Random wishes of random owners and random damage: whatever came before, a driver with no memory then finds nothing to do.</summary>
    [Fact]
    public void RandomHistory_EndsInTheDesiredState()
    {
        using Bench bench = new(IpFamily.IPv4);
        Random random = new(20261122);
        RouteTarget[] targets =
        [
            RouteTarget.Blackhole, RouteTarget.OnLink(Pod1), RouteTarget.OnLink(Pod2),
            RouteTarget.Via(IpAddress.Parse(bench.Gateway(1)), Uplink), RouteTarget.Via(IpAddress.Parse(bench.Gateway(2)), Uplink),
            RouteTarget.Multipath(new NextHop(IpAddress.Parse(bench.Gateway(1)), Uplink), new NextHop(IpAddress.Parse(bench.Gateway(2)), Uplink)),
        ];
        Dictionary<(RouteOwner, int), RouteTarget> wishes = [];

        for (int step = 0; step < 400; step++)
        {
            RouteOwner owner = (RouteOwner)random.Next(0, 3);
            int net = random.Next(0, 12);
            switch (random.Next(0, 10))
            {
                case < 5:
                    wishes[(owner, net)] = targets[random.Next(targets.Length)];
                    bench.Table.SetRoute(owner, bench.Key(net), wishes[(owner, net)]);
                    break;
                case < 7:
                    wishes.Remove((owner, net));
                    bench.Table.RemoveRoute(owner, bench.Key(net));
                    break;
                case 7:
                    bench.TryIp($"route del {bench.Net(net)}");
                    bench.Table.QueueResync();
                    break;
                case 8:
                    bench.TryIp($"route replace {bench.Net(net)} dev eth0 proto 80");
                    bench.Table.QueueResync();
                    break;
                default:
                    Assert.True(bench.Apply().IsDone);
                    break;
            }
        }

        Assert.True(bench.Apply().IsDone);
        bench.Restart();
        foreach (((RouteOwner owner, int net), RouteTarget target) in wishes)
        {
            bench.Table.SetRoute(owner, bench.Key(net), target);
        }

        bench.Apply();
        Assert.Equal(0, bench.Netlink.Writes);
        Assert.Equal(wishes.Keys.Select(static k => k.Item2).Distinct().Count(), bench.Shown().Count());
    }

    [Fact]
    public void HundredThousandRoutes_AreWrittenReadAndRemoved()
    {
        using Bench bench = new(IpFamily.IPv4);
        RouteTarget target = RouteTarget.Via(IpAddress.Parse(bench.Gateway(1)), Uplink);
        void SetAll()
        {
            for (uint i = 0; i < 100_000; i++)
            {
                bench.Table.SetRoute(RouteOwner.Bgp, new RouteKey(new IpPrefix(IpAddress.FromIPv4(0x14000000 + (i << 6)), 26)), target);
            }
        }

        SetAll();
        Assert.True(bench.Apply().IsDone);
        int writes = bench.Netlink.Writes;
        bench.Restart();
        SetAll();
        Assert.True(bench.Apply().IsDone);
        Assert.Equal((100, 0), (writes, bench.Netlink.Writes));
        bench.Restart();
        Assert.True(bench.Apply().IsDone);
        Assert.Empty(bench.Shown());
    }

    private static void Fill(Bench bench)
    {
        IpAddress first = IpAddress.Parse(bench.Gateway(1)), second = IpAddress.Parse(bench.Gateway(2));
        bench.Table.SetRoutes(RouteOwner.LocalWorkload, Pod1, [(bench.Key(0), RouteTarget.OnLink()), (bench.Key(1, 1024), RouteTarget.OnLink())]);
        bench.Table.SetRoute(RouteOwner.Bgp, bench.Key(2), RouteTarget.Via(first, Uplink));
        bench.Table.SetRoute(RouteOwner.Bgp, bench.Key(3, 50), RouteTarget.Via(IpAddress.Parse(bench.OffLinkGateway), Uplink, onLink: true));
        bench.Table.SetRoute(RouteOwner.Bgp, bench.Key(4), RouteTarget.Multipath(new NextHop(second, Uplink), new NextHop(first, Uplink)));
        bench.Table.SetRoute(RouteOwner.Bgp, bench.Key(5), RouteTarget.Via(second, source: IpAddress.Parse(bench.Gateway(254)), mtu: 1400));
        bench.Table.SetRoutes(RouteOwner.Blackhole, LinkId.None, [(bench.Key(6), RouteTarget.Blackhole)]);
    }

    /// <summary>A namespace with an uplink and two pods, a table that keeps it, and the listing that a right table shows.</summary>
    private sealed class Bench : IDisposable
    {
        private readonly Func<RouteTableSettings, RouteTableSettings> _adjust;
        private RouteSocket _socket = null!;

        public Bench(IpFamily family, Func<RouteTableSettings, RouteTableSettings>? adjust = null)
        {
            Family = family;
            _adjust = adjust ?? (static s => s);
            AddLink("eth0");
            AddLink("cali1");
            AddLink("cali2");
            Kernel.Sh("ip address add 192.0.2.254/24 dev eth0");
            Kernel.Sh("ip address add 2001:db8::fe/64 dev eth0 nodad");
            Restart();
        }

        public TestKernel Kernel { get; } = new();

        public IpFamily Family { get; }

        public ScriptedNetlink Netlink { get; private set; } = null!;

        public LinkFacts Links { get; private set; } = null!;

        public RouteTable Table { get; private set; } = null!;

        public string OffLinkGateway => Family == IpFamily.IPv4 ? "198.51.100.1" : "2001:db8:ff::1";

        /// <summary>What "ip route show proto 80" prints when everything that Fill asks for is there.</summary>
        public string[] Expected => Family == IpFamily.IPv4
                ?
                [
                    "10.0.0.0/24 dev cali1 scope link", "10.0.1.0/24 dev cali1 scope link metric 1024", "10.0.2.0/24 via 192.0.2.1 dev eth0",
                    "10.0.3.0/24 via 198.51.100.1 dev eth0 metric 50 onlink",
                    "10.0.4.0/24 nexthop via 192.0.2.1 dev eth0 weight 1 nexthop via 192.0.2.2 dev eth0 weight 1",
                    "10.0.5.0/24 via 192.0.2.2 dev eth0 src 192.0.2.254 mtu 1400", "blackhole 10.0.6.0/24",
                ]
                :
                [
                    "blackhole fd00:0:0:6::/64 dev lo metric 1024 pref medium", "fd00:0:0:1::/64 dev cali1 metric 1024 pref medium",
                    "fd00:0:0:2::/64 via 2001:db8::1 dev eth0 metric 1024 pref medium",
                    "fd00:0:0:3::/64 via 2001:db8:ff::1 dev eth0 metric 50 onlink pref medium",
                    "fd00:0:0:4::/64 metric 1024 pref medium nexthop via 2001:db8::1 dev eth0 weight 1 nexthop via 2001:db8::2 dev eth0 weight 1",
                    "fd00:0:0:5::/64 via 2001:db8::2 dev eth0 src 2001:db8::fe metric 1024 mtu 1400 pref medium", "fd00::/64 dev cali1 metric 1024 pref medium",
                ];
        public static string[] Lines(string text)
        {
            List<string> lines = [];
            foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                string clean = string.Join(' ', line.Split(' ', '\t').Where(static w => w.Length > 0));
                if (char.IsWhiteSpace(line[0]))
                {
                    lines[^1] += " " + clean;
                }
                else
                {
                    lines.Add(clean);
                }
            }

            return [.. lines.Order(StringComparer.Ordinal)];
        }

        public string Net(int i) => Family == IpFamily.IPv4 ? $"10.0.{i}.0/24" : i == 0 ? "fd00::/64" : $"fd00:0:0:{i:x}::/64";

        public string Gateway(int i) => Family == IpFamily.IPv4 ? $"192.0.2.{i}" : $"2001:db8::{i:x}";

        public RouteKey Key(int i, uint metric = 0) => new(IpPrefix.Parse(Net(i)), metric);

        public void AddLink(string name)
        {
            Kernel.Sh($"ip link add {name} type veth peer name {name}-p");
            Kernel.Sh($"ip link set {name} up");
            Kernel.Sh($"ip link set {name}-p up");
        }

        public string Ip(string arguments) => Kernel.Sh($"ip {(Family == IpFamily.IPv6 ? "-6" : "-4")} {arguments}");

        public void TryIp(string arguments) =>
            new Weft.Linux.Processes.ProcessRunner(Kernel.Space).Run(new Weft.Linux.Processes.ProcessRequest("ip", arguments.Split(' ')));

        public IEnumerable<string> Shown() => Lines(Ip("route show proto 80"));

        /// <summary>A new process with nothing but the kernel.</summary>
        public void Restart()
        {
            _socket?.Dispose();
            Netlink = new ScriptedNetlink(NetlinkSocket.OpenRoute(Kernel.Space));
            _socket = new RouteSocket(Netlink);
            Links = new LinkFacts(Kernel.OpenSocket().Links);
            Links.Apply();
            Table = new RouteTable(_adjust(new RouteTableSettings(Family, Protocol)), _socket.Routes, Links, Kernel.Time, NullLogger<RouteTable>.Instance, ConntrackSocket.Open(Kernel.Space));
        }

        public ApplyStatus Apply() => Table.Apply();

        /// <summary>What the dataplane loop does with the monitor's events.</summary>
        public void SyncLinks()
        {
            Links.QueueResync();
            Links.Apply();
            foreach (string name in Links.TakeChanges())
            {
                Table.OnLinkChanged(name);
            }
        }

        public void Dispose()
        {
            _socket.Dispose();
            Kernel.Dispose();
        }
    }
}
