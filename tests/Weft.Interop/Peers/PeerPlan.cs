namespace Weft.Interop.Peers;

/// <summary>What a test wants of the session, told to both sides. Every peer announces <see cref="PeerRoutes"/> from the start, each with <see cref="Marks"/>.</summary>
internal sealed record PeerPlan
{
    public uint WeftAs { get; init; } = 65001;

    public uint PeerAs { get; init; } = 65002;

    /// <summary>Last part of the peer's addresses.</summary>
    public int PeerHost { get; init; } = 2;

    /// <summary>Where the peer listens; a second one in the same namespace needs another.</summary>
    public int PeerPort { get; init; } = 179;

    public string PeerIPv4Route { get; init; } = "192.0.2.0/24";

    public string PeerIPv6Route { get; init; } = "2001:db8:2::/48";

    /// <summary>The routes of the families of the plan.</summary>
    public IEnumerable<string> PeerRoutes => new[] { IPv4 ? PeerIPv4Route : null, IPv6 ? PeerIPv6Route : null }.OfType<string>();

    /// <summary>What weft announces itself.</summary>
    public IEnumerable<string> WeftRoutes => new[] { IPv4 ? "10.65.0.0/26" : null, IPv6 ? "2001:db8:65::/64" : null }.OfType<string>();

    /// <summary>The communities of the peer's routes, one of each kind (RFC 1997, 4360, 8092), all by its AS.</summary>
    public CommunityMarks Marks => new(PeerAs);

    public bool OverIPv6 { get; init; }

    /// <summary>Each side knows the other by the link alone.</summary>
    public bool Unnumbered { get; init; }

    public bool IPv4 { get; init; } = true;

    public bool IPv6 { get; init; } = true;

    public string? Password { get; init; }

    /// <summary>The peer waits for weft to dial; false with <see cref="WeftWaits"/> false: both dial.</summary>
    public bool PeerWaits { get; init; }

    public bool WeftWaits { get; init; }

    public bool TtlSecurity { get; init; }

    public int HoldTime { get; init; } = 9;

    public bool GracefulRestart { get; init; }

    public string PeerIPv4 => $"10.99.0.{PeerHost}";

    public string PeerIPv6 => $"2001:db8:99::{PeerHost}";

    public string PeerAddress => OverIPv6 ? PeerIPv6 : PeerIPv4;

    public string WeftAddress => OverIPv6 ? Lab.WeftIPv6 : Lab.WeftIPv4;

    /// <summary>Lines for weft's [neighbor:peer] that only this test needs.</summary>
    public string WeftExtra { get; init; } = string.Empty;

    /// <summary>Lines for weft's [router].</summary>
    public string RouterExtra { get; init; } = string.Empty;

    /// <summary>weft's settings file for the plan.</summary>
    public string WeftSettings() => $"""
        [router]
        router-id = {Lab.WeftIPv4}
        local-as = {WeftAs}
        run-dir = RUN_DIR
        networks = 10.65.0.0/26, 2001:db8:65::/64
        connect-retry = 1s
        {RouterExtra}
        {NeighborSettings("peer")}
        """;

    /// <summary>The neighbour's section in weft's settings.</summary>
    public string NeighborSettings(string name) => $"""
        [neighbor:{name}]
        {(Unnumbered ? "interface = eth0" : $"address = {PeerAddress}\nsource-address = {WeftAddress}")}
        remote-as = {PeerAs}
        families = {string.Join(", ", new[] { IPv4 ? "ipv4" : null, IPv6 ? "ipv6" : null }.OfType<string>())}
        hold-time = {HoldTime}s
        passive = {(WeftWaits ? "yes" : "no")}
        {(Password is null ? "" : $"password = {Password}")}
        {(TtlSecurity ? "ttl-security = 1" : "")}
        {WeftExtra}
        """;
}

/// <summary>(AS, 10), (AS, 1, 2) and the route target (AS, 3).</summary>
internal readonly record struct CommunityMarks(uint As)
{
    /// <summary>As weft, FRR and others write them.</summary>
    public string Standard => $"{As}:10";

    public string Large => $"{As}:1:2";

    public string RouteTarget => $"{As}:3";
}
