using Weft.Bgp.Policies;
using Weft.Primitives.Net;

namespace Weft.Bgp;

/// <summary>Who dials.</summary>
public enum ConnectMode : byte
{
    /// <summary>Connects and accepts; RFC 4271 6.8 decides when both succeed.</summary>
    Active,

    /// <summary>Only accepts (PassiveTcpEstablishment).</summary>
    Passive,
}

/// <summary>What NEXT_HOP an announced route carries.</summary>
public enum NextHopMode : byte
{
    /// <summary>RFC 4271 5.1.3: kept to internal peers and on a subnet shared with an external peer, else own address.</summary>
    Auto,

    /// <summary>Always own address.</summary>
    Self,

    /// <summary>Always as received; routes of our own still carry own address.</summary>
    Keep,
}

/// <summary>RFC 7911: which way several paths of one prefix go.</summary>
[Flags]
public enum AddPathMode : byte
{
    None = 0,

    /// <summary>The peer may tell us several.</summary>
    Receive = 1,

    /// <summary>We tell the peer several.</summary>
    Send = 2,

    Both = Receive | Send,
}

/// <summary>One configured neighbour. Immutable: a change is a new record handed to <see cref="BgpSpeaker.UpdatePeerAsync"/>.</summary>
public sealed record PeerSettings
{
    /// <summary>Unique key of the peer, shown to operators.</summary>
    public required string Name { get; init; }

    /// <summary>Address of the neighbour. A link-local address needs <see cref="Interface"/>.</summary>
    public required IpAddress Address { get; init; }

    /// <summary>TCP port we connect to.</summary>
    public int Port { get; init; } = 179;

    /// <summary>Link of a link-local neighbour; handed to the transport and to listeners with the peer's next hops.</summary>
    public string? Interface { get; init; }

    /// <summary>Source address of the connection; unset: the kernel chooses.</summary>
    public IpAddress LocalAddress { get; init; }

    /// <summary>Unset: one peer. Else peers from all these addresses, each made when it connects; <see cref="Address"/> is that of the range.</summary>
    public IpPrefix Range { get; init; }

    /// <summary>Peers a range may have at a time.</summary>
    public int MaximumNeighbors { get; init; } = 100;

    /// <summary>Of a peer that came from a range: the name of that.</summary>
    public string? RangeName { get; init; }

    /// <summary>The AS the neighbour must announce in its OPEN; anything else is answered by NOTIFICATION 2/2. 0: one of <see cref="AcceptedAs"/>.</summary>
    public required uint RemoteAs { get; init; }

    /// <summary>Where <see cref="RemoteAs"/> is 0.</summary>
    public AsRanges? AcceptedAs { get; init; }

    public bool IsRange => Range.Family != IpFamily.None;

    public bool Accepts(uint number) => number != 0 && (RemoteAs != 0 ? number == RemoteAs : AcceptedAs?.Contains(number) == true);

    /// <summary>The peer of this range that came from an address; called "RANGE@address".</summary>
    public PeerSettings OfRange(IpAddress address) =>
        this with { Name = $"{Name}@{address}", Address = address, Range = default, RangeName = Name, MaximumNeighbors = 0, Connect = ConnectMode.Passive };

    /// <summary>Our AS towards this neighbour; 0: <see cref="SpeakerOptions.LocalAs"/>.</summary>
    public uint LocalAs { get; init; }

    public ConnectMode Connect { get; init; } = ConnectMode.Active;

    /// <summary>Families offered; a family runs when both sides offer it.</summary>
    public AddressFamilies Families { get; init; } = AddressFamilies.IPv4;

    /// <summary>Zero (no keepalives) or at least three seconds.</summary>
    public TimeSpan HoldTime { get; init; } = TimeSpan.FromSeconds(90);

    /// <summary>Zero: a third of the negotiated hold time.</summary>
    public TimeSpan KeepaliveTime { get; init; }

    /// <summary>
    /// RFC 9687: a peer that takes nothing of what we send for this long loses its session; longer than the hold time. Zero: never. Null: eight minutes, or twice the
    /// negotiated hold time when that is longer.
    /// </summary>
    public TimeSpan? SendHoldTime { get; init; }

    /// <summary>Pause between connection attempts; jittered by up to a quarter.</summary>
    public TimeSpan ConnectRetryTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>RFC 4271 8.1.1 DelayOpenTime; zero: OPEN is sent at once.</summary>
    public TimeSpan OpenDelay { get; init; }

    /// <summary>First pause after a failed session; doubles up to <see cref="IdleHoldMaximum"/> (DampPeerOscillations).</summary>
    public TimeSpan IdleHoldTime { get; init; } = TimeSpan.FromSeconds(1);

    public TimeSpan IdleHoldMaximum { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Least time between two runs of announcements to this peer (MinRouteAdvertisementIntervalTimer); zero: none.</summary>
    public TimeSpan AdvertisementInterval { get; init; }

    /// <summary>Internal peers only: this peer is our route reflection client (RFC 4456).</summary>
    public bool RouteReflectorClient { get; init; }

    /// <summary>Cluster id towards this client; unset: <see cref="SpeakerOptions.ClusterId"/>.</summary>
    public IpAddress ClusterId { get; init; }

    public NextHopMode NextHop { get; init; } = NextHopMode.Auto;

    /// <summary>Our IPv4 address for NEXT_HOP when the session's own local address is IPv6.</summary>
    public IpAddress LocalIPv4 { get; init; }

    /// <summary>Our IPv6 address for NEXT_HOP when the session's own local address is IPv4 or link-local.</summary>
    public IpAddress LocalIPv6 { get; init; }

    /// <summary>Subnet shared with the peer, for the third-party NEXT_HOP rule; unset: the neighbour is not directly connected or the rule is unwanted.</summary>
    public IpPrefix SharedSubnetIPv4 { get; init; }

    /// <inheritdoc cref="SharedSubnetIPv4"/>
    public IpPrefix SharedSubnetIPv6 { get; init; }

    /// <summary>External peers only: the first AS of a received path must be the neighbour's (RFC 4271 6.3).</summary>
    public bool EnforceFirstAs { get; init; } = true;

    /// <summary>External peers only: what we are to the peer (RFC 9234). Leaked routes are refused, routes are marked, and the peer must see it alike. Null: not said.</summary>
    public BgpRole? Role { get; init; }

    /// <summary>A peer that does not say its role gets no session.</summary>
    public bool RoleStrict { get; init; }

    /// <summary>RFC 8950: IPv4 routes may have IPv6 next hops, when the peer agrees.</summary>
    public bool ExtendedNextHop { get; init; }

    /// <summary>RFC 7911: several paths per prefix, in all families, when the peer agrees.</summary>
    public AddPathMode AddPath { get; init; }

    /// <summary>The most paths of one prefix told to the peer, the best ones; 0: all that may be told.</summary>
    public int AddPathLimit { get; init; }

    /// <summary>How often our own AS may stand in a received path before it counts as a loop.</summary>
    public int AllowedLocalAs { get; init; }

    /// <summary>Shares of the traffic its next hops take beside those of other peers, 1 to 256; 0: what the paths themselves say, or one.</summary>
    public int MultipathWeight { get; init; }

    /// <summary>External peers only: send MED as received from other ASes too; by default only MED set by us or our policy leaves (RFC 4271 5.1.4).</summary>
    public bool SendMed { get; init; }

    /// <summary>Advertise graceful restart and keep this peer's routes while it restarts (RFC 4724).</summary>
    public bool GracefulRestart { get; init; } = true;

    /// <summary>Restart time told to this peer; null: <see cref="SpeakerOptions.RestartTime"/>.</summary>
    public TimeSpan? RestartTime { get; init; }

    /// <summary>
    /// RFC 9494: how long the peer is asked to keep our routes beyond the restart time, and the longest time for which we keep the peer's, whatever it asks; zero: neither.
    /// At most 16777215 seconds.
    /// </summary>
    public TimeSpan LongLivedStaleTime { get; init; }

    /// <summary>RFC 9494 4.6: internal peers only: routes kept long are announced to it although it does not know of them, with LOCAL_PREF 0 and NO_EXPORT.</summary>
    public bool LongLivedToAll { get; init; }

    /// <summary>RFC 8326: routes of an external peer with GRACEFUL_SHUTDOWN get LOCAL_PREF 0.</summary>
    public bool HonourGracefulShutdown { get; init; } = true;

    /// <summary>RFC 8326: the session is to be taken down soon: everything is announced with GRACEFUL_SHUTDOWN, to internal peers with LOCAL_PREF 0 too.</summary>
    public bool GracefulShutdown { get; init; }

    /// <summary>Prefixes the peer may announce; null: any number.</summary>
    public PrefixLimit? PrefixLimit { get; init; }

    /// <summary>False: the peer is configured but administratively down.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Told to the peer when it is disabled (RFC 9003 shutdown communication, at most 255 octets); null: nothing.</summary>
    public string? ShutdownMessage { get; init; }

    /// <summary>External peers only: without an import policy nothing is accepted, without an export policy nothing is sent (RFC 8212).</summary>
    public bool RequirePolicy { get; init; }

    /// <summary>Import policy; null accepts everything unchanged.</summary>
    public RoutePolicy? Import { get; init; }

    /// <summary>Export policy; null sends everything the protocol allows.</summary>
    public RoutePolicy? Export { get; init; }

    /// <summary>Not read by the speaker: whatever the transport needs beside the above (MD5 key, TTL security, ...).</summary>
    public object? TransportOptions { get; init; }
}
