using System.Collections.Immutable;
using Weft.Primitives.Net;

namespace Weft.Bgp;

/// <summary>RFC 4271 5.1.1; the lower wins.</summary>
public enum RouteOrigin : byte
{
    Igp = 0,
    Egp = 1,
    Incomplete = 2,
}

/// <summary>A large community, RFC 8092.</summary>
public readonly record struct LargeCommunity(uint GlobalAdministrator, uint LocalData1, uint LocalData2)
{
    public override string ToString() => $"{GlobalAdministrator}:{LocalData1}:{LocalData2}";
}

/// <summary>Well-known communities of RFC 1997, RFC 8326 and RFC 9494.</summary>
public static class WellKnownCommunities
{
    /// <summary>RFC 8326: whoever announces this leaves soon.</summary>
    public const uint GracefulShutdown = 0xFFFF0000;

    /// <summary>RFC 9494: whoever announced this is away for longer than its restart time.</summary>
    public const uint LongLivedStale = 0xFFFF0006;

    /// <summary>RFC 9494: not to be kept beyond the restart time.</summary>
    public const uint NoLongLived = 0xFFFF0007;
    public const uint NoExport = 0xFFFFFF01;
    public const uint NoAdvertise = 0xFFFFFF02;
    public const uint NoExportSubconfed = 0xFFFFFF03;

    /// <summary>"65000:1", or the well-known name.</summary>
    public static string ToText(uint community) => community switch
    {
        GracefulShutdown => "graceful-shutdown",
        LongLivedStale => "llgr-stale",
        NoLongLived => "no-llgr",
        NoExport => "no-export",
        NoAdvertise => "no-advertise",
        NoExportSubconfed => "no-export-subconfed",
        _ => $"{community >> 16}:{community & 0xFFFF}",
    };
}

/// <summary>Attributes of a route of our own, for <see cref="BgpSpeaker.OriginateAsync"/>.</summary>
public sealed record RouteAttributes
{
    public static readonly RouteAttributes Default = new();

    public RouteOrigin Origin { get; init; } = RouteOrigin.Igp;

    /// <summary>Unset: each peer hears our own address on its session.</summary>
    public IpAddress NextHop { get; init; }

    public uint? Med { get; init; }

    public uint? LocalPreference { get; init; }

    /// <summary>ASes that stand in the path already, nearest first; normally empty.</summary>
    public ImmutableArray<uint> AsPath { get; init; } = [];

    public ImmutableArray<uint> Communities { get; init; } = [];

    public ImmutableArray<LargeCommunity> LargeCommunities { get; init; } = [];

    /// <summary>The route stands in the kernel's table and was taken over from there; else it comes from settings or resources. Seen by policies (source).</summary>
    public bool FromKernel { get; init; }

    /// <summary>Link of the kernel's route, for policies that ask; null: none.</summary>
    public string? Interface { get; init; }
}
