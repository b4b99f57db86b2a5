using System.Net;
using System.Net.Sockets;
using Weft.Linux.Native;
using Weft.Primitives.Net;

namespace Weft.Linux.Sockets;

/// <summary>What a router or a host on the link says.</summary>
public enum RouterDiscoveryKind : byte
{
    /// <summary>"Is there a router?" (RFC 4861 4.1)</summary>
    Solicitation = 133,

    /// <summary>"I am one." (RFC 4861 4.2)</summary>
    Advertisement = 134,
}

/// <summary>
/// Router discovery on one link, as much of it as finds the neighbour of an unnumbered BGP session: says that a router is here, and hears of others. What is said
/// offers nothing (lifetime 0: no host takes us for its default router; no prefix). Needs CAP_NET_RAW. Members may be called from any thread.
/// <code>
///    0                   1                   2                   3
///   +---------------+---------------+-------------------------------+
///   |   134 or 133  |       0       |     checksum (the kernel's)   |
///   +---------------+---------------+-------------------------------+
///   |  hop limit 0  |    flags 0    |     router lifetime 0         |   advertisement only
///   +---------------+---------------+-------------------------------+
///   |   reachable time 0            |     retransmission timer 0    |   32 bits each
/// </code>
/// </summary>
public sealed class RouterAdvertisementSocket : IDisposable
{
    private const int MessageLength = 16;

    private static readonly IPAddress s_allNodes = IPAddress.Parse("ff02::1");
    private static readonly IPAddress s_allRouters = IPAddress.Parse("ff02::2");

    private readonly Socket _socket;
    private readonly IPEndPoint _everybody;

    private RouterAdvertisementSocket(Socket socket, int link) => (_socket, _everybody) = (socket, new IPEndPoint(new IPAddress(s_allNodes.GetAddressBytes(), link), 0));

    /// <param name="name">The link.</param>
    /// <param name="index">Its number.</param>
    /// <exception cref="SocketException">The kernel refused.</exception>
    public static RouterAdvertisementSocket Open(string name, int index)
    {
        Socket socket = new(AddressFamily.InterNetworkV6, SocketType.Raw, ProtocolType.IcmpV6);
        try
        {
            socket.BindToDevice(name);
            socket.PassOnly(RouterDiscoveryKind.Solicitation, RouterDiscoveryKind.Advertisement);
            socket.Bind(new IPEndPoint(IPAddress.IPv6Any, 0));
            socket.SetMulticastHops(255); // RFC 4861 6.1: what has been forwarded is not listened to.
            socket.SetSocketOption(SocketOptionLevel.IPv6, SocketOptionName.AddMembership, new IPv6MulticastOption(s_allRouters, index));
            socket.SetSocketOption(SocketOptionLevel.IPv6, SocketOptionName.MulticastLoopback, false);
            return new RouterAdvertisementSocket(socket, index);
        }
        catch (SocketException)
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Tells everybody on the link. False: not possible now (the link is down, or its address is still being checked for duplicates).</summary>
    public bool TryAdvertise()
    {
        Span<byte> message = stackalloc byte[MessageLength];
        message.Clear();
        message[0] = (byte)RouterDiscoveryKind.Advertisement;
        try
        {
            return _socket.SendTo(message, _everybody) == MessageLength;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>
    /// The next message, and who sent it. Only link-local senders count: no router forwards their packets (RFC 4291 2.5.6), so that whoever is heard is on the link.
    /// </summary>
    /// <exception cref="SocketException">The link is gone.</exception>
    /// <exception cref="OperationCanceledException">By <paramref name="stop"/>.</exception>
    public async ValueTask<(RouterDiscoveryKind Kind, IpAddress From)> ReceiveAsync(CancellationToken stop)
    {
        byte[] message = new byte[256]; // The rest of a longer one is of no interest.
        while (true)
        {
            SocketReceiveFromResult result = await _socket.ReceiveFromAsync(message, _everybody, stop);
            IpAddress from = IpAddress.From(((IPEndPoint)result.RemoteEndPoint).Address);
            int least = message[0] == (byte)RouterDiscoveryKind.Advertisement ? MessageLength : MessageLength / 2;
            if (from is { IsIPv6: true, IsLinkLocal: true } && result.ReceivedBytes >= least && message[1] == 0)
            {
                return ((RouterDiscoveryKind)message[0], from);
            }
        }
    }

    public void Dispose() => _socket.Dispose();
}
