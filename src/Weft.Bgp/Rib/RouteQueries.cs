using System.Buffers.Binary;
using System.Collections.Immutable;
using Weft.Bgp.Export;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Rib;

/// <summary>Answers operators' questions. Runs on the RIB's loop; the limit of a query bounds how long it holds it.</summary>
internal static class RouteQueries
{
    public static ImmutableArray<RouteSnapshot> Run(RibTables tables, Decision decision, RouteQuery query, PeerId from, PeerId advertisedTo)
    {
        ImmutableArray<RouteSnapshot>.Builder routes = ImmutableArray.CreateBuilder<RouteSnapshot>();
        if (query.Prefix.Family != IpFamily.None && !query.MoreSpecific)
        {
            PrefixId prefix = tables.Prefixes.Find(PrefixKey.From(query.Prefix));
            if (prefix != PrefixId.None)
            {
                Add(tables, decision, query, from, advertisedTo, prefix, routes);
            }

            return routes.ToImmutable();
        }

        for (uint id = 1; id < tables.Prefixes.End && routes.Count < query.Limit; id++)
        {
            var prefix = (PrefixId)id;
            bool asked = tables.Prefixes.IsInUse(prefix)
                && (query.Prefix.Family == IpFamily.None || query.Prefix.Contains(tables.Prefixes.Key(prefix).ToPrefix(tables.Family)));
            if (asked)
            {
                Add(tables, decision, query, from, advertisedTo, prefix, routes);
            }
        }

        routes.Sort(static (a, b) =>
        {
            int byPrefix = a.Prefix.CompareTo(b.Prefix);
            return byPrefix != 0 ? byPrefix : b.IsBest.CompareTo(a.IsBest);
        });
        return routes.ToImmutable();
    }

    /// <summary>Prefixes a member was told of: what its group sent, without what came from it.</summary>
    public static int CountAdvertised(RibTables tables, GroupMember? member)
    {
        if (member?.Group is not UpdateGroup group)
        {
            return 0;
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
        if (advertisedTo != PeerId.None)
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
            bool wanted = (!query.BestOnly && advertisedTo == PeerId.None) || path == best;
            if (wanted && (from == PeerId.None || tables.Paths.Peer(path) == from))
            {
                RouteSnapshot route = Describe(tables, prefix, path);
                routes.Insert(path == best ? start : routes.Count, route);
            }
        }
    }

    private static RouteSnapshot Describe(RibTables tables, PrefixId prefix, PathId path)
    {
        AttributeId attributes = tables.Paths.Attributes(path);
        ref readonly AttributeFacts facts = ref tables.Attributes.Facts(attributes);
        ReadOnlySpan<byte> block = tables.Attributes.Block(attributes);
        NextHopTable.NextHop nextHop = tables.NextHops.Get(facts.NextHop);
        PeerId peer = tables.Paths.Peer(path);
        PathMarks marks = tables.Paths.Marks(path);
        ReadOnlySpan<byte> aggregator = CanonicalAttributes.Find(block, AttributeType.Aggregator);
        return new RouteSnapshot
        {
            Prefix = tables.Prefixes.Key(prefix).ToPrefix(tables.Family),
            PeerName = peer == PeerId.Local ? null : tables.Peers.Owner(peer).Settings.Name,
            IsBest = path == tables.Prefixes.BestPath(prefix),
            IsMultipath = (marks & PathMarks.Multipath) != 0,
            IsStale = (marks & PathMarks.Stale) != 0,
            Standing = tables.Paths.Standing(path),
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
        };
    }

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
