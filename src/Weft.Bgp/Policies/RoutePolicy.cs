using System.Collections.Immutable;
using Weft.Primitives.Net;

namespace Weft.Bgp.Policies;

/// <summary>What a rule decides.</summary>
public enum PolicyVerdict : byte
{
    /// <summary>Apply the edits and go on with the next rule.</summary>
    Continue = 0,
    Accept = 1,
    Reject = 2,
}

/// <summary>Where a route comes from.</summary>
public enum RouteSourceMatch : byte
{
    Any = 0,

    /// <summary>Learnt from a peer.</summary>
    Peer = 1,

    /// <summary>Originated by this speaker.</summary>
    Local = 2,
}

/// <summary>Which kind of session the route crosses: on import the one it came by, on export the one it leaves by.</summary>
public enum PeerTypeMatch : byte
{
    Any = 0,
    External = 1,
    Internal = 2,
}

/// <summary>A set of prefixes: those inside <paramref name="Prefix"/> whose length lies in the range; or, negated, all others.</summary>
/// <param name="Prefix">Family and network; a route of the other family never matches, negated or not.</param>
/// <param name="MinimumLength">At least this long; normally the length of <paramref name="Prefix"/>.</param>
/// <param name="MaximumLength">At most this long.</param>
/// <param name="Negated">Matches what the rest does not.</param>
public readonly record struct PrefixMatch(IpPrefix Prefix, int MinimumLength, int MaximumLength, bool Negated = false)
{
    /// <summary>Exactly this prefix.</summary>
    public static PrefixMatch Exactly(IpPrefix prefix) => new(prefix, prefix.Length, prefix.Length);

    /// <summary>This prefix and everything inside it.</summary>
    public static PrefixMatch Inside(IpPrefix prefix) => new(prefix, prefix.Length, prefix.Address.BitLength);

    internal bool Matches(in IpPrefix route) =>
        route.Family == Prefix.Family
        && (route.Length >= MinimumLength && route.Length <= MaximumLength && Prefix.Contains(route)) != Negated;
}

public enum RouteEditKind : byte
{
    SetLocalPreference,
    SetMed,
    ClearMed,
    SetNextHop,
    AddCommunity,
    RemoveCommunity,
    ClearCommunities,
    AddLargeCommunity,

    /// <summary>Puts one AS in front of the path.</summary>
    PrependAs,
}

/// <summary>One change of a route's attributes. Edits of all matching rules apply in order.</summary>
public readonly record struct RouteEdit
{
    public RouteEditKind Kind { get; private init; }

    public uint Value { get; private init; }

    public IpAddress Address { get; private init; }

    public LargeCommunity Large { get; private init; }

    public static RouteEdit SetLocalPreference(uint value) => new() { Kind = RouteEditKind.SetLocalPreference, Value = value };

    public static RouteEdit SetMed(uint value) => new() { Kind = RouteEditKind.SetMed, Value = value };

    public static RouteEdit ClearMed() => new() { Kind = RouteEditKind.ClearMed };

    /// <summary>Must be of the route's family (or IPv6 for IPv4 routes where RFC 8950 was negotiated).</summary>
    public static RouteEdit SetNextHop(IpAddress address) => new() { Kind = RouteEditKind.SetNextHop, Address = address };

    public static RouteEdit AddCommunity(uint community) => new() { Kind = RouteEditKind.AddCommunity, Value = community };

    public static RouteEdit RemoveCommunity(uint community) => new() { Kind = RouteEditKind.RemoveCommunity, Value = community };

    public static RouteEdit ClearCommunities() => new() { Kind = RouteEditKind.ClearCommunities };

    public static RouteEdit AddLargeCommunity(LargeCommunity community) => new() { Kind = RouteEditKind.AddLargeCommunity, Large = community };

    public static RouteEdit PrependAs(uint autonomousSystem) => new() { Kind = RouteEditKind.PrependAs, Value = autonomousSystem };
}

/// <summary>One rule: all conditions that are set must hold.</summary>
public sealed record PolicyRule
{
    /// <summary>Any of these; empty: every prefix.</summary>
    public ImmutableArray<PrefixMatch> Prefixes { get; init; } = [];

    public RouteSourceMatch Source { get; init; }

    public PeerTypeMatch PeerType { get; init; }

    /// <summary>The route carries this community.</summary>
    public uint? Community { get; init; }

    /// <summary>The route carries this large community.</summary>
    public LargeCommunity? LargeCommunity { get; init; }

    /// <summary>The path starts with these ASes, nearest first; empty: every path.</summary>
    public ImmutableArray<uint> AsPathPrefix { get; init; } = [];

    public uint? LocalPreference { get; init; }

    public ImmutableArray<RouteEdit> Edits { get; init; } = [];

    public required PolicyVerdict Verdict { get; init; }
}

/// <summary>
/// Rules in order, the first that accepts or rejects decides, edits of the rules passed on the way are kept. A policy is a flat list of instructions on purpose:
/// it is compiled once from BGPFilter or INI by the router role and runs per route without a call back into it.
/// </summary>
public sealed record RoutePolicy
{
    public static readonly RoutePolicy AcceptAll = new() { Rules = [], Default = PolicyVerdict.Accept };

    public static readonly RoutePolicy RejectAll = new() { Rules = [], Default = PolicyVerdict.Reject };

    public required ImmutableArray<PolicyRule> Rules { get; init; }

    /// <summary>When no rule decides: <see cref="PolicyVerdict.Accept"/> or <see cref="PolicyVerdict.Reject"/>.</summary>
    public required PolicyVerdict Default { get; init; }
}
