using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Support;

/// <summary>The least transport over real TCP, for interop on loopback addresses.</summary>
internal sealed class SocketTransport : IPeerTransport
{
    public async ValueTask<IPeerConnection> ConnectAsync(PeerSettings peer, CancellationToken stop)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (peer.LocalAddress.BitLength != 0)
            {
                socket.Bind(new IPEndPoint(peer.LocalAddress.ToIPAddress(), 0));
            }

            await socket.ConnectAsync(new IPEndPoint(peer.Address.ToIPAddress(), peer.Port), stop);
            return new SocketConnection(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Accepts for a speaker until stopped.</summary>
    public static async Task ListenAsync(Socket listener, BgpSpeaker speaker, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                Socket socket = await listener.AcceptAsync(stop);
                _ = speaker.AcceptAsync(new SocketConnection(socket), CancellationToken.None);
            }
        }
        catch (OperationCanceledException)
        {
            listener.Dispose();
        }
    }

    private sealed class SocketConnection : IPeerConnection, IDuplexPipe
    {
        private readonly Socket _socket;
        private readonly NetworkStream _stream;

        public SocketConnection(Socket socket)
        {
            _socket = socket;
            _stream = new NetworkStream(socket, ownsSocket: true);
            socket.NoDelay = true;
            Input = PipeReader.Create(_stream, new StreamPipeReaderOptions(bufferSize: 65536, leaveOpen: true));
            Output = PipeWriter.Create(_stream, new StreamPipeWriterOptions(leaveOpen: true));
            LocalAddress = Plain(((IPEndPoint)socket.LocalEndPoint!).Address);
            RemoteAddress = Plain(((IPEndPoint)socket.RemoteEndPoint!).Address);
        }

        public IDuplexPipe Pipe => this;

        public PipeReader Input { get; }

        public PipeWriter Output { get; }

        public IpAddress LocalAddress { get; }

        public IpAddress RemoteAddress { get; }

        public IpAddress LocalLinkLocal => default;

        public string? Interface => null;

        public async ValueTask DisposeAsync()
        {
            try
            {
                // What was flushed must reach the peer: a close with unread input would be a reset.
                _socket.Shutdown(SocketShutdown.Send);
            }
            catch (SocketException)
            {
                // The peer was faster.
            }

            await _stream.DisposeAsync();
        }

        private static IpAddress Plain(IPAddress address) => IpAddress.From(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address);
    }
}
