using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Linux.Tests.Netlink;

public class AddressRequestsTests
{
    [Theory]
    [InlineData("192.0.2.7/24")]
    [InlineData("192.0.2.7/32")]
    [InlineData("2001:db8::7/64")]
    [InlineData("2001:db8::7/128")]
    public void Add_IsListed_RefusedTwice_AndDeleted(string text)
    {
        using TestNamespace space = new();
        int index = space.AddVeth("a");
        InterfaceAddress address = InterfaceAddress.Parse(text);
        AddressRequests addresses = space.Socket.Addresses;

        addresses.Add(index, address, AddressOptions.NoDuplicateDetection).ThrowIfFailed("add");

        Assert.Contains(addresses.List(address.Address.Family, index), a => a.Address == address && a.IsUsable && a.IsPermanent && a.LinkIndex == index);
        Assert.Equal(Errno.EEXIST, addresses.Add(index, address).Errno);
        addresses.Replace(index, address).ThrowIfFailed("replace");
        addresses.Delete(index, address).ThrowIfFailed("delete");
        Assert.DoesNotContain(addresses.List(), a => a.Address == address);
        Assert.Equal(Errno.EADDRNOTAVAIL, addresses.Delete(index, address).Errno);
    }

    [Fact]
    public void List_OfOneLink_LeavesTheOthersOut()
    {
        using TestNamespace space = new();
        int a = space.AddVeth("a", "192.0.2.1/24");
        space.AddVeth("b", "198.51.100.1/24");

        Assert.Equal(["192.0.2.1/24"], space.Socket.Addresses.List(IpFamily.IPv4, a).Select(static x => x.Address.ToString()));
        Assert.Equal(3, space.Socket.Addresses.List(IpFamily.IPv4).Count);
    }
}
