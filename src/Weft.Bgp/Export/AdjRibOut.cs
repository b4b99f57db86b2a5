using System.Runtime.InteropServices;
using Weft.Bgp.Rib;
using Weft.Primitives.Collections;

namespace Weft.Bgp.Export;

/// <summary>
/// The update groups of one family. A peer that comes up while its group has already spoken catches up in a group of its own and moves over when both have nothing
/// left to say; a member that holds up the others for long leaves the same way. Owned by one RIB loop.
/// </summary>
internal sealed class AdjRibOut
{
    /// <summary>How long a member without credit may hold up the others.</summary>
    public static readonly TimeSpan StallLimit = TimeSpan.FromSeconds(1);

    private const int FetchAhead = 32;

    /// <summary>Prefixes of a group that is gone that are looked at in one flush.</summary>
    private const int LeftoverLimit = 4096;

    private readonly RibTables _tables;
    private readonly Decision _decision;
    private readonly EncodedBlockPool _blocks;
    private GroupScratch? _scratch; // Made with the first group: most routers run one family.
    private readonly List<UpdateGroup> _groups = [];

    // Prefixes that groups that are gone had told or had yet to tell: perhaps nobody needs their rows any more.
    private readonly Queue<Bitmap> _leftovers = [];
    private readonly TimeProvider _time;
    private uint _leftover;
    private int _turn;
    private bool _refreshWanted;

    public AdjRibOut(RibTables tables, EncodedBlockPool blocks, Decision decision, TimeProvider time)
    {
        _time = time;
        _tables = tables;
        _decision = decision;
        _blocks = blocks;
    }

    public IReadOnlyList<UpdateGroup> Groups => _groups;

    /// <summary>Some group tells several paths (RFC 7911) and must hear of changes that leave the best one alone.</summary>
    public bool TellsPaths { get; private set; }

    public void OnBestChanged(PrefixId prefix, bool sourceMoved)
    {
        foreach (UpdateGroup group in CollectionsMarshal.AsSpan(_groups))
        {
            group.Mark(prefix, sourceMoved);
        }
    }

    /// <summary>Any path of the prefix came, went or changed.</summary>
    public void OnPathsChanged(PrefixId prefix)
    {
        foreach (UpdateGroup group in _groups)
        {
            if (group.Paths is not null)
            {
                group.Mark(prefix, sourceMoved: false);
            }
        }
    }

    /// <summary>The RPKI state or the link of a path may have changed.</summary>
    public void OnSurroundingsChanged(PrefixId prefix, bool isBest)
    {
        foreach (UpdateGroup group in _groups)
        {
            if (group.ReadsSurroundings && (isBest || group.Paths is not null))
            {
                group.Mark(prefix, sourceMoved: false);
            }
        }
    }

    /// <summary>A session came up: the member hears the whole table.</summary>
    public void Join(GroupMember member, ExportProfile profile)
    {
        // A group that has said nothing yet is where the newcomer belongs; so hundreds of sessions that come up before the first route share one from the start.
        foreach (UpdateGroup group in _groups)
        {
            if (group.Profile.Equals(profile) && group.Sent.IsEmpty)
            {
                Seat(member, group);
                return;
            }
        }

        UpdateGroup own = Create(profile);
        Seat(member, own);
        own.Pending.SetRange(1, _tables.Prefixes.End);
    }

    public void Leave(GroupMember member)
    {
        if (member.Group is not UpdateGroup group)
        {
            return;
        }

        member.Group = null;
        group.Output.Members.Remove(member);
        if (group.Output.Members.Count == 0)
        {
            Drop(group);
        }
    }

    /// <summary>
    /// Sends the whole table again (ROUTE-REFRESH, or a new export policy): from a group of its own, where nothing counts as announced yet. With RFC 7313 its beginning and
    /// end are told, but never before the End-of-RIB of the session; a refresh asked for before waits for it.
    /// </summary>
    public void Refresh(GroupMember member, ExportProfile profile)
    {
        UpdateGroup? old = member.Group;
        if (member is { TellsRefresh: true, EndOfRibDue: true } && old is not null && old.Profile.Equals(profile))
        {
            member.RefreshWanted = true;
            return;
        }

        UpdateGroup own = Create(profile);
        if (old is not null)
        {
            // What a former policy announced must be withdrawn where the new one does not: it still counts as sent. And what is encoded already belongs to the member too.
            old.Output.HandOver();
            own.Sent.CopyFrom(old.Sent);
            own.Pending.CopyFrom(old.Pending);
            own.SourceMoved.CopyFrom(old.SourceMoved);
            CopyPaths(old, own, again: true);
        }

        Leave(member);
        Seat(member, own);
        own.Pending.SetRange(1, _tables.Prefixes.End);
        member.RefreshBeginDue = member is { TellsRefresh: true, EndOfRibDue: false };
        member.RefreshEndDue = member.RefreshBeginDue;
        member.RefreshWanted = false;
    }

    /// <summary>Encodes one window of each group that may, as far as time allows. True when there is more to do at once.</summary>
    /// <param name="until">The loop's ticks.</param>
    /// <param name="complete">What is pending is all there is; else no End-of-RIB is due yet.</param>
    public bool Flush(long until, bool complete)
    {
        bool more = FreeLeftovers();
        long ticksPerSecond = _time.TimestampFrequency;
        long now = _time.GetTimestamp();
        for (int left = _groups.Count; left > 0; left--)
        {
            _turn = _turn < _groups.Count ? _turn : 0;
            UpdateGroup group = _groups[_turn++];
            if (!group.Pending.IsEmpty && now >= group.NotBefore)
            {
                more |= group.FlushWindow();
                if (group.Pending.IsEmpty)
                {
                    group.NotBefore = now + (long)(group.Profile.AdvertisementInterval.TotalSeconds * ticksPerSecond);
                }
            }

            if (group.Pending.IsEmpty)
            {
                group.StalledSince = 0;
                _refreshWanted |= group.Output.SendMarks(complete);
                _turn -= Merge(group) ? 1 : 0;
            }
            else if (!group.Output.HasCredit)
            {
                Stall(group, now, ticksPerSecond);
            }

            now = _time.GetTimestamp();
            if (now >= until && left > 1)
            {
                more = true;
                break;
            }
        }

        if (_refreshWanted)
        {
            _refreshWanted = false;
            RefreshWanted();
            more = true;
        }

        FreePrefixes();
        return more;
    }

    /// <summary>Refreshes that were asked for before the End-of-RIB, now that it is sent.</summary>
    private void RefreshWanted()
    {
        foreach (GroupMember member in _groups.SelectMany(static g => g.Output.Members).Where(static m => m is { RefreshWanted: true, EndOfRibDue: false }).ToArray())
        {
            Refresh(member, member.Group!.Profile);
        }
    }

    private bool FreeLeftovers()
    {
        for (int i = 0; i < LeftoverLimit && _leftovers.TryPeek(out Bitmap? prefixes); i++)
        {
            if (prefixes.TryNext(_leftover, out uint id))
            {
                _leftover = id + 1;
                FreeIfUnused((PrefixId)id);
            }
            else
            {
                _leftovers.Dequeue();
                _leftover = 0;
            }
        }

        return _leftovers.Count != 0;
    }

    /// <summary>The row of a prefix without paths goes when no group has to withdraw it any more.</summary>
    public void FreeIfUnused(PrefixId prefix)
    {
        if (_tables.Prefixes.FirstPath(prefix) != PathId.None || _tables.Dirty[(uint)prefix])
        {
            return;
        }

        foreach (UpdateGroup group in CollectionsMarshal.AsSpan(_groups))
        {
            if (group.Needs(prefix))
            {
                return;
            }
        }

        if (_tables.Prefixes.IsInUse(prefix))
        {
            _tables.Prefixes.Remove(prefix);
        }
    }

    private void FreePrefixes()
    {
        ReadOnlySpan<PrefixId> freed = CollectionsMarshal.AsSpan(_scratch?.FreedPrefixes);
        while (!freed.IsEmpty)
        {
            ReadOnlySpan<PrefixId> some = freed[..Math.Min(freed.Length, FetchAhead)];
            freed = freed[some.Length..];
            _tables.Prefixes.FetchForRemoval(some);
            foreach (PrefixId prefix in some)
            {
                FreeIfUnused(prefix);
            }
        }

        _scratch?.FreedPrefixes.Clear();
    }

    /// <summary>The next tick at which <see cref="Flush"/> would do something it cannot do now; <see cref="long.MaxValue"/>: none.</summary>
    public long NextDeadline(long now, long ticksPerSecond)
    {
        long next = long.MaxValue;
        foreach (UpdateGroup group in _groups)
        {
            if (!group.Pending.IsEmpty && group.NotBefore > now)
            {
                next = Math.Min(next, group.NotBefore);
            }

            if (group.StalledSince != 0)
            {
                next = Math.Min(next, group.StalledSince + (long)(StallLimit.TotalSeconds * ticksPerSecond) + 1);
            }
        }

        return next;
    }

    /// <summary>Two groups of one profile with nothing pending have told the same: they become one.</summary>
    private bool Merge(UpdateGroup group)
    {
        foreach (UpdateGroup other in _groups)
        {
            // A refresh that has not begun must find its routes still to be sent.
            if (other != group && other.Pending.IsEmpty && other.Profile.Equals(group.Profile) && !group.Output.Members.Exists(static m => m.RefreshBeginDue))
            {
                while (group.Output.Members.Count != 0)
                {
                    GroupMember member = group.Output.Members[^1];
                    group.Output.Members.RemoveAt(group.Output.Members.Count - 1);
                    Seat(member, other);
                }

                Drop(group);
                return true;
            }
        }

        return false;
    }

    private void Stall(UpdateGroup group, long now, long ticksPerSecond)
    {
        if (group.Output.Members.Count < 2 || !group.Output.Members.Exists(static m => m.HasCredit))
        {
            group.StalledSince = 0;
            return;
        }

        if (group.StalledSince == 0)
        {
            group.StalledSince = now;
        }
        else if (now - group.StalledSince > StallLimit.TotalSeconds * ticksPerSecond)
        {
            group.StalledSince = 0;
            UpdateGroup slow = Create(group.Profile);
            slow.Sent.CopyFrom(group.Sent);
            slow.Pending.CopyFrom(group.Pending);
            slow.SourceMoved.CopyFrom(group.SourceMoved);
            CopyPaths(group, slow, again: false);
            for (int i = group.Output.Members.Count - 1; i >= 0; i--)
            {
                GroupMember member = group.Output.Members[i];
                if (!member.HasCredit)
                {
                    group.Output.Members.RemoveAt(i);
                    Seat(member, slow);
                }
            }
        }
    }

    private UpdateGroup Create(ExportProfile profile)
    {
        var group = new UpdateGroup(_tables, profile, _blocks, _scratch ??= new GroupScratch(), _decision);
        _groups.Add(group);
        TellsPaths |= group.Paths is not null;
        return group;
    }

    private static void CopyPaths(UpdateGroup from, UpdateGroup to, bool again)
    {
        if (from.Paths is { } source && to.Paths is { } target)
        {
            target.Sent.CopyFrom(source.Sent, again);
        }
    }

    private static void Seat(GroupMember member, UpdateGroup group)
    {
        group.Output.Members.Add(member);
        member.Group = group;
    }

    private void Drop(UpdateGroup group)
    {
        _groups.Remove(group);
        group.Paths?.Sent.Clear();
        TellsPaths = _groups.Exists(static g => g.Paths is not null);
        _leftovers.Enqueue(group.Sent);
        _leftovers.Enqueue(group.Pending);
    }
}
