using System.Collections.Immutable;
using Weft.Bgp;
using Weft.Bgp.Session;
using Weft.Hosting.Monitoring;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>The router's metrics. Per neighbour, of which there are as many as an operator wrote down or lets in.</summary>
internal static class RouterMetrics
{
    private static readonly Metric s_ready = new("weft_router_settled", MetricKind.Gauge, "1 once every neighbour has sent its table after the start, and the kernel follows.");
    private static readonly Metric s_installed = new("weft_router_kernel_routes", MetricKind.Gauge, "Routes of this router in the kernel.");
    private static readonly Metric s_stale = new("weft_router_kernel_stale_routes", MetricKind.Gauge, "Routes of an earlier life in the kernel that nobody has confirmed yet.");
    private static readonly Metric s_originated = new("weft_router_originated_prefixes", MetricKind.Gauge, "Prefixes announced as our own.");
    private static readonly Metric s_refused = new("weft_router_refused_connections_total", MetricKind.Counter, "Connections from addresses that are no neighbour's.");
    private static readonly Metric s_problems = new("weft_router_problems", MetricKind.Gauge, "What of the settings and resources is not in effect; \"weft router show summary\" says why.");
    private static readonly Metric s_up = new("weft_bgp_session_up", MetricKind.Gauge, "1 while the session is Established.", "neighbor", "remote_as");
    private static readonly Metric s_since = new("weft_bgp_session_since_seconds", MetricKind.Gauge, "When the session last came up or went down, in seconds since 1970.", "neighbor");
    private static readonly Metric s_established = new("weft_bgp_session_established_total", MetricKind.Counter, "Times the session came up.", "neighbor");
    private static readonly Metric s_messages = new("weft_bgp_messages_total", MetricKind.Counter, "Messages.", "neighbor", "direction", "type");
    private static readonly Metric s_routes = new("weft_bgp_routes", MetricKind.Gauge, "Routes: received, accepted of these, advertised, stale (kept while the neighbour restarts).", "neighbor", "family", "kind");

    public static IReadOnlyList<Metric> All { get; } = [s_ready, s_installed, s_stale, s_originated, s_refused, s_problems, s_up, s_since, s_established, s_messages, s_routes];

    public static void Write(MetricText text, RouterStatus now, ImmutableArray<PeerSnapshot> peers, FibAnswer kernel)
    {
        text.Add(s_ready, now.IsSettled ? 1 : 0);
        text.Add(s_installed, kernel.Count);
        text.Add(s_stale, kernel.Stale);
        text.Add(s_originated, now.Originated);
        text.Add(s_refused, now.Refused);
        text.Add(s_problems, now.Problems.Length);
        PeerSnapshot[] sessions = [.. peers.Where(p => !p.Settings.IsRange)];
        Each(s => text.Add(s_up, s.State == SessionState.Established ? 1 : 0, s.Settings.Name, $"{s.Negotiated?.RemoteAs ?? s.Settings.RemoteAs}"));
        Each(s => text.Add(s_since, s.Since.ToUnixTimeSeconds(), s.Settings.Name));
        Each(s => text.Add(s_established, s.EstablishedCount, s.Settings.Name));
        Each(s =>
        {
            Messages(s, "received", s.Received);
            Messages(s, "sent", s.Sent);
        });
        Each(s =>
        {
            foreach (PeerFamilySnapshot family in s.Families)
            {
                string name = family.Family == IpFamily.IPv6 ? "ipv6" : "ipv4";
                text.Add(s_routes, family.Received, s.Settings.Name, name, "received");
                text.Add(s_routes, family.Accepted, s.Settings.Name, name, "accepted");
                text.Add(s_routes, family.Advertised, s.Settings.Name, name, "advertised");
                text.Add(s_routes, family.Stale, s.Settings.Name, name, "stale");
            }
        });

        void Each(Action<PeerSnapshot> write) => Array.ForEach(sessions, write);

        void Messages(PeerSnapshot session, string direction, MessageCounters counters)
        {
            text.Add(s_messages, counters.Opens, session.Settings.Name, direction, "open");
            text.Add(s_messages, counters.Updates, session.Settings.Name, direction, "update");
            text.Add(s_messages, counters.Notifications, session.Settings.Name, direction, "notification");
            text.Add(s_messages, counters.Keepalives, session.Settings.Name, direction, "keepalive");
            text.Add(s_messages, counters.RouteRefreshes, session.Settings.Name, direction, "route-refresh");
        }
    }
}
