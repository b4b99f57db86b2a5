using Weft.Bgp.Policies;
using Weft.Bgp.Rib;
using Weft.Bgp.Wire;
using Weft.Primitives.Collections;
using Weft.Primitives.Net;

namespace Weft.Bgp.Export;

/// <summary>
/// Peers that get the same bytes. Keeps what was sent as one bit per prefix; a changed prefix is marked pending and looked up again when it is encoded, so a prefix
/// that changes ten times while a peer is slow is sent once. Encodes only while every member has credit. Owned by one RIB loop.
/// <code>
///   BestChange -> pending bit -> window of prefixes -> sorted by attributes and source -> one attribute section, many NLRI -> block -> every member's sender
/// </code>
/// </summary>
internal sealed class UpdateGroup
{
    /// <summary>Prefixes looked at together; what has equal attributes within it shares messages.</summary>
    private const int Window = 1024;

    /// <summary>Prefixes looked at for one window: most may have nothing to say.</summary>
    private const int LookLimit = 4096;

    private readonly RibTables _tables;
    private readonly PolicyProgram? _policy;
    private readonly GroupScratch _scratch;
    private uint _cursor;

    /// <param name="decision">Ranks paths for groups that tell several of them.</param>
    public UpdateGroup(RibTables tables, ExportProfile profile, EncodedBlockPool blocks, GroupScratch scratch, Decision decision)
    {
        _tables = tables;
        _scratch = scratch;
        _policy = PolicyProgram.Compile(profile.Policy, profile.Context);
        Profile = profile;
        Output = new GroupOutput(blocks, profile.MaximumMessageLength, tables.Family);
        Paths = profile.Paths == 0 ? null : new PathAnnouncer(tables, decision, this, scratch.Paths);
    }

    public ExportProfile Profile { get; }

    /// <summary>The members, and the messages on their way to them.</summary>
    public GroupOutput Output { get; }

    /// <summary>RFC 7911: tells several paths of a prefix; null: the best one.</summary>
    public PathAnnouncer? Paths { get; }

    /// <summary>Export policy asks for what no attribute says: the RPKI state or the link of a route.</summary>
    public bool ReadsSurroundings => _policy is { ReadsRpki: true } or { ReadsInterface: true };

    /// <summary>Prefixes announced to the members; for each, all but its source, if that is one of them.</summary>
    public Bitmap Sent { get; } = new();

    /// <summary>Prefixes to look at again.</summary>
    public Bitmap Pending { get; } = new();

    /// <summary>Of the pending, those whose source changed since they were sent: the new source must forget what it was told.</summary>
    public Bitmap SourceMoved { get; } = new();

    /// <summary>Since when a member without credit holds up the others, in the loop's ticks; 0: nobody does.</summary>
    public long StalledSince { get; set; }

    /// <summary>No flush before this tick (advertisement interval).</summary>
    public long NotBefore { get; set; }

    public void Mark(PrefixId prefix, bool sourceMoved)
    {
        Pending.Set((uint)prefix);
        if (sourceMoved)
        {
            SourceMoved.Set((uint)prefix);
        }
    }

    /// <summary>True while this group still needs the prefix's row.</summary>
    public bool Needs(PrefixId prefix) => Pending[(uint)prefix] || Sent[(uint)prefix];

    /// <summary>Encodes one window of pending prefixes. False when nothing is pending or credit ran out; then what was encoded has been handed over.</summary>
    public bool FlushWindow()
    {
        if (Pending.IsEmpty || !Output.HasCredit)
        {
            Output.HandOver();
            return false;
        }

        Output.SendRefreshMarks(end: false);
        if (Paths is PathAnnouncer paths)
        {
            bool written = paths.FlushWindow();
            if (Pending.IsEmpty || !written)
            {
                Output.HandOver();
            }

            return written && !Pending.IsEmpty;
        }

        GroupScratch s = _scratch;
        s.Clear();
        for (int looked = 0; looked < LookLimit && s.Count < Window && s.WithdrawCount < Window; looked++)
        {
            if (!Pending.TryNext(_cursor, out uint id))
            {
                if (_cursor == 0)
                {
                    break;
                }

                _cursor = 0;
                if (s.Count + s.WithdrawCount != 0)
                {
                    break;
                }

                continue;
            }

            _cursor = id + 1;
            Sort((PrefixId)id);
        }

        bool room = WriteWithdrawals() && WriteAnnouncements();
        if (Pending.IsEmpty || !room)
        {
            Output.HandOver();
        }

        return room && !Pending.IsEmpty;
    }

    /// <summary>Puts a pending prefix into the window as announcement or withdrawal, or drops it when there is nothing to say.</summary>
    private void Sort(PrefixId prefix)
    {
        PathId best = _tables.Prefixes.BestPath(prefix);
        if (best != PathId.None)
        {
            AttributeId attributes = _tables.Paths.Attributes(best);
            RibPeer source = _tables.Peers.Owner(_tables.Paths.Peer(best));
            if (MayExport(prefix, attributes, source, out MatchedRules matched))
            {
                _scratch.Add(prefix, attributes, source.Id, in matched);
                return;
            }
        }

        if (Sent[(uint)prefix])
        {
            // Whoever the routes came from was not told of them, and need not hear that they are gone.
            PeerId except = SourceMoved[(uint)prefix] ? PeerId.None : _tables.Prefixes.LastSource(prefix);
            _scratch.AddWithdraw(prefix, Output.IsMember(except) ? except : PeerId.None);
            return;
        }

        Done(prefix, sent: false);
    }

    /// <summary>What the members are told of a prefix, to be shown: the attribute section, and for IPv6 the next hop beside it. Null when it is not told.</summary>
    public byte[]? Export(PrefixId prefix, PathId path, out byte[] nextHop)
    {
        nextHop = [];
        AttributeId attributes = _tables.Paths.Attributes(path);
        RibPeer source = _tables.Peers.Owner(_tables.Paths.Peer(path));
        if (!Passes(prefix, attributes, source, out MatchedRules matched))
        {
            return null;
        }

        scoped ReadOnlySpan<byte> block = Edited(attributes, in matched, out ExportEncoder.PolicyTouch touch);
        ExportProfile wide = Profile with { FourOctetAs = true };
        int length = ExportEncoder.Write(wide, source, block, touch, _tables.Peers, _tables.Family, _scratch.Attributes, _scratch.NextHop, out ReadOnlySpan<byte> hop);
        nextHop = hop.ToArray();
        return length < 0 ? null : _scratch.Attributes[..length];
    }

    /// <summary>The attribute section of a path and its next hop, in memory that the next call writes over.</summary>
    /// <param name="canBeTold">False: no next hop of ours fits the family.</param>
    public ReadOnlySpan<byte> Encode(AttributeId attributes, RibPeer source, scoped in MatchedRules matched, out ReadOnlySpan<byte> nextHop, out bool canBeTold)
    {
        ReadOnlySpan<byte> block = Edited(attributes, in matched, out ExportEncoder.PolicyTouch touch);
        int length = ExportEncoder.Write(Profile, source, block, touch, _tables.Peers, _tables.Family, _scratch.Attributes, _scratch.NextHop, out nextHop);
        canBeTold = length >= 0;
        return canBeTold ? _scratch.Attributes.AsSpan(0, length) : default;
    }

    /// <summary>With what export policy makes of the attributes.</summary>
    private ReadOnlySpan<byte> Edited(AttributeId attributes, scoped in MatchedRules matched, out ExportEncoder.PolicyTouch touch)
    {
        ReadOnlySpan<byte> block = _tables.Attributes.Block(attributes);
        touch = default;
        if (_policy is not null && matched.Count != 0)
        {
            block = _policy.Apply(in matched, block, _tables.PolicyScratch.First, _tables.PolicyScratch.Second);
            touch = new ExportEncoder.PolicyTouch(_policy.Edits(in matched, RouteAspects.NextHop), _policy.Edits(in matched, RouteAspects.Med));
        }

        return _scratch.AfterPolicy.Apply(Profile, _tables.Attributes.Facts(attributes).Marks, block);
    }

    /// <summary>The protocol's rules and export policy let the path through.</summary>
    public bool MayExport(PrefixId prefix, AttributeId attributes, RibPeer source, out MatchedRules matched)
    {
        matched = default;
        return ExportEncoder.MayExport(Profile, source, _tables.Attributes.Facts(attributes).Marks) && Passes(prefix, attributes, source, out matched);
    }

    private bool Passes(PrefixId prefix, AttributeId attributes, RibPeer source, out MatchedRules matched)
    {
        matched = default;
        if (_policy is null)
        {
            return true;
        }

        PolicyRoute route = PolicyViews.Of(_tables, _tables.Prefixes.Key(prefix), attributes, source, Profile.IsInternal);
        return _policy.Evaluate(in route, out matched);
    }

    private bool WriteWithdrawals()
    {
        ReadOnlySpan<GroupScratch.Withdrawal> all = _scratch.SortedWithdrawals();
        int at = 0;
        while (at < all.Length)
        {
            PeerId except = all[at].Except;
            int end = at;
            while (end < all.Length && all[end].Except == except)
            {
                end++;
            }

            if (!Output.HasAny(Audience.AllBut(except)))
            {
                for (; at < end; at++)
                {
                    Done(all[at].Prefix, sent: false);
                }

                continue;
            }

            if (!Output.TryBegin(out UpdateWriter writer))
            {
                return false;
            }

            writer.BeginWithdraw();
            int from = at;
            while (at < end && writer.TryAdd(_tables.Prefixes.Key(all[at].Prefix)))
            {
                at++;
            }

            Output.Commit(writer.End(), Audience.AllBut(except));
            for (; from < at; from++)
            {
                Done(all[from].Prefix, sent: false);
            }
        }

        return true;
    }

    private bool WriteAnnouncements()
    {
        GroupScratch s = _scratch;
        s.SortAnnouncements();
        int at = 0;
        while (at < s.Count)
        {
            int end = at + 1;
            while (end < s.Count && s.SameRun(at, end))
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

    /// <summary>Prefixes with equal attributes and source: the attribute section is made once and repeated per message.</summary>
    private bool WriteRun(int at, int end)
    {
        GroupScratch s = _scratch;
        AttributeId attributes = s.AttributesOf(at);
        PeerId sourceId = s.SourceOf(at);
        RibPeer source = _tables.Peers.Owner(sourceId);
        ref readonly MatchedRules matched = ref s.MatchedOf(at);
        ReadOnlySpan<byte> block = Edited(attributes, in matched, out ExportEncoder.PolicyTouch touch);
        int length = ExportEncoder.Write(Profile, source, block, touch, _tables.Peers, _tables.Family, s.Attributes, s.NextHop, out ReadOnlySpan<byte> nextHop);
        PeerId except = Output.IsMember(sourceId) ? sourceId : PeerId.None;
        PeerId named = length < 0 ? PeerId.None : NextHopOwner(sourceId, nextHop);
        if ((except != PeerId.None && !WriteWithdrawalsTo(except, at, end, SourceMoved)) || (named != PeerId.None && !WriteWithdrawalsTo(named, at, end, among: null)))
        {
            return false;
        }

        var hearers = Audience.AllBut(except, named);
        bool audience = Output.HasAny(hearers);
        while (at < end)
        {
            if (!audience)
            {
                Done(s.PrefixOf(at), sent: length >= 0);
                at++;
                continue;
            }

            if (length < 0)
            {
                return WriteUntellable(at, end, except);
            }

            if (!Output.TryBegin(out UpdateWriter writer))
            {
                return false;
            }

            if (!writer.BeginAnnounce(s.Attributes.AsSpan(0, length), nextHop))
            {
                // Attributes that fill a message alone cannot be told to this group; it must not keep what it had.
                length = -1;
                continue;
            }

            int from = at;
            while (at < end && writer.TryAdd(_tables.Prefixes.Key(s.PrefixOf(at))))
            {
                at++;
            }

            Output.Commit(writer.End(), hearers);
            for (; from < at; from++)
            {
                Done(s.PrefixOf(from), sent: true);
            }
        }

        return true;
    }

    /// <summary>What cannot be told to this group (no next hop of ours fits, or no message is long enough) must not stay with it as it was told before.</summary>
    private bool WriteUntellable(int at, int end, PeerId except)
    {
        while (at < end)
        {
            if (!Sent[(uint)_scratch.PrefixOf(at)])
            {
                Done(_scratch.PrefixOf(at++), sent: false);
                continue;
            }

            if (!Output.TryBegin(out UpdateWriter writer))
            {
                return false;
            }

            writer.BeginWithdraw();
            int from = at;
            while (at < end && Sent[(uint)_scratch.PrefixOf(at)] && writer.TryAdd(_tables.Prefixes.Key(_scratch.PrefixOf(at))))
            {
                at++;
            }

            Output.Commit(writer.End(), Audience.AllBut(except));
            for (; from < at; from++)
            {
                Done(_scratch.PrefixOf(from), sent: false);
            }
        }

        return true;
    }

    /// <summary>What a member was told before and must forget, because the others are about to be told what it may not hear.</summary>
    /// <param name="among">Of the prefixes sent, only these; null: all.</param>
    private bool WriteWithdrawalsTo(PeerId member, int at, int end, Bitmap? among)
    {
        while (at < end)
        {
            while (at < end && !IsSent(_scratch.PrefixOf(at), among))
            {
                at++;
            }

            if (at == end)
            {
                break;
            }

            if (!Output.TryBegin(out UpdateWriter writer))
            {
                return false;
            }

            writer.BeginWithdraw();
            bool full = false;
            while (at < end && !full)
            {
                PrefixId prefix = _scratch.PrefixOf(at);
                if (IsSent(prefix, among))
                {
                    full = !writer.TryAdd(_tables.Prefixes.Key(prefix));
                }

                at += full ? 0 : 1;
            }

            Output.Commit(writer.End(), Audience.Just(member));
        }

        return true;
    }

    private bool IsSent(PrefixId prefix, Bitmap? among) => Sent[(uint)prefix] && (among is null || among[(uint)prefix]);

    /// <summary>
    /// RFC 4271 5.1.3: a route is not told to the peer whose address is its next hop. The member with that address, or None: nobody, or the source, who hears nothing anyway.
    /// </summary>
    /// <param name="nextHop">As from the encoder: empty for an IPv4 address, which then stands in the scratch.</param>
    internal PeerId NextHopOwner(PeerId source, ReadOnlySpan<byte> nextHop)
    {
        var address = IpAddress.FromBytes(nextHop.IsEmpty ? _scratch.NextHop.AsSpan(0, 4) : nextHop[..16]);
        if (address == Profile.Self)
        {
            return PeerId.None;
        }

        PeerId owner = _tables.Peers.Find(address);
        return owner != source && Output.IsMember(owner) ? owner : PeerId.None;
    }

    /// <summary>The prefix is told: its bits follow.</summary>
    internal void Done(PrefixId prefix, bool sent)
    {
        Pending.Clear((uint)prefix);
        SourceMoved.Clear((uint)prefix);
        if (sent)
        {
            Sent.Set((uint)prefix);
        }
        else
        {
            Sent.Clear((uint)prefix);
            _scratch.Freed(prefix);
        }
    }
}
