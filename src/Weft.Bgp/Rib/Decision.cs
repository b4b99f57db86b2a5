using Weft.Bgp.Policies;
using Weft.Bgp.Wire;

namespace Weft.Bgp.Rib;

/// <summary>
/// RFC 4271 9.1.2 as steps of elimination over the set of paths of one prefix, not as comparisons of pairs: MED does not order pairs (9.1.2.2 c), so only the set
/// gives one answer whatever the order of arrival. Reads columns only. Each path keeps the step that removed it.
/// </summary>
internal sealed class Decision
{
    private readonly RibTables _tables;
    private int _maximumPaths;
    private PathId[] _candidates = new PathId[16];
    private PathId[] _ranked = [];

    /// <summary>For decisions from now on.</summary>
    public void SetMaximumPaths(int value) => _maximumPaths = value;

    public Decision(RibTables tables, int maximumPaths)
    {
        _tables = tables;
        _maximumPaths = maximumPaths;
    }

    /// <summary>The best path of a prefix, or None. Sets standings and multipath marks.</summary>
    /// <param name="multipathChanged">Some path entered or left the multipath set.</param>
    public PathId Choose(PrefixId prefix, out bool multipathChanged)
    {
        PathId best = Rank(prefix, out Span<PathId> equal);
        multipathChanged = MarkMultipath(prefix, equal, best);
        return best;
    }

    /// <summary>Brings the standings of all paths of a decided prefix up to date, and nothing else: the short way leaves those of old losers as they were.</summary>
    public void Explain(PrefixId prefix) => Rank(prefix, out _);

    /// <summary>The path takes part in the decision: policy, loop checks and the way to its next hop allow it.</summary>
    public bool IsEligible(PathId path) => Barred(path) == PathStanding.Undecided;

    /// <summary>Puts the best of some eligible paths first, then the best of the others, and so on. Standings are out of date then; see <see cref="Explain"/>.</summary>
    /// <param name="count">How many are put in their places; the order of the rest says nothing.</param>
    public void PutBestFirst(Span<PathId> paths, int count)
    {
        if (_candidates.Length < paths.Length)
        {
            _candidates = new PathId[2 * paths.Length];
        }

        for (int place = 0; place < count && place < paths.Length - 1; place++)
        {
            Span<PathId> rest = paths[place..];
            rest.CopyTo(_candidates);
            PathId best = Eliminate(_candidates.AsSpan(0, rest.Length), out _);
            int at = 0;
            while (rest[at] != best)
            {
                at++;
            }

            (rest[0], rest[at]) = (best, rest[0]);
        }
    }

    /// <param name="equal">The paths that are equal up to the interior cost and may share the traffic, the best among them.</param>
    private PathId Rank(PrefixId prefix, out Span<PathId> equal)
    {
        int count = Collect(prefix);
        return Eliminate(_candidates.AsSpan(0, count), out equal);
    }

    private PathId Eliminate(Span<PathId> left, out Span<PathId> equal)
    {
        equal = left;
        if (left.Length == 0)
        {
            return PathId.None;
        }

        if (left.Length == 1)
        {
            _tables.Paths.SetStanding(left[0], PathStanding.Best);
            return left[0];
        }

        left = _tables.Attributes.LongLivedStale == 0 ? left : KeepLowest<ByFreshness>(left, PathStanding.LongLivedStale);
        left = KeepLowest<ByWeight>(left, PathStanding.Weight);
        left = KeepLowest<ByLocalPreference>(left, PathStanding.LocalPreference);
        left = KeepLowest<ByLocalOrigin>(left, PathStanding.LocalOrigin);
        left = KeepLowest<ByPathLength>(left, PathStanding.AsPathLength);
        left = KeepLowest<ByOrigin>(left, PathStanding.Origin);
        left = KeepLowestMed(left);
        left = KeepLowest<ByExternal>(left, PathStanding.ExternalOverInternal);
        left = KeepLowest<ByInteriorMetric>(left, PathStanding.InteriorMetric);

        // What is equal up to the interior cost may share the traffic; the steps below only choose which one is advertised.
        equal = left;
        Span<PathId> ranked = left;
        if (_maximumPaths > 1 && left.Length > 1)
        {
            if (_ranked.Length < left.Length)
            {
                _ranked = new PathId[_candidates.Length];
            }

            ranked = _ranked.AsSpan(0, left.Length);
            left.CopyTo(ranked);
        }

        Span<PathId> final = KeepLowest<ByRouterId>(ranked, PathStanding.RouterId);
        final = KeepLowest<ByClusterLength>(final, PathStanding.ClusterListLength);
        final = KeepLowestAddress(final);
        PathId best = final[0];
        _tables.Paths.SetStanding(best, PathStanding.Best);
        return best;
    }

    /// <summary>
    /// The short way for a path just added at the head of the chain: when a step before MED tells it from the best path, the set of the other paths need not be
    /// looked at. A path that falls before MED takes nobody with it, and one that wins there leaves nobody else. False: only <see cref="Choose"/> can tell.
    /// Of the paths that lost before, standings stay as they were; whoever asks for reasons runs <see cref="Choose"/> first.
    /// </summary>
    public bool TryAdmit(PrefixId prefix, PathId best, out PathId winner)
    {
        winner = best;
        PathTable paths = _tables.Paths;
        PathId added = _tables.Prefixes.FirstPath(prefix);
        PathStanding barred = Barred(added);
        if (barred != PathStanding.Undecided)
        {
            paths.SetStanding(added, barred);
            return true;
        }

        if (Barred(best) != PathStanding.Undecided)
        {
            return false;
        }

        int order = CompareBeforeMed(added, best, out PathStanding step);
        if (order > 0)
        {
            paths.SetStanding(added, step);
            return true;
        }

        ref PrefixMarks marks = ref _tables.Prefixes.Marks(prefix);
        if (order == 0 || (marks & PrefixMarks.HasMultipath) != 0)
        {
            return false;
        }

        winner = added;
        paths.SetStanding(best, step);
        paths.SetMark(best, PathMarks.Multipath, on: false);
        paths.SetStanding(added, PathStanding.Best);
        paths.SetMark(added, PathMarks.Multipath, on: true);
        return true;
    }

    /// <summary>Negative: the first path is better by a step before MED. Zero: no such step tells them apart.</summary>
    private int CompareBeforeMed(PathId a, PathId b, out PathStanding step)
    {
        step = PathStanding.LongLivedStale;
        int order = _tables.Attributes.LongLivedStale == 0 ? 0 : Compare<ByFreshness>(a, b);
        if (order == 0)
        {
            step = PathStanding.Weight;
            order = Compare<ByWeight>(a, b);
        }

        if (order == 0)
        {
            step = PathStanding.LocalPreference;
            order = Compare<ByLocalPreference>(a, b);
        }

        if (order == 0)
        {
            step = PathStanding.LocalOrigin;
            order = Compare<ByLocalOrigin>(a, b);
        }

        if (order == 0)
        {
            step = PathStanding.AsPathLength;
            order = Compare<ByPathLength>(a, b);
        }

        if (order == 0)
        {
            step = PathStanding.Origin;
            order = Compare<ByOrigin>(a, b);
        }

        return order;
    }

    private int Compare<TKey>(PathId a, PathId b)
        where TKey : struct, IDecisionKey => TKey.Of(_tables, a).CompareTo(TKey.Of(_tables, b));

    /// <summary>Gathers the paths that may win; the others get their reason here.</summary>
    private int Collect(PrefixId prefix)
    {
        PathTable paths = _tables.Paths;
        int count = 0;
        for (PathId path = _tables.Prefixes.FirstPath(prefix); path != PathId.None; path = paths.Next(path))
        {
            PathStanding barred = Barred(path);
            if (barred != PathStanding.Undecided)
            {
                paths.SetStanding(path, barred);
                continue;
            }

            if (count == _candidates.Length)
            {
                Array.Resize(ref _candidates, count * 2);
            }

            _candidates[count++] = path;
        }

        return count;
    }

    private PathStanding Barred(PathId path)
    {
        PathMarks marks = _tables.Paths.Marks(path);
        if ((marks & (PathMarks.Rejected | PathMarks.Looped)) != 0)
        {
            return (marks & PathMarks.Looped) != 0 ? IsLeak(path) ? PathStanding.Leak : PathStanding.Loop
                : MissingPolicy.IsImportMissing(_tables.Peers.Owner(_tables.Paths.Peer(path))) ? PathStanding.PolicyMissing
                : PathStanding.RejectedByPolicy;
        }

        // RFC 4271 9.1.2: a route whose NEXT_HOP is not resolvable is excluded.
        NextHopId nextHop = _tables.Attributes.Facts(_tables.Paths.Attributes(path)).NextHop;
        return _tables.NextHops.State(nextHop).Reachable ? PathStanding.Undecided : PathStanding.NextHopUnreachable;
    }

    private bool IsLeak(PathId path) => _tables.Peers.Owner(_tables.Paths.Peer(path)) is { Role: BgpRole role } peer
        && OnlyToCustomer.IsLeak(role, peer.RemoteAs, CanonicalAttributes.Find(_tables.Attributes.Block(_tables.Paths.Received(path)), AttributeType.OnlyToCustomer));

    /// <summary>Marks the best path and those that share its traffic, and nobody else.</summary>
    private bool MarkMultipath(PrefixId prefix, Span<PathId> equal, PathId best)
    {
        Span<PathId> chosen = stackalloc PathId[Math.Min(Math.Max(_maximumPaths, 1), 256)];
        int count = 0;
        if (best != PathId.None)
        {
            chosen[count++] = best;
        }

        if (_maximumPaths > 1)
        {
            foreach (PathId path in equal)
            {
                if (path != best && count < chosen.Length)
                {
                    chosen[count++] = path;
                }
            }
        }

        chosen = chosen[..count];
        ref PrefixMarks marks = ref _tables.Prefixes.Marks(prefix);
        marks = count > 1 ? marks | PrefixMarks.HasMultipath : marks & ~PrefixMarks.HasMultipath;
        bool changed = false;
        for (PathId path = _tables.Prefixes.FirstPath(prefix); path != PathId.None; path = _tables.Paths.Next(path))
        {
            changed |= _tables.Paths.SetMark(path, PathMarks.Multipath, chosen.Contains(path));
        }

        return changed;
    }

    private Span<PathId> KeepLowest<TKey>(Span<PathId> paths, PathStanding reason)
        where TKey : struct, IDecisionKey
    {
        if (paths.Length == 1)
        {
            return paths;
        }

        uint lowest = uint.MaxValue;
        foreach (PathId path in paths)
        {
            lowest = Math.Min(lowest, TKey.Of(_tables, path));
        }

        int kept = 0;
        foreach (PathId path in paths)
        {
            if (TKey.Of(_tables, path) == lowest)
            {
                paths[kept++] = path;
            }
            else
            {
                _tables.Paths.SetStanding(path, reason);
            }
        }

        return paths[..kept];
    }

    /// <summary>RFC 4271 9.1.2.2 c: a path goes when another of the same neighbouring AS has a lower MED.</summary>
    private Span<PathId> KeepLowestMed(Span<PathId> paths)
    {
        if (paths.Length == 1)
        {
            return paths;
        }

        // Two passes, so that a path removed still removes others of its AS: the set is judged as it stands before the step.
        for (int i = 0; i < paths.Length; i++)
        {
            AttributeFacts mine = Facts(paths[i]);
            bool beaten = false;
            for (int j = 0; j < paths.Length && !beaten; j++)
            {
                ref readonly AttributeFacts other = ref Facts(paths[j]);
                beaten = other.NeighborAs == mine.NeighborAs && other.Med < mine.Med;
            }

            _tables.Paths.SetStanding(paths[i], beaten ? PathStanding.Med : PathStanding.Undecided);
        }

        int kept = 0;
        foreach (PathId path in paths)
        {
            if (_tables.Paths.Standing(path) != PathStanding.Med)
            {
                paths[kept++] = path;
            }
        }

        return paths[..kept];
    }

    private Span<PathId> KeepLowestAddress(Span<PathId> paths)
    {
        PathId best = paths[0];
        foreach (PathId path in paths[1..])
        {
            RibPeer mine = _tables.Peers.Owner(_tables.Paths.Peer(path));
            RibPeer others = _tables.Peers.Owner(_tables.Paths.Peer(best));
            int order = mine.Address.CompareTo(others.Address);
            order = order != 0 ? order : (ushort)mine.Id - (ushort)others.Id;

            // Of one peer's several paths nothing else is left to tell them apart that does not depend on the order of arrival.
            bool wins = order < 0 || (order == 0 && _tables.Paths.Identifier(path) < _tables.Paths.Identifier(best));
            _tables.Paths.SetStanding(wins ? best : path, PathStanding.PeerAddress);
            best = wins ? path : best;
        }

        paths[0] = best;
        return paths[..1];
    }

    private ref readonly AttributeFacts Facts(PathId path) => ref _tables.Attributes.Facts(_tables.Paths.Attributes(path));

    /// <summary>A step: the lowest number stays. Structs with a static method, so that each step becomes its own loop without a call.</summary>
    private interface IDecisionKey
    {
        static abstract uint Of(RibTables tables, PathId path);
    }

    /// <summary>RFC 9494 4.3: a route kept for long is used when there is no other, whatever else speaks for it.</summary>
    private readonly struct ByFreshness : IDecisionKey
    {
        public static uint Of(RibTables tables, PathId path) => (uint)(tables.Attributes.Facts(tables.Paths.Attributes(path)).Marks & AttributeMarks.LongLivedStale);
    }

    /// <summary>Not in the RFC: what the operator's import policy says of this router alone.</summary>
    private readonly struct ByWeight : IDecisionKey
    {
        public static uint Of(RibTables tables, PathId path) => ~tables.Attributes.Facts(tables.Paths.Attributes(path)).Weight;
    }

    /// <summary>RFC 4271 9.1.1: the highest degree of preference.</summary>
    private readonly struct ByLocalPreference : IDecisionKey
    {
        public static uint Of(RibTables tables, PathId path) => ~tables.Attributes.Facts(tables.Paths.Attributes(path)).LocalPreference;
    }

    /// <summary>Not in the RFC, which has no routes of our own in the comparison; every implementation puts them here.</summary>
    private readonly struct ByLocalOrigin : IDecisionKey
    {
        public static uint Of(RibTables tables, PathId path) => tables.Paths.Peer(path) == PeerId.Local ? 0u : 1u;
    }

    /// <summary>9.1.2.2 a.</summary>
    private readonly struct ByPathLength : IDecisionKey
    {
        public static uint Of(RibTables tables, PathId path) => tables.Attributes.Facts(tables.Paths.Attributes(path)).PathLength;
    }

    /// <summary>9.1.2.2 b.</summary>
    private readonly struct ByOrigin : IDecisionKey
    {
        public static uint Of(RibTables tables, PathId path) => (uint)tables.Attributes.Facts(tables.Paths.Attributes(path)).Origin;
    }

    /// <summary>9.1.2.2 d; RFC 5065 5.3: a path of another member AS of the confederation is an internal one.</summary>
    private readonly struct ByExternal : IDecisionKey
    {
        public static uint Of(RibTables tables, PathId path) => tables.Peers.Owner(tables.Paths.Peer(path)).IsInterior ? 1u : 0u;
    }

    /// <summary>9.1.2.2 e.</summary>
    private readonly struct ByInteriorMetric : IDecisionKey
    {
        public static uint Of(RibTables tables, PathId path) =>
            tables.NextHops.State(tables.Attributes.Facts(tables.Paths.Attributes(path)).NextHop).Metric;
    }

    /// <summary>9.1.2.2 f; RFC 4456 9: ORIGINATOR_ID stands in for the router id.</summary>
    private readonly struct ByRouterId : IDecisionKey
    {
        public static uint Of(RibTables tables, PathId path)
        {
            uint originator = tables.Attributes.Facts(tables.Paths.Attributes(path)).OriginatorId;
            return originator != 0 ? originator : tables.Peers.Owner(tables.Paths.Peer(path)).RouterId;
        }
    }

    /// <summary>RFC 4456 9: between router id and peer address.</summary>
    private readonly struct ByClusterLength : IDecisionKey
    {
        public static uint Of(RibTables tables, PathId path) => tables.Attributes.Facts(tables.Paths.Attributes(path)).ClusterLength;
    }
}
