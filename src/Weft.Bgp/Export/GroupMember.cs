using Weft.Bgp.Rib;

namespace Weft.Bgp.Export;

/// <summary>Takes blocks towards one peer. Implemented by the session's sender; by a list in tests.</summary>
internal interface IBlockSink
{
    /// <summary>Must not wait. The sink calls <see cref="GroupMember.Returned"/> when the block has left.</summary>
    void Send(EncodedBlock block, GroupMember member);
}

/// <summary>
/// A peer's seat in an update group. The RIB loop takes credits, the sender gives them back: the two counters are all they share. A member that has
/// <see cref="Credits"/> blocks under way gets no more, so what waits for a slow peer is bounded by its bitmap, not by a queue.
/// </summary>
internal sealed class GroupMember
{
    /// <summary>Blocks of 64 KB one peer may have under way per family.</summary>
    public const int Credits = 4;

    private readonly IBlockSink _sink;
    private readonly Action _wake;
    private int _underWay;
    private int _waiting;

    /// <param name="wake">Called from the sender's thread when the RIB waits for this member's credit.</param>
    public GroupMember(PeerId peer, IBlockSink sink, Action wake)
    {
        Peer = peer;
        _sink = sink;
        _wake = wake;
    }

    public PeerId Peer { get; }

    public UpdateGroup? Group { get; set; }

    /// <summary>End-of-RIB is due once the group has nothing pending.</summary>
    public bool EndOfRibDue { get; set; } = true;

    /// <summary>Among those of the End-of-RIB being sent.</summary>
    public bool EndOfRibNow { get; set; }

    /// <summary>RFC 7313 is negotiated: a refresh has a beginning and an end.</summary>
    public bool TellsRefresh { get; init; }

    /// <summary>The beginning of a refresh (BoRR) must go before anything else.</summary>
    public bool RefreshBeginDue { get; set; }

    /// <summary>The end of a refresh (EoRR) is due once the group has nothing pending.</summary>
    public bool RefreshEndDue { get; set; }

    /// <summary>A refresh was asked for before the End-of-RIB was sent; it begins after it.</summary>
    public bool RefreshWanted { get; set; }

    public bool HasCredit
    {
        get
        {
            if (Volatile.Read(ref _underWay) < Credits)
            {
                return true;
            }

            // The flag first, then a second look: a credit returned in between either is seen here or sees the flag.
            Interlocked.Exchange(ref _waiting, 1);
            return Volatile.Read(ref _underWay) < Credits;
        }
    }

    /// <summary>Blocks that have not left yet.</summary>
    public int UnderWay => Volatile.Read(ref _underWay);

    public bool IsIdle => Volatile.Read(ref _underWay) == 0;

    public void Send(EncodedBlock block)
    {
        Interlocked.Increment(ref _underWay);
        _sink.Send(block, this);
    }

    /// <summary>The sender's side: one block has left.</summary>
    public void Returned()
    {
        Interlocked.Decrement(ref _underWay);
        if (Interlocked.Exchange(ref _waiting, 0) == 1)
        {
            _wake();
        }
    }
}
