using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Weft.Bgp.Rib;
using Weft.Bgp.Wire;
using Weft.Primitives.Collections;
using Weft.Primitives.Net;

namespace Weft.Bgp.Session;

/// <summary>
/// The configured peers, the ranges in which peers come unasked, and the peers that did. Members may be called from any thread; changes go one after the other.
/// A peer of a range is made when its connection comes in, and forgotten when its session has ended and none of its routes is kept for its return (RFC 4724).
/// </summary>
internal sealed class PeerSet
{
    /// <summary>How often it is looked whether the last stale route of a peer is gone.</summary>
    private static readonly TimeSpan ReapPause = TimeSpan.FromSeconds(1);

    private readonly SessionServices _services;
    private readonly SessionLoop[] _loops;
    private readonly IdPool _ids = new();

    // Guards changes of the set against one another; readers take the immutable dictionaries.
    private readonly SemaphoreSlim _change = new(1, 1);
    private ImmutableDictionary<string, PeerSession> _peers = ImmutableDictionary<string, PeerSession>.Empty;
    private ImmutableDictionary<string, PeerRange> _ranges = ImmutableDictionary<string, PeerRange>.Empty;
    private volatile bool _isStopping;

    public PeerSet(SessionServices services, SessionLoop[] loops)
    {
        _services = services with { Ended = peer => _ = ReapAsync(peer) };
        _loops = loops;
    }

    private RibLoops Ribs => _services.Ribs;

    /// <summary>Peers with a session or a place for one; not the ranges.</summary>
    public IEnumerable<PeerSession> All => _peers.Values;

    public IEnumerable<PeerRange> Ranges => _ranges.Values;

    public PeerSession? Find(string name) => _peers.GetValueOrDefault(name);

    /// <summary>The peer of that name, or the peers of the range of that name; null: there is neither.</summary>
    public IReadOnlyCollection<PeerSession>? Named(string name) =>
        _peers.TryGetValue(name, out PeerSession? peer) ? [peer] : _ranges.ContainsKey(name) ? OfRange(name) : null;

    public int Count(PeerRange range) => OfRange(range.Settings.Name).Length;

    public void Stop() => _isStopping = true;

    public async Task<PeerChange> AddAsync(PeerSettings settings, CancellationToken stop)
    {
        await _change.WaitAsync(stop);
        try
        {
            if (_peers.ContainsKey(settings.Name) || _ranges.ContainsKey(settings.Name))
            {
                return PeerChange.AlreadyExists;
            }

            await AddNewAsync(settings, stop);
            return PeerChange.Done;
        }
        finally
        {
            _change.Release();
        }
    }

    public async Task<PeerChange> UpdateAsync(PeerSettings settings, CancellationToken stop)
    {
        await _change.WaitAsync(stop);
        try
        {
            bool wasRange = _ranges.ContainsKey(settings.Name);
            if (!wasRange && !_peers.ContainsKey(settings.Name))
            {
                return PeerChange.NotFound;
            }

            if (wasRange != settings.IsRange)
            {
                await RemoveNamedAsync(settings.Name);
                await AddNewAsync(settings, stop);
                return PeerChange.SessionReset;
            }

            bool reset = wasRange ? await UpdateRangeAsync(settings, stop) : await UpdateOneAsync(_peers[settings.Name], settings, stop);
            return reset ? PeerChange.SessionReset : PeerChange.Done;
        }
        finally
        {
            _change.Release();
        }
    }

    public async Task<PeerChange> RemoveAsync(string name, CancellationToken stop)
    {
        await _change.WaitAsync(stop);
        try
        {
            return await RemoveNamedAsync(name) ? PeerChange.Done : PeerChange.NotFound;
        }
        finally
        {
            _change.Release();
        }
    }

    /// <summary>True: some peer has taken the connection.</summary>
    public async Task<bool> AcceptAsync(IPeerConnection connection, CancellationToken stop)
    {
        while (!_isStopping)
        {
            PeerSession? peer = Expecting(connection) ?? await AdmitAsync(connection, stop);
            if (peer is null)
            {
                return false;
            }

            if (await AskAsync(peer, () => peer.Accept(connection)))
            {
                return true;
            }

            if (peer.Settings.RangeName is null || Find(peer.Settings.Name) == peer)
            {
                return false;
            }

            // It was just being forgotten: the next one is new.
        }

        return false;
    }

    /// <summary>Runs a question on the peer's loop.</summary>
    public static async Task<T> AskAsync<T>(PeerSession peer, Func<T> question)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        await peer.Loop.PostAsync(() => answer.SetResult(question()), CancellationToken.None);
        return await answer.Task;
    }

    private PeerSession? Expecting(IPeerConnection connection)
    {
        PeerSession? found = null;
        foreach (PeerSession peer in _peers.Values)
        {
            bool fits = peer.Settings.Address == connection.RemoteAddress && (connection.Interface ?? peer.Settings.Interface) == (peer.Settings.Interface ?? connection.Interface);
            if (fits && (found is null || peer.Settings.LocalAddress == connection.LocalAddress))
            {
                found = peer;
            }
        }

        return found;
    }

    /// <summary>Makes a peer of the narrowest range that holds the address; null when there is none, or it is full.</summary>
    private async Task<PeerSession?> AdmitAsync(IPeerConnection connection, CancellationToken stop)
    {
        PeerRange? range = _ranges.Values.Where(r => r.Settings.Enabled && r.Settings.Range.Contains(connection.RemoteAddress)).MaxBy(static r => r.Settings.Range.Length);
        if (range is null)
        {
            Log.UnknownPeer(_services.Logger, connection.RemoteAddress);
            return null;
        }

        await _change.WaitAsync(stop);
        try
        {
            // Others came first, or the range is gone.
            if (Expecting(connection) is PeerSession other)
            {
                return other;
            }

            if (_ranges.GetValueOrDefault(range.Settings.Name) != range)
            {
                return null;
            }

            if (Count(range) >= range.Settings.MaximumNeighbors)
            {
                long refused = range.Refuse();
                if (long.IsPow2(refused))
                {
                    Log.RangeFull(_services.Logger, range.Settings.Name, connection.RemoteAddress, range.Settings.MaximumNeighbors, refused);
                }

                return null;
            }

            return await AddOneAsync(range.Settings.OfRange(connection.RemoteAddress), stop);
        }
        finally
        {
            _change.Release();
        }
    }

    private PeerSession[] OfRange(string name) => [.. _peers.Values.Where(p => p.Settings.RangeName == name)];

    private async Task AddNewAsync(PeerSettings settings, CancellationToken stop)
    {
        if (settings.IsRange)
        {
            _ranges = _ranges.Add(settings.Name, new PeerRange(settings));
            return;
        }

        // Who has a section of his own is of no range any more.
        foreach (PeerSession unasked in _peers.Values.Where(p => p.Settings.RangeName is not null && p.Settings.Address == settings.Address).ToArray())
        {
            await RemoveOneAsync(unasked);
        }

        await AddOneAsync(settings, stop);
    }

    private async Task<PeerSession> AddOneAsync(PeerSettings settings, CancellationToken stop)
    {
        var id = (PeerId)_ids.Take();
        SessionLoop loop = _loops[(int)id % _loops.Length];
        var peer = new PeerSession(id, settings, loop, _services);
        await Ribs.IPv4.PostAsync(() => Ribs.IPv4.AddPeer(id, settings), stop);
        await Ribs.IPv6.PostAsync(() => Ribs.IPv6.AddPeer(id, settings), stop);
        _peers = _peers.Add(settings.Name, peer);
        await loop.PostAsync(peer.Start, stop);
        return peer;
    }

    private async Task<bool> UpdateOneAsync(PeerSession peer, PeerSettings settings, CancellationToken stop)
    {
        bool reset = await AskAsync(peer, () => peer.Update(settings));
        await Ribs.IPv4.PostAsync(() => Ribs.IPv4.UpdatePeer(peer.Id, settings), stop);
        await Ribs.IPv6.PostAsync(() => Ribs.IPv6.UpdatePeer(peer.Id, settings), stop);
        await peer.Loop.PostAsync(peer.Resume, CancellationToken.None);
        return reset;
    }

    private async Task<bool> UpdateRangeAsync(PeerSettings settings, CancellationToken stop)
    {
        _ranges = _ranges.SetItem(settings.Name, new PeerRange(settings));
        bool reset = false;
        foreach (PeerSession peer in OfRange(settings.Name))
        {
            IpAddress address = peer.Settings.Address;
            if (!settings.Range.Contains(address))
            {
                await RemoveOneAsync(peer);
                continue;
            }

            reset |= await UpdateOneAsync(peer, settings.OfRange(address), stop);
            if (!settings.Enabled)
            {
                _ = ReapAsync(peer);
            }
        }

        return reset;
    }

    private async Task<bool> RemoveNamedAsync(string name)
    {
        if (_ranges.ContainsKey(name))
        {
            _ranges = _ranges.Remove(name);
            foreach (PeerSession peer in OfRange(name))
            {
                await RemoveOneAsync(peer);
            }

            return true;
        }

        if (_peers.TryGetValue(name, out PeerSession? one))
        {
            await RemoveOneAsync(one);
        }

        return one is not null;
    }

    private async Task RemoveOneAsync(PeerSession peer)
    {
        _peers = _peers.Remove(peer.Settings.Name);
        Task ended = await AskAsync(peer, () =>
        {
            Task end = peer.WhenEnded();
            peer.Stop(new BgpError(ErrorCode.Cease, Subcode.PeerDeconfigured), "removed from the configuration");
            return end;
        });

        // The last batches of the session come before this, from the same tasks that are waited for.
        await ended;
        await Task.WhenAll(await AskAsync(Ribs.IPv4, r => r.RemovePeer(peer.Id)), await AskAsync(Ribs.IPv6, r => r.RemovePeer(peer.Id)));
        _ids.Return((uint)peer.Id);
    }

    /// <summary>Forgets a peer of a range whose last connection has ended, once nothing is kept for it; unless it comes back meanwhile.</summary>
    private async Task ReapAsync(PeerSession peer)
    {
        try
        {
            while (!_isStopping)
            {
                bool isAwaited = await AskAsync(Ribs.IPv4, r => r.KeepsRoutes(peer.Id)) || await AskAsync(Ribs.IPv6, r => r.KeepsRoutes(peer.Id));
                if (!isAwaited && await TryForgetAsync(peer))
                {
                    return;
                }

                await Task.Delay(ReapPause, _services.Time, CancellationToken.None);
            }
        }
        catch (Exception failure)
        {
            if (!_isStopping)
            {
                _services.Fault(failure);
            }
        }
    }

    /// <summary>True: nothing is left to be done.</summary>
    private async Task<bool> TryForgetAsync(PeerSession peer)
    {
        await _change.WaitAsync(CancellationToken.None);
        try
        {
            if (Find(peer.Settings.Name) != peer)
            {
                return true;
            }

            (Retirement retirement, string? reason) = await AskAsync(peer, peer.TryRetire);
            if (retirement == Retirement.Done)
            {
                await RemoveOneAsync(peer);
                _ranges.GetValueOrDefault(peer.Settings.RangeName!)?.NoteEnd(peer.Settings.Name, reason, _services.Time.GetUtcNow());
                Log.PeerForgotten(_services.Logger, peer.Settings.Name, reason ?? "its connection ended");
            }

            return retirement != Retirement.Later;
        }
        finally
        {
            _change.Release();
        }
    }

    private static async Task<T> AskAsync<T>(RibLoop rib, Func<RibLoop, T> question)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        await rib.PostAsync(() => answer.SetResult(question(rib)), CancellationToken.None);
        return await answer.Task;
    }
}
