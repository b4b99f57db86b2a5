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

    private readonly RibTables _tables;
    private readonly EncodedBlockPool _blocks;
    private readonly GroupScratch _scratch = new();
    private readonly List<UpdateGroup> _groups = [];
    private uint _fetched;

    public AdjRibOut(RibTables tables, EncodedBlockPool blocks)
    {
        _tables = tables;
        _blocks = blocks;
    }

    public IReadOnlyList<UpdateGroup> Groups => _groups;

    public void OnBestChanged(PrefixId prefix, bool sourceMoved)
    {
        foreach (UpdateGroup group in _groups)
        {
            group.Mark(prefix, sourceMoved);
        }
    }

    /// <summary>The RPKI state or the link of a best path may have changed.</summary>
    public void OnSurroundingsChanged(PrefixId prefix)
    {
        foreach (UpdateGroup group in _groups)
        {
            if (group.ReadsSurroundings)
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
        for (uint id = 1; id < _tables.Prefixes.End; id++)
        {
            if (_tables.Prefixes.FirstPath((PrefixId)id) != PathId.None)
            {
                own.Mark((PrefixId)id, sourceMoved: false);
            }
        }
    }

    public void Leave(GroupMember member)
    {
        if (member.Group is not UpdateGroup group)
        {
            return;
        }

        member.Group = null;
        group.Members.Remove(member);
        if (group.Members.Count == 0)
        {
            Drop(group);
        }
    }

    /// <summary>Sends the whole table again (ROUTE-REFRESH, or a new export policy): from a group of its own, where nothing counts as announced yet.</summary>
    public void Refresh(GroupMember member, ExportProfile profile)
    {
        UpdateGroup? old = member.Group;
        UpdateGroup own = Create(profile);
        if (old is not null)
        {
            // What a former policy announced must be withdrawn where the new one does not: it still counts as sent.
            own.Sent.CopyFrom(old.Sent);
            own.Pending.CopyFrom(old.Sent);
            own.SourceMoved.CopyFrom(old.SourceMoved);
        }

        Leave(member);
        Seat(member, own);
        for (uint id = 1; id < _tables.Prefixes.End; id++)
        {
            if (_tables.Prefixes.FirstPath((PrefixId)id) != PathId.None)
            {
                own.Mark((PrefixId)id, sourceMoved: false);
            }
        }
    }

    /// <summary>Encodes one window of each group that may. True when there is more to do at once.</summary>
    /// <param name="now">The loop's ticks.</param>
    /// <param name="ticksPerSecond">Of <paramref name="now"/>.</param>
    public bool Flush(long now, long ticksPerSecond)
    {
        bool more = false;
        for (int i = _groups.Count - 1; i >= 0; i--)
        {
            UpdateGroup group = _groups[i];
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
                group.SendEndOfRib();
                Merge(group);
            }
            else if (!group.HasCredit)
            {
                Stall(group, now, ticksPerSecond);
            }
        }

        FreePrefixes();
        return more;
    }

    /// <summary>The row of a prefix without paths goes when no group has to withdraw it any more.</summary>
    public void FreeIfUnused(PrefixId prefix)
    {
        if (_tables.Prefixes.FirstPath(prefix) != PathId.None || _tables.Dirty[(uint)prefix])
        {
            return;
        }

        foreach (UpdateGroup group in _groups)
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
        ReadOnlySpan<PrefixId> freed = CollectionsMarshal.AsSpan(_scratch.FreedPrefixes);
        while (!freed.IsEmpty)
        {
            ReadOnlySpan<PrefixId> some = freed[..Math.Min(freed.Length, FetchAhead)];
            freed = freed[some.Length..];
            _fetched = _tables.Prefixes.Fetch(some);
            foreach (PrefixId prefix in some)
            {
                FreeIfUnused(prefix);
            }
        }

        _scratch.FreedPrefixes.Clear();
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
    private void Merge(UpdateGroup group)
    {
        foreach (UpdateGroup other in _groups)
        {
            if (other != group && other.Pending.IsEmpty && other.Profile.Equals(group.Profile))
            {
                while (group.Members.Count != 0)
                {
                    GroupMember member = group.Members[^1];
                    group.Members.RemoveAt(group.Members.Count - 1);
                    Seat(member, other);
                }

                Drop(group);
                return;
            }
        }
    }

    private void Stall(UpdateGroup group, long now, long ticksPerSecond)
    {
        if (group.Members.Count < 2 || !group.Members.Exists(static m => m.HasCredit))
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
            for (int i = group.Members.Count - 1; i >= 0; i--)
            {
                GroupMember member = group.Members[i];
                if (!member.HasCredit)
                {
                    group.Members.RemoveAt(i);
                    Seat(member, slow);
                }
            }
        }
    }

    private UpdateGroup Create(ExportProfile profile)
    {
        var group = new UpdateGroup(_tables, profile, _blocks, _scratch);
        _groups.Add(group);
        return group;
    }

    private static void Seat(GroupMember member, UpdateGroup group)
    {
        group.Members.Add(member);
        member.Group = group;
    }

    private void Drop(UpdateGroup group)
    {
        _groups.Remove(group);
        FreeAll(group.Sent);
        FreeAll(group.Pending);
    }

    private void FreeAll(Bitmap prefixes)
    {
        uint cursor = 0;
        while (prefixes.TryNext(cursor, out uint id))
        {
            cursor = id + 1;
            FreeIfUnused((PrefixId)id);
        }
    }
}
