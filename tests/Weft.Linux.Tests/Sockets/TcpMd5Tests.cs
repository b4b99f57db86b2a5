using System.Net;
using System.Net.Sockets;
using Weft.Linux.Netlink;
using Weft.Linux.Sockets;
using Weft.Primitives.Net;

namespace Weft.Linux.Tests.Sockets;

public class TcpMd5Tests
{
    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1", "secret", true)]
    [InlineData("127.0.0.1", "127.0.0.1", "wrong", false)]
    [InlineData("::1", "::1", "secret", true)]
    [InlineData("::1", "::1", "wrong", false)]
    [InlineData("::", "127.0.0.1", "secret", true)]
    [InlineData("::", "127.0.0.1", "wrong", false)]
    public void Connect_SucceedsOnlyWithTheSameKey(string listen, string connect, string key, bool expected)
    {
        using TestNamespace space = new();
        IpAddress peer = IpAddress.Parse(connect);
        using Socket listener = Listen(space, listen);
        TcpMd5.Set(listener, peer, "secret");

        Assert.Equal(expected, TryConnect(space, listener, peer, key, expected));
    }

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1", "127.0.0.0/8")]
    [InlineData("::1", "::1", "::/64")]
    [InlineData("::", "127.0.0.1", "127.0.0.0/8")]
    public void PrefixKey_CoversEveryPeerOfIt_AndIsRemoved(string listen, string connect, string prefix)
    {
        using TestNamespace space = new();
        IpAddress peer = IpAddress.Parse(connect);
        using Socket listener = Listen(space, listen);
        TcpMd5.Set(listener, IpPrefix.Parse(prefix), "secret");

        Assert.True(TryConnect(space, listener, peer, "secret", expected: true));
        Assert.False(TryConnect(space, listener, peer, null, expected: false));
        TcpMd5.Remove(listener, IpPrefix.Parse(prefix));
        Assert.True(TryConnect(space, listener, peer, null, expected: true));
        TcpMd5.Remove(listener, IpPrefix.Parse(prefix));
    }

    [Theory]
    [InlineData("secret", true)]
    [InlineData("wrong", false)]
    public void LinkLocalPeer_IsKeyedWithItsScope(string key, bool expected)
    {
        using TestNamespace near = new(), far = new();
        near.Socket.Links.CreateVeth(new VethEnd("a"), new VethEnd("b") { Namespace = far.Space }).ThrowIfFailed("create veth");
        int a = Prepare(near, "a", "fe80::a/64"), b = Prepare(far, "b", "fe80::b/64");
        using Socket listener = near.Space.Run(static () => new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp));
        listener.Bind(new IPEndPoint(IPAddress.IPv6Any, 0));
        listener.Listen();
        using Socket client = far.Space.Run(static () => new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp));
        TcpMd5.Set(listener, IpAddress.Parse("fe80::b"), "secret", a);
        TcpMd5.Set(client, IpAddress.Parse("fe80::a"), key, b);
        IPAddress target = new(IPAddress.Parse("fe80::a").GetAddressBytes(), b);

        Assert.Equal(expected, TryConnect(client, new IPEndPoint(target, ((IPEndPoint)listener.LocalEndPoint!).Port), expected));
    }

    private static int Prepare(TestNamespace space, string name, string address)
    {
        int index = space.Socket.Links.Find(name)!.Index;
        space.Socket.Links.SetUp(index).ThrowIfFailed("up");
        space.Socket.Addresses.Add(index, InterfaceAddress.Parse(address), AddressOptions.NoDuplicateDetection).ThrowIfFailed("address");
        return index;
    }

    [Fact]
    public void Remove_OfAKeyThatIsNotThere_IsNoError()
    {
        using TestNamespace space = new();
        using Socket listener = Listen(space, "127.0.0.1");

        TcpMd5.Remove(listener, IpAddress.Parse("127.0.0.1"));
    }

    [Fact]
    public void KeyTooLong_IsRefusedBeforeTheKernelIsAsked()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

        Assert.Throws<ArgumentException>(() => TcpMd5.Set(socket, IpAddress.Parse("127.0.0.1"), new string('k', 81)));
    }

    [Theory]
    [InlineData("127.0.0.1", 255, true)]
    [InlineData("127.0.0.1", 64, false)]
    [InlineData("::1", 255, true)]
    [InlineData("::1", 64, false)]
    public void MinimumTtl_DropsWhatComesFromFurtherAway(string address, int ttl, bool expected)
    {
        using TestNamespace space = new();
        IpAddress peer = IpAddress.Parse(address);
        using Socket listener = Listen(space, address);
        listener.RequireMinimumTtl(255);

        Assert.Equal(expected, TryConnect(space, listener, peer, null, expected, s => s.SetTtl(ttl)));
    }

    [Fact]
    public void OtherOptions_AreAccepted()
    {
        using TestNamespace space = new();
        using Socket socket = space.Space.Run(static () => new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp));

        socket.AllowFreeBind();
        socket.BindToDevice("lo");
        socket.SetTrafficClass(0xC0);
        socket.SetUserTimeout(TimeSpan.FromSeconds(20));
        socket.Bind(new IPEndPoint(IPAddress.Parse("2001:db8::99"), 0));

        Assert.Equal(IPAddress.Parse("2001:db8::99"), ((IPEndPoint)socket.LocalEndPoint!).Address);
    }

    [Fact]
    public void PeerCredentials_AreThoseOfTheOtherProcess()
    {
        string path = Path.Combine(Path.GetTempPath(), $"weft-{Environment.ProcessId}.sock");
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        using Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(path));

        using Socket accepted = listener.Accept();
        PeerCredentials credentials = accepted.GetPeerCredentials();

        File.Delete(path);
        Assert.Equal(new PeerCredentials(Environment.ProcessId, 0, 0), credentials);
    }

    private static Socket Listen(TestNamespace space, string address) => space.Space.Run(() =>
    {
        IPAddress ip = IPAddress.Parse(address);
        Socket socket = new(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        if (ip.Equals(IPAddress.IPv6Any))
        {
            socket.DualMode = true;
        }

        socket.Bind(new IPEndPoint(ip, 0));
        socket.Listen();
        return socket;
    });

    private static bool TryConnect(TestNamespace space, Socket listener, IpAddress peer, string? key, bool expected, Action<Socket>? prepare = null)
    {
        IPAddress address = peer.ToIPAddress();
        using Socket client = space.Space.Run(() => new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        prepare?.Invoke(client);
        if (key is not null)
        {
            TcpMd5.Set(client, peer, key);
        }

        return TryConnect(client, new IPEndPoint(address, ((IPEndPoint)listener.LocalEndPoint!).Port), expected);
    }

    private static bool TryConnect(Socket client, IPEndPoint target, bool expected)
    {
        client.Blocking = false;
        try
        {
            client.Connect(target);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            // Its outcome is polled for.
        }

        // A handshake that works ends the wait, at the latest when the kernel repeats a SYN that a busy machine lost; one that is dropped stays silent.
        return client.Poll(TimeSpan.FromMilliseconds(expected ? 10_000 : 300), SelectMode.SelectWrite) && !client.Poll(0, SelectMode.SelectError);
    }
}
