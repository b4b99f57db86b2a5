using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Weft.Bgp;
using Weft.Bgp.Session;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>The router as a whole, as JSON.</summary>
internal static class SummaryAnswer
{
    public static JsonObject Make(RouterStatus now, ImmutableArray<PeerSnapshot> peers, FibAnswer kernel) => new()
    {
        ["routerId"] = now.Speaker is null ? null : now.RouterId.ToString(),
        ["localAs"] = now.Speaker?.Options.LocalAs,
        ["clusterId"] = now.ClusterId,
        ["waiting"] = now.Waiting.Length > 0 ? now.Waiting : null,
        ["startedAt"] = now.StartedAt.ToString("O"),
        ["listen"] = new JsonArray([.. now.Listen.Select(l => (JsonNode)l)]),
        ["neighbors"] = peers.Count(p => !p.Settings.IsRange),
        ["established"] = peers.Count(p => p.State == SessionState.Established),
        ["shutDown"] = peers.Count(p => !p.Settings.Enabled),
        ["receivedPrefixes"] = new JsonObject { ["ipv4"] = Sum(peers, IpFamily.IPv4), ["ipv6"] = Sum(peers, IpFamily.IPv6) },
        ["originated"] = now.Originated,
        ["installed"] = kernel.Count,
        ["stale"] = kernel.Stale,
        ["settled"] = now.IsSettled,
        ["deferred"] = new JsonArray([.. now.Selection.Where(s => s.IsDeferred).Select(s => (JsonNode)new JsonObject
        {
            ["family"] = s.Family == IpFamily.IPv6 ? "ipv6" : "ipv4",
            ["waitsFor"] = new JsonArray([.. s.Awaited.Select(p => (JsonNode)p)]),
        })]),
        ["refusedConnections"] = now.Refused,
        ["routeOriginAuthorizations"] = now.Authorizations,
        ["datastore"] = now.UsesDatastore
            ? new JsonObject { ["status"] = now.DatastoreStatus, ["detail"] = now.DatastoreDetail, ["since"] = now.DatastoreSince.ToString("O") }
            : null,
        ["problems"] = new JsonArray([.. now.Problems.Select(p => (JsonNode)p)]),
    };

    private static int Sum(ImmutableArray<PeerSnapshot> peers, IpFamily family) => peers.Sum(p => p.Families.Where(f => f.Family == family).Sum(f => f.Received));
}
