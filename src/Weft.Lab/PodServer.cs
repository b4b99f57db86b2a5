using System.Net;
using System.Net.Sockets;
using System.Text;
using Weft.Hosting.Systemd;

namespace Weft.Lab;

/// <summary>
/// What runs in a pod: it answers every TCP connection and every UDP datagram on one port with its name, and echoes what it gets. It is a process of its
/// own (<c>weft lab pod NAME</c>), so a pod is killed by killing it.
/// </summary>
internal static class PodServer
{
    public const int Port = 8080;

    /// <summary>A connection that sends nothing is closed after this time.</summary>
    private static readonly TimeSpan s_idle = TimeSpan.FromMinutes(10);

    public static async Task RunAsync(string name, SystemdNotifier systemd, CancellationToken stop)
    {
        using Socket tcp = new(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
        tcp.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        tcp.Bind(new IPEndPoint(IPAddress.IPv6Any, Port));
        tcp.Listen(512);
        using Socket udp = new(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp) { DualMode = true };
        udp.Bind(new IPEndPoint(IPAddress.IPv6Any, Port));
        systemd.Ready($"{name} answers on port {Port}");
        byte[] greeting = Encoding.ASCII.GetBytes(name + "\n");
        try
        {
            await Task.WhenAll(AcceptAsync(tcp, greeting, stop), AnswerAsync(udp, greeting, stop));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The pod is deleted.
        }
    }

    private static async Task AcceptAsync(Socket listener, byte[] greeting, CancellationToken stop)
    {
        while (true)
        {
            Socket connection = await listener.AcceptAsync(stop);
            _ = EchoAsync(connection, greeting, stop);
        }
    }

    private static async Task EchoAsync(Socket connection, byte[] greeting, CancellationToken stop)
    {
        using Socket owned = connection;
        byte[] buffer = new byte[4096];
        try
        {
            await connection.SendAsync(greeting, stop);
            while (true)
            {
                using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
                limit.CancelAfter(s_idle);
                int read = await connection.ReceiveAsync(buffer, limit.Token);
                if (read == 0)
                {
                    return;
                }

                await connection.SendAsync(buffer.AsMemory(0, read), stop);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // The client has gone; the next one is served.
        }
    }

    private static async Task AnswerAsync(Socket socket, byte[] greeting, CancellationToken stop)
    {
        byte[] buffer = new byte[4096];
        IPEndPoint any = new(IPAddress.IPv6Any, 0);
        while (true)
        {
            try
            {
                SocketReceiveFromResult received = await socket.ReceiveFromAsync(buffer, any, stop);
                await socket.SendToAsync(greeting, received.RemoteEndPoint, stop);
            }
            catch (SocketException)
            {
                // An ICMP error of an earlier answer is reported here; it concerns one client only.
            }
        }
    }
}
