using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Linux.Tests.Netlink;

public class LinkRequestsTests
{
    private static readonly MacAddress Mac = MacAddress.Parse("02:00:00:00:00:01");

    [Fact]
    public void CreateVeth_PeerIsBornInTheOtherNamespace()
    {
        using TestNamespace host = new();
        using TestNamespace pod = new();

        host.Socket.Links.CreateVeth(
            new VethEnd("cali1") { Mac = MacAddress.HostVeth, Mtu = 1440 },
            new VethEnd("eth0") { Mac = Mac, Mtu = 1440, Namespace = pod.Space }).ThrowIfFailed("create veth");

        LinkInfo near = host.Socket.Links.Find("cali1")!;
        LinkInfo far = pod.Socket.Links.Find("eth0")!;
        Assert.Equal(("veth", 1440, MacAddress.HostVeth), (near.Kind, near.Mtu, near.Mac));
        Assert.Equal(("veth", 1440, Mac), (far.Kind, far.Mtu, far.Mac));
        Assert.Equal(near.Index, far.ParentIndex);
        Assert.Null(host.Socket.Links.Find("eth0"));
    }

    [Fact]
    public void CreateVeth_NameTaken_SaysEexist()
    {
        using TestNamespace space = new();
        space.AddVeth("a");

        NetlinkResult result = space.Socket.Links.CreateVeth(new VethEnd("a"), new VethEnd("b"));

        Assert.Equal(Errno.EEXIST, result.Errno);
        Assert.Null(space.Socket.Links.Find("b"));
    }

    [Fact]
    public void Changes_AreReadBack()
    {
        using TestNamespace space = new();
        int index = space.AddVeth("a");
        LinkRequests links = space.Socket.Links;
        links.CreateBridge("br0").ThrowIfFailed("create bridge");
        int bridge = links.Find("br0")!.Index;

        links.SetDown(index).ThrowIfFailed("down");
        links.Rename(index, "renamed").ThrowIfFailed("rename");
        links.SetMtu(index, 1400).ThrowIfFailed("mtu");
        links.SetMac(index, Mac).ThrowIfFailed("mac");
        links.SetMaster(index, bridge).ThrowIfFailed("master");

        LinkInfo link = links.Find(index)!;
        Assert.Equal(("renamed", 1400, Mac, bridge, false), (link.Name, link.Mtu, link.Mac, link.MasterIndex, link.IsUp));
        Assert.Equal("bridge", links.Find("br0")!.Kind);
        links.SetMaster(index, 0).ThrowIfFailed("release");
        Assert.Equal(0, links.Find(index)!.MasterIndex);
    }

    [Fact]
    public void MoveTo_WithNewName_ArrivesUnderIt()
    {
        using TestNamespace from = new();
        using TestNamespace to = new();
        int index = from.AddVeth("a");

        from.Socket.Links.MoveTo(index, to.Space, "eth7").ThrowIfFailed("move");

        Assert.Null(from.Socket.Links.Find("a"));
        Assert.NotNull(to.Socket.Links.Find("eth7"));
    }

    [Fact]
    public void Delete_TakesThePeerAlong_AndASecondTimeSaysEnodev()
    {
        using TestNamespace space = new();
        int index = space.AddVeth("a");

        space.Socket.Links.Delete(index).ThrowIfFailed("delete");

        Assert.Equal(["lo"], space.Socket.Links.List().Select(static l => l.Name));
        Assert.Equal(Errno.ENODEV, space.Socket.Links.Delete(index).Errno);
    }

    [Fact]
    public void List_OfManyLinks_IsComplete()
    {
        using TestNamespace space = new();
        for (int i = 0; i < 60; i++)
        {
            space.AddVeth($"v{i}");
        }

        Assert.Equal(121, space.Socket.Links.List().Count);
    }

    [Fact]
    public void CreateVxlan_IsReadBackAsWritten()
    {
        using TestNamespace space = new();
        int parent = space.AddVeth("a", "192.0.2.1/24");
        VxlanSettings settings = new("vxlan.calico", 4096, 4789, IpAddress.Parse("192.0.2.1")) { ParentIndex = parent, Mac = Mac, Mtu = 1450 };

        space.Socket.Links.CreateVxlan(settings).ThrowIfFailed("create vxlan");

        LinkInfo link = space.Socket.Links.Find("vxlan.calico")!;
        Assert.Equal(("vxlan", settings), (link.Kind, link.Vxlan));
        space.Socket.Neighbors.ReplaceForwarding(link.Index, MacAddress.HostVeth, IpAddress.Parse("192.0.2.9")).ThrowIfFailed("fdb");
        List<NeighborInfo> entries = [];
        space.Socket.Neighbors.ListForwarding(entries, link.Index).ThrowIfFailed("list fdb");
        Assert.Equal([new NeighborInfo(link.Index, IpAddress.Parse("192.0.2.9"), MacAddress.HostVeth, true)], entries);
        space.Socket.Neighbors.DeleteForwarding(link.Index, MacAddress.HostVeth, IpAddress.Parse("192.0.2.9")).ThrowIfFailed("delete fdb");
    }

    [Fact]
    public void Retire_FreesBothNamesAtOnce_DeleteGroupTakesTheRest()
    {
        using TestNamespace host = new();
        using TestNamespace pod = new();
        LinkInfo[] pairs = [Pair(1), Pair(2)];

        foreach (LinkInfo pair in pairs)
        {
            pod.Socket.Links.Retire(pair.ParentIndex, $"gone{pair.ParentIndex}", 77).ThrowIfFailed("retire peer");
            host.Socket.Links.Retire(pair.Index, $"cali~{pair.Index}", 77).ThrowIfFailed("retire");
        }

        Assert.Null(host.Socket.Links.Find("cali1"));
        Assert.Null(pod.Socket.Links.Find("eth1"));
        Assert.Empty(host.Socket.Routes.List(new RouteFilter(IpFamily.IPv4)));
        LinkInfo retired = host.Socket.Links.Find(pairs[0].Index)!;
        Assert.Equal((false, 77u), (retired.IsUp, retired.Group));
        host.Socket.Links.DeleteGroup(77).ThrowIfFailed("delete group");
        Assert.Null(host.Socket.Links.Find(pairs[1].Index));
        Assert.Equal(Errno.ENODEV, host.Socket.Links.DeleteGroup(77).Errno);

        LinkInfo Pair(int number)
        {
            host.Socket.Links.CreateVeth(new VethEnd($"cali{number}"), new VethEnd($"eth{number}") { Namespace = pod.Space }).ThrowIfFailed("create veth");
            LinkInfo near = host.Socket.Links.Find($"cali{number}")!;
            host.Socket.Links.SetUp(near.Index).ThrowIfFailed("up");
            pod.Socket.Links.SetUp(near.ParentIndex).ThrowIfFailed("up");
            host.Socket.Routes.Replace(new RouteInfo { Destination = IpPrefix.Parse($"192.0.2.{number}/32"), Scope = RouteScope.Link, Hop = new RouteHop(default, near.Index) })
                .ThrowIfFailed("route");
            return near;
        }
    }
}
