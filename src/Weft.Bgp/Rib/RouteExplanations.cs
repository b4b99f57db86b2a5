using System.Collections.Immutable;
using Weft.Bgp.Export;
using Weft.Bgp.Policies;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Rib;

/// <summary>Runs policies once more over the paths of a prefix and writes down what they do. Runs on the RIB's loop; changes nothing.</summary>
internal static class RouteExplanations
{
    /// <param name="from">Only paths of this peer; None: all.</param>
    /// <param name="to">Whether this peer hears of the prefix; None: nobody asked.</param>
    public static ImmutableArray<RouteExplanation> Run(RibTables tables, Decision decision, IpPrefix prefix, PeerId from, PeerId to)
    {
        PrefixId id = tables.Prefixes.Find(PrefixKey.From(prefix));
        if (id == PrefixId.None)
        {
            return [];
        }

        if (!tables.Dirty[(uint)id])
        {
            decision.Explain(id);
        }

        List<RouteExplanation> explanations = [];
        PathId best = tables.Prefixes.BestPath(id);
        for (PathId path = tables.Prefixes.FirstPath(id); path != PathId.None; path = tables.Paths.Next(path))
        {
            if (from == PeerId.None || tables.Paths.Peer(path) == from)
            {
                RouteExplanation explanation = new()
                {
                    Route = RouteQueries.Describe(tables, id, path, tables.Paths.Attributes(path)),
                    Import = Import(tables, id, path),
                    Export = to != PeerId.None && (path == best || tables.Peers[to]?.Member?.Group?.Paths is not null) ? Export(tables, id, path, to) : null,
                };
                explanations.Insert(path == best ? 0 : explanations.Count, explanation);
            }
        }

        return [.. explanations];
    }

    private static PolicyTrace? Import(RibTables tables, PrefixId prefix, PathId path)
    {
        RibPeer peer = tables.Peers.Owner(tables.Paths.Peer(path));
        return peer.Import?.Trace(PolicyViews.Of(tables, tables.Prefixes.Key(prefix), tables.Paths.Received(path), peer, peer.IsInternal));
    }

    private static ExportExplanation Export(RibTables tables, PrefixId prefix, PathId path, PeerId to)
    {
        RibPeer target = tables.Peers.Owner(to);
        RibPeer source = tables.Peers.Owner(tables.Paths.Peer(path));
        string? barred = Barred(tables, path, source, target);
        PolicyTrace? trace = null;
        if (barred is null && target.Member!.Group!.Profile is { Policy: not null } profile)
        {
            PolicyRoute route = PolicyViews.Of(tables, tables.Prefixes.Key(prefix), tables.Paths.Attributes(path), source, profile.IsInternal);
            trace = PolicyProgram.Compile(profile.Policy, profile.Context)?.Trace(in route);
        }

        return new ExportExplanation
        {
            PeerName = target.Settings.Name,
            Barred = barred,
            Policy = trace,
            Announced = source.Id != to && target.Member?.Group is { } group && (group.Paths is { } paths ? paths.Sent.Find(prefix, path) != 0 : group.Sent[(uint)prefix]),
        };
    }

    /// <summary>The rules of <see cref="ExportEncoder.MayExport"/> in words.</summary>
    private static string? Barred(RibTables tables, PathId path, RibPeer source, RibPeer target)
    {
        if (target.Member?.Group?.Profile is not ExportProfile profile)
        {
            return "the session is not established in this family";
        }

        AttributeMarks marks = tables.Attributes.Facts(tables.Paths.Attributes(path)).Marks;
        return source.Id == target.Id ? "the route came from this neighbour"
            : ExportEncoder.MayExport(profile, source, marks) ? null
            : (marks & AttributeMarks.NoAdvertise) != 0 ? "the route carries no-advertise"
            : (marks & AttributeMarks.LongLivedStale) != 0 && !profile.KnowsLongLived && !profile.LongLivedToAll ? "the route is kept for long and the neighbour knows nothing of that (RFC 9494)"
            : profile.IsConfederation && (marks & AttributeMarks.NoExportSubconfed) != 0 ? "the route carries no-export-subconfed and the neighbour is in another member AS"
            : !profile.IsInterior && (marks & AttributeMarks.NoExport) != 0 ? "the route carries no-export and the neighbour is external"
            : (marks & AttributeMarks.OnlyToCustomer) != 0 && OnlyToCustomer.Bars(profile.Role) ? "the route is for customers only (RFC 9234), and the neighbour is none"
            : profile.IsInternal && source.IsInternal ? "both neighbours are internal and neither is a route reflection client"
            : "the protocol forbids it";
    }
}
