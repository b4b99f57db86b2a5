using System.Buffers.Binary;
using System.Collections.Immutable;
using Weft.Bgp.Export;
using Weft.Bgp.Policies;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Rib;

/// <summary>Answers operators' questions. Runs on the RIB's loop, a page at a time so that no question holds it long.</summary>
internal static class RouteQueries
{
    /// <summary>Prefixes looked at for one page.</summary>
    private const uint PagePrefixes = 16_384;

    /// <summary>Paths of one page, give or take those of one prefix.</summary>
    private const int PageRoutes = 512;

    public static ImmutableArray<RouteSnapshot> Page(RibTables tables, Decision decision, RouteQuery query, PeerId from, PeerId advertisedTo, ref uint cursor)
    {
        ImmutableArray<RouteSnapshot>.Builder routes = ImmutableArray.CreateBuilder<RouteSnapshot>();
        uint first = Math.Max(cursor, 1);
        cursor = 0;
        if (query.Prefix.Family != IpFamily.None && !query.MoreSpecific)
        {
            PrefixId prefix = tables.Prefixes.Find(PrefixKey.From(query.Prefix));
            if (prefix != PrefixId.None)
            {
                Add(tables, decision, query, from, advertisedTo, prefix, routes);
            }

            return routes.ToImmutable();
        }

        for (uint id = first; id < tables.Prefixes.End && routes.Count < query.Limit; id++)
        {
            if (routes.Count >= PageRoutes || id - first >= PagePrefixes)
            {
                cursor = id;
                break;
            }

            var prefix = (PrefixId)id;
            bool asked = tables.Prefixes.IsInUse(prefix)
                && (query.Prefix.Family == IpFamily.None || query.Prefix.Contains(tables.Prefixes.Key(prefix).ToPrefix(tables.Family)));
            if (asked)
            {
                Add(tables, decision, query, from, advertisedTo, prefix, routes);
            }
        }

        return routes.ToImmutable();
    }

    /// <summary>Prefixes (with ADD-PATH: paths) a member was told of: what its group sent, without what came from it.</summary>
    public static int CountAdvertised(RibTables tables, GroupMember? member)
    {
        if (member?.Group is not UpdateGroup group)
        {
            return 0;
        }

        if (group.Paths is { } paths)
        {
            return paths.Sent.CountFor(member.Peer);
        }

        int count = 0;
        uint cursor = 0;
        while (group.Sent.TryNext(cursor, out uint id))
        {
            cursor = id + 1;
            count += tables.Prefixes.LastSource((PrefixId)id) == member.Peer ? 0 : 1;
        }

        return count;
    }

    private static void Add(
        RibTables tables, Decision decision, RouteQuery query, PeerId from, PeerId advertisedTo, PrefixId prefix, ImmutableArray<RouteSnapshot>.Builder routes)
    {
        PathAnnouncer? paths = advertisedTo == PeerId.None ? null : tables.Peers[advertisedTo]?.Member?.Group?.Paths;
        if (advertisedTo != PeerId.None && paths is null)
        {
            bool told = tables.Peers[advertisedTo]?.Member?.Group?.Sent[(uint)prefix] == true && tables.Prefixes.LastSource(prefix) != advertisedTo;
            if (!told)
            {
                return;
            }
        }

        if (!tables.Dirty[(uint)prefix])
        {
            decision.Explain(prefix);
        }

        PathId best = tables.Prefixes.BestPath(prefix);
        int start = routes.Count;
        for (PathId path = tables.Prefixes.FirstPath(prefix); path != PathId.None && routes.Count < query.Limit; path = tables.Paths.Next(path))
        {
            bool wanted = paths is not null ? IsTold(paths, prefix, path, advertisedTo) && (path == best || !query.BestOnly) : (!query.BestOnly && advertisedTo == PeerId.None) || path == best;
            wanted &= from == PeerId.None || tables.Paths.Peer(path) == from;
            wanted &= !query.RejectedOnly || tables.Paths.Has(path, PathMarks.Rejected) || tables.Paths.Has(path, PathMarks.Looped);
            if (wanted)
            {
                RouteSnapshot route = Describe(tables, prefix, path, query.AsReceived ? tables.Paths.Received(path) : tables.Paths.Attributes(path));
                route = advertisedTo == PeerId.None ? route : AsSent(tables, prefix, path, advertisedTo, route);

                // RFC 4271 5.1.3: nobody is told of a route by way of itself.
                if (advertisedTo == PeerId.None || route.NextHop != tables.Peers.Owner(advertisedTo).Address)
                {
                    routes.Insert(path == best ? start : routes.Count, route);
                }
            }
        }
    }

    private static bool IsTold(PathAnnouncer paths, PrefixId prefix, PathId path, PeerId to) =>
        paths.Sent.Find(prefix, path) is var row and not 0 && paths.Sent[row].Source != to;

    /// <summary>With what export policy and the session's own rules make of the attributes.</summary>
    private static RouteSnapshot AsSent(RibTables tables, PrefixId prefix, PathId path, PeerId to, RouteSnapshot route)
    {
        if (tables.Peers[to]?.Member?.Group is not UpdateGroup group || group.Export(prefix, path, out byte[] nextHop) is not { } section)
        {
            return route;
        }

        // The walker expects the next hop of a canonical block in front.
        byte[] block = [0, .. section];
        ReadOnlySpan<byte> preference = CanonicalAttributes.Find(block, AttributeType.LocalPreference);
        ReadOnlySpan<byte> med = CanonicalAttributes.Find(block, AttributeType.Med);
        ReadOnlySpan<byte> hop = nextHop.Length == 0 ? CanonicalAttributes.Find(block, AttributeType.NextHop) : nextHop;
        return route with
        {
            PathId = group.Paths is null ? 0 : (uint)path,
            NextHop = hop.IsEmpty ? default : IpAddress.FromBytes(hop.Length == 32 ? hop[..16] : hop),
            LinkLocalNextHop = hop.Length == 32 ? IpAddress.FromBytes(hop[16..]) : default,
            AsPath = AsPath.ToText(CanonicalAttributes.Find(block, AttributeType.AsPath)),
            HasLocalPreference = preference.Length == 4,
            LocalPreference = preference.Length == 4 ? BinaryPrimitives.ReadUInt32BigEndian(preference) : 0,
            Med = med.Length == 4 ? BinaryPrimitives.ReadUInt32BigEndian(med) : null,
            Communities = Numbers(CanonicalAttributes.Find(block, AttributeType.Communities)),
            ExtendedCommunities = LongNumbers(CanonicalAttributes.Find(block, AttributeType.ExtendedCommunities)),
            LargeCommunities = Large(CanonicalAttributes.Find(block, AttributeType.LargeCommunities)),
            ClusterList = [.. Numbers(CanonicalAttributes.Find(block, AttributeType.ClusterList)).Select(IpAddress.FromIPv4)],
            OnlyToCustomer = Number(CanonicalAttributes.Find(block, AttributeType.OnlyToCustomer)),
        };
    }

    internal static RouteSnapshot Describe(RibTables tables, PrefixId prefix, PathId path, AttributeId attributes)
    {
        ref readonly AttributeFacts facts = ref tables.Attributes.Facts(attributes);
        ReadOnlySpan<byte> block = tables.Attributes.Block(attributes);
        NextHopTable.NextHop nextHop = tables.NextHops.Get(facts.NextHop);
        PeerId peer = tables.Paths.Peer(path);
        PathMarks marks = tables.Paths.Marks(path);
        PolicyRoute view = PolicyViews.Of(tables, tables.Prefixes.Key(prefix), attributes, tables.Peers.Owner(peer), peerIsInternal: false);
        ReadOnlySpan<byte> aggregator = CanonicalAttributes.Find(block, AttributeType.Aggregator);
        return new RouteSnapshot
        {
            Prefix = tables.Prefixes.Key(prefix).ToPrefix(tables.Family),
            PeerName = peer == PeerId.Local ? null : tables.Peers.Owner(peer).Settings.Name,
            PathId = tables.Paths.Identifier(path),
            IsBest = path == tables.Prefixes.BestPath(prefix),
            IsMultipath = (marks & PathMarks.Multipath) != 0,
            IsStale = tables.Peers.Owner(peer).IsStale(tables.Paths.Epoch(path)),
            Standing = tables.Paths.Standing(path),
            Weight = facts.Weight,
            Rpki = tables.Roas is null ? null : PolicyProgram.StateOf(in view, block),
            NextHop = nextHop.Global,
            LinkLocalNextHop = nextHop.LinkLocal,
            NextHopReachable = tables.NextHops.State(facts.NextHop).Reachable,
            Origin = facts.Origin,
            AsPath = AsPath.ToText(CanonicalAttributes.Find(block, AttributeType.AsPath)),
            LocalPreference = facts.LocalPreference,
            Med = (facts.Marks & AttributeMarks.HasMed) != 0 ? facts.Med : null,
            AtomicAggregate = Has(block, AttributeType.AtomicAggregate),
            Aggregator = aggregator.Length == 8
                ? $"{BinaryPrimitives.ReadUInt32BigEndian(aggregator)} {IpAddress.FromBytes(aggregator[4..])}"
                : null,
            Communities = Numbers(CanonicalAttributes.Find(block, AttributeType.Communities)),
            ExtendedCommunities = LongNumbers(CanonicalAttributes.Find(block, AttributeType.ExtendedCommunities)),
            LargeCommunities = Large(CanonicalAttributes.Find(block, AttributeType.LargeCommunities)),
            OriginatorId = facts.OriginatorId == 0 ? default : IpAddress.FromIPv4(facts.OriginatorId),
            ClusterList = [.. Numbers(CanonicalAttributes.Find(block, AttributeType.ClusterList)).Select(IpAddress.FromIPv4)],
            OnlyToCustomer = Number(CanonicalAttributes.Find(block, AttributeType.OnlyToCustomer)),
        };
    }

    private static uint? Number(ReadOnlySpan<byte> value) => value.IsEmpty ? null : BinaryPrimitives.ReadUInt32BigEndian(value);

    private static bool Has(ReadOnlySpan<byte> block, AttributeType type)
    {
        var attributes = new CanonicalAttributes(block);
        while (attributes.MoveNext())
        {
            if (attributes.Type == (byte)type)
            {
                return true;
            }
        }

        return false;
    }

    private static ImmutableArray<uint> Numbers(ReadOnlySpan<byte> octets)
    {
        uint[] numbers = new uint[octets.Length / 4];
        for (int i = 0; i < numbers.Length; i++)
        {
            numbers[i] = BinaryPrimitives.ReadUInt32BigEndian(octets[(4 * i)..]);
        }

        return [.. numbers];
    }

    private static ImmutableArray<ulong> LongNumbers(ReadOnlySpan<byte> octets)
    {
        ulong[] numbers = new ulong[octets.Length / 8];
        for (int i = 0; i < numbers.Length; i++)
        {
            numbers[i] = BinaryPrimitives.ReadUInt64BigEndian(octets[(8 * i)..]);
        }

        return [.. numbers];
    }

    private static ImmutableArray<LargeCommunity> Large(ReadOnlySpan<byte> octets)
    {
        ImmutableArray<uint> numbers = Numbers(octets);
        var large = new LargeCommunity[numbers.Length / 3];
        for (int i = 0; i < large.Length; i++)
        {
            large[i] = new LargeCommunity(numbers[3 * i], numbers[3 * i + 1], numbers[3 * i + 2]);
        }

        return [.. large];
    }
}
