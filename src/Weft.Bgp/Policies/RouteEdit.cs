using Weft.Primitives.Net;

namespace Weft.Bgp.Policies;

public enum RouteEditKind : byte
{
    SetLocalPreference,
    SetMed,

    /// <summary>Adds to the MED, which counts from 0 when absent; stays within 32 bits.</summary>
    AddMed,
    SubtractMed,
    ClearMed,
    SetOrigin,

    /// <summary>Local to this speaker: compared before LOCAL_PREF, never sent.</summary>
    SetWeight,
    SetNextHop,

    /// <summary>Our own address on the session. Export only.</summary>
    NextHopSelf,

    /// <summary>The address of the neighbour the route came from. Import only.</summary>
    NextHopPeer,
    AddCommunity,
    AddLargeCommunity,
    AddExtendedCommunity,

    /// <summary>Removes every community that fits a pattern.</summary>
    RemoveCommunities,

    /// <summary>Puts one AS in front of the path.</summary>
    PrependAs,

    /// <summary>Puts our own AS in front of the path, several times.</summary>
    PrependOwnAs,
}

/// <summary>One change of a route's attributes. Edits of all matching rules apply in order.</summary>
public readonly record struct RouteEdit
{
    /// <summary>Own ASes one edit may put in front.</summary>
    public const int MaximumPrepends = 64;

    public RouteEditKind Kind { get; private init; }

    public uint Value { get; private init; }

    public IpAddress Address { get; private init; }

    public CommunityPattern Community { get; private init; }

    public static RouteEdit SetLocalPreference(uint value) => new() { Kind = RouteEditKind.SetLocalPreference, Value = value };

    public static RouteEdit SetMed(uint value) => new() { Kind = RouteEditKind.SetMed, Value = value };

    public static RouteEdit AddMed(uint value) => new() { Kind = RouteEditKind.AddMed, Value = value };

    public static RouteEdit SubtractMed(uint value) => new() { Kind = RouteEditKind.SubtractMed, Value = value };

    public static RouteEdit ClearMed() => new() { Kind = RouteEditKind.ClearMed };

    public static RouteEdit SetOrigin(RouteOrigin origin) => new() { Kind = RouteEditKind.SetOrigin, Value = (uint)origin };

    public static RouteEdit SetWeight(uint value) => new() { Kind = RouteEditKind.SetWeight, Value = value };

    /// <summary>Must be of the route's family (or IPv6 for IPv4 routes where RFC 8950 was negotiated).</summary>
    public static RouteEdit SetNextHop(IpAddress address) => new() { Kind = RouteEditKind.SetNextHop, Address = address };

    public static RouteEdit NextHopSelf() => new() { Kind = RouteEditKind.NextHopSelf };

    public static RouteEdit NextHopPeer() => new() { Kind = RouteEditKind.NextHopPeer };

    public static RouteEdit AddCommunity(uint community) => new() { Kind = RouteEditKind.AddCommunity, Community = CommunityPattern.Of(community) };

    public static RouteEdit AddLargeCommunity(LargeCommunity community) => new() { Kind = RouteEditKind.AddLargeCommunity, Community = CommunityPattern.Of(community) };

    public static RouteEdit AddExtendedCommunity(ulong community) => new() { Kind = RouteEditKind.AddExtendedCommunity, Community = CommunityPattern.OfExtended(community) };

    /// <summary>Adds the one community the pattern names (<see cref="CommunityPattern.IsExact"/>).</summary>
    public static RouteEdit Add(CommunityPattern community) => new()
    {
        Kind = community.Kind switch
        {
            CommunityKind.Standard => RouteEditKind.AddCommunity,
            CommunityKind.Large => RouteEditKind.AddLargeCommunity,
            _ => RouteEditKind.AddExtendedCommunity,
        },
        Community = community,
    };

    public static RouteEdit RemoveCommunity(uint community) => Remove(CommunityPattern.Of(community));

    public static RouteEdit ClearCommunities() => Remove(CommunityPattern.All(CommunityKind.Standard));

    public static RouteEdit Remove(CommunityPattern pattern) => new() { Kind = RouteEditKind.RemoveCommunities, Community = pattern };

    public static RouteEdit PrependAs(uint autonomousSystem) => new() { Kind = RouteEditKind.PrependAs, Value = autonomousSystem };

    public static RouteEdit PrependOwnAs(int times) => new() { Kind = RouteEditKind.PrependOwnAs, Value = (uint)times };

    /// <summary>As written in the settings file.</summary>
    public override string ToString() => Kind switch
    {
        RouteEditKind.SetLocalPreference => $"local-pref {Value}",
        RouteEditKind.SetMed => $"med {Value}",
        RouteEditKind.AddMed => $"med +{Value}",
        RouteEditKind.SubtractMed => $"med -{Value}",
        RouteEditKind.ClearMed => "med none",
        RouteEditKind.SetOrigin => $"origin {PolicyCondition.NameOf((RouteOrigin)Value)}",
        RouteEditKind.SetWeight => $"weight {Value}",
        RouteEditKind.SetNextHop => $"next-hop {Address}",
        RouteEditKind.NextHopSelf => "next-hop self",
        RouteEditKind.NextHopPeer => "next-hop peer",
        RouteEditKind.RemoveCommunities => $"community delete {Community}",
        RouteEditKind.PrependAs => $"prepend as {Value}",
        RouteEditKind.PrependOwnAs => $"prepend {Value}",
        _ => $"community add {Community}",
    };
}
