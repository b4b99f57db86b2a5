using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Weft.Bgp;
using Weft.Linux.Sockets;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>
/// Accepts sessions, only from configured neighbours: everybody else is closed at once and counted. Keys belong to the listening sockets (one per neighbour, changed
/// while they listen), because the first SYN must already be signed. One socket per endpoint and family; changed only where the settings changed.
/// Owned by the router's loop; accepting runs on the pool.
/// </summary>
internal sealed class PeerListener(Func<PeerConnection, CancellationToken, Task<bool>> accept, Func<HostView> host, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private readonly Dictionary<ListenEndpoint, Open> _open = [];
    private volatile ImmutableDictionary<(IpAddress Address, string? Link), PeerSettings> _peers = ImmutableDictionary<(IpAddress, string?), PeerSettings>.Empty;
    private volatile PeerSettings[] _ranges = []; // The narrowest first.
    private long _refused;

    /// <summary>Connections of strangers since the start.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Somebody with a link-local address asks for a session on a link. Called from any thread.</summary>
    public Action<string, IpAddress> HeardOnLink { get; set; } = static (_, _) => { };

    /// <summary>Endpoints that listen now.</summary>
    public IEnumerable<ListenEndpoint> Endpoints => _open.Keys;

    private sealed record Open(Socket Socket, CancellationTokenSource Stop, Task Accepting, Dictionary<IpPrefix, (Secret Key, int Scope)> Keys)
    {
        /// <summary>TCP-AO.</summary>
        public Dictionary<IpPrefix, AuthenticationKey> Authentication { get; } = [];
    }

    /// <summary>Makes what listens equal to what is wanted. False: something could not be opened or set, try again later.</summary>
    public async Task<bool> UseAsync(ImmutableArray<ListenEndpoint> endpoints, IEnumerable<PeerSettings> peers)
    {
        PeerSettings[] all = [.. peers];

        // Two neighbours can share an address (another port, another source); the keys then must be the same, and the speaker tells them apart.
        _peers = all.Where(p => !p.IsRange).DistinctBy(Key).ToImmutableDictionary(Key);
        _ranges = [.. all.Where(p => p is { IsRange: true, Enabled: true }).OrderByDescending(p => p.Range.Length)];
        foreach (ListenEndpoint gone in _open.Keys.Except(endpoints).ToArray())
        {
            await CloseAsync(_open[gone]);
            _open.Remove(gone);
        }

        bool complete = true;
        foreach (ListenEndpoint endpoint in endpoints.Distinct())
        {
            if (!_open.ContainsKey(endpoint))
            {
                complete &= TryOpen(endpoint);
            }

            if (_open.TryGetValue(endpoint, out Open? open))
            {
                complete &= UpdateKeys(endpoint, open, all);
                complete &= UpdateAuthentication(endpoint, open, all);
            }
        }

        return complete;
    }

    /// <summary>A link-local address means nothing without its link.</summary>
    private static (IpAddress Address, string? Link) Key(PeerSettings peer) => (peer.Address, peer.Address is { IsIPv6: true, IsLinkLocal: true } ? peer.Interface : null);

    public async ValueTask DisposeAsync()
    {
        foreach (Open open in _open.Values)
        {
            await CloseAsync(open);
        }

        _open.Clear();
    }

    private static async Task CloseAsync(Open open)
    {
        await open.Stop.CancelAsync();
        open.Socket.Dispose();
        await open.Accepting;
        open.Stop.Dispose();
    }

    private bool TryOpen(ListenEndpoint endpoint)
    {
        Socket socket = new(endpoint.Address.IsIPv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (endpoint.Address.IsIPv6)
            {
                socket.DualMode = false; // Keys and TTL limits are per family; IPv4 has a socket of its own.
            }

            // RFC 5082: the answer to a SYN leaves before the neighbour is known, and one with TTL security takes it only with 255.
            socket.SetTtl(255);

            // SO_REUSEADDR is the framework's default for TCP; its ReuseAddress option would let a second router share the port.
            socket.AllowFreeBind(); // The address may come later than the router.
            socket.Bind(PeerSocket.EndPoint(endpoint.Address, endpoint.Port, 0));
            socket.Listen(128);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            Log.CannotListen(logger, endpoint.ToString(), e.Message);
            return false;
        }

        CancellationTokenSource stop = new();
        _open[endpoint] = new Open(socket, stop, AcceptAsync(socket, stop.Token), []);
        Log.Listening(logger, endpoint.ToString());
        return true;
    }

    private bool UpdateKeys(ListenEndpoint endpoint, Open open, PeerSettings[] peers)
    {
        Dictionary<IpPrefix, (Secret Key, int Scope)> wanted = [];
        foreach (PeerSettings peer in peers.Where(p => p.Address.Family == endpoint.Address.Family && (p.IsRange || !p.Address.IsUnspecified)))
        {
            if (PeerSocket.Options(peer).Password is { } password)
            {
                IpPrefix from = peer.IsRange ? peer.Range : new IpPrefix(peer.Address, peer.Address.BitLength);
                wanted[from] = (password, peer.Interface is null ? 0 : host().Link(peer.Interface)?.Index ?? 0);
            }
        }

        foreach (IpPrefix from in open.Keys.Keys.Except(wanted.Keys).ToArray())
        {
            RemoveKey(open.Socket, from, open.Keys[from].Scope);
            open.Keys.Remove(from);
        }

        bool complete = true;
        foreach ((IpPrefix from, (Secret key, int scope)) in wanted)
        {
            if (open.Keys.TryGetValue(from, out (Secret Key, int Scope) old) && old == (key, scope))
            {
                continue;
            }

            try
            {
                if (from.IsHost)
                {
                    TcpMd5.Set(open.Socket, from.Address, key.Reveal(), scope);
                }
                else
                {
                    // The longest prefix that fits wins: a neighbour in the range may have a key of its own.
                    TcpMd5.Set(open.Socket, from, key.Reveal());
                }

                open.Keys[from] = (key, scope);
            }
            catch (SocketException e)
            {
                Log.KeyRefused(logger, from, endpoint.ToString(), e.Message);
                complete = false;
            }
        }

        return complete;
    }

    /// <summary>The same for TCP-AO.</summary>
    private bool UpdateAuthentication(ListenEndpoint endpoint, Open open, PeerSettings[] peers)
    {
        Dictionary<IpPrefix, AuthenticationKey> wanted = [];
        foreach (PeerSettings peer in peers.Where(p => p.Address.Family == endpoint.Address.Family && (p.IsRange || !p.Address.IsUnspecified)))
        {
            if (PeerSocket.Options(peer).Authentication is { } key)
            {
                wanted[peer.IsRange ? peer.Range : peer.Address.ToPrefix()] = key;
            }
        }

        bool complete = true;
        foreach (IpPrefix from in open.Authentication.Keys.Union(wanted.Keys).ToArray())
        {
            (AuthenticationKey? old, AuthenticationKey? key) = (open.Authentication.GetValueOrDefault(from), wanted.GetValueOrDefault(from));
            if (old == key)
            {
                continue;
            }

            try
            {
                if (old is not null)
                {
                    TcpAo.Remove(open.Socket, from, old.Reveal());
                    open.Authentication.Remove(from);
                }

                if (key is not null && TcpAo.IsSupported)
                {
                    TcpAo.Add(open.Socket, from, key.Reveal());
                    open.Authentication[from] = key;
                }
                else if (key is not null)
                {
                    Log.AuthenticationRefused(logger, from, endpoint.ToString(), AuthenticationKey.Unsupported);
                }
            }
            catch (SocketException e)
            {
                Log.AuthenticationRefused(logger, from, endpoint.ToString(), e.Message);
                complete = false;
            }
        }

        return complete;
    }

    private static void RemoveKey(Socket socket, IpPrefix from, int scope)
    {
        if (from.IsHost)
        {
            TcpMd5.Remove(socket, from.Address, scope);
        }
        else
        {
            TcpMd5.Remove(socket, from);
        }
    }

    private async Task AcceptAsync(Socket listener, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                Take(await listener.AcceptAsync(stop), stop);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e)
            {
                // The connection died in the queue (ECONNABORTED), or we are out of descriptors (EMFILE): either passes.
                Log.AcceptFailed(logger, default, e.Message);
                await Task.Delay(TimeSpan.FromMilliseconds(100), time, CancellationToken.None);
            }
        }
    }

    private void Take(Socket socket, CancellationToken stop)
    {
        IpAddress remote = default;
        try
        {
            (remote, string? link) = PeerSocket.Remote(socket, host());
            if (link is not null)
            {
                HeardOnLink(link, remote);
            }

            if ((_peers.GetValueOrDefault((remote, link)) ?? Array.Find(_ranges, r => r.Range.Contains(remote))) is not { } peer)
            {
                // Closed without a word: a stranger learns nothing, not even that BGP is spoken here.
                long count = Interlocked.Increment(ref _refused);
                if (long.IsPow2(count))
                {
                    Log.StrangerRefused(logger, remote, count);
                }

                socket.Dispose();
                return;
            }

            if (PeerSocket.Options(peer).Authentication is not null && !TcpAo.IsSupported)
            {
                socket.Dispose();
                Log.AcceptFailed(logger, remote, AuthenticationKey.Unsupported);
                return;
            }

            PeerSocket.Prepare(socket, PeerSocket.Options(peer));
            _ = HandOverAsync(new PeerConnection(socket, host()), stop);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            Log.AcceptFailed(logger, remote, e.Message);
        }
    }

    private async Task HandOverAsync(PeerConnection connection, CancellationToken stop)
    {
        try
        {
            if (!await accept(connection, stop))
            {
                Log.AcceptFailed(logger, connection.RemoteAddress, "the speaker expects nobody there");
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
        {
            await connection.DisposeAsync();
            Log.AcceptFailed(logger, connection.RemoteAddress, e.Message);
        }
    }
}
