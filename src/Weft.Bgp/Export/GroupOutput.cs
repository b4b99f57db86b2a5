using System.Runtime.InteropServices;
using Weft.Bgp.Rib;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Export;

/// <summary>
/// The members of an update group and the block that is being filled for them: every message is written once, and the block is handed to each member whom anything
/// in it is for. Owned by one RIB loop.
/// </summary>
internal sealed class GroupOutput
{
    private readonly EncodedBlockPool _blocks;
    private readonly int _maximumMessageLength;
    private readonly IpFamily _family;
    private EncodedBlock? _block;

    /// <param name="maximumMessageLength">Octets a member takes in one message (RFC 8654).</param>
    public GroupOutput(EncodedBlockPool blocks, int maximumMessageLength, IpFamily family)
    {
        _blocks = blocks;
        _maximumMessageLength = Math.Min(maximumMessageLength, EncodedBlock.Size);
        _family = family;
    }

    public List<GroupMember> Members { get; } = [];

    /// <summary>Every member takes another block.</summary>
    public bool HasCredit
    {
        get
        {
            bool all = true;
            foreach (GroupMember member in CollectionsMarshal.AsSpan(Members))
            {
                all &= member.HasCredit;
            }

            return all;
        }
    }

    /// <summary>A writer over a block with room for a whole message. False when that needs a new block and a member has no credit.</summary>
    public bool TryBegin(out UpdateWriter writer)
    {
        if (_block is not null && _block.Room < _maximumMessageLength)
        {
            HandOver();
        }

        if (_block is null)
        {
            if (!HasCredit)
            {
                writer = default;
                return false;
            }

            _block = _blocks.Rent();
        }

        writer = new UpdateWriter(_block.Bytes.AsSpan(_block.Length), _maximumMessageLength, _family);
        return true;
    }

    /// <summary>Ends the message begun.</summary>
    public void Commit(int length, Audience audience) => _block!.Commit(length, audience);

    /// <summary>What is encoded goes to the members as they are now.</summary>
    public void HandOver()
    {
        if (_block is not EncodedBlock block)
        {
            return;
        }

        _block = null;
        int readers = 0;
        foreach (GroupMember member in Members)
        {
            readers += block.HasAnythingFor(member.Peer) ? 1 : 0;
        }

        if (readers == 0)
        {
            _blocks.Return(block);
            return;
        }

        block.Share(readers);
        foreach (GroupMember member in Members)
        {
            if (block.HasAnythingFor(member.Peer))
            {
                member.Send(block);
            }
        }
    }

    /// <summary>What follows when nothing is pending. True when a refresh was waiting for it.</summary>
    /// <param name="complete">What was sent is all there is.</param>
    public bool SendMarks(bool complete)
    {
        SendRefreshMarks(end: true);
        if (complete)
        {
            SendEndOfRib();
        }

        return Members.Exists(static m => m is { RefreshWanted: true, EndOfRibDue: false });
    }

    /// <summary>RFC 7313 4: begin before the first route, end behind the last.</summary>
    public void SendRefreshMarks(bool end)
    {
        foreach (GroupMember member in Members)
        {
            if (member.RefreshBeginDue && member.HasCredit)
            {
                member.RefreshBeginDue = false;
                Send(member, RouteRefreshSubtype.Begin);
            }

            if (end && member is { RefreshEndDue: true, RefreshBeginDue: false, HasCredit: true })
            {
                member.RefreshEndDue = false;
                Send(member, RouteRefreshSubtype.End);
            }
        }
    }

    private void Send(GroupMember member, RouteRefreshSubtype subtype)
    {
        EncodedBlock block = _blocks.Rent();
        block.Commit(RouteRefreshMessage.Write(block.Bytes, _family == IpFamily.IPv4 ? AddressFamilies.IPv4 : AddressFamilies.IPv6, subtype), Audience.Everybody);
        block.Share(1);
        member.Send(block);
    }

    /// <summary>RFC 4724 2: after the table, once per session; one block for all who are due, as ever.</summary>
    private void SendEndOfRib()
    {
        int due = 0;
        foreach (GroupMember member in Members)
        {
            member.EndOfRibNow = member.EndOfRibDue && member.HasCredit;
            due += member.EndOfRibNow ? 1 : 0;
        }

        if (due == 0)
        {
            return;
        }

        EncodedBlock block = _blocks.Rent();
        block.Commit(UpdateWriter.WriteEndOfRib(block.Bytes, _family), Audience.Everybody);
        block.Share(due);
        foreach (GroupMember member in Members)
        {
            if (member.EndOfRibNow)
            {
                member.EndOfRibNow = false;
                member.EndOfRibDue = false;
                member.Send(block);
            }
        }
    }

    public bool IsMember(PeerId peer)
    {
        foreach (GroupMember member in CollectionsMarshal.AsSpan(Members))
        {
            if (member.Peer == peer)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Some member is among those who hear it.</summary>
    public bool HasAny(Audience audience)
    {
        foreach (GroupMember member in CollectionsMarshal.AsSpan(Members))
        {
            if (audience.Has(member.Peer))
            {
                return true;
            }
        }

        return false;
    }
}
