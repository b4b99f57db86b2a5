using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Nodes;
using Weft.Bgp;
using Weft.Bgp.Rib;
using Weft.Hosting.Control;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>Paths as JSON, each with the reason it lost.</summary>
internal sealed class RouteAnswers(FibFeeder fib)
{
    /// <summary>Paths of an answer that names no limit.</summary>
    private const int DefaultLimit = 10_000;

    /// <summary>Up to here an answer is sorted; a longer one comes as the tables hold it.</summary>
    private const int SortedLimit = 10_000;

    public async Task AnswerAsync(BgpSpeaker speaker, JsonObject request, Func<JsonNode, ValueTask> answer, CancellationToken stop)
    {
        if (!TryQuery(request, out RouteQuery query, out IpAddress address, out string problem))
        {
            await answer(ControlServer.Error(problem));
            return;
        }

        // Asked why a neighbour is told: also what it is not told has a reason.
        bool why = RouterControl.Flag(request, "why");
        string? exportTo = why ? query.AdvertisedTo : null;
        query = exportTo is null ? query : query with { AdvertisedTo = null, BestOnly = true };

        // One more than asked for tells whether the limit cut anything off.
        RouteQuery open = query with { Limit = query.Limit == int.MaxValue ? query.Limit : query.Limit + 1 };
        bool stream = RouterControl.Flag(request, "stream");
        if (stream && query.Limit > SortedLimit && address.Family == IpFamily.None)
        {
            int written = 0;
            await foreach (ImmutableArray<RouteSnapshot> page in speaker.StreamRoutes(open, stop) ?? throw new InvalidOperationException("a neighbour has just gone"))
            {
                foreach (JsonObject route in await DescribeAsync(speaker, [.. page.Take(query.Limit - written)], why, exportTo, stop))
                {
                    await answer(route);
                    written++;
                }
            }

            await answer(End(written, truncated: written == query.Limit, query.Limit));
            return;
        }

        ImmutableArray<RouteSnapshot>? found = address.Family == IpFamily.None
            ? await speaker.GetRoutesAsync(open, stop)
            : await LongestMatchAsync(speaker, open, address, stop);
        if (found is not { } all)
        {
            await answer(ControlServer.Error("the neighbour has just gone"));
            return;
        }

        bool cut = all.Length > query.Limit;
        List<JsonObject> routes = await DescribeAsync(speaker, cut ? all[..query.Limit] : all, why, exportTo, stop);
        if (!stream)
        {
            await answer(new JsonObject { ["routes"] = new JsonArray([.. routes]), ["truncated"] = cut, ["limit"] = query.Limit });
            return;
        }

        foreach (JsonObject route in routes)
        {
            await answer(route);
        }

        await answer(End(routes.Count, cut, query.Limit));
    }

    private static JsonObject End(int count, bool truncated, int limit) => new() { ["end"] = true, ["count"] = count, ["truncated"] = truncated, ["limit"] = limit };

    private static bool TryQuery(JsonObject request, out RouteQuery query, out IpAddress address, out string problem)
    {
        (address, problem) = (default, string.Empty);
        string? received = RouterControl.Text(request, "received");
        query = new RouteQuery
        {
            FromPeer = received ?? RouterControl.Text(request, "from"),
            AsReceived = received is not null,
            AdvertisedTo = RouterControl.Text(request, "advertised") ?? RouterControl.Text(request, "to"),
            BestOnly = RouterControl.Flag(request, "best"),
            RejectedOnly = RouterControl.Flag(request, "rejected"),
            Limit = request["limit"] is JsonValue value && value.TryGetValue(out int limit) ? limit > 0 ? limit : int.MaxValue : DefaultLimit,
        };
        switch (RouterControl.Text(request, "family"))
        {
            case null:
                break;
            case "ipv4":
                query = query with { Family = IpFamily.IPv4 };
                break;
            case "ipv6":
                query = query with { Family = IpFamily.IPv6 };
                break;
            case var other:
                problem = $"family \"{other}\": expected ipv4 or ipv6";
                return false;
        }

        string? text = RouterControl.Text(request, "prefix");
        if (text is null || IpAddress.TryParse(text, out address))
        {
            return true;
        }

        if (!IpPrefix.TryParse(text, out IpPrefix prefix))
        {
            problem = $"\"{text}\" is neither an address nor a prefix";
            return false;
        }

        query = query with { Prefix = prefix, MoreSpecific = true };
        return true;
    }

    /// <summary>
    /// The route a packet to the address would follow. A longer match without a usable path is shown too, with the reason, and the search goes on: that is often
    /// the very thing looked for.
    /// </summary>
    private static async Task<ImmutableArray<RouteSnapshot>?> LongestMatchAsync(BgpSpeaker speaker, RouteQuery query, IpAddress address, CancellationToken stop)
    {
        ImmutableArray<RouteSnapshot> all = [];
        for (int length = address.BitLength; length >= 0; length--)
        {
            if (await speaker.GetRoutesAsync(query with { Prefix = new IpPrefix(address, length) }, stop) is not { } found)
            {
                return null;
            }

            all = all.AddRange(found);
            if (found.Any(r => r.IsBest || query.RejectedOnly || query.FromPeer is not null))
            {
                break;
            }
        }

        return all;
    }

    private async Task<List<JsonObject>> DescribeAsync(BgpSpeaker speaker, ImmutableArray<RouteSnapshot> routes, bool why, string? exportTo, CancellationToken stop)
    {
        FibAnswer kernel = await fib.AskAsync([.. routes.Select(r => r.Prefix).Distinct()], stop);
        List<JsonObject> described = new(routes.Length);
        RouteSnapshot? best = null;
        foreach (RouteSnapshot route in routes)
        {
            best = route.IsBest ? route : best?.Prefix == route.Prefix ? best : null;
            described.Add(Describe(route, best, kernel.Installed.Contains(route.Prefix)));
        }

        foreach (IGrouping<IpPrefix, (RouteSnapshot Route, JsonObject Answer)> paths in why ? routes.Zip(described).GroupBy(p => p.First.Prefix) : [])
        {
            await PolicyAnswers.ExplainAsync(speaker, paths.Key, [.. paths], exportTo, stop);
        }

        return described;
    }

    private static JsonObject Describe(RouteSnapshot route, RouteSnapshot? best, bool isInstalled) => new()
    {
        ["prefix"] = route.Prefix.ToString(),
        ["best"] = route.IsBest,
        ["multipath"] = route.IsMultipath,
        ["stale"] = route.IsStale,
        ["nextHop"] = route.PeerName is null && route.NextHop.Family == IpFamily.None ? "self" : route.NextHop.ToString(),
        ["linkLocalNextHop"] = route.LinkLocalNextHop.Family == IpFamily.None ? null : route.LinkLocalNextHop.ToString(),
        ["nextHopReachable"] = route.NextHopReachable,
        ["asPath"] = route.AsPath,
        ["source"] = route.PeerName ?? "local",
        ["pathId"] = route.PathId == 0 ? null : route.PathId,
        ["origin"] = Origin(route.Origin),
        ["weight"] = route.Weight == 0 ? null : route.Weight,
        ["rpki"] = route.Rpki is { } rpki ? Weft.Bgp.Policies.PolicyCondition.NameOf(rpki) : null,
        ["localPref"] = route.HasLocalPreference ? route.LocalPreference : null,
        ["med"] = route.Med,
        ["communities"] = new JsonArray([.. route.Communities.Select(c => (JsonNode)WellKnownCommunities.ToText(c)), .. route.LargeCommunities.Select(c => (JsonNode)c.ToString())]),
        ["extendedCommunities"] = new JsonArray([.. route.ExtendedCommunities.Select(c => (JsonNode)Weft.Bgp.Policies.CommunityPattern.ExtendedText(c))]),
        ["atomicAggregate"] = route.AtomicAggregate,
        ["aggregator"] = route.Aggregator,
        ["originatorId"] = route.OriginatorId.Family == IpFamily.None ? null : route.OriginatorId.ToString(),
        ["clusterList"] = new JsonArray([.. route.ClusterList.Select(c => (JsonNode)c.ToString())]),
        ["onlyToCustomer"] = route.OnlyToCustomer,
        ["reason"] = route.IsBest ? null : Reason(route, best),
        ["installed"] = isInstalled && (route.IsBest || route.IsMultipath),
    };

    private static string Origin(RouteOrigin origin) => origin switch { RouteOrigin.Igp => "igp", RouteOrigin.Egp => "egp", _ => "incomplete" };

    /// <summary>Why a path is not the best one, as an operator would say it, with the numbers that decided where the winner is at hand.</summary>
    private static string Reason(RouteSnapshot route, RouteSnapshot? best) => route.Standing switch
    {
        PathStanding.RejectedByPolicy => "refused by import policy",
        PathStanding.Loop => "loop: own AS, router id or cluster id in the path",
        PathStanding.PolicyMissing => "refused: no import policy is configured (require-policy, RFC 8212)",
        PathStanding.Leak => $"route leak: only to customers since AS {route.OnlyToCustomer} (RFC 9234)",
        PathStanding.NextHopUnreachable => $"next hop {route.NextHop} unreachable",
        PathStanding.LongLivedStale => "kept while its neighbour is away for long: any other path wins",
        PathStanding.Weight => $"lower weight{Against(route, best, static r => r.Weight)}",
        PathStanding.LocalPreference => $"lower local preference{Against(route, best, static r => r.LocalPreference)}",
        PathStanding.LocalOrigin => "a route of our own wins",
        PathStanding.AsPathLength => $"longer AS path{Against(route, best, static r => Length(r.AsPath))}",
        PathStanding.Origin => $"worse origin{(best is null ? string.Empty : $" ({Origin(route.Origin)}, best {Origin(best.Origin)})")}",
        PathStanding.Med => $"higher MED{Against(route, best, static r => r.Med ?? 0)}",
        PathStanding.ExternalOverInternal => "an external path wins",
        PathStanding.InteriorMetric => "next hop further away",
        PathStanding.RouterId => $"higher router id{(route.IsMultipath ? ", shares the traffic" : string.Empty)}",
        PathStanding.ClusterListLength => $"longer cluster list{Against(route, best, static r => (uint)r.ClusterList.Length)}",
        PathStanding.PeerAddress when best is not null && best.PeerName == route.PeerName => $"higher path id{Against(route, best, static r => r.PathId)}{(route.IsMultipath ? ", shares the traffic" : string.Empty)}",
        PathStanding.PeerAddress => $"higher peer address{(route.IsMultipath ? ", shares the traffic" : string.Empty)}",
        PathStanding.Best => "equally good",
        _ => "not compared yet",
    };

    /// <summary>" (90, best 100)".</summary>
    private static string Against(RouteSnapshot route, RouteSnapshot? best, Func<RouteSnapshot, uint> value) =>
        best is null || value(route) == value(best) ? string.Empty : string.Create(CultureInfo.InvariantCulture, $" ({value(route)}, best {value(best)})");

    /// <summary>RFC 4271 9.1.2.2 a: a set counts one. RFC 5065 5.3: members of the confederation, in parentheses, count nothing.</summary>
    private static uint Length(string asPath)
    {
        uint length = 0;
        bool inSet = false;
        bool inConfederation = false;
        foreach (string word in asPath.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            inConfederation |= word.StartsWith('(');
            length += inSet || inConfederation ? 0u : 1u;
            inConfederation &= !word.EndsWith(')');
            inSet = word.StartsWith('{') ? !word.EndsWith('}') : inSet && !word.EndsWith('}');
        }

        return length;
    }
}
