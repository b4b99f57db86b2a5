using Weft.Linux.Netlink;
using Weft.Linux.Sockets;
using Weft.Primitives.Net;

namespace Weft.Linux.Tests.Sockets;

public class RouterAdvertisementTests
{
    [Fact]
    public async Task Advertisement_IsHeardAtTheOtherEnd_WithTheSendersAddress()
    {
        using TestNamespace near = new(), far = new();
        near.Socket.Links.CreateVeth(new VethEnd("a"), new VethEnd("b") { Namespace = far.Space }).ThrowIfFailed("create veth");
        int a = Prepare(near, "a", "fe80::a/64"), b = Prepare(far, "b", "fe80::b/64");
        using RouterAdvertisementSocket speaker = near.Space.Run(() => RouterAdvertisementSocket.Open("a", a));
        using RouterAdvertisementSocket listener = far.Space.Run(() => RouterAdvertisementSocket.Open("b", b));
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(10));

        Assert.True(speaker.TryAdvertise());

        (RouterDiscoveryKind kind, IpAddress from) = await listener.ReceiveAsync(patience.Token);
        while (kind == RouterDiscoveryKind.Solicitation)
        {
            (kind, from) = await listener.ReceiveAsync(patience.Token); // The kernel asks for routers when a link comes up.
        }

        Assert.Equal(IpAddress.Parse("fe80::a"), from);
    }

    private static int Prepare(TestNamespace space, string name, string address)
    {
        int index = space.Socket.Links.Find(name)!.Index;
        space.Socket.Links.SetUp(index).ThrowIfFailed("up");
        space.Socket.Addresses.Add(index, InterfaceAddress.Parse(address), AddressOptions.NoDuplicateDetection).ThrowIfFailed("address");
        return index;
    }
}
