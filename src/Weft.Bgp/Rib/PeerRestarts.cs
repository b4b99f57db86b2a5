using Microsoft.Extensions.Logging;
using Weft.Bgp.Session;
using Weft.Primitives.Net;

namespace Weft.Bgp.Rib;

/// <summary>
/// What becomes of a peer's routes when its session ends, comes back, or is told anew: RFC 4724 as receiving speaker, RFC 9494 as helper, RFC 7313 as receiver.
/// <code>
///   session ends -> PeerAway (restart time) -> LongLived (stale time) -> removed
///   session back -> EndOfRib or LongLived, until End-of-RIB or time is up -> what was not told again is removed
/// </code>
/// Owned by one RIB loop.
/// </summary>
internal sealed class PeerRestarts(IpFamily family, RibTables tables, Sweeps sweeps, TimeProvider time, ILogger logger)
{
    /// <summary>RFC 4724 4.2, RFC 7313 4.2: how long routes outlive a session that came back, or a refresh that began, and does not come to its end.</summary>
    public static readonly TimeSpan StalePathTime = TimeSpan.FromSeconds(360);

    private readonly AddressFamilies _flag = family == IpFamily.IPv4 ? AddressFamilies.IPv4 : AddressFamilies.IPv6;

    /// <summary>When <see cref="OnTime"/> has something to do, in the loop's ticks; <see cref="long.MaxValue"/>: never.</summary>
    public long NextDue { get; private set; } = long.MaxValue;

    /// <summary>The session ended.</summary>
    /// <param name="keep">The way it ended lets routes be kept.</param>
    public void OnDown(RibPeer peer, NegotiatedSession session, bool keep)
    {
        PathEpochs epochs = peer.Epochs;
        bool mayReturn = keep && (session.RestartFamilies & _flag) != 0;
        peer.RefreshUntil = 0;
        epochs.Unrefreshed = EpochSet.None;
        if (mayReturn && peer.Phase != StalePhase.LongLived)
        {
            // RFC 4724 4.2: of consecutive restarts only the last session's routes are kept.
            sweeps.Remove(peer, epochs.Stale);
        }

        Advance(peer);
        if (!mayReturn)
        {
            sweeps.Remove(peer, epochs.Kept);
            (peer.Phase, peer.StaleUntil, epochs.Stale) = (StalePhase.None, 0, EpochSet.None);
            return;
        }

        epochs.Stale = epochs.Kept;
        if (peer.Phase == StalePhase.LongLived)
        {
            // RFC 9494 4.2: the stale time runs on until an End-of-RIB ends it.
            sweeps.Add(SweepKind.LongLived, peer.Id);
            return;
        }

        peer.LongLivedTime = LongLivedTime(peer, session);
        Enter(peer, StalePhase.PeerAway, session.PeerRestartTime);
    }

    /// <summary>The session is up again, or for the first time.</summary>
    public void OnUp(RibPeer peer, NegotiatedSession session)
    {
        peer.EndOfRibReceived = false;
        if (peer.Phase == StalePhase.None)
        {
            return;
        }

        // RFC 4724 4.2, RFC 9494 4.2: only what the peer says it kept forwarding may stay until End-of-RIB.
        AddressFamilies kept = peer.Phase == StalePhase.LongLived ? session.LongLivedKept : session.ForwardingKept;
        if ((kept & _flag) == 0)
        {
            RemoveStale(peer);
        }
        else if (peer.Phase == StalePhase.PeerAway)
        {
            Enter(peer, StalePhase.EndOfRib, StalePathTime);
        }
    }

    /// <summary>The peer is back without this family.</summary>
    public void OnUpWithout(RibPeer peer) => RemoveStale(peer);

    public void OnEndOfRib(RibPeer peer)
    {
        peer.EndOfRibReceived = true;
        RemoveStale(peer);
    }

    /// <summary>RFC 7313 4.2: BoRR.</summary>
    public void OnBeginRefresh(RibPeer peer)
    {
        // Until End-of-RIB of a restart it says nothing. A number for another epoch is missing only when refreshes begin and never end.
        bool early = peer.Session is { RestartFamilies: var families } && (families & _flag) != 0 && !peer.EndOfRibReceived;
        if (!early && peer.Epochs.TryAdvance())
        {
            peer.Epochs.Unrefreshed = peer.Epochs.Kept;
            peer.RefreshUntil = Deadline(StalePathTime);
        }
    }

    /// <summary>RFC 7313 4.2: EoRR.</summary>
    public void OnEndRefresh(RibPeer peer)
    {
        if (peer.RefreshUntil != 0)
        {
            peer.RefreshUntil = 0;
            sweeps.Remove(peer, peer.Epochs.Unrefreshed);
            peer.Epochs.Unrefreshed = EpochSet.None;
        }
    }

    /// <summary>The peer is no longer configured: every path goes.</summary>
    /// <returns>Completes when it is forgotten.</returns>
    public Task Remove(RibPeer peer)
    {
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        (peer.Phase, peer.StaleUntil, peer.RefreshUntil) = (StalePhase.None, 0, 0);
        peer.Leaving = gone;
        if (peer.Received == 0)
        {
            sweeps.Forget(peer, gone);
        }
        else
        {
            sweeps.Remove(peer, EpochSet.All);
        }

        return gone.Task;
    }

    /// <summary>Does what is due.</summary>
    public void OnTime(long now)
    {
        if (now < NextDue)
        {
            return;
        }

        NextDue = long.MaxValue;
        foreach (RibPeer peer in tables.Peers.All)
        {
            if (peer.StaleUntil != 0 && peer.StaleUntil <= now)
            {
                EndPhase(peer);
            }

            if (peer.RefreshUntil != 0 && peer.RefreshUntil <= now)
            {
                Log.RefreshNeverEnded(logger, peer.Settings.Name, family, peer.Epochs.UnrefreshedPaths);
                OnEndRefresh(peer);
            }

            NextDue = Math.Min(NextDue, Math.Min(peer.StaleUntil == 0 ? long.MaxValue : peer.StaleUntil, peer.RefreshUntil == 0 ? long.MaxValue : peer.RefreshUntil));
        }
    }

    private void EndPhase(RibPeer peer)
    {
        if (peer.Phase == StalePhase.PeerAway && peer.LongLivedTime > TimeSpan.Zero && peer.Epochs.StalePaths != 0)
        {
            Log.KeptLongLived(logger, peer.Settings.Name, family, peer.Epochs.StalePaths, peer.LongLivedTime);
            Enter(peer, StalePhase.LongLived, peer.LongLivedTime);
            sweeps.Add(SweepKind.LongLived, peer.Id);
            return;
        }

        Log.StaleRoutesDropped(logger, peer.Settings.Name, family, peer.Epochs.StalePaths);
        RemoveStale(peer);
    }

    private void RemoveStale(RibPeer peer)
    {
        sweeps.Remove(peer, peer.Epochs.Stale);
        (peer.Phase, peer.StaleUntil, peer.Epochs.Stale) = (StalePhase.None, 0, EpochSet.None);
    }

    /// <summary>RFC 9494 4.2: the peer asks for a time, and ours bounds it.</summary>
    private TimeSpan LongLivedTime(RibPeer peer, NegotiatedSession session)
    {
        TimeSpan asked = (session.LongLivedFamilies & _flag) == 0 ? TimeSpan.Zero : family == IpFamily.IPv4 ? session.LongLivedTimeIPv4 : session.LongLivedTimeIPv6;
        return asked < peer.Settings.LongLivedStaleTime ? asked : peer.Settings.LongLivedStaleTime;
    }

    private void Enter(RibPeer peer, StalePhase phase, TimeSpan lasts)
    {
        peer.Phase = phase;
        peer.StaleUntil = Deadline(lasts);
    }

    private void Advance(RibPeer peer)
    {
        if (!peer.Epochs.TryAdvance())
        {
            // Sessions end faster than their routes can be removed, or refreshes never ended: what remains becomes one epoch.
            sweeps.FinishRemovals();
            if (!peer.Epochs.TryAdvance())
            {
                sweeps.Unite(peer);
                peer.Epochs.TryAdvance();
            }
        }
    }

    private long Deadline(TimeSpan after)
    {
        long due = time.GetTimestamp() + Math.Max(1, (long)(after.TotalSeconds * time.TimestampFrequency));
        NextDue = Math.Min(NextDue, due);
        return due;
    }
}
