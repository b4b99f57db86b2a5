using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Weft.Bgp;
using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Hosting.Control;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>
/// Answers on router.sock. Requests: {"command":"neighbors"}, {"command":"neighbor","name":N}, {"command":"routes","prefix":P or null}, {"command":"summary"},
/// {"command":"reset","name":N}. Every answer is a picture taken now; nothing is kept here.
/// </summary>
internal sealed class RouterControl(Func<RouterStatus> status, FibFeeder fib, TimeProvider time)
{
    public async Task<JsonNode?> HandleAsync(JsonObject request, CancellationToken stop) => Text(request, "command") switch
    {
        "neighbors" => await NeighborsAsync(null, stop),
        "neighbor" => await NeighborsAsync(Text(request, "name") ?? string.Empty, stop),
        "routes" => await RoutesAsync(request, stop),
        "summary" => await SummaryAsync(stop),
        "reset" => await ResetAsync(Text(request, "name") ?? string.Empty, stop),
        var other => ControlServer.Error($"unknown command \"{other}\"; expected neighbors, neighbor, routes, summary or reset"),
    };

    private static string? Text(JsonObject request, string member) => request[member] is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    private async Task<JsonObject> NeighborsAsync(string? name, CancellationToken stop)
    {
        RouterStatus now = status();
        ImmutableArray<PeerSnapshot> peers = now.Speaker is { } speaker ? await speaker.GetPeersAsync(stop) : [];
        JsonArray neighbors = [.. peers.Where(p => name is null || p.Settings.Name == name).OrderBy(p => p.Settings.Name, StringComparer.Ordinal).Select(p => (JsonNode)Neighbor(p, now))];
        return name is not null && neighbors.Count == 0
            ? ControlServer.Error(now.Waiting.Length > 0 ? $"the router waits: {now.Waiting}" : $"no neighbour \"{name}\"")
            : new JsonObject { ["neighbors"] = neighbors, ["waiting"] = now.Waiting.Length > 0 ? now.Waiting : null };
    }

    private JsonObject Neighbor(PeerSnapshot peer, RouterStatus now)
    {
        PeerTransportOptions options = PeerSocket.Options(peer.Settings);
        uint localAs = peer.Settings.LocalAs != 0 ? peer.Settings.LocalAs : now.Speaker!.Options.LocalAs;
        JsonObject neighbor = new()
        {
            ["name"] = peer.Settings.Name,
            ["address"] = peer.Settings.Address.ToString(),
            ["port"] = peer.Settings.Port,
            ["remoteAs"] = peer.Settings.RemoteAs,
            ["localAs"] = localAs,
            ["state"] = peer.Settings.Enabled ? peer.State.ToString() : "Disabled",
            ["since"] = peer.Since.ToString("O"),
            ["seconds"] = (long)(time.GetUtcNow() - peer.Since).TotalSeconds,
            ["receivedPrefixes"] = PerFamily(peer, f => f.Received),
            ["acceptedPrefixes"] = PerFamily(peer, f => f.Accepted),
            ["advertisedPrefixes"] = PerFamily(peer, f => f.Advertised),
            ["lastError"] = LastError(peer),
            ["lastErrorAt"] = peer.LastErrorAt?.ToString("O"),
            ["description"] = options.Description,
            ["passive"] = peer.Settings.Connect == ConnectMode.Passive,
            ["password"] = options.Password is not null,
            ["ttlSecurity"] = options.TtlSecurity,
            ["established"] = peer.EstablishedCount,
            ["messagesReceived"] = Messages(peer.Received),
            ["messagesSent"] = Messages(peer.Sent),
        };
        if (peer.Negotiated is { } session)
        {
            neighbor["session"] = new JsonObject
            {
                ["localAddress"] = session.LocalAddress.ToString(),
                ["remoteRouterId"] = session.RemoteRouterId.ToString(),
                ["holdTime"] = session.HoldTime.TotalSeconds,
                ["keepalive"] = session.KeepaliveTime.TotalSeconds,
                ["families"] = new JsonArray([.. Families(session.Families).Select(f => (JsonNode)f)]),
                ["fourOctetAs"] = session.FourOctetAs,
                ["routeRefresh"] = session.RouteRefresh,
                ["extendedMessages"] = session.ExtendedMessages,
                ["gracefulRestart"] = new JsonArray([.. Families(session.RestartFamilies).Select(f => (JsonNode)f)]),
            };
        }

        return neighbor;
    }

    /// <summary>A neighbour that only waits hears nothing of a wrong password: its kernel drops the segments before anybody can be told.</summary>
    private static string? LastError(PeerSnapshot peer) =>
        peer.LastError is null && peer.State != SessionState.Established && peer.Settings.Connect == ConnectMode.Passive && PeerSocket.Options(peer.Settings).Password is not null
        && TcpMd5Counters.Read() is { Failure: > 0 } or { NotFound: > 0 }
            ? "no connection yet, and segments with a wrong or missing signature were dropped on this host: check the password on both sides"
            : peer.LastError;

    private static JsonObject PerFamily(PeerSnapshot peer, Func<PeerFamilySnapshot, int> count) => new()
    {
        ["ipv4"] = peer.Families.Where(f => f.Family == IpFamily.IPv4).Sum(count),
        ["ipv6"] = peer.Families.Where(f => f.Family == IpFamily.IPv6).Sum(count),
    };

    private static JsonObject Messages(MessageCounters counters) => new()
    {
        ["opens"] = counters.Opens,
        ["updates"] = counters.Updates,
        ["notifications"] = counters.Notifications,
        ["keepalives"] = counters.Keepalives,
        ["routeRefreshes"] = counters.RouteRefreshes,
    };

    private static IEnumerable<string> Families(AddressFamilies families) =>
        new[] { (AddressFamilies.IPv4, "ipv4"), (AddressFamilies.IPv6, "ipv6") }.Where(f => families.HasFlag(f.Item1)).Select(f => f.Item2);

    private async Task<JsonObject> RoutesAsync(JsonObject request, CancellationToken stop)
    {
        if (status().Speaker is not { } speaker)
        {
            return ControlServer.Error($"the router waits: {status().Waiting}");
        }

        string? text = Text(request, "prefix");
        RouteQuery query = new() { FromPeer = Text(request, "from"), AdvertisedTo = Text(request, "to") };
        ImmutableArray<RouteSnapshot>? found;
        if (text is not null && IpAddress.TryParse(text, out IpAddress address))
        {
            found = await LongestMatchAsync(speaker, query, address, stop);
        }
        else if (text is null || IpPrefix.TryParse(text, out _))
        {
            found = await speaker.GetRoutesAsync(text is null ? query : query with { Prefix = IpPrefix.Parse(text), MoreSpecific = true }, stop);
        }
        else
        {
            return ControlServer.Error($"\"{text}\" is neither an address nor a prefix");
        }

        if (found is not { } routes)
        {
            return ControlServer.Error($"no neighbour \"{query.FromPeer ?? query.AdvertisedTo}\"");
        }

        FibAnswer kernel = await fib.AskAsync([.. routes.Select(r => r.Prefix).Distinct()], stop);
        return new JsonObject
        {
            ["routes"] = new JsonArray([.. routes.Select(r => (JsonNode)Route(r, kernel.Installed.Contains(r.Prefix)))]),
            ["truncated"] = routes.Length >= query.Limit,
        };
    }

    /// <summary>The route a packet to the address would follow.</summary>
    private static async Task<ImmutableArray<RouteSnapshot>?> LongestMatchAsync(BgpSpeaker speaker, RouteQuery query, IpAddress address, CancellationToken stop)
    {
        ImmutableArray<RouteSnapshot>? found = [];
        for (int length = address.BitLength; length >= 0 && found is { Length: 0 }; length--)
        {
            found = await speaker.GetRoutesAsync(query with { Prefix = new IpPrefix(address, length) }, stop);
        }

        return found;
    }

    private static JsonObject Route(RouteSnapshot route, bool isInstalled) => new()
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
        ["origin"] = route.Origin switch { RouteOrigin.Igp => "igp", RouteOrigin.Egp => "egp", _ => "incomplete" },
        ["localPref"] = route.LocalPreference,
        ["med"] = route.Med,
        ["communities"] = new JsonArray([.. route.Communities.Select(c => (JsonNode)WellKnownCommunities.ToText(c)), .. route.LargeCommunities.Select(c => (JsonNode)c.ToString())]),
        ["reason"] = route.IsBest ? null : Reason(route.Standing),
        ["installed"] = isInstalled && (route.IsBest || route.IsMultipath),
    };

    /// <summary>Why a path is not the best one, as an operator would say it.</summary>
    private static string Reason(PathStanding standing) => standing switch
    {
        PathStanding.RejectedByPolicy => "refused by import policy",
        PathStanding.Loop => "loop: own AS, router id or cluster id in the path",
        PathStanding.NextHopUnreachable => "next hop unreachable",
        PathStanding.LocalPreference => "lower local preference",
        PathStanding.LocalOrigin => "a route of our own wins",
        PathStanding.AsPathLength => "longer AS path",
        PathStanding.Origin => "worse origin",
        PathStanding.Med => "higher MED",
        PathStanding.ExternalOverInternal => "an external path wins",
        PathStanding.InteriorMetric => "next hop further away",
        PathStanding.RouterId => "higher router id",
        PathStanding.ClusterListLength => "longer cluster list",
        PathStanding.PeerAddress => "higher peer address",
        PathStanding.Best => "equally good",
        _ => "not compared yet",
    };

    private async Task<JsonObject> SummaryAsync(CancellationToken stop)
    {
        RouterStatus now = status();
        ImmutableArray<PeerSnapshot> peers = now.Speaker is { } speaker ? await speaker.GetPeersAsync(stop) : [];
        FibAnswer kernel = await fib.AskAsync([], stop);
        return new JsonObject
        {
            ["routerId"] = now.Speaker is null ? null : now.RouterId.ToString(),
            ["localAs"] = now.Speaker?.Options.LocalAs,
            ["clusterId"] = now.Speaker?.Options.ClusterId.ToString(),
            ["waiting"] = now.Waiting.Length > 0 ? now.Waiting : null,
            ["startedAt"] = now.StartedAt.ToString("O"),
            ["listen"] = new JsonArray([.. now.Listen.Select(l => (JsonNode)l)]),
            ["neighbors"] = peers.Length,
            ["established"] = peers.Count(p => p.State == SessionState.Established),
            ["receivedPrefixes"] = new JsonObject { ["ipv4"] = Sum(peers, IpFamily.IPv4), ["ipv6"] = Sum(peers, IpFamily.IPv6) },
            ["originated"] = now.Originated,
            ["installed"] = kernel.Count,
            ["stale"] = kernel.Stale,
            ["settled"] = now.IsSettled,
            ["refusedConnections"] = now.Refused,
            ["datastore"] = now.UsesDatastore
                ? new JsonObject { ["status"] = now.DatastoreStatus, ["detail"] = now.DatastoreDetail, ["since"] = now.DatastoreSince.ToString("O") }
                : null,
            ["problems"] = new JsonArray([.. now.Problems.Select(p => (JsonNode)p)]),
        };
    }

    private static int Sum(ImmutableArray<PeerSnapshot> peers, IpFamily family) => peers.Sum(p => p.Families.Where(f => f.Family == family).Sum(f => f.Received));

    private async Task<JsonObject> ResetAsync(string name, CancellationToken stop) =>
        status().Speaker is { } speaker && await speaker.ResetPeerAsync(name, "reset by the operator", stop) != PeerChange.NotFound
            ? new JsonObject { ["reset"] = name }
            : ControlServer.Error($"no neighbour \"{name}\"");
}
