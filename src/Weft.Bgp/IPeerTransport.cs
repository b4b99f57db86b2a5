using System.IO.Pipelines;
using Weft.Primitives.Net;

namespace Weft.Bgp;

/// <summary>
/// One byte stream to a neighbour. The speaker owns it from the moment it is returned or accepted and disposes it when the session ends; disposal must
/// close the connection after what was flushed has left, and end pending reads and writes. A broken connection shows as the end of the input or as an
/// <see cref="IOException"/> from the pipe, never as another exception.
/// </summary>
public interface IPeerConnection : IAsyncDisposable
{
    IDuplexPipe Pipe { get; }

    /// <summary>Our end, for NEXT_HOP self.</summary>
    IpAddress LocalAddress { get; }

    IpAddress RemoteAddress { get; }

    /// <summary>Own link-local address on the neighbour's link when known (RFC 2545: sent beside a global IPv6 next hop); else the default value.</summary>
    IpAddress LocalLinkLocal { get; }

    /// <summary>Link of a link-local neighbour, whose address may be that of another neighbour on another link; null for all others, or when not known.</summary>
    string? Interface { get; }
}

/// <summary>Makes connections. Implemented over sockets by the router role, over paired pipes by tests.</summary>
public interface IPeerTransport
{
    /// <summary>Connects to <see cref="PeerSettings.Address"/>. Failure is an
    /// <see cref="IOException"/> (or the socket's own exception) whose message says what was tried and what came back.</summary>
    ValueTask<IPeerConnection> ConnectAsync(PeerSettings peer, CancellationToken stop);
}
