using Microsoft.Extensions.Logging.Abstractions;
using Weft.Dataplane.Drivers.Links;
using Weft.Dataplane.Drivers.Neighbors;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests.Drivers.Neighbors;

public class NeighborTableTests
{
    private static readonly IpAddress Pod = IpAddress.Parse("10.0.0.1"), Other = IpAddress.Parse("10.0.0.2");
    private static readonly MacAddress Mac = MacAddress.Parse("02:00:00:00:00:01");

    [Fact]
    public void Entries_AreWrittenOnce_HealedAndRemoved_ForeignOnesStay()
    {
        using TestKernel kernel = new();
        AddLink(kernel, "cali1");
        kernel.Sh("ip neigh add 10.0.0.99 lladdr 02:00:00:00:00:99 dev cali1 nud permanent");
        using ScriptedNetlink netlink = new(NetlinkSocket.OpenRoute(kernel.Space));
        (LinkFacts links, NeighborTable table) = Open(kernel, netlink);

        table.SetNeighbors("cali1", [(Pod, Mac), (Other, Mac)]);
        Assert.True(table.Apply().IsDone);
        int writes = netlink.Writes;
        Assert.True(table.Apply().IsDone);
        Assert.Equal((2, 2), (writes, netlink.Writes));

        foreach (string damage in (string[])
                 [
                     "ip neigh del 10.0.0.1 dev cali1", "ip neigh replace 10.0.0.1 lladdr 02:00:00:00:00:77 dev cali1 nud permanent", "ip neigh flush dev cali1 nud all",
                     "ip neigh add 10.0.0.55 lladdr 02:00:00:00:00:55 dev cali1 nud permanent protocol 80",
                 ])
        {
            kernel.Sh(damage);
            table.QueueResync();
            Assert.True(table.Apply().IsDone);
            Assert.Equal(["10.0.0.1 lladdr 02:00:00:00:00:01", "10.0.0.2 lladdr 02:00:00:00:00:01"], Shown(kernel).Where(static l => !l.Contains("0.99")));
        }

        table.SetNeighbors("cali1", []);
        table.Apply();
        Assert.DoesNotContain(Shown(kernel), static l => l.StartsWith("10.0.0.1 "));
    }

    [Fact]
    public void Restart_WithNoMemory_WritesNothing_AndSweepsWhatIsNotWanted()
    {
        using TestKernel kernel = new();
        AddLink(kernel, "cali1");
        kernel.Sh("ip neigh add 10.0.0.99 lladdr 02:00:00:00:00:99 dev cali1 nud permanent");
        using ScriptedNetlink first = new(NetlinkSocket.OpenRoute(kernel.Space)), second = new(NetlinkSocket.OpenRoute(kernel.Space));
        NeighborTable table = Open(kernel, first).Table;
        table.SetNeighbors("cali1", [(Pod, Mac), (Other, Mac)]);
        table.Apply();

        NeighborTable again = Open(kernel, second).Table;
        again.SetNeighbors("cali1", [(Pod, Mac)]);
        again.Apply();

        Assert.Equal(1, second.Writes);
        Assert.Equal(["10.0.0.1 lladdr 02:00:00:00:00:01", "10.0.0.99 lladdr 02:00:00:00:00:99"], Shown(kernel));
    }

    [Fact]
    public void LinkThatAppearsLater_GetsItsEntriesThen_AndAfterGoingDown()
    {
        using TestKernel kernel = new();
        using ScriptedNetlink netlink = new(NetlinkSocket.OpenRoute(kernel.Space));
        (LinkFacts links, NeighborTable table) = Open(kernel, netlink);
        table.SetNeighbors("cali1", [(Pod, Mac)]);
        Assert.True(table.Apply().IsDone);

        AddLink(kernel, "cali1");
        Sync(links, table);
        Assert.Single(Shown(kernel));
        kernel.Sh("ip link set cali1 down");
        Sync(links, table);
        kernel.Sh("ip link set cali1 up");
        Sync(links, table);

        Assert.Single(Shown(kernel));
    }

    [Fact]
    public void Failures_AreRetried()
    {
        using TestKernel kernel = new();
        AddLink(kernel, "cali1");
        using ScriptedNetlink netlink = new(NetlinkSocket.OpenRoute(kernel.Space)) { FailNext = 2 };
        NeighborTable table = Open(kernel, netlink).Table;
        table.SetNeighbors("cali1", [(Pod, Mac)]);

        Assert.Equal([false, false, true], new[] { table.Apply().IsDone, table.Apply().IsDone, table.Apply().IsDone });
        Assert.Single(Shown(kernel));
    }

    [Fact]
    public void Forwarding_OfAVxlanDevice_IsOwnedWhole()
    {
        using TestKernel kernel = new();
        AddLink(kernel, "eth0");
        kernel.Sh("ip link add vxlan.calico type vxlan id 4096 dstport 4789 local 192.0.2.1 nolearning");
        kernel.Sh("ip link set vxlan.calico up");
        kernel.Sh("bridge fdb append 02:00:00:00:00:66 dev vxlan.calico dst 192.0.2.66");
        using ScriptedNetlink netlink = new(NetlinkSocket.OpenRoute(kernel.Space));
        using RouteSocket socket = new(netlink);
        using RouteSocket linkSocket = kernel.OpenSocket();
        LinkFacts links = new(linkSocket.Links);
        links.Apply();
        ForwardingTable table = new("vxlan.calico", socket.Neighbors, links, NullLogger<ForwardingTable>.Instance);

        table.SetEntries([(Mac, IpAddress.Parse("192.0.2.2"))]);
        Assert.True(table.Apply().IsDone);
        int writes = netlink.Writes;
        table.QueueResync();
        table.Apply();

        Assert.Equal((2, 2), (writes, netlink.Writes));
        string shown = kernel.Sh("bridge fdb show dev vxlan.calico");
        Assert.Contains("02:00:00:00:00:01 dst 192.0.2.2", shown);
        Assert.DoesNotContain("192.0.2.66", shown);
    }

    private static (LinkFacts Links, NeighborTable Table) Open(TestKernel kernel, ScriptedNetlink netlink)
    {
        LinkFacts links = new(kernel.OpenSocket().Links);
        links.Apply();
        links.TakeChanges();
        return (links, new NeighborTable(IpFamily.IPv4, 80, new RouteSocket(netlink).Neighbors, links, kernel.Time, NullLogger<NeighborTable>.Instance));
    }

    private static void Sync(LinkFacts links, NeighborTable table)
    {
        links.QueueResync();
        links.Apply();
        foreach (string name in links.TakeChanges())
        {
            table.OnLinkChanged(name);
        }

        table.Apply();
    }

    private static void AddLink(TestKernel kernel, string name)
    {
        kernel.Sh($"ip link add {name} type veth peer name {name}-p");
        kernel.Sh($"ip link set {name} up");
        kernel.Sh($"ip link set {name}-p up");
    }

    private static string[] Shown(TestKernel kernel) =>
        [.. kernel.Sh("ip -4 neigh show dev cali1 nud permanent").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static l => string.Join(' ', l.Split(' ')[..3])).Order()];
}
