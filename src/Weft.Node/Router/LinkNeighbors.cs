using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Weft.Linux.Netlink;
using Weft.Linux.Sockets;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>
/// Finds the neighbours that the settings name by their link alone. Both sides send router advertisements, and the link-local address one comes from is the
/// neighbour's; FRR does the same, so that either finds the other. A connection from a link-local address says as much.
/// Owned by <see cref="RouterLoop"/>; what is received on the pool is posted to it and comes back by <see cref="Heard"/>.
/// </summary>
/// <param name="post">Takes a link and who was heard on it to the loop.</param>
internal sealed class LinkNeighbors(Action<string, IpAddress> post, TimeProvider time, ILogger logger) : IDisposable
{
    /// <summary>Between advertisements: while nobody has been found, and after.</summary>
    private static readonly TimeSpan s_searching = TimeSpan.FromSeconds(1), s_found = TimeSpan.FromSeconds(10);

    /// <summary>Who was silent for three advertisements may have been replaced.</summary>
    private static readonly TimeSpan s_silent = TimeSpan.FromSeconds(35);

    private readonly Dictionary<string, Watched> _links = new(StringComparer.Ordinal);

    private sealed class Watched(int index, RouterAdvertisementSocket socket)
    {
        public int Index => index;

        public RouterAdvertisementSocket Socket => socket;

        public CancellationTokenSource Stop { get; } = new();

        public IpAddress Neighbor { get; set; }

        public long HeardAt { get; set; }

        public long? SaidAt { get; set; }
    }

    /// <summary>The neighbour at the other end; default: nobody has been heard.</summary>
    public IpAddress Find(string link) => _links.TryGetValue(link, out Watched? watched) ? watched.Neighbor : default;

    /// <summary>Makes the links that are watched equal to those wanted and present. A link that was made anew has a new neighbour.</summary>
    public void Use(IReadOnlyCollection<string> wanted, HostView host)
    {
        foreach ((string name, Watched watched) in _links.Where(l => !wanted.Contains(l.Key) || host.Link(l.Key)?.Index != l.Value.Index).ToArray())
        {
            Close(watched);
            _links.Remove(name);
        }

        foreach (string name in wanted)
        {
            if (!_links.ContainsKey(name) && host.Link(name) is { IsUp: true } link)
            {
                Open(link);
            }
        }
    }

    /// <summary>True: the link has another neighbour now. One that is still heard keeps its place, whoever else is on the link.</summary>
    public bool Heard(string link, IpAddress from)
    {
        if (!_links.TryGetValue(link, out Watched? watched))
        {
            return false;
        }

        bool isNew = watched.Neighbor != from;
        if (isNew && watched.Neighbor.Family != IpFamily.None && time.GetElapsedTime(watched.HeardAt) < s_silent)
        {
            return false;
        }

        watched.HeardAt = time.GetTimestamp();
        if (isNew)
        {
            watched.Neighbor = from;
            watched.SaidAt = null; // It may not have heard us yet.
            Log.FoundOnLink(logger, link, from);
        }

        return isNew;
    }

    /// <summary>Says that we are here where it is time to; to be called about once a second.</summary>
    public void Tick()
    {
        foreach (Watched watched in _links.Values)
        {
            TimeSpan pause = watched.Neighbor.Family == IpFamily.None ? s_searching : s_found;
            if ((watched.SaidAt is not { } said || time.GetElapsedTime(said) >= pause - s_searching / 2) && watched.Socket.TryAdvertise())
            {
                watched.SaidAt = time.GetTimestamp();
            }
        }
    }

    public void Dispose()
    {
        foreach (Watched watched in _links.Values)
        {
            Close(watched);
        }

        _links.Clear();
    }

    private void Open(LinkInfo link)
    {
        try
        {
            Watched watched = new(link.Index, RouterAdvertisementSocket.Open(link.Name, link.Index));
            _links[link.Name] = watched;
            _ = ListenAsync(link.Name, watched);
        }
        catch (SocketException e)
        {
            Log.CannotWatchLink(logger, link.Name, e.Message); // Tried again when the host changes.
        }
    }

    private async Task ListenAsync(string link, Watched watched)
    {
        try
        {
            while (true)
            {
                (RouterDiscoveryKind kind, IpAddress from) = await watched.Socket.ReceiveAsync(watched.Stop.Token);
                if (kind == RouterDiscoveryKind.Advertisement)
                {
                    post(link, from);
                }
                else
                {
                    watched.Socket.TryAdvertise();
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The link is not wanted any more.
        }
        catch (SocketException e)
        {
            Log.CannotWatchLink(logger, link, e.Message); // Gone, most likely; a new one by its name gets a new socket.
        }
    }

    private static void Close(Watched watched)
    {
        watched.Stop.Cancel();
        watched.Socket.Dispose();
        watched.Stop.Dispose();
    }
}
