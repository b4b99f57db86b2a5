using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Weft.Bgp.Export;
using Weft.Bgp.Policies;
using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Bgp.Wire;
using Weft.Primitives.Collections;
using Weft.Primitives.Net;

namespace Weft.Bgp;

/// <summary>What became of a change to the set of peers.</summary>
public enum PeerChange : byte
{
    Done,

    /// <summary>A peer of that name exists already.</summary>
    AlreadyExists,

    /// <summary>No peer of that name.</summary>
    NotFound,

    /// <summary>The change was applied and the session, if it was up, was closed because its own parameters changed.</summary>
    SessionReset,
}

/// <summary>
/// The BGP speaker. Knows no sockets: connections come from <see cref="IPeerTransport"/> or <see cref="AcceptAsync"/>. All members may be called from any thread
/// while <see cref="RunAsync"/> runs; they post messages to the loops that own the state. Made and run by the router role.
/// <code>
///   transport --IPeerConnection--> SessionLoop --UpdateBatch--> RibLoop (one per family) --BestChange--> listeners
///                                  ^ timers, FSM                 | update groups, by credit
///                                  +------- SessionSender &lt;------+
/// </code>
/// </summary>
public sealed class BgpSpeaker
{
    /// <summary>How long the last NOTIFICATIONs may take when the speaker stops.</summary>
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(3);

    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly DateTimeOffset _startedAt;
    private readonly RibLoops _ribs;
    private readonly SessionLoop[] _loops;
    private readonly SessionServices _services;
    private readonly PeerSet _peers;
    private readonly TaskCompletionSource _fault = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Guards changes of the authorizations against one another.
    private readonly SemaphoreSlim _change = new(1, 1);
    private RoaTable _roas = RoaTable.Empty;
    private volatile bool _graceful;

    public BgpSpeaker(SpeakerOptions options, IPeerTransport transport, INextHopResolver nextHops, TimeProvider time, ILogger logger)
    {
        ArgumentOutOfRangeException.ThrowIfZero(options.LocalAs);
        ArgumentOutOfRangeException.ThrowIfNotEqual(options.RouterId.IsIPv4 && !options.RouterId.IsUnspecified, true);
        Options = options;
        _time = time;
        _logger = logger;
        _startedAt = time.GetUtcNow();
        var batches = new UpdateBatchPool();
        var blocks = new EncodedBlockPool();
        _ribs = new RibLoops(
            new RibLoop(IpFamily.IPv4, options, nextHops, batches, blocks, time, logger),
            new RibLoop(IpFamily.IPv6, options, nextHops, batches, blocks, time, logger));
        _loops = new SessionLoop[Math.Max(1, options.SessionLoops)];
        for (int i = 0; i < _loops.Length; i++)
        {
            _loops[i] = new SessionLoop(time);
        }

        _services = new SessionServices(options, transport, _ribs, batches, time, logger, Random.Shared.NextDouble, f => _fault.TrySetException(f));
        _peers = new PeerSet(_services, _loops);
    }

    public SpeakerOptions Options { get; }

    /// <summary>
    /// Runs the loops until <paramref name="stop"/> fires or a loop fails. On stop every session ends with Cease/2 (administrative shutdown), or silently when
    /// <see cref="StopGracefully"/> was called before, so that peers keep our routes (RFC 4724).
    /// </summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var loopStop = new CancellationTokenSource();
        var running = new List<Task>
        {
            Task.Run(() => _ribs.IPv4.RunAsync(loopStop.Token), CancellationToken.None),
            Task.Run(() => _ribs.IPv6.RunAsync(loopStop.Token), CancellationToken.None),
        };
        running.AddRange(_loops.Select(l => Task.Run(() => l.RunAsync(loopStop.Token), CancellationToken.None)));
        Task stopped = Task.Delay(Timeout.InfiniteTimeSpan, stop);
        Task first = await Task.WhenAny([.. running, stopped, _fault.Task]);
        if (first == stopped)
        {
            await StopSessionsAsync();
        }

        await loopStop.CancelAsync();
        await Task.WhenAll(running);
        if (_fault.Task.IsFaulted)
        {
            await _fault.Task;
        }
    }

    private async Task StopSessionsAsync()
    {
        BgpError? cease = _graceful ? null : new BgpError(ErrorCode.Cease, Subcode.AdministrativeShutdown);
        _peers.Stop();
        Task<Task>[] ends = [.. _peers.All.Select(p => PeerSet.AskAsync(p, () =>
        {
            Task ended = p.WhenEnded();
            p.Stop(cease, "the speaker stops");
            return ended;
        }))];
        Task all = Task.WhenAll(ends.Select(static e => e.Unwrap()));
        await Task.WhenAny(all, Task.Delay(StopLimit, _time, CancellationToken.None));
    }

    /// <summary>The coming stop is a restart: connections are closed without a NOTIFICATION.</summary>
    public void StopGracefully() => _graceful = true;

    /// <summary>Adds a peer, or a range of addresses from which peers may come (<see cref="PeerSettings.Range"/>).</summary>
    public Task<PeerChange> AddPeerAsync(PeerSettings settings, CancellationToken stop = default)
    {
        Validate(settings);
        return _peers.AddAsync(settings, stop);
    }

    /// <summary>Changes what changed; resets the session only when one of its own parameters needs it. A policy is unchanged when it says the same.</summary>
    public Task<PeerChange> UpdatePeerAsync(PeerSettings settings, CancellationToken stop = default)
    {
        Validate(settings);
        return _peers.UpdateAsync(settings, stop);
    }

    /// <summary>Ends the session with Cease/3 (peer de-configured) and forgets the peer and its routes.</summary>
    public Task<PeerChange> RemovePeerAsync(string name, CancellationToken stop = default) => _peers.RemoveAsync(name, stop);

    /// <summary>Ends the session with Cease/4 (administrative reset) and lets it come up again.</summary>
    /// <param name="message">Sent as shutdown communication (RFC 9003); null: none.</param>
    public Task<PeerChange> ResetPeerAsync(string name, string? message = null, CancellationToken stop = default) => OnPeersAsync(name, peer => peer.Reset(message), stop);

    /// <summary>Ends the session with Cease/10 (BFD down, RFC 9384), routes go at once, and it may come up again. Whoever runs BFD beside us calls this.</summary>
    public Task<PeerChange> PeerLostByBfdAsync(string name, CancellationToken stop = default) => OnPeersAsync(name, static peer => peer.LostByBfd(), stop);

    private async Task<PeerChange> OnPeersAsync(string name, Action<PeerSession> act, CancellationToken stop)
    {
        if (_peers.Named(name) is not { } peers)
        {
            return PeerChange.NotFound;
        }

        foreach (PeerSession peer in peers)
        {
            await peer.Loop.PostAsync(() => act(peer), stop);
        }

        return PeerChange.Done;
    }

    /// <summary>
    /// Takes an incoming connection. The peer is found by remote address (and local address where several fit), or made when the address is in a range. A connection nobody expects is answered by Cease/5
    /// (connection rejected) and closed; false is returned.
    /// </summary>
    public async Task<bool> AcceptAsync(IPeerConnection connection, CancellationToken stop = default)
    {
        bool taken = await _peers.AcceptAsync(connection, stop);
        if (!taken)
        {
            await Refusal.SendAsync(connection);
        }

        return taken;
    }

    /// <summary>Adds or replaces a route of our own.</summary>
    public ValueTask OriginateAsync(IpPrefix prefix, RouteAttributes attributes, CancellationToken stop = default)
    {
        RibLoop rib = _ribs.Of(prefix.Family);
        byte[] block = CanonicalBuilder.Build(attributes);
        return rib.PostAsync(() => rib.Originate(prefix, block), stop);
    }

    /// <summary>Takes a route of our own back; an unknown prefix is ignored.</summary>
    public ValueTask WithdrawAsync(IpPrefix prefix, CancellationToken stop = default)
    {
        RibLoop rib = _ribs.Of(prefix.Family);
        return rib.PostAsync(() => rib.WithdrawLocal(prefix), stop);
    }

    /// <summary>Resolves every next hop again: the routing table under us changed.</summary>
    public async ValueTask NextHopsChangedAsync(CancellationToken stop = default)
    {
        await _ribs.IPv4.PostAsync(_ribs.IPv4.ResolveNextHops, stop);
        await _ribs.IPv6.PostAsync(_ribs.IPv6.ResolveNextHops, stop);
    }

    /// <summary>
    /// All neighbours there are have been added. After a restart (<see cref="SpeakerOptions.Restarting"/>) selection waits for these and no others; without this call it waits
    /// for neighbours that may still be added, for up to half a minute.
    /// </summary>
    public async ValueTask PeersCompleteAsync(CancellationToken stop = default)
    {
        await _ribs.IPv4.PostAsync(_ribs.IPv4.PeersComplete, stop);
        await _ribs.IPv6.PostAsync(_ribs.IPv6.PeersComplete, stop);
    }

    /// <summary>Where each family stands after a restart. When it selects, listeners have heard everything that was here when selection began.</summary>
    public async Task<ImmutableArray<SelectionSnapshot>> GetSelectionAsync(CancellationToken stop = default) =>
        [await AskAsync(_ribs.IPv4, static r => r.DescribeSelection(), stop), await AskAsync(_ribs.IPv6, static r => r.DescribeSelection(), stop)];

    /// <summary>Adds a listener; it first hears the whole table of both families.</summary>
    public async ValueTask SubscribeAsync(IRibListener listener, CancellationToken stop = default)
    {
        await _ribs.IPv4.PostAsync(() => _ribs.IPv4.Subscribe(listener), stop);
        await _ribs.IPv6.PostAsync(() => _ribs.IPv6.Subscribe(listener), stop);
    }

    /// <summary>The listener hears nothing more once this has gone through the RIBs.</summary>
    public async ValueTask UnsubscribeAsync(IRibListener listener, CancellationToken stop = default)
    {
        await _ribs.IPv4.PostAsync(() => _ribs.IPv4.Unsubscribe(listener), stop);
        await _ribs.IPv6.PostAsync(() => _ribs.IPv6.Unsubscribe(listener), stop);
    }

    public async Task<ImmutableArray<PeerSnapshot>> GetPeersAsync(CancellationToken stop = default)
    {
        ImmutableArray<PeerSnapshot>.Builder snapshots = ImmutableArray.CreateBuilder<PeerSnapshot>();
        foreach (PeerSession peer in _peers.All.OrderBy(static p => p.Settings.Name, StringComparer.Ordinal))
        {
            PeerFamilySnapshot?[] families = [await AskAsync(_ribs.IPv4, r => r.Describe(peer.Id), stop), await AskAsync(_ribs.IPv6, r => r.Describe(peer.Id), stop)];
            ImmutableArray<PeerFamilySnapshot> running = [.. families.OfType<PeerFamilySnapshot>()
                .Where(f => (peer.Settings.Families & (f.Family == IpFamily.IPv4 ? AddressFamilies.IPv4 : AddressFamilies.IPv6)) != 0)];
            snapshots.Add(await PeerSet.AskAsync(peer, () => peer.Describe(running)));
        }

        foreach (PeerRange range in _peers.Ranges)
        {
            snapshots.Add(Describe(range));
        }

        snapshots.Sort(static (a, b) => string.CompareOrdinal(a.Settings.Name, b.Settings.Name));
        return snapshots.ToImmutable();
    }

    private PeerSnapshot Describe(PeerRange range) => new()
    {
        Settings = range.Settings,
        State = SessionState.Idle,
        Since = _startedAt,
        EstablishedCount = 0,
        LastError = range.LastEnd?.Reason,
        LastErrorAt = range.LastEnd?.At,
        Received = default,
        Sent = default,
        Negotiated = null,
        Families = [],
        Neighbors = _peers.Count(range),
        Refused = range.Refused,
    };

    /// <summary>Paths by prefix, best first within a prefix. Null when <see cref="RouteQuery.FromPeer"/> or <see cref="RouteQuery.AdvertisedTo"/> is unknown.</summary>
    public async Task<ImmutableArray<RouteSnapshot>?> GetRoutesAsync(RouteQuery query, CancellationToken stop = default)
    {
        if (!TryPeer(query.FromPeer, out PeerId from) || !TryPeer(query.AdvertisedTo, out PeerId to))
        {
            return null;
        }

        List<RouteSnapshot> routes = [];
        await foreach (ImmutableArray<RouteSnapshot> page in PagesAsync(query, from, to, stop))
        {
            routes.AddRange(page);
        }

        // By prefix; the sort is stable, so within a prefix the best stays first.
        return [.. routes.OrderBy(static r => r.Prefix)];
    }

    /// <summary>
    /// The same in pages as the tables hold them, for answers of any length: each page costs the RIB's loop about a millisecond, and none is asked for before the
    /// caller has done with the last. Null when a peer named is unknown.
    /// </summary>
    public IAsyncEnumerable<ImmutableArray<RouteSnapshot>>? StreamRoutes(RouteQuery query, CancellationToken stop = default) =>
        TryPeer(query.FromPeer, out PeerId from) && TryPeer(query.AdvertisedTo, out PeerId to) ? PagesAsync(query, from, to, stop) : null;

    private async IAsyncEnumerable<ImmutableArray<RouteSnapshot>> PagesAsync(RouteQuery query, PeerId from, PeerId to, [EnumeratorCancellation] CancellationToken stop)
    {
        int left = query.Limit;
        foreach (RibLoop rib in (RibLoop[])[_ribs.IPv4, _ribs.IPv6])
        {
            bool asked = (query.Family == IpFamily.None || query.Family == rib.Family)
                && (query.Prefix.Family == IpFamily.None || query.Prefix.Family == rib.Family);
            uint cursor = 0;
            while (asked && left > 0)
            {
                RouteQuery page = query with { Limit = left };
                (ImmutableArray<RouteSnapshot> routes, cursor) = await AskAsync(rib, r =>
                {
                    uint next = cursor;
                    return (r.Query(page, from, to, ref next), next);
                }, stop);
                left -= routes.Length;
                asked = cursor != 0;
                if (!routes.IsEmpty)
                {
                    yield return routes;
                }
            }
        }
    }

    /// <summary>Another number of paths per prefix for the listeners; nothing is reset.</summary>
    public async ValueTask SetMaximumPathsAsync(int value, CancellationToken stop = default)
    {
        await _ribs.IPv4.PostAsync(() => _ribs.IPv4.SetMaximumPaths(value), stop);
        await _ribs.IPv6.PostAsync(() => _ribs.IPv6.SetMaximumPaths(value), stop);
    }

    /// <summary>What the tables of both families hold.</summary>
    public async Task<ImmutableArray<RibMemory>> GetMemoryAsync(CancellationToken stop = default) =>
        [await AskAsync(_ribs.IPv4, static r => r.DescribeMemory(), stop), await AskAsync(_ribs.IPv6, static r => r.DescribeMemory(), stop)];

    /// <summary>Runs import policy again over what the peer sent; the session stays.</summary>
    public Task<PeerChange> SoftResetInAsync(string name, CancellationToken stop = default) => OnRibsAsync(name, static (rib, id) => rib.ImportAgain(id), stop);

    /// <summary>Asks the peer to send all its routes again (RFC 2918); with RFC 7313 what it does not send again is dropped.</summary>
    /// <returns>Null when it was asked; else why it cannot be.</returns>
    public async Task<string?> AskForRoutesAsync(string name) =>
        _peers.Find(name) is PeerSession peer ? await PeerSet.AskAsync(peer, peer.AskForRoutes) : $"no peer \"{name}\"";

    /// <summary>Runs export policy again and sends the peer the whole table; the session stays.</summary>
    public Task<PeerChange> SoftResetOutAsync(string name, CancellationToken stop = default) => OnRibsAsync(name, static (rib, id) => rib.RefreshPeer(id), stop);

    private async Task<PeerChange> OnRibsAsync(string name, Action<RibLoop, PeerId> act, CancellationToken stop)
    {
        if (_peers.Named(name) is not { } peers)
        {
            return PeerChange.NotFound;
        }

        foreach (PeerSession peer in peers)
        {
            await _ribs.IPv4.PostAsync(() => act(_ribs.IPv4, peer.Id), stop);
            await _ribs.IPv6.PostAsync(() => act(_ribs.IPv6, peer.Id), stop);
        }

        return PeerChange.Done;
    }

    /// <summary>
    /// What policies do to every path of one prefix, best first: each rule in order, and why a neighbour hears of it or not. Null when a neighbour named is unknown.
    /// </summary>
    /// <param name="prefix">Exactly this prefix.</param>
    /// <param name="fromPeer">Only paths received from this peer; null: all.</param>
    /// <param name="exportTo">The neighbour whose export policy is asked; null: none.</param>
    public async Task<ImmutableArray<RouteExplanation>?> ExplainAsync(IpPrefix prefix, string? fromPeer = null, string? exportTo = null, CancellationToken stop = default) =>
        TryPeer(fromPeer, out PeerId from) && TryPeer(exportTo, out PeerId to)
            ? await AskAsync(_ribs.Of(prefix.Family), r => r.Explain(prefix, from, to), stop)
            : null;

    /// <summary>Replaces the table of route origin authorizations; routes whose state may have changed go through the policies that ask for it again.</summary>
    public async ValueTask UseRoasAsync(RoaTable roas, CancellationToken stop = default)
    {
        await _change.WaitAsync(stop);
        try
        {
            RoaTable changed = RoaTable.Difference(_roas, roas);
            await _ribs.IPv4.PostAsync(() => _ribs.IPv4.UseRoas(roas, changed), stop);
            await _ribs.IPv6.PostAsync(() => _ribs.IPv6.UseRoas(roas, changed), stop);
            _roas = roas;
        }
        finally
        {
            _change.Release();
        }
    }

    /// <summary>A caller's mistake is told to the caller, not to a loop.</summary>
    private static void Validate(PeerSettings settings)
    {
        ArgumentException.ThrowIfNullOrEmpty(settings.Name);
        ArgumentOutOfRangeException.ThrowIfEqual(settings.Address.Family, IpFamily.None);
        ArgumentOutOfRangeException.ThrowIfEqual(settings.RemoteAs == 0 && settings.AcceptedAs is null, true);
        ArgumentOutOfRangeException.ThrowIfEqual(settings.Families, AddressFamilies.None);
        if (settings.HoldTime != TimeSpan.Zero)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(settings.HoldTime, TimeSpan.FromSeconds(3));
        }

        _ = PolicyProgram.Compile(settings.Import);
        _ = PolicyProgram.Compile(settings.Export);
    }

    private bool TryPeer(string? name, out PeerId id)
    {
        id = PeerId.None;
        if (name is null)
        {
            return true;
        }

        PeerSession? peer = _peers.Find(name);
        id = peer?.Id ?? PeerId.None;
        return peer is not null;
    }

    private static async Task<T> AskAsync<T>(RibLoop rib, Func<RibLoop, T> question, CancellationToken stop)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        await rib.PostAsync(() => answer.SetResult(question(rib)), stop);
        return await answer.Task.WaitAsync(stop);
    }
}
