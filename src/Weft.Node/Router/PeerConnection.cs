using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Weft.Bgp;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>A TCP connection as the speaker sees it: two pipe ends straight on the socket, no copy in between.</summary>
internal sealed class PeerConnection : IPeerConnection
{
    private static readonly ReadBuffers s_buffers = new();
    private static readonly StreamPipeWriterOptions s_writing = new(minimumBufferSize: 16 * 1024, leaveOpen: true);

    private readonly Socket _socket;
    private int _disposed;

    /// <param name="socket">Connected; owned from now on.</param>
    /// <param name="host">For the own link-local address on the neighbour's link, and the name of that.</param>
    public PeerConnection(Socket socket, HostView host)
    {
        _socket = socket;
        NetworkStream stream = new(socket, ownsSocket: false);
        Pipe = new Ends(PipeReader.Create(stream, Reading()), PipeWriter.Create(stream, s_writing));
        LocalAddress = IpAddress.From(((IPEndPoint)socket.LocalEndPoint!).Address);
        (RemoteAddress, Interface) = PeerSocket.Remote(socket, host);
        LocalLinkLocal = PeerSocket.LinkLocalBeside(LocalAddress, host);
    }

    public IDuplexPipe Pipe { get; }

    public IpAddress LocalAddress { get; }

    public IpAddress RemoteAddress { get; }

    public IpAddress LocalLinkLocal { get; }

    public string? Interface { get; }

    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return ValueTask.CompletedTask;
        }

        try
        {
            // Ends a pending read. What was flushed (a NOTIFICATION, as a rule) still leaves, before the FIN. Bytes that nobody will read are taken
            // out first: closing a socket over them sends a RST, and that could overtake the NOTIFICATION.
            _socket.Shutdown(SocketShutdown.Both);
            Span<byte> rest = stackalloc byte[4096];
            for (int i = 0; i < 256 && _socket.Available > 0 && _socket.Receive(rest) > 0; i++)
            {
            }
        }
        catch (SocketException)
        {
            // The other side was faster.
        }

        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    // A read waits without a buffer; 4096 is the least one may bring.
    private static StreamPipeReaderOptions Reading() => new(s_buffers.ForConnection(), bufferSize: 4096, minimumReadSize: 4096, leaveOpen: true, useZeroByteReads: true);

    private sealed record Ends(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
