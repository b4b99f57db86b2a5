using Weft.Bgp;

namespace Weft.Node.Router;

/// <summary>What changed about a neighbour, in the words of the settings, and what that does to its session. For one log line per change.</summary>
internal static class PeerDifference
{
    private const string AtOnce = "at once";
    private const string Again = "over the routes that are here";
    private const string NextOpen = "when the session comes up next";
    private const string Reset = "resets the session";

    private static readonly (string Name, Func<PeerSettings, object?> Value, string Effect)[] s_members =
    [
        ("address", p => p.Address, Reset), ("port", p => p.Port, Reset), ("interface", p => p.Interface, Reset), ("source address", p => p.LocalAddress, Reset),
        ("range", p => p.Range, "ends the sessions outside it"), ("maximum neighbours", p => p.MaximumNeighbors, AtOnce),
        ("remote AS", p => (p.RemoteAs, p.AcceptedAs), Reset), ("local AS", p => p.LocalAs, Reset), ("passive", p => p.Connect, Reset), ("families", p => p.Families, Reset),
        ("hold time", p => p.HoldTime, Reset), ("keepalive", p => p.KeepaliveTime, Reset), ("role", p => (p.Role, p.RoleStrict), Reset), ("extended next hop", p => p.ExtendedNextHop, Reset), ("add-path", p => p.AddPath, Reset), ("enforce first AS", p => p.EnforceFirstAs, Reset),
        ("graceful restart", p => p.GracefulRestart, Reset), ("enabled", p => p.Enabled, Reset), ("open delay", p => p.OpenDelay, Reset),
        ("password", p => PeerSocket.Options(p).Password, Reset), ("TCP-AO", p => PeerSocket.Options(p).Authentication, Reset), ("TTL security", p => PeerSocket.Options(p).TtlSecurity, Reset), ("TTL", p => PeerSocket.Options(p).Ttl, Reset),
        ("restart time", p => p.RestartTime, NextOpen), ("connect retry", p => p.ConnectRetryTime, NextOpen), ("idle hold", p => (p.IdleHoldTime, p.IdleHoldMaximum), NextOpen),
        ("require policy", p => p.RequirePolicy, Again), ("import policy", p => p.Import, Again), ("export policy", p => p.Export, Again), ("next hop", p => p.NextHop, Again), ("add-path limit", p => p.AddPathLimit, Again), ("allowed local AS", p => p.AllowedLocalAs, Again),
        ("route reflection client", p => p.RouteReflectorClient, Again), ("cluster id", p => p.ClusterId, Again), ("send MED", p => p.SendMed, Again),
        ("own next-hop addresses", p => (p.LocalIPv4, p.LocalIPv6), Again), ("shared subnet", p => (p.SharedSubnetIPv4, p.SharedSubnetIPv6), Again),
        ("multipath weight", p => p.MultipathWeight, Again),
        ("maximum prefixes", p => p.PrefixLimit, AtOnce), ("send hold time", p => p.SendHoldTime, NextOpen), ("advertisement interval", p => p.AdvertisementInterval, AtOnce),
        ("long-lived stale time", p => p.LongLivedStaleTime, Reset), ("long-lived routes to all", p => p.LongLivedToAll, Again),
        ("honour graceful shutdown", p => p.HonourGracefulShutdown, Again), ("graceful shutdown", p => p.GracefulShutdown, Again),
        ("description", p => PeerSocket.Options(p).Description, AtOnce), ("shutdown message", p => p.ShutdownMessage, AtOnce),
    ];

    /// <summary>"import policy over the routes that are here; hold time resets the session".</summary>
    /// <param name="outcome">What the speaker did: a reset it had to make for a member unknown here is named too.</param>
    public static string Describe(PeerSettings before, PeerSettings after, PeerChange outcome)
    {
        (string Name, string Effect)[] changed = [.. s_members.Where(m => !Equals(m.Value(before), m.Value(after))).Select(m => (m.Name, m.Effect))];
        string text = string.Join("; ", changed.GroupBy(c => c.Effect).Select(g => $"{string.Join(", ", g.Select(c => c.Name))} {g.Key}"));
        bool reset = outcome == PeerChange.SessionReset;
        return text.Length == 0 ? reset ? Reset : "nothing that a session can see"
            : reset && !changed.Any(c => c.Effect == Reset) ? $"{text}; other settings reset the session"
            : text;
    }
}
