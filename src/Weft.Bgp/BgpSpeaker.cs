using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Weft.Bgp.Rib;
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
/// The BGP speaker. Knows no sockets: connections come from <see cref="IPeerTransport"/> or <see cref="AcceptAsync"/>. All members may be called from any
/// thread; they post messages to the loops that own the state. Made and run by the router role.
/// <code>
///   transport --IPeerConnection--> SessionLoop --UpdateBatch--> RibLoop (one per family) --BestChange--> listeners
///                                  ^ timers, FSM                 | update groups, by credit
///                                  +------- SessionSender &lt;------+
/// </code>
/// </summary>
public sealed class BgpSpeaker
{
    public BgpSpeaker(SpeakerOptions options, IPeerTransport transport, INextHopResolver nextHops, TimeProvider time, ILogger logger)
    {
        Options = options;
    }

    public SpeakerOptions Options { get; }

    /// <summary>
    /// Runs the loops until <paramref name="stop"/> fires or a loop fails. On stop every session ends with Cease/2 (administrative shutdown), or silently when
    /// <see cref="SpeakerOptions.RestartTime"/> is above zero and <see cref="StopGracefully"/> was called before, so that peers keep our routes (RFC 4724).
    /// </summary>
    public Task RunAsync(CancellationToken stop) => Task.CompletedTask;

    /// <summary>The coming stop is a restart: connections are closed without a NOTIFICATION.</summary>
    public void StopGracefully()
    {
    }

    public Task<PeerChange> AddPeerAsync(PeerSettings settings, CancellationToken stop = default) => Task.FromResult(PeerChange.Done);

    /// <summary>Changes what changed; resets the session only when one of its own parameters needs it.</summary>
    public Task<PeerChange> UpdatePeerAsync(PeerSettings settings, CancellationToken stop = default) => Task.FromResult(PeerChange.Done);

    /// <summary>Ends the session with Cease/3 (peer de-configured) and forgets the peer and its routes.</summary>
    public Task<PeerChange> RemovePeerAsync(string name, CancellationToken stop = default) => Task.FromResult(PeerChange.Done);

    /// <summary>Ends the session with Cease/4 (administrative reset) and lets it come up again.</summary>
    /// <param name="message">Sent as shutdown communication (RFC 9003); null: none.</param>
    public Task<PeerChange> ResetPeerAsync(string name, string? message = null, CancellationToken stop = default) => Task.FromResult(PeerChange.Done);

    /// <summary>
    /// Takes an incoming connection. The peer is found by remote address (and local address where several fit). A connection nobody expects is answered by Cease/5
    /// (connection rejected) and closed; false is returned.
    /// </summary>
    public Task<bool> AcceptAsync(IPeerConnection connection, CancellationToken stop = default) => Task.FromResult(false);

    /// <summary>Adds or replaces a route of our own.</summary>
    public ValueTask OriginateAsync(IpPrefix prefix, RouteAttributes attributes, CancellationToken stop = default) => ValueTask.CompletedTask;

    /// <summary>Takes a route of our own back; an unknown prefix is ignored.</summary>
    public ValueTask WithdrawAsync(IpPrefix prefix, CancellationToken stop = default) => ValueTask.CompletedTask;

    /// <summary>Resolves every next hop again: the routing table under us changed.</summary>
    public ValueTask NextHopsChangedAsync(CancellationToken stop = default) => ValueTask.CompletedTask;

    /// <summary>Adds a listener; it first hears the whole table of both families.</summary>
    public ValueTask SubscribeAsync(IRibListener listener, CancellationToken stop = default) => ValueTask.CompletedTask;

    public Task<ImmutableArray<PeerSnapshot>> GetPeersAsync(CancellationToken stop = default) => Task.FromResult(ImmutableArray<PeerSnapshot>.Empty);

    /// <summary>Paths by prefix, best first within a prefix. Null when <see cref="RouteQuery.FromPeer"/> or <see cref="RouteQuery.AdvertisedTo"/> is unknown.</summary>
    public Task<ImmutableArray<RouteSnapshot>?> GetRoutesAsync(RouteQuery query, CancellationToken stop = default) =>
        Task.FromResult<ImmutableArray<RouteSnapshot>?>([]);
}
