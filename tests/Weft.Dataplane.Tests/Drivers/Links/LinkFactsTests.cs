using Weft.Dataplane.Drivers.Links;
using Weft.Linux.Netlink;

namespace Weft.Dataplane.Tests.Drivers.Links;

public class LinkFactsTests
{
    [Fact]
    public void Dump_ListsLinks_AndReportsWhatChangedSince()
    {
        using TestKernel kernel = new();
        using RouteSocket socket = kernel.OpenSocket();
        LinkFacts links = new(socket.Links);
        links.Apply();
        Assert.Equal(["lo"], links.TakeChanges());

        kernel.Sh("ip link add one type veth peer name two");
        links.QueueResync();
        links.Apply();
        Assert.Equal(["one", "two"], links.TakeChanges());
        kernel.Sh("ip link set one name three");
        kernel.Sh("ip link set two up");
        links.QueueResync();
        links.Apply();

        Assert.Equal(["one", "three", "two"], links.TakeChanges());
        Assert.Null(links.Find("one"));
        Assert.Equal("three", links.NameOf(links.Find("three")!.Index));
        Assert.Empty(links.TakeChanges());
    }

    [Fact]
    public void Events_InAnyOrderOfNameReuse_KeepTheNewLink()
    {
        using TestKernel kernel = new();
        using RouteSocket socket = kernel.OpenSocket();
        LinkFacts links = new(socket.Links);
        LinkInfo old = new() { Index = 5, Name = "cali1" }, made = new() { Index = 9, Name = "cali1", IsUp = true };
        links.OnLink(old, ChangeKind.Present);
        links.TakeChanges();

        links.OnLink(made, ChangeKind.Present);
        links.OnLink(old, ChangeKind.Removed);

        Assert.Equal(made, links.Find("cali1"));
        Assert.Equal(["cali1"], links.TakeChanges());
        links.OnLink(made, ChangeKind.Present);
        Assert.Empty(links.TakeChanges());
        links.OnLink(made, ChangeKind.Removed);
        Assert.Null(links.Find("cali1"));
        Assert.Equal(["cali1"], links.TakeChanges());
    }
}
