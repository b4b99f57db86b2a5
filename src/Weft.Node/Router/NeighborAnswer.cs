using System.Text.Json.Nodes;
using Weft.Bgp;
using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>One neighbour as JSON.</summary>
internal static class NeighborAnswer
{
    public static JsonObject Make(PeerSnapshot peer, RouterStatus now, TimeProvider time)
    {
        PeerSettings settings = peer.Settings;
        PeerTransportOptions options = PeerSocket.Options(settings);
        uint remoteAs = settings.RemoteAs != 0 ? settings.RemoteAs : peer.Negotiated?.RemoteAs ?? 0;
        uint localAs = peer.Negotiated?.LocalAs ?? (settings.LocalAs != 0 ? settings.LocalAs : now.Speaker!.Options.LocalAsTowards(remoteAs));
        bool isMember = now.Speaker!.Options.Confederation?.IsOtherMember(remoteAs, localAs) == true;
        bool isRequired = settings.RequirePolicy && remoteAs != localAs && !isMember;
        JsonObject neighbor = new()
        {
            ["name"] = settings.Name,
            ["address"] = settings.Address.IsUnspecified ? null : settings.Address.ToString(),
            ["port"] = settings.Port,
            ["interface"] = settings.Interface,
            ["remoteAs"] = remoteAs != 0 ? remoteAs : settings.AcceptedAs?.ToString(),
            ["range"] = settings.IsRange ? settings.Range.ToString() : null,
            ["ofRange"] = settings.RangeName,
            ["neighbors"] = peer.Neighbors,
            ["maximumNeighbors"] = settings.IsRange ? settings.MaximumNeighbors : null,
            ["refused"] = settings.IsRange ? peer.Refused : null,
            ["localAs"] = localAs,
            ["role"] = PeeringSettings.NameOf(settings.Role),
            ["roleStrict"] = settings.RoleStrict,
            ["confederation"] = isMember,
            ["internal"] = remoteAs == localAs,
            ["state"] = !settings.Enabled ? "Disabled" : settings.IsRange ? "Listening" : peer.State.ToString(),
            ["heldDown"] = peer.HeldDown,
            ["since"] = peer.Since.ToString("O"),
            ["seconds"] = (long)(time.GetUtcNow() - peer.Since).TotalSeconds,
            ["shutdown"] = now.Shutdown.TryGetValue(settings.Name, out string? message) ? message : null,
            ["receivedPrefixes"] = PerFamily(peer, f => f.Received),
            ["acceptedPrefixes"] = PerFamily(peer, f => f.Accepted),
            ["advertisedPrefixes"] = PerFamily(peer, f => f.Advertised),
            ["lastError"] = LastError(peer),
            ["lastErrorAt"] = peer.LastErrorAt?.ToString("O"),
            ["lastSent"] = Ending(peer.LastSent),
            ["lastReceived"] = Ending(peer.LastReceived),
            ["nextConnect"] = settings.Enabled && (settings.Connect == ConnectMode.Active || peer.HeldDown is not null) && peer.NextConnect is { } next ? Math.Ceiling(next.TotalSeconds) : null,
            ["description"] = options.Description,
            ["passive"] = settings.Connect == ConnectMode.Passive,
            ["password"] = options.Password is not null,
            ["tcpAo"] = options.Authentication is { } key ? new JsonObject { ["sendId"] = key.SendId, ["receiveId"] = key.ReceiveId, ["supported"] = Weft.Linux.Sockets.TcpAo.IsSupported } : null,
            ["ttlSecurity"] = options.TtlSecurity,
            ["ttl"] = options.Ttl,
            ["sourceAddress"] = settings.LocalAddress.Family == IpFamily.None ? null : settings.LocalAddress.ToString(),
            ["routeReflectorClient"] = settings.RouteReflectorClient,
            ["addPathLimit"] = settings.AddPathLimit == 0 ? null : settings.AddPathLimit,
            ["maximumPrefixes"] = Limit(settings.PrefixLimit),
            ["sendHoldTime"] = settings.SendHoldTime?.TotalSeconds,
            ["advertisementInterval"] = settings.AdvertisementInterval.TotalSeconds,
            ["allowedLocalAs"] = settings.AllowedLocalAs,
            ["gracefulRestartOffered"] = settings.GracefulRestart,
            ["longLivedStaleTime"] = settings.LongLivedStaleTime.TotalSeconds,
            ["honourGracefulShutdown"] = settings.HonourGracefulShutdown,
            ["gracefulShutdown"] = settings.GracefulShutdown,
            ["nextHop"] = settings.NextHop.ToString().ToLowerInvariant(),
            ["holdTimeOffered"] = settings.HoldTime.TotalSeconds,
            ["connectRetry"] = settings.ConnectRetryTime.TotalSeconds,
            ["import"] = Policy(settings.Import, isRequired),
            ["export"] = Policy(settings.Export, isRequired),
            ["established"] = peer.EstablishedCount,
            ["messagesReceived"] = Messages(peer.Received),
            ["messagesSent"] = Messages(peer.Sent),
            ["families"] = new JsonArray([.. peer.Families.Select(f => (JsonNode)Family(f))]),
        };
        if (peer.Negotiated is { } session)
        {
            neighbor["session"] = Session(session);
        }

        return neighbor;
    }

    private static JsonObject? Ending((string Reason, DateTimeOffset At)? ending) =>
        ending is { } e ? new JsonObject { ["reason"] = e.Reason, ["at"] = e.At.ToString("O") } : null;

    private static JsonObject? Limit(PrefixLimit? limit) => limit is null ? null : new JsonObject
    {
        ["ipv4"] = limit.IPv4 == 0 ? null : limit.IPv4,
        ["ipv6"] = limit.IPv6 == 0 ? null : limit.IPv6,
        ["warning"] = limit.Warning == 0 ? null : limit.Warning,
        ["action"] = limit.Action.ToString().ToLowerInvariant(),
        ["restart"] = limit.Action == PrefixLimitAction.Restart ? limit.RestartTime.TotalSeconds : null,
    };

    private static JsonObject Session(NegotiatedSession session) => new()
    {
        ["localAddress"] = session.LocalAddress.ToString(),
        ["remoteRouterId"] = session.RemoteRouterId.ToString(),
        ["holdTime"] = session.HoldTime.TotalSeconds,
        ["keepalive"] = session.KeepaliveTime.TotalSeconds,
        ["families"] = new JsonArray([.. Families(session.Families).Select(f => (JsonNode)f)]),
        ["fourOctetAs"] = session.FourOctetAs,
        ["routeRefresh"] = session.RouteRefresh,
        ["extendedMessages"] = session.ExtendedMessages,
        ["extendedNextHop"] = new JsonArray([.. Families(session.IPv6NextHops).Select(f => (JsonNode)f)]),
        ["addPathReceive"] = new JsonArray([.. Families(session.AddPathReceive).Select(f => (JsonNode)f)]),
        ["addPathSend"] = new JsonArray([.. Families(session.AddPathSend).Select(f => (JsonNode)f)]),
        ["peerRole"] = PeeringSettings.NameOf(session.RemoteRole),
        ["gracefulRestart"] = new JsonArray([.. Families(session.RestartFamilies).Select(f => (JsonNode)f)]),
        ["peerRestartTime"] = session.PeerRestartTime.TotalSeconds,
        ["peerRestarted"] = session.PeerRestarted,
        ["forwardingKept"] = new JsonArray([.. Families(session.ForwardingKept).Select(f => (JsonNode)f)]),
        ["restartNotifications"] = session.RestartNotifications,
        ["longLived"] = new JsonArray([.. Families(session.LongLivedFamilies).Select(f => (JsonNode)f)]),
        ["peerLongLivedTime"] = new JsonObject { ["ipv4"] = session.LongLivedTimeIPv4.TotalSeconds, ["ipv6"] = session.LongLivedTimeIPv6.TotalSeconds },
        ["enhancedRouteRefresh"] = session.EnhancedRouteRefresh,
    };

    private static JsonObject Family(PeerFamilySnapshot family) => new()
    {
        ["family"] = family.Family == IpFamily.IPv6 ? "ipv6" : "ipv4",
        ["received"] = family.Received,
        ["accepted"] = family.Accepted,
        ["rejected"] = family.Received - family.Accepted,
        ["stale"] = family.Stale,
        ["stalePhase"] = family.StalePhase == StalePhase.None ? null : family.StalePhase.ToString(),
        ["staleSeconds"] = family.StaleFor is { } stale ? Math.Ceiling(stale.TotalSeconds) : null,
        ["unrefreshed"] = family.Unrefreshed,
        ["refreshSeconds"] = family.RefreshFor is { } refresh ? Math.Ceiling(refresh.TotalSeconds) : null,
        ["limitExceeded"] = family.LimitExceeded,
        ["advertised"] = family.Advertised,
        ["pending"] = family.Pending,
        ["endOfRibReceived"] = family.EndOfRibReceived,
        ["endOfRibSent"] = family.EndOfRibSent,
        ["updateGroup"] = family.UpdateGroup,
        ["updateGroupMembers"] = family.UpdateGroupMembers,
    };

    private static string Policy(Weft.Bgp.Policies.RoutePolicy? policy, bool isRequired) =>
        policy is null ? isRequired ? "none (missing, and required by RFC 8212)" : "all"
        : policy == Weft.Bgp.Policies.RoutePolicy.AcceptAll ? "all" : policy.Rules.IsEmpty && policy.Default == Weft.Bgp.Policies.PolicyVerdict.Reject ? "none" : $"{policy.Rules.Length} rules";

    /// <summary>A neighbour that only waits hears nothing of a wrong password: its kernel drops the segments before anybody can be told.</summary>
    private static string? LastError(PeerSnapshot peer) =>
        peer.Settings is { Address.IsUnspecified: true, IsRange: false, Enabled: true, Interface: { } link } ? $"nobody has been heard on {link} yet: no router advertisement, no connection"
        : peer.LastError is null && peer.Settings.Enabled && PeerSocket.Options(peer.Settings).Authentication is not null && !Weft.Linux.Sockets.TcpAo.IsSupported ? AuthenticationKey.Unsupported
        : peer.LastError is null && peer.State != SessionState.Established && peer.Settings.Connect == ConnectMode.Passive && PeerSocket.Options(peer.Settings).Password is not null
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
}
