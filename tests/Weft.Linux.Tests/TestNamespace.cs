using Weft.Linux.Namespaces;
using Weft.Linux.Netlink;

namespace Weft.Linux.Tests;

/// <summary>A named namespace of one test, with an rtnetlink socket inside; both go with the object.</summary>
internal sealed class TestNamespace : IDisposable
{
    private static int _counter;

    public TestNamespace()
    {
        Name = $"linux-{Environment.ProcessId}-{Interlocked.Increment(ref _counter)}";
        Space = NamedNamespaces.Create(Name);
        Socket = RouteSocket.Open(Space);
        Socket.Links.SetUp(Socket.Links.Find("lo")!.Index).ThrowIfFailed("set lo up");
    }

    public string Name { get; }

    public NetNamespace Space { get; }

    public RouteSocket Socket { get; }

    /// <summary>A veth pair with both ends up in this namespace, the first with an address; returns the index of the first.</summary>
    public int AddVeth(string name, string? address = null)
    {
        Socket.Links.CreateVeth(new VethEnd(name), new VethEnd(name + "p")).ThrowIfFailed("create veth");
        int index = Socket.Links.Find(name)!.Index;
        Socket.Links.SetUp(index).ThrowIfFailed("set up");
        Socket.Links.SetUp(Socket.Links.Find(name + "p")!.Index).ThrowIfFailed("set up");
        if (address is not null)
        {
            Socket.Addresses.Add(index, Weft.Primitives.Net.InterfaceAddress.Parse(address), AddressOptions.NoDuplicateDetection).ThrowIfFailed("add address");
        }

        return index;
    }

    public void Dispose()
    {
        Socket.Dispose();
        Space.Dispose();
        NamedNamespaces.Delete(Name);
    }
}
