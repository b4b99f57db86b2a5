using System.Collections.Immutable;
using Weft.Bgp.Policies;
using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Primitives.Net;

namespace Weft.Bgp;

/// <summary>Messages of one direction since the speaker started.</summary>
public readonly record struct MessageCounters(long Opens, long Updates, long Notifications, long Keepalives, long RouteRefreshes)
{
    public long Total => Opens + Updates + Notifications + Keepalives + RouteRefreshes;
}

/// <summary>One family of one peer, as asked from the RIB's loop.</summary>
/// <param name="Received">Paths in the Adj-RIB-In.</param>
/// <param name="Accepted">Paths that passed loop checks and import policy.</param>
/// <param name="Advertised">Prefixes announced to the peer; with ADD-PATH, paths.</param>
public sealed record PeerFamilySnapshot(IpFamily Family, int Received, int Accepted, int Advertised, bool EndOfRibReceived, bool EndOfRibSent)
{
    /// <summary>Paths kept while the peer restarts (RFC 4724, RFC 9494).</summary>
    public int Stale { get; init; }

    /// <summary>More prefixes than <see cref="PrefixLimit"/> allows.</summary>
    public bool LimitExceeded { get; init; }

    /// <summary>What the stale paths wait for.</summary>
    public StalePhase StalePhase { get; init; }

    /// <summary>How much longer; null: there are none.</summary>
    public TimeSpan? StaleFor { get; init; }

    /// <summary>Paths not announced again yet since a refresh began (RFC 7313).</summary>
    public int Unrefreshed { get; init; }

    /// <summary>How long the end of the refresh is waited for; null: none is under way.</summary>
    public TimeSpan? RefreshFor { get; init; }

    /// <summary>Number of the update group, counted from 1 as the groups are now; 0: in none.</summary>
    public int UpdateGroup { get; init; }

    /// <summary>Peers that share the update group, this one among them.</summary>
    public int UpdateGroupMembers { get; init; }

    /// <summary>Prefixes the group has yet to send.</summary>
    public int Pending { get; init; }

    /// <summary>Blocks of up to 64 KB that the peer has not taken yet.</summary>
    public int BlocksUnderWay { get; init; }
}

/// <summary>One family after a restart of ours (RFC 4724 4.1).</summary>
/// <param name="IsDeferred">Nothing is selected or announced yet.</param>
/// <param name="IsComplete">Selection has begun and everything that was there then has been decided and told.</param>
/// <param name="Awaited">Peers whose End-of-RIB is awaited.</param>
public sealed record SelectionSnapshot(IpFamily Family, bool IsDeferred, bool IsComplete, ImmutableArray<string> Awaited);

/// <summary>What one family's tables hold; octets are what is reserved, used or not.</summary>
/// <param name="NextHops">Distinct ones.</param>
/// <param name="AttributeBytes">Of the attribute sets, their bytes and their columns.</param>
/// <param name="GroupBytes">Bitmaps of the update groups.</param>
public sealed record RibMemory(
    IpFamily Family, int Prefixes, long PrefixBytes, int Paths, long PathBytes, int AttributeSets, long AttributeBytes, int NextHops, int UpdateGroups, long GroupBytes);

/// <summary>A peer as an operator sees it. Immutable.</summary>
public sealed record PeerSnapshot
{
    public required PeerSettings Settings { get; init; }

    public required SessionState State { get; init; }

    /// <summary>When <see cref="State"/> last changed to or from Established.</summary>
    public required DateTimeOffset Since { get; init; }

    /// <summary>Times the session reached Established.</summary>
    public required int EstablishedCount { get; init; }

    /// <summary>Why the session last went down or could not come up, in words; null when nothing went wrong yet.</summary>
    public required string? LastError { get; init; }

    public required DateTimeOffset? LastErrorAt { get; init; }

    public required MessageCounters Received { get; init; }

    public required MessageCounters Sent { get; init; }

    /// <summary>What both sides agreed on; null unless Established.</summary>
    public required NegotiatedSession? Negotiated { get; init; }

    public required ImmutableArray<PeerFamilySnapshot> Families { get; init; }

    /// <summary>Of a range: peers that have come from it and are here; null: this is one peer.</summary>
    public int? Neighbors { get; init; }

    /// <summary>Of a range: connections refused because it was full.</summary>
    public long Refused { get; init; }

    /// <summary>Why the session is kept down although it is enabled: the prefix limit; null: it is not.</summary>
    public string? HeldDown { get; init; }

    /// <summary>Until the next attempt of our own; null when none is planned.</summary>
    public TimeSpan? NextConnect { get; init; }

    /// <summary>The last session that we ended with a NOTIFICATION: why, and when.</summary>
    public (string Reason, DateTimeOffset At)? LastSent { get; init; }

    /// <summary>The last end of a session or attempt that was not our doing.</summary>
    public (string Reason, DateTimeOffset At)? LastReceived { get; init; }
}

/// <summary>Which routes to show.</summary>
public sealed record RouteQuery
{
    /// <summary>None: both families.</summary>
    public IpFamily Family { get; init; }

    /// <summary>Only this prefix; unset: all.</summary>
    public IpPrefix Prefix { get; init; }

    /// <summary>With <see cref="Prefix"/>: also what lies inside it.</summary>
    public bool MoreSpecific { get; init; }

    /// <summary>Only paths received from this peer.</summary>
    public string? FromPeer { get; init; }

    /// <summary>Only the best path of each prefix.</summary>
    public bool BestOnly { get; init; }

    /// <summary>Only prefixes announced to this peer, with the attributes it was told.</summary>
    public string? AdvertisedTo { get; init; }

    /// <summary>Only paths that import policy refused or that looped.</summary>
    public bool RejectedOnly { get; init; }

    /// <summary>Attributes as they came, before import policy.</summary>
    public bool AsReceived { get; init; }

    /// <summary>No more paths than this.</summary>
    public int Limit { get; init; } = 10_000;
}

/// <summary>One path of one prefix.</summary>
public sealed record RouteSnapshot
{
    public required IpPrefix Prefix { get; init; }

    /// <summary>Null: a route of our own.</summary>
    public required string? PeerName { get; init; }

    /// <summary>RFC 7911: by which the peer names this one of its paths, or by which it was named to the peer it is advertised to; 0: without a name.</summary>
    public uint PathId { get; init; }

    public required bool IsBest { get; init; }

    public required bool IsMultipath { get; init; }

    /// <summary>Kept while the peer restarts (RFC 4724).</summary>
    public required bool IsStale { get; init; }

    /// <summary>Why this path is not the best one; <see cref="PathStanding.Best"/> for the winner.</summary>
    public required PathStanding Standing { get; init; }

    /// <summary>Given by import policy; 0: none.</summary>
    public uint Weight { get; init; }

    /// <summary>RFC 6811; null: no authorizations were ever loaded.</summary>
    public RpkiState? Rpki { get; init; }

    public required IpAddress NextHop { get; init; }

    public required IpAddress LinkLocalNextHop { get; init; }

    public required bool NextHopReachable { get; init; }

    public required RouteOrigin Origin { get; init; }

    /// <summary>As text: "65001 65002 {65003 65004}".</summary>
    public required string AsPath { get; init; }

    public required uint LocalPreference { get; init; }

    /// <summary>False: told to an external peer, which gets no LOCAL_PREF.</summary>
    public bool HasLocalPreference { get; init; } = true;

    public required uint? Med { get; init; }

    public required bool AtomicAggregate { get; init; }

    public required string? Aggregator { get; init; }

    public required ImmutableArray<uint> Communities { get; init; }

    /// <summary>Raw, RFC 4360.</summary>
    public required ImmutableArray<ulong> ExtendedCommunities { get; init; }

    public required ImmutableArray<LargeCommunity> LargeCommunities { get; init; }

    public required IpAddress OriginatorId { get; init; }

    public required ImmutableArray<IpAddress> ClusterList { get; init; }

    /// <summary>RFC 9234: the AS from which on the route goes to customers only; null: anywhere.</summary>
    public uint? OnlyToCustomer { get; init; }
}
