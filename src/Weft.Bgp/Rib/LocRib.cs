using Weft.Bgp.Export;
using Weft.Primitives.Net;

namespace Weft.Bgp.Rib;

/// <summary>
/// Decides dirty prefixes, once each per batch however often they changed, and tells the listeners (forwarding) and the update groups (export). Owned by one RIB loop.
/// </summary>
internal sealed class LocRib
{
    /// <summary>Prefixes whose rows are asked for before the first of them is decided: many changed longer ago than the near cache remembers.</summary>
    private const int DecideTogether = 32;

    private readonly RibTables _tables;
    private readonly Decision _decision;
    private readonly AdjRibOut _export;
    private readonly List<Seat> _listeners = [];
    private RouteNextHop[] _nextHops = new RouteNextHop[16];
    private float[] _shares = new float[16];
    private bool _multipath;
    private bool _told;

    public LocRib(RibTables tables, Decision decision, AdjRibOut export, bool multipath)
    {
        _multipath = multipath;
        _tables = tables;
        _decision = decision;
        _export = export;
    }

    /// <summary>Sets of next hops may have several members from now on; stays so, because sets that shrink to one must be told too.</summary>
    public void AllowMultipath() => _multipath = true;

    /// <summary>Prefixes with a best path.</summary>
    public int Count { get; private set; }

    /// <summary>Decides up to <paramref name="limit"/> dirty prefixes. True when some are left.</summary>
    public bool DecideDirty(int limit)
    {
        Span<PrefixId> some = stackalloc PrefixId[DecideTogether];
        uint cursor = 0;
        for (int count = DecideTogether; limit > 0 && count == DecideTogether; limit -= count)
        {
            count = 0;
            while (count < DecideTogether && _tables.Dirty.TryNext(cursor, out uint id))
            {
                cursor = id + 1;
                _tables.Dirty.Clear(id);
                _tables.Prefixes.Fetch((PrefixId)id);
                some[count++] = (PrefixId)id;
            }

            foreach (PrefixId prefix in some[..count])
            {
                _tables.Paths.Fetch(_tables.Prefixes.FirstPath(prefix));
            }

            foreach (PrefixId prefix in some[..count])
            {
                Decide(prefix);
            }
        }

        return !_tables.Dirty.IsEmpty;
    }

    /// <summary>Tells listeners that the batch is over, if they heard of anything in it.</summary>
    public void EndBatch()
    {
        if (_told)
        {
            _told = false;
            foreach (Seat seat in _listeners)
            {
                seat.Listener.OnBatchEnd(_tables.Family);
            }
        }
    }

    /// <summary>A new listener hears the whole table, some thousand prefixes at a time (<see cref="TellListeners"/>).</summary>
    public void Subscribe(IRibListener listener)
    {
        _listeners.Add(new Seat(listener));
        _told = true;
    }

    public void Unsubscribe(IRibListener listener) => _listeners.RemoveAll(s => ReferenceEquals(s.Listener, listener));

    /// <summary>Goes on with the tables of new listeners. True when there is more to tell.</summary>
    public bool TellListeners(int limit)
    {
        bool more = false;
        foreach (Seat seat in _listeners)
        {
            for (int i = 0; i < limit && seat.IsBehind; i++)
            {
                TellNext(seat);
            }

            more |= seat.IsBehind;
        }

        return more;
    }

    private void TellNext(Seat seat)
    {
        if (seat.Cursor >= _tables.Prefixes.End)
        {
            seat.Cursor = uint.MaxValue;
            return;
        }

        var prefix = (PrefixId)seat.Cursor++;
        if ((_tables.Prefixes.Marks(prefix) & PrefixMarks.InForwarding) != 0 && _tables.Prefixes.BestPath(prefix) is PathId best and not PathId.None)
        {
            _told = true;
            seat.Listener.OnBestChanged(Describe(prefix, best));
        }
    }

    private void Decide(PrefixId prefix)
    {
        PrefixTable prefixes = _tables.Prefixes;
        PathId before = prefixes.BestPath(prefix);
        ref PrefixMarks marks = ref prefixes.Marks(prefix);
        bool bestTouched = (marks & PrefixMarks.BestTouched) != 0;
        bool forwardingChanged = (marks & PrefixMarks.ForwardingTouched) != 0;
        bool wasForwarded = (marks & PrefixMarks.InForwarding) != 0;
        bool oneAdded = (marks & PrefixMarks.OneAdded) != 0;
        marks &= ~(PrefixMarks.BestTouched | PrefixMarks.ForwardingTouched | PrefixMarks.OneAdded);

        bool multipathChanged = false;
        if (!oneAdded || before == PathId.None || bestTouched || forwardingChanged || !_decision.TryAdmit(prefix, before, out PathId best))
        {
            best = _decision.Choose(prefix, out multipathChanged);
        }

        prefixes.BestPath(prefix) = best;
        Count += (best != PathId.None ? 1 : 0) - (wasForwarded ? 1 : 0);
        if (best != before || bestTouched)
        {
            bool sourceMoved = false;
            if (best != PathId.None)
            {
                ref PeerId source = ref prefixes.LastSource(prefix);
                PeerId now = _tables.Paths.Peer(best);
                sourceMoved = source != PeerId.None && source != now;
                source = now;
            }

            _export.OnBestChanged(prefix, sourceMoved);
        }

        if (_export.TellsPaths)
        {
            _export.OnPathsChanged(prefix);
        }

        forwardingChanged |= _multipath ? multipathChanged || best != before : best != before && !ForwardAlike(before, best);
        if (best == PathId.None ? wasForwarded : forwardingChanged || !wasForwarded)
        {
            marks = best == PathId.None ? marks & ~PrefixMarks.InForwarding : marks | PrefixMarks.InForwarding;
            Tell(prefix, best);
        }

        if (prefixes.FirstPath(prefix) == PathId.None)
        {
            _export.FreeIfUnused(prefix);
        }
    }

    /// <summary>True when packets take the same way by either path, so that a change of the winner need not reach the forwarding table.</summary>
    private bool ForwardAlike(PathId before, PathId after)
    {
        if (before == PathId.None || after == PathId.None)
        {
            return false;
        }

        RibPeer old = _tables.Peers.Owner(_tables.Paths.Peer(before));
        RibPeer now = _tables.Peers.Owner(_tables.Paths.Peer(after));
        return _tables.Attributes.Facts(_tables.Paths.Attributes(before)).NextHop == _tables.Attributes.Facts(_tables.Paths.Attributes(after)).NextHop
            && old.IsInternal == now.IsInternal
            && (old.Id == PeerId.Local) == (now.Id == PeerId.Local)
            && old.Settings.Interface == now.Settings.Interface;
    }

    private void Tell(PrefixId prefix, PathId best)
    {
        if (_listeners.Count == 0)
        {
            return;
        }

        BestChange change = Describe(prefix, best);
        _told = true;
        foreach (Seat seat in _listeners)
        {
            // What lies at or above the cursor it hears as it is then.
            if ((uint)prefix < seat.Cursor)
            {
                seat.Listener.OnBestChanged(in change);
            }
        }
    }

    /// <summary>A listener, and how much of the table it has heard.</summary>
    private sealed class Seat(IRibListener listener)
    {
        public IRibListener Listener => listener;

        public uint Cursor { get; set; } = 1;

        public bool IsBehind => Cursor != uint.MaxValue;
    }

    private BestChange Describe(PrefixId prefix, PathId best)
    {
        int count = 0;
        if (best != PathId.None)
        {
            _nextHops[count++] = NextHopOf(best);
            for (PathId path = _tables.Prefixes.FirstPath(prefix); path != PathId.None; path = _tables.Paths.Next(path))
            {
                if (path != best && _tables.Paths.Has(path, PathMarks.Multipath))
                {
                    AddNextHop(NextHopOf(path), ref count);
                }
            }

            if (count > 1)
            {
                Weigh(prefix, best, count);
            }
        }

        RibPeer? owner = best == PathId.None ? null : _tables.Peers.Owner(_tables.Paths.Peer(best));
        return new BestChange
        {
            Prefix = _tables.Prefixes.Key(prefix).ToPrefix(_tables.Family),
            NextHops = _nextHops.AsSpan(0, count),
            IsLocal = owner?.Id == PeerId.Local,
            IsInternal = owner is { IsInternal: true },
        };
    }

    /// <summary>
    /// Shares of the set's next hops, in their order. An operator's word on a neighbour counts before what neighbours say of themselves, and a neighbour without one
    /// then takes a single share. Two paths over one next hop are one link: the better path speaks for it.
    /// </summary>
    private void Weigh(PrefixId prefix, PathId best, int count)
    {
        bool isSet = false;
        bool allSay = true;
        for (PathId path = _tables.Prefixes.FirstPath(prefix); path != PathId.None; path = _tables.Paths.Next(path))
        {
            if (_tables.Paths.Has(path, PathMarks.Multipath))
            {
                isSet |= _tables.Peers.Owner(_tables.Paths.Peer(path)).Settings.MultipathWeight != 0;
                allSay &= _tables.Attributes.Facts(_tables.Paths.Attributes(path)).LinkBandwidth != 0;
            }
        }

        if (!isSet && !allSay)
        {
            return;
        }

        Span<float> shares = _shares.AsSpan(0, count);
        shares.Clear();
        Share(best, shares, isSet);
        for (PathId path = _tables.Prefixes.FirstPath(prefix); path != PathId.None; path = _tables.Paths.Next(path))
        {
            if (path != best && _tables.Paths.Has(path, PathMarks.Multipath))
            {
                Share(path, shares, isSet);
            }
        }

        MultipathShares.Weigh(shares, _nextHops.AsSpan(0, count));
    }

    private void Share(PathId path, Span<float> shares, bool isSet)
    {
        RouteNextHop nextHop = NextHopOf(path);
        for (int i = 0; i < shares.Length; i++)
        {
            if (shares[i] == 0 && _nextHops[i].Address == nextHop.Address && _nextHops[i].Interface == nextHop.Interface)
            {
                shares[i] = isSet
                    ? Math.Max(_tables.Peers.Owner(_tables.Paths.Peer(path)).Settings.MultipathWeight, 1)
                    : MultipathShares.Value(_tables.Attributes.Facts(_tables.Paths.Attributes(path)).LinkBandwidth);
            }
        }
    }

    /// <summary>Two paths may share a next hop; the forwarding table wants it once.</summary>
    private void AddNextHop(RouteNextHop nextHop, ref int count)
    {
        foreach (ref readonly RouteNextHop present in _nextHops.AsSpan(0, count))
        {
            if (present.Address == nextHop.Address && present.Interface == nextHop.Interface)
            {
                return;
            }
        }

        if (count == _nextHops.Length)
        {
            Array.Resize(ref _nextHops, count * 2);
            Array.Resize(ref _shares, count * 2);
        }

        _nextHops[count++] = nextHop;
    }

    private RouteNextHop NextHopOf(PathId path)
    {
        RibPeer peer = _tables.Peers.Owner(_tables.Paths.Peer(path));
        NextHopTable.NextHop nextHop = _tables.NextHops.Get(_tables.Attributes.Facts(_tables.Paths.Attributes(path)).NextHop);
        return peer.Id == PeerId.Local
            ? new RouteNextHop(nextHop.Global, default, null, null)
            : new RouteNextHop(nextHop.Forwarding, nextHop.LinkLocal, peer.Settings.Name, peer.Settings.Interface);
    }
}
