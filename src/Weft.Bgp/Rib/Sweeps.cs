using Weft.Bgp.Export;
using Weft.Primitives.Collections;

namespace Weft.Bgp.Rib;

/// <summary>
/// Work over whole tables, some thousand rows at a time, so that other messages get their turn. Removal is one sweep for all peers: a hundred sessions that end together
/// cost one walk, not a hundred, and one that ends during the walk makes it go round once more. Owned by one RIB loop.
/// </summary>
internal sealed class Sweeps(RibTables tables, AdjRibIn rib, AdjRibOut export)
{
    /// <summary>Rows looked at in one piece: under a millisecond when all of them are removed.</summary>
    private const int Rows = 1024;

    private readonly List<PathSweep> _sweeps = [];
    private uint _removalCursor;
    private uint _removalLeft;

    /// <summary>Where the round begins anew: rows that came later belong to sessions that came later.</summary>
    private uint _removalEnd;

    /// <summary>Paths of these epochs go.</summary>
    public void Remove(RibPeer peer, EpochSet epochs)
    {
        if (peer.Epochs.Count(epochs) != 0)
        {
            peer.Epochs.Removing |= epochs;
            (_removalEnd, _removalLeft) = (tables.Paths.End, tables.Paths.End);
        }
    }

    public void Add(SweepKind kind, PeerId peer) => Add(new PathSweep { Kind = kind, Peer = peer });

    public void Add(PathSweep sweep) => _sweeps.Add(sweep);

    /// <summary>Does one piece. True when there is more.</summary>
    public bool Run()
    {
        if (_removalLeft != 0)
        {
            RemoveSome();
        }
        else if (_sweeps.Count != 0)
        {
            PathSweep sweep = _sweeps[0];
            if (Run(ref sweep))
            {
                _sweeps[0] = sweep;
            }
            else
            {
                _sweeps.RemoveAt(0);
            }
        }

        return _removalLeft != 0 || _sweeps.Count != 0;
    }

    /// <summary>Removes to the end, however long it takes: only when a peer has paths of every epoch there is.</summary>
    public void FinishRemovals()
    {
        while (_removalLeft != 0)
        {
            RemoveSome();
        }
    }

    /// <summary>Puts all paths of a peer into its current epoch, in one go: for a peer that began refreshes and ended none.</summary>
    public void Unite(RibPeer peer)
    {
        for (uint row = 1; row < tables.Paths.End; row++)
        {
            if (tables.Paths.Peer((PathId)row) == peer.Id)
            {
                rib.Renew(peer, (PathId)row);
            }
        }
    }

    private void RemoveSome()
    {
        var sweep = new PathSweep { Kind = SweepKind.Remove };
        for (int i = 0; i < Rows && _removalLeft != 0; i++, _removalLeft--)
        {
            _removalCursor = _removalCursor + 1 < _removalEnd ? _removalCursor + 1 : 1;
            rib.Sweep(in sweep, (PathId)_removalCursor);
        }

        if (_removalLeft == 0)
        {
            EndRemovals();
        }
    }

    private void EndRemovals()
    {
        foreach (RibPeer peer in tables.Peers.All)
        {
            peer.Epochs.Removing = EpochSet.None;
            if (peer.Leaving is TaskCompletionSource gone)
            {
                Forget(peer, gone);
            }
        }
    }

    /// <summary>Its last path is gone: nothing speaks of the peer any more.</summary>
    public void Forget(RibPeer peer, TaskCompletionSource gone)
    {
        _sweeps.RemoveAll(s => s.Peer == peer.Id && s.Kind is SweepKind.Import or SweepKind.LongLived or SweepKind.Export);
        tables.Peers.Set(peer.Id, null);
        gone.TrySetResult();
    }

    private bool Run(ref PathSweep sweep)
    {
        bool overPrefixes = sweep.Kind is SweepKind.Decide or SweepKind.Export;
        uint last = overPrefixes ? tables.Prefixes.End : tables.Paths.End;
        uint end = Math.Min(last, sweep.Cursor + Rows);

        // Row 0 is nobody's.
        for (uint row = Math.Max(1, sweep.Cursor); row < end; row++)
        {
            if (!overPrefixes)
            {
                rib.Sweep(in sweep, (PathId)row);
            }
            else if (tables.Prefixes.IsInUse((PrefixId)row))
            {
                Sweep(in sweep, (PrefixId)row);
            }
        }

        sweep.Cursor = end;
        return end < last;
    }

    private void Sweep(in PathSweep sweep, PrefixId prefix)
    {
        PathId best = tables.Prefixes.BestPath(prefix);
        if (sweep.Kind == SweepKind.Decide)
        {
            tables.Reconsider(prefix);
        }
        else
        {
            if (best != PathId.None && tables.Paths.Peer(best) == sweep.Peer)
            {
                export.OnBestChanged(prefix, sourceMoved: false);
            }

            if (export.TellsPaths && tables.Peers.Owner(sweep.Peer).Prefixes[(uint)prefix])
            {
                export.OnPathsChanged(prefix);
            }
        }
    }
}
