using System.Net.Sockets;
using Weft.Bgp;
using Weft.Linux.Sockets;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>Connects to neighbours over TCP: source address, MD5 key, TTL, all set before the first packet leaves. Called by the speaker from its loops.</summary>
internal sealed class PeerTransport(Func<HostView> host, TimeProvider time) : IPeerTransport
{
    /// <summary>The kernel would try for two minutes; a neighbour on the same rack answers in milliseconds or not at all.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(4);

    public async ValueTask<IPeerConnection> ConnectAsync(PeerSettings peer, CancellationToken stop)
    {
        PeerTransportOptions options = PeerSocket.Options(peer);
        HostView view = host();
        int scope = PeerSocket.Scope(peer, view);
        Socket socket = new(peer.Address.IsIPv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        TimeSpan limit = Patience(peer);
        using CancellationTokenSource patience = new(limit, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(stop, patience.Token);
        TcpMd5Counters before = options.Password is null ? default : TcpMd5Counters.Read();
        try
        {
            PeerSocket.Prepare(socket, options);
            if (options.Password is not null)
            {
                TcpMd5.Set(socket, peer.Address, options.Password.Reveal(), scope);
            }

            if (options.Authentication is { } key)
            {
                if (!TcpAo.IsSupported)
                {
                    throw new IOException($"connect to {Describe(peer)}: {AuthenticationKey.Unsupported}");
                }

                TcpAo.Add(socket, peer.Address.ToPrefix(), key.Reveal());
            }

            if (peer.LocalAddress.Family != IpFamily.None)
            {
                socket.Bind(PeerSocket.EndPoint(peer.LocalAddress, 0, peer.LocalAddress is { IsIPv6: true, IsLinkLocal: true } ? scope : 0));
            }

            await socket.ConnectAsync(PeerSocket.EndPoint(peer.Address, peer.Port, scope), either.Token);
            PeerConnection connection = new(socket, view);
            socket = null!;
            return connection;
        }
        catch (SocketException e)
        {
            throw new IOException($"connect to {Describe(peer)}: {Explain(e, options, before, limit)}", e);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested && !stop.IsCancellationRequested)
        {
            throw new IOException($"connect to {Describe(peer)}: {NoAnswer(options, before, limit)}");
        }
        finally
        {
            socket?.Dispose();
        }
    }

    /// <summary>
    /// Shorter than the ConnectRetryTimer, which is jittered down to three quarters: when that one ends the attempt (RFC 4271 8.2.2, Connect), nobody learns why.
    /// </summary>
    private static TimeSpan Patience(PeerSettings peer) => peer.ConnectRetryTime * 0.7 is var own && own < s_patience ? own : s_patience;

    private static string Describe(PeerSettings peer) =>
        $"{new ListenEndpoint(peer.Address, peer.Port)}{(peer.LocalAddress.Family == IpFamily.None ? string.Empty : $" from {peer.LocalAddress}")}";

    private static string Explain(SocketException e, PeerTransportOptions options, TcpMd5Counters before, TimeSpan limit) => e.SocketErrorCode switch
    {
        SocketError.TimedOut => NoAnswer(options, before, limit),
        SocketError.ConnectionRefused => "connection refused: nobody accepts BGP there",
        SocketError.AddressNotAvailable => "the source address is not on this host",
        _ => $"{e.Message} ({e.NativeErrorCode})",
    };

    /// <summary>A wrong key never shows as anything but silence: the kernel of either side drops the segments. Its counters say which side.</summary>
    private static string NoAnswer(PeerTransportOptions options, TcpMd5Counters before, TimeSpan limit)
    {
        if (options.Password is null)
        {
            return TcpMd5Counters.Read() is { Unexpected: > 0 } total
                ? $"no answer within {limit.TotalSeconds:0.#} s; this host has dropped {total.Unexpected} segments with a password where none is set: check the password on both sides"
                : $"no answer within {limit.TotalSeconds:0.#} s; it is down, filtered, or expects a password";
        }

        string counters = TcpMd5Counters.Read().Since(before);
        return $"no answer; check the password on both sides{(counters.Length > 0 ? $" ({counters} while connecting)" : string.Empty)}";
    }
}
