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
        ValueTask<(RouterDiscoveryKind Kind, IpAddress From)> heard = listener.ReceiveAsync(patience.Token);

        Assert.True(speaker.TryAdvertise());

        Assert.Equal((RouterDiscoveryKind.Advertisement, IpAddress.Parse("fe80::a")), await heard);
    }

    private static int Prepare(TestNamespace space, string name, string address)
    {
        int index = space.Socket.Links.Find(name)!.Index;
        space.Socket.Links.SetUp(index).ThrowIfFailed("up");
        space.Socket.Addresses.Add(index, InterfaceAddress.Parse(address), AddressOptions.NoDuplicateDetection).ThrowIfFailed("address");
        return index;
    }
}
