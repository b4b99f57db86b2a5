using Weft.Linux.Netlink;
using Weft.Linux.Tests.Namespaces;
using Weft.Primitives.Net;

namespace Weft.Linux.Tests.Netlink;

public class RouteRequestsTests
{
    private const byte Protocol = 80;

    [Fact]
    public void Add_EveryShape_IsReadBackAsWritten()
    {
        using TestNamespace space = new();
        int a = space.AddVeth("a", "192.0.2.1/24");
        int b = space.AddVeth("b", "198.51.100.1/24");
        RouteInfo[] routes =
        [
            Route("10.0.0.1/32") with { Hop = new RouteHop(default, a), Scope = RouteScope.Link, Metric = 1024 },
            Route("10.1.0.0/26") with { Hop = new RouteHop(IpAddress.Parse("192.0.2.9"), a), Source = IpAddress.Parse("192.0.2.1") },
            Route("10.2.0.0/26") with { Hop = new RouteHop(IpAddress.Parse("203.0.113.9"), a, OnLink: true), Mtu = 1400 },
            Route("10.3.0.0/26") with { Type = RouteType.Blackhole },
            Route("10.4.0.0/26") with
            {
                Multipath = [new RouteHop(IpAddress.Parse("192.0.2.9"), a), new RouteHop(IpAddress.Parse("198.51.100.9"), b, Weight: 3)],
            },
            Route("10.5.0.0/26") with { Table = 5000, Hop = new RouteHop(IpAddress.Parse("192.0.2.9"), a) },
            Route("10.6.0.1/32") with { Table = 255, Type = RouteType.Local, Scope = RouteScope.Host, Hop = new RouteHop(default, a) },
            Route("0.0.0.0/0") with { Hop = new RouteHop(IpAddress.Parse("192.0.2.9"), a), Metric = 7 },
        ];

        foreach (RouteInfo route in routes)
        {
            space.Socket.Routes.Add(route).ThrowIfFailed($"add {route.Destination}");
        }

        List<RouteInfo> read = space.Socket.Routes.List(new RouteFilter(IpFamily.IPv4, Table: 0, Protocol));
        Assert.Equal(routes.Length, read.Count);
        foreach (RouteInfo route in routes)
        {
            AssertSame(route, read.Single(r => r.Destination == route.Destination));
        }
    }

    [Fact]
    public void Add_IPv6_IsReadBackAsWritten()
    {
        using TestNamespace space = new();
        int a = space.AddVeth("a", "2001:db8::1/64");
        int b = space.AddVeth("b", "2001:db8:1::1/64");
        RouteInfo[] routes =
        [
            Route("2001:db8:5::1/128") with { Hop = new RouteHop(default, a), Metric = 1024 },
            Route("2001:db8:6::/64") with { Hop = new RouteHop(IpAddress.Parse("2001:db8::9"), a), Metric = 512 },
            Route("2001:db8:7::/64") with { Type = RouteType.Blackhole, Metric = 1024 },
            Route("2001:db8:8::/64") with
            {
                Metric = 1024,
                Multipath = [new RouteHop(IpAddress.Parse("2001:db8::9"), a), new RouteHop(IpAddress.Parse("2001:db8:1::9"), b)],
            },
        ];

        foreach (RouteInfo route in routes)
        {
            space.Socket.Routes.Add(route).ThrowIfFailed($"add {route.Destination}");
        }

        List<RouteInfo> read = space.Socket.Routes.List(new RouteFilter(IpFamily.IPv6, Protocol: Protocol));
        Assert.Equal(routes.Length, read.Count);
        foreach (RouteInfo route in routes.Where(static r => r.Type == RouteType.Unicast))
        {
            AssertSame(route, read.Single(r => r.Destination == route.Destination));
        }

        Assert.Equal(RouteType.Blackhole, read.Single(static r => r.Destination == IpPrefix.Parse("2001:db8:7::/64")).Type);
    }

    [Fact]
    public void Add_IPv4ViaIPv6_IsReadBack()
    {
        using TestNamespace space = new();
        int a = space.AddVeth("a", "2001:db8::1/64");
        RouteInfo route = Route("10.1.0.0/26") with { Hop = new RouteHop(IpAddress.Parse("2001:db8::9"), a) };

        space.Socket.Routes.Add(route).ThrowIfFailed("add");

        AssertSame(route, Assert.Single(space.Socket.Routes.List(new RouteFilter(IpFamily.IPv4, Protocol: Protocol))));
    }

    [Fact]
    public void Add_UnreachableGateway_CarriesTheKernelsText()
    {
        using TestNamespace space = new();

        NetlinkResult result = space.Socket.Routes.Add(Route("10.1.0.0/26") with { Hop = new RouteHop(IpAddress.Parse("192.0.2.9"), 0) });

        Assert.Equal(Errno.ENETUNREACH, result.Errno);
        Assert.Equal("Nexthop has invalid gateway", result.KernelText);
    }

    [Fact]
    public void ReplaceAndDelete_WorkOnTheSameKey()
    {
        using TestNamespace space = new();
        int a = space.AddVeth("a", "192.0.2.1/24");
        RouteInfo route = Route("10.1.0.0/26") with { Hop = new RouteHop(IpAddress.Parse("192.0.2.9"), a) };
        RouteInfo other = route with { Hop = new RouteHop(IpAddress.Parse("192.0.2.10"), a) };
        space.Socket.Routes.Add(route).ThrowIfFailed("add");

        Assert.Equal(Errno.EEXIST, space.Socket.Routes.Add(other).Errno);
        space.Socket.Routes.Replace(other).ThrowIfFailed("replace");

        AssertSame(other, Assert.Single(space.Socket.Routes.List(new RouteFilter(IpFamily.IPv4, Protocol: Protocol))));
        space.Socket.Routes.Delete(other).ThrowIfFailed("delete");
        Assert.Equal(Errno.ESRCH, space.Socket.Routes.Delete(other).Errno);
    }

    [Fact]
    public void Batch_ReportsEachFailure_AndWritesTheRest()
    {
        using TestNamespace space = new();
        int a = space.AddVeth("a", "192.0.2.1/24");
        RouteBatch batch = new();
        for (int i = 0; i < RouteBatch.Capacity; i++)
        {
            IpAddress gateway = i % 100 == 99 ? IpAddress.Parse("203.0.113.1") : IpAddress.Parse("192.0.2.9");
            batch.Add(RouteWrite.Add, Route($"10.{i / 250}.{i % 250}.0/24") with { Hop = new RouteHop(gateway, a) });
        }

        space.Socket.Routes.Write(batch).ThrowIfFailed("write batch");

        for (int i = 0; i < RouteBatch.Capacity; i++)
        {
            Assert.Equal(i % 100 == 99 ? Errno.ENETUNREACH : Errno.None, batch.Results[i].Errno);
        }

        Assert.Equal(990, space.Socket.Routes.List(new RouteFilter(IpFamily.IPv4, Protocol: Protocol)).Count);
        Assert.True(batch.IsFull);
        batch.Clear();
        Assert.Equal(0, batch.Count);
    }

    [Fact]
    public void Dump_OfAnAbsentTable_IsEmpty()
    {
        using TestNamespace space = new();

        Assert.Empty(space.Socket.Routes.List(new RouteFilter(IpFamily.IPv4, Table: 4711)));
        Assert.Empty(space.Socket.Routes.List(new RouteFilter(IpFamily.IPv6, Table: 4711)));
    }

    [Fact]
    public void Dump_LeavesOtherProtocolsOut()
    {
        using TestNamespace space = new();
        int a = space.AddVeth("a", "192.0.2.1/24");
        space.Socket.Routes.Add(Route("10.1.0.0/26") with { Hop = new RouteHop(default, a), Scope = RouteScope.Link }).ThrowIfFailed("add");
        NetNamespaceTests.Output("ip", "-n", space.Name, "route", "add", "10.2.0.0/26", "dev", "a", "proto", "static");

        Assert.Equal(["10.1.0.0/26"], space.Socket.Routes.List(new RouteFilter(IpFamily.IPv4, Protocol: Protocol)).Select(static r => r.Destination.ToString()));
        Assert.Equal(3, space.Socket.Routes.List(new RouteFilter(IpFamily.IPv4)).Count);
    }

    [Fact]
    public void Lookup_AnswersLikeTheKernelRoutes()
    {
        using TestNamespace space = new();
        int a = space.AddVeth("a", "192.0.2.1/24");

        space.Socket.Routes.Lookup(IpAddress.Parse("192.0.2.77"), out RouteInfo route).ThrowIfFailed("lookup");

        Assert.Equal((a, IpAddress.Parse("192.0.2.1")), (route.Hop.LinkIndex, route.Source));
        Assert.Equal(Errno.ENETUNREACH, space.Socket.Routes.Lookup(IpAddress.Parse("203.0.113.1"), out _).Errno);
    }

    [Fact]
    public void Rules_AreAddedListedAndDeleted()
    {
        using TestNamespace space = new();
        RoutingRule rule = new(IpFamily.IPv4, 99, 1000, 0x100000, 0x100000, Invert: true, Protocol);
        List<RoutingRule> rules = [];

        space.Socket.Rules.Add(rule).ThrowIfFailed("add");

        space.Socket.Rules.List(rules, IpFamily.IPv4).ThrowIfFailed("list");
        Assert.Contains(rule, rules);
        Assert.Equal(4, rules.Count);
        space.Socket.Rules.Delete(rule).ThrowIfFailed("delete");
        space.Socket.Rules.List(rules, IpFamily.IPv4).ThrowIfFailed("list");
        Assert.DoesNotContain(rule, rules);
    }

    [Fact]
    public void Neighbors_AreWrittenListedAndDeleted()
    {
        using TestNamespace space = new();
        int a = space.AddVeth("a", "192.0.2.1/24");
        IpAddress address = IpAddress.Parse("192.0.2.9");
        MacAddress mac = MacAddress.Parse("02:00:00:00:00:09");
        NeighborRequests neighbors = space.Socket.Neighbors;

        neighbors.Replace(a, address, MacAddress.HostVeth).ThrowIfFailed("replace");
        neighbors.Replace(a, address, mac).ThrowIfFailed("replace");
        neighbors.AddProxy(a, IpAddress.Parse("192.0.2.50")).ThrowIfFailed("proxy");

        Assert.Equal([new NeighborInfo(a, address, mac, true)], neighbors.List(IpFamily.IPv4, a));
        List<NeighborInfo> proxies = [];
        neighbors.ListProxies(proxies, IpFamily.IPv4, a).ThrowIfFailed("list proxies");
        Assert.Equal(["192.0.2.50"], proxies.Select(static p => p.Address.ToString()));
        neighbors.DeleteProxy(a, IpAddress.Parse("192.0.2.50")).ThrowIfFailed("delete proxy");
        neighbors.Delete(a, address).ThrowIfFailed("delete");
        Assert.Empty(neighbors.List(IpFamily.IPv4, a));
    }

    private static RouteInfo Route(string destination) => new() { Destination = IpPrefix.Parse(destination), Protocol = Protocol };

    private static void AssertSame(RouteInfo expected, RouteInfo actual)
    {
        Assert.Equal(expected.Multipath ?? [], actual.Multipath ?? []);
        Assert.Equal((expected with { Multipath = null }).ToString(), (actual with { Multipath = null }).ToString());
    }
}
