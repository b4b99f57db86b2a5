using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Weft.Linux.Native;
using Weft.Linux.Sockets;
using Weft.Primitives.Net;

namespace Weft.Linux.Tests.Sockets;

public class TcpAoTests
{
    private static readonly IpPrefix s_loopback = IpPrefix.Parse("127.0.0.1/32");

    /// <summary>Offsets as they follow from linux/tcp.h of Linux 6.7; the compiler of this machine may have older headers.</summary>
    [Fact]
    public void Structures_HaveTheKernelsLayout()
    {
        Assert.Equal((288, 144), (Marshal.SizeOf<TcpAoAdd>(), Marshal.SizeOf<TcpAoDelete>()));
        Assert.Equal([128, 192, 196, 202, 203, 204, 205, 207, 208], new[] { "Algorithm", "InterfaceIndex", "Flags", "PrefixLength", "SendId", "ReceiveId", "MacLength", "KeyLength", "Key" }
            .Select(f => (int)Marshal.OffsetOf<TcpAoAdd>(f)));
        Assert.Equal([128, 132, 138, 139, 140, 141, 142, 143], new[] { "InterfaceIndex", "Flags", "PrefixLength", "SendId", "ReceiveId", "CurrentKey", "NextKey", "KeyFlags" }
            .Select(f => (int)Marshal.OffsetOf<TcpAoDelete>(f)));
    }

    /// <summary>On a kernel that has TCP-AO two sockets with one key connect, on one without it the kernel says so: either answer is the true one.</summary>
    [Fact]
    public void Key_ConnectsBothEnds_OrTheKernelHasNone()
    {
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        using Socket client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        TcpAoKey ours = new("secret", 1, 2, TcpAoAlgorithm.HmacSha1), theirs = new("secret", 2, 1, TcpAoAlgorithm.HmacSha1);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        if (!TcpAo.IsSupported)
        {
            SocketException refusal = Assert.Throws<SocketException>(() => TcpAo.Add(listener, s_loopback, ours));
            Assert.Equal(SocketError.ProtocolOption, refusal.SocketErrorCode);
            return;
        }

        TcpAo.Add(listener, s_loopback, ours);
        TcpAo.Add(client, s_loopback, theirs);
        listener.Listen();

        client.Connect(listener.LocalEndPoint!);

        Assert.True(client.Connected);
    }
}
