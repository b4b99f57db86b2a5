namespace Weft.Bgp.Rib;

/// <summary>Where a path ended in the decision process: the step of RFC 4271 9.1.2 (and RFC 4456 9) that removed it.</summary>
public enum PathStanding : byte
{
    /// <summary>Not compared yet.</summary>
    Undecided = 0,

    Best = 1,

    /// <summary>Refused by import policy.</summary>
    RejectedByPolicy = 2,

    /// <summary>Own AS in AS_PATH, own router id as ORIGINATOR_ID or own cluster id in CLUSTER_LIST.</summary>
    Loop = 3,

    NextHopUnreachable = 4,
    LocalPreference = 5,

    /// <summary>A route of our own won.</summary>
    LocalOrigin = 6,
    AsPathLength = 7,
    Origin = 8,
    Med = 9,
    ExternalOverInternal = 10,
    InteriorMetric = 11,
    RouterId = 12,
    ClusterListLength = 13,
    PeerAddress = 14,

    /// <summary>Another path was given more weight by import policy.</summary>
    Weight = 15,

    /// <summary>RFC 9494: another path does not carry LLGR_STALE.</summary>
    LongLivedStale = 16,

    /// <summary>RFC 9234: the route came from where it must not come.</summary>
    Leak = 17,

    /// <summary>RFC 8212: nobody has written an import policy for the peer, and somebody must.</summary>
    PolicyMissing = 18,
}
