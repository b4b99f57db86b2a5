using Weft.Bgp.Rib;
using Weft.Bgp.Wire;

namespace Weft.Bgp.Export;

/// <summary>
/// RFC 7911: what an update group does that sends several paths of a prefix. A pending prefix is looked up again when it is encoded; the paths that may be told now are
/// held against those that were told, and only the difference is sent:
/// <code>
///   pending bit -> paths in the decision -> protocol rules, export policy -> the best N -> minus what was told -> withdrawals, then announcements by attributes
/// </code>
/// Owned by one RIB loop.
/// </summary>
internal sealed class PathAnnouncer
{
    /// <summary>Paths and prefixes looked at together, give or take those of one prefix.</summary>
    private const int Window = 1024;

    private readonly RibTables _tables;
    private readonly Decision _decision;
    private readonly UpdateGroup _group;
    private readonly PathScratch _scratch;
    private uint _cursor;

    public PathAnnouncer(RibTables tables, Decision decision, UpdateGroup group, PathScratch scratch)
    {
        _tables = tables;
        _decision = decision;
        _group = group;
        _scratch = scratch;
        Sent = new SentPaths(tables.Attributes);
    }

    public SentPaths Sent { get; }

    /// <summary>Encodes one window of pending prefixes. False when credit ran out; what was not written then stays pending.</summary>
    public bool FlushWindow()
    {
        _scratch.Clear();
        while (_scratch.Count + _scratch.WithdrawCount < Window && _scratch.Prefixes.Count < Window)
        {
            if (!_group.Pending.TryNext(_cursor, out uint id))
            {
                if (_cursor == 0 || _scratch.Prefixes.Count != 0)
                {
                    _cursor = 0;
                    break;
                }

                _cursor = 0;
                continue;
            }

            _cursor = id + 1;
            _scratch.Prefixes.Add((PrefixId)id);
            Compare((PrefixId)id);
        }

        if (!WriteWithdrawals() || !WriteAnnouncements() || !WriteWithdrawals())
        {
            return false;
        }

        foreach (PrefixId prefix in _scratch.Prefixes)
        {
            _group.Done(prefix, sent: Sent.First(prefix) != 0);
        }

        return true;
    }

    /// <summary>Puts the difference between what should be told of a prefix and what was into the window.</summary>
    private void Compare(PrefixId prefix)
    {
        int start = _scratch.Count;
        Choose(prefix);
        Span<PathCandidate> chosen = _scratch.From(start);
        for (uint row = Sent.First(prefix); row != 0; row = Sent[row].Next)
        {
            ref SentPath told = ref Sent[row];
            if (!Has(chosen, told.Path))
            {
                _scratch.AddWithdraw(new PathWithdrawal(prefix, told.Path, Audience.AllBut(_group.Output.IsMember(told.Source) ? told.Source : PeerId.None)));
            }
        }

        int kept = 0;
        foreach (ref PathCandidate candidate in chosen)
        {
            uint row = Sent.Find(prefix, candidate.Path);
            bool sameSource = row != 0 && Sent[row].Source == candidate.Source;
            if (sameSource && Sent[row].Attributes == candidate.Attributes && !_group.ReadsSurroundings)
            {
                continue;
            }

            if (row != 0 && !sameSource && _group.Output.IsMember(candidate.Source))
            {
                // The row went to another peer's path: that peer must forget what it was told under this identifier.
                _scratch.AddWithdraw(new PathWithdrawal(prefix, candidate.Path, Audience.Just(candidate.Source)));
            }

            chosen[kept++] = candidate;
        }

        _scratch.Truncate(start + kept);
    }

    /// <summary>Adds the paths of a prefix that should be told, at the end of the scratch.</summary>
    private void Choose(PrefixId prefix)
    {
        int start = _scratch.Count;
        for (PathId path = _tables.Prefixes.FirstPath(prefix); path != PathId.None; path = _tables.Paths.Next(path))
        {
            if (!_decision.IsEligible(path))
            {
                continue;
            }

            ref PathCandidate candidate = ref _scratch.Next();
            AttributeId attributes = _tables.Paths.Attributes(path);
            RibPeer source = _tables.Peers.Owner(_tables.Paths.Peer(path));
            if (_group.MayExport(prefix, attributes, source, out candidate.Matched))
            {
                (candidate.Prefix, candidate.Path, candidate.Attributes, candidate.Source) = (prefix, path, attributes, source.Id);
                _scratch.Keep();
            }
        }

        int limit = _group.Profile.Paths;
        Span<PathCandidate> all = _scratch.From(start);
        if (all.Length <= limit)
        {
            return;
        }

        Span<PathId> ranking = _scratch.Ranking(all.Length);
        for (int i = 0; i < all.Length; i++)
        {
            ranking[i] = all[i].Path;
        }

        _decision.PutBestFirst(ranking, limit);
        int kept = 0;
        foreach (ref PathCandidate candidate in all)
        {
            if (Has(ranking[..limit], candidate.Path))
            {
                all[kept++] = candidate;
            }
        }

        _scratch.Truncate(start + kept);
    }

    private bool WriteWithdrawals()
    {
        ReadOnlySpan<PathWithdrawal> all = _scratch.SortedWithdrawals();
        int at = 0;
        while (at < all.Length)
        {
            PathWithdrawal first = all[at];
            int end = at;
            while (end < all.Length && all[end].Audience == first.Audience)
            {
                end++;
            }

            if (first.Audience.Only == PeerId.None && !_group.Output.HasAny(first.Audience))
            {
                Withdrawn(all[at..end]);
                at = end;
                continue;
            }

            if (!_group.Output.TryBegin(out UpdateWriter writer))
            {
                return false;
            }

            writer.BeginWithdraw();
            int from = at;
            while (at < end && writer.TryAdd((uint)all[at].Path, _tables.Prefixes.Key(all[at].Prefix)))
            {
                at++;
            }

            _group.Output.Commit(writer.End(), first.Audience);
            Withdrawn(all[from..at]);
        }

        _scratch.ForgetWithdrawals();
        return true;
    }

    private void Withdrawn(ReadOnlySpan<PathWithdrawal> withdrawals)
    {
        foreach (ref readonly PathWithdrawal withdrawal in withdrawals)
        {
            if (withdrawal.Audience.Only == PeerId.None)
            {
                Sent.Remove(withdrawal.Prefix, withdrawal.Path);
            }
            else
            {
                Sent.Set(withdrawal.Prefix, withdrawal.Path, withdrawal.Audience.Only, AttributeId.None);
            }
        }
    }

    private bool WriteAnnouncements()
    {
        _scratch.SortAnnouncements();
        int at = 0;
        while (at < _scratch.Count)
        {
            int end = at + 1;
            while (end < _scratch.Count && _scratch.SameRun(at, end))
            {
                end++;
            }

            if (!WriteRun(at, end))
            {
                return false;
            }

            at = end;
        }

        return true;
    }

    /// <summary>Paths with equal attributes and source: the attribute section is made once and repeated per message.</summary>
    private bool WriteRun(int at, int end)
    {
        ref PathCandidate first = ref _scratch[at];
        PeerId source = first.Source;
        ReadOnlySpan<byte> attributes = _group.Encode(first.Attributes, _tables.Peers.Owner(source), in first.Matched, out ReadOnlySpan<byte> nextHop, out bool canBeTold);
        PeerId except = _group.Output.IsMember(source) ? source : PeerId.None;
        PeerId named = canBeTold ? _group.NextHopOwner(source, nextHop) : PeerId.None;
        if (named != PeerId.None && !WriteWithdrawalsTo(named, at, end))
        {
            return false;
        }

        var hearers = Audience.AllBut(except, named);
        bool audience = _group.Output.HasAny(hearers);
        while (at < end)
        {
            if (!canBeTold || !audience)
            {
                Unsaid(ref _scratch[at], canBeTold, except);
                at++;
                continue;
            }

            if (!_group.Output.TryBegin(out UpdateWriter writer))
            {
                return false;
            }

            if (!writer.BeginAnnounce(attributes, nextHop))
            {
                canBeTold = false;
                continue;
            }

            int from = at;
            while (at < end && writer.TryAdd((uint)_scratch[at].Path, _tables.Prefixes.Key(_scratch[at].Prefix)))
            {
                at++;
            }

            _group.Output.Commit(writer.End(), hearers);
            for (; from < at; from++)
            {
                ref PathCandidate told = ref _scratch[from];
                Sent.Set(told.Prefix, told.Path, told.Source, told.Attributes);
            }
        }

        return true;
    }

    /// <summary>What the member was told of these paths before it must forget: now its own address is their next hop.</summary>
    private bool WriteWithdrawalsTo(PeerId member, int at, int end)
    {
        while (at < end)
        {
            if (!IsTold(at))
            {
                at++;
                continue;
            }

            if (!_group.Output.TryBegin(out UpdateWriter writer))
            {
                return false;
            }

            writer.BeginWithdraw();
            while (at < end && (!IsTold(at) || writer.TryAdd((uint)_scratch[at].Path, _tables.Prefixes.Key(_scratch[at].Prefix))))
            {
                at++;
            }

            _group.Output.Commit(writer.End(), Audience.Just(member));
        }

        return true;
    }

    private bool IsTold(int at) => Sent.Find(_scratch[at].Prefix, _scratch[at].Path) != 0;

    /// <summary>A path with nobody to hear it counts as told; one that no message can carry must not stay with what it had.</summary>
    private void Unsaid(ref PathCandidate candidate, bool canBeTold, PeerId except)
    {
        if (canBeTold)
        {
            Sent.Set(candidate.Prefix, candidate.Path, candidate.Source, candidate.Attributes);
        }
        else if (Sent.Find(candidate.Prefix, candidate.Path) != 0)
        {
            _scratch.AddWithdraw(new PathWithdrawal(candidate.Prefix, candidate.Path, Audience.AllBut(except)));
        }
    }

    private static bool Has(ReadOnlySpan<PathCandidate> candidates, PathId path)
    {
        foreach (ref readonly PathCandidate candidate in candidates)
        {
            if (candidate.Path == path)
            {
                return true;
            }
        }

        return false;
    }

    private static bool Has(ReadOnlySpan<PathId> paths, PathId path)
    {
        foreach (PathId one in paths)
        {
            if (one == path)
            {
                return true;
            }
        }

        return false;
    }
}
