using System.Net;
using System.Net.Sockets;
using System.Text;
using Weft.Dataplane.Tests.Equality;
using Weft.Linux.Namespaces;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests;

/// <summary>Something that speaks and listens in a namespace: a pod, the node itself, a machine outside. An echo service on any port, TCP and UDP.</summary>
/// <param name="space">Its namespace; owned by whoever made it.</param>
internal class Station(NetNamespace space) : IDisposable
{
    private readonly List<Socket> _sockets = [];

    public NetNamespace Space => space;

    /// <summary>Answers every connection and datagram on the port with what came, on both families.</summary>
    public void Serve(int port)
    {
        Socket tcp = Space.Run(() =>
        {
            Socket socket = new(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
            socket.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
            socket.Listen(16);
            return socket;
        });
        Socket udp = Space.Run(() =>
        {
            Socket socket = new(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp) { DualMode = true };
            socket.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
            return socket;
        });
        _sockets.AddRange([tcp, udp]);
        _ = AcceptAsync(tcp);
        _ = EchoDatagramsAsync(udp);
    }

    /// <summary>Answers the beginning of every SCTP association.</summary>
    public void ServeSctp() => _sockets.AddRange([SctpSocket.Serve(this, IpFamily.IPv4), SctpSocket.Serve(this, IpFamily.IPv6)]);

    /// <summary>True when a TCP connection is made and an echo comes back.</summary>
    public async Task<bool> TcpAsync(IpAddress to, int port, int patience = 700)
    {
        using Socket? socket = await ConnectAsync(to, port, patience);
        return socket is not null && await EchoAsync(socket, patience);
    }

    public async Task<Socket?> ConnectAsync(IpAddress to, int port, int patience = 700)
    {
        Socket socket = Space.Run(() => new Socket(to.IsIPv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp));
        using CancellationTokenSource timeout = new(patience);
        try
        {
            await socket.ConnectAsync(new IPEndPoint(to.ToIPAddress(), port), timeout.Token);
            return socket;
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            socket.Dispose();
            return null;
        }
    }

    public static async Task<bool> EchoAsync(Socket socket, int patience = 700)
    {
        using CancellationTokenSource timeout = new(patience);
        try
        {
            byte[] word = Encoding.ASCII.GetBytes(Guid.NewGuid().ToString());
            await socket.SendAsync(word, SocketFlags.None, timeout.Token);
            byte[] answer = new byte[word.Length];
            int length = 0;
            while (length < answer.Length)
            {
                int read = await socket.ReceiveAsync(answer.AsMemory(length), SocketFlags.None, timeout.Token);
                if (read == 0)
                {
                    return false;
                }

                length += read;
            }

            return answer.AsSpan().SequenceEqual(word);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            return false;
        }
    }

    /// <param name="from">Source address other than the pod's own; null for its own.</param>
    public async Task<bool> UdpAsync(IpAddress to, int port, int patience = 700, IpAddress? from = null)
    {
        using Socket socket = Space.Run(() =>
        {
            Socket made = new(to.IsIPv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp);
            if (from is { } source)
            {
                made.Bind(new IPEndPoint(source.ToIPAddress(), 0));
            }

            return made;
        });
        using CancellationTokenSource timeout = new(patience);
        try
        {
            await socket.ConnectAsync(new IPEndPoint(to.ToIPAddress(), port), timeout.Token);
            byte[] answer = new byte[16];
            await socket.SendAsync("hello"u8.ToArray(), SocketFlags.None, timeout.Token);
            return await socket.ReceiveAsync(answer, SocketFlags.None, timeout.Token) == 5;
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            return false;
        }
    }

    public virtual void Dispose()
    {
        foreach (Socket socket in _sockets)
        {
            socket.Dispose();
        }
    }

    private static async Task AcceptAsync(Socket listener)
    {
        try
        {
            while (true)
            {
                _ = EchoStreamAsync(await listener.AcceptAsync());
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The pod is gone.
        }
    }

    private static async Task EchoStreamAsync(Socket socket)
    {
        using (socket)
        {
            byte[] buffer = new byte[4096];
            try
            {
                int length;
                while ((length = await socket.ReceiveAsync(buffer)) > 0)
                {
                    await socket.SendAsync(buffer.AsMemory(0, length));
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The other side is gone.
            }
        }
    }

    /// <summary>Policy of the host may deny the answer: who sends it learns that at once, and goes on.</summary>
    internal static async Task AnswerAsync(Socket socket, ReadOnlyMemory<byte> answer, EndPoint to)
    {
        try
        {
            await socket.SendToAsync(answer, SocketFlags.None, to);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AccessDenied)
        {
            // EPERM from the rules of OUTPUT.
        }
    }

    private static async Task EchoDatagramsAsync(Socket socket)
    {
        byte[] buffer = new byte[4096];
        try
        {
            while (true)
            {
                SocketReceiveFromResult received = await socket.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.IPv6Any, 0));
                await AnswerAsync(socket, buffer.AsMemory(0, received.ReceivedBytes), received.RemoteEndPoint);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The pod is gone.
        }
    }
}
