using System.Collections.Immutable;
using Weft.Primitives.Net;

namespace Weft.Bgp.Policies;

/// <summary>RFC 6811 2: what the RPKI says of a route.</summary>
public enum RpkiState : byte
{
    /// <summary>No authorization covers the prefix.</summary>
    NotFound = 0,
    Valid = 1,

    /// <summary>Authorizations cover the prefix, and none names this origin and length.</summary>
    Invalid = 2,
}

/// <summary>A validated route origin authorization: <paramref name="Origin"/> may announce <paramref name="Prefix"/> and what is inside it up to <paramref name="MaximumLength"/>.</summary>
/// <param name="Origin">0: nobody may (RFC 6483 4).</param>
public readonly record struct RouteOriginAuthorization(IpPrefix Prefix, int MaximumLength, uint Origin);

/// <summary>All authorizations, of both families. Immutable: a new file makes a new table. 60 octets each: half a million are 30 MB.</summary>
public sealed class RoaTable
{
    public static readonly RoaTable Empty = new([]);

    private readonly ImmutableArray<RouteOriginAuthorization> _ipv4;
    private readonly ImmutableArray<RouteOriginAuthorization> _ipv6;
    private readonly PrefixIndex _indexIPv4;
    private readonly PrefixIndex _indexIPv6;

    public RoaTable(IEnumerable<RouteOriginAuthorization> authorizations)
    {
        RouteOriginAuthorization[] all = [.. authorizations.Distinct()];
        Array.Sort(all, static (a, b) => a.Prefix.CompareTo(b.Prefix) is not 0 and int order ? order
            : a.MaximumLength != b.MaximumLength ? a.MaximumLength.CompareTo(b.MaximumLength) : a.Origin.CompareTo(b.Origin));
        _ipv4 = [.. all.Where(static a => a.Prefix.IsIPv4)];
        _ipv6 = [.. all.Where(static a => a.Prefix.IsIPv6)];
        _indexIPv4 = new PrefixIndex(IpFamily.IPv4, [.. _ipv4.Select(static a => a.Prefix)]);
        _indexIPv6 = new PrefixIndex(IpFamily.IPv6, [.. _ipv6.Select(static a => a.Prefix)]);
    }

    public int Count => _ipv4.Length + _ipv6.Length;

    /// <summary>Validates a route whose path names one origin.</summary>
    public RpkiState Validate(in IpPrefix route, uint origin) => Validate(in route, hasOrigin: true, origin);

    /// <param name="hasOrigin">False: the path ends in a set, which no authorization can name.</param>
    internal RpkiState Validate(in IpPrefix route, bool hasOrigin, uint origin)
    {
        PrefixIndex index = route.IsIPv4 ? _indexIPv4 : _indexIPv6;
        ReadOnlySpan<RouteOriginAuthorization> entries = (route.IsIPv4 ? _ipv4 : _ipv6).AsSpan();
        RpkiState state = RpkiState.NotFound;
        for (int entry = index.Innermost(in route); entry >= 0; entry = index.Outer(entry))
        {
            state = RpkiState.Invalid;
            ref readonly RouteOriginAuthorization authorization = ref entries[entry];
            if (hasOrigin && origin != 0 && authorization.Origin == origin && route.Length <= authorization.MaximumLength)
            {
                return RpkiState.Valid;
            }
        }

        return state;
    }

    /// <summary>Whether any authorization covers the route: with a table of differences, whether its state may have changed.</summary>
    internal bool Covers(in IpPrefix route) => (route.IsIPv4 ? _indexIPv4 : _indexIPv6).Innermost(in route) >= 0;

    /// <summary>What only one of the two holds.</summary>
    internal static RoaTable Difference(RoaTable a, RoaTable b)
    {
        HashSet<RouteOriginAuthorization> different = [.. a._ipv4, .. a._ipv6];
        different.SymmetricExceptWith([.. b._ipv4, .. b._ipv6]);
        return different.Count == 0 ? Empty : new RoaTable(different);
    }
}
