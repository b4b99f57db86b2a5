using Weft.Primitives.Net;

namespace Weft.Bgp.Session;

/// <summary>What both OPENs agreed on. Made once when the session reaches Established and never changed; the decoder and the RIB read it freely.</summary>
public sealed record NegotiatedSession
{
    public required uint LocalAs { get; init; }

    public required uint RemoteAs { get; init; }

    public required IpAddress RemoteRouterId { get; init; }

    public required IpAddress LocalAddress { get; init; }

    public required IpAddress RemoteAddress { get; init; }

    /// <summary>Own link-local address on the peer's link, or the default value.</summary>
    public IpAddress LocalLinkLocal { get; init; }

    /// <summary>Zero: neither side sends keepalives.</summary>
    public required TimeSpan HoldTime { get; init; }

    public required TimeSpan KeepaliveTime { get; init; }

    public required AddressFamilies Families { get; init; }

    /// <summary>RFC 6793: AS_PATH and AGGREGATOR carry four octets per AS.</summary>
    public required bool FourOctetAs { get; init; }

    /// <summary>RFC 2918.</summary>
    public required bool RouteRefresh { get; init; }

    /// <summary>RFC 8654: messages of up to 65535 octets, both ways.</summary>
    public required bool ExtendedMessages { get; init; }

    /// <summary>RFC 4724: families for which the peer keeps forwarding through its restart.</summary>
    public AddressFamilies RestartFamilies { get; init; }

    /// <summary>RFC 4724: families whose forwarding state the peer says it kept in the restart it comes from.</summary>
    public AddressFamilies ForwardingKept { get; init; }

    /// <summary>RFC 4724: the peer just restarted.</summary>
    public bool PeerRestarted { get; init; }

    public TimeSpan PeerRestartTime { get; init; }

    /// <summary>RFC 8538: a NOTIFICATION or an expired hold timer keeps routes like a lost connection, unless it is a Cease/9 (hard reset).</summary>
    public bool RestartNotifications { get; init; }

    /// <summary>RFC 9494: the peer sent the capability, with families or without: it knows what LLGR_STALE means.</summary>
    public bool PeerKnowsLongLived { get; init; }

    /// <summary>RFC 9494: families whose stale routes may be kept long.</summary>
    public AddressFamilies LongLivedFamilies { get; init; }

    /// <summary>RFC 9494: families whose forwarding state the peer says it kept.</summary>
    public AddressFamilies LongLivedKept { get; init; }

    /// <summary>RFC 9494: how long the peer asks to keep its IPv4 routes after the restart time.</summary>
    public TimeSpan LongLivedTimeIPv4 { get; init; }

    /// <summary>RFC 9494: how long the peer asks to keep its IPv6 routes after the restart time.</summary>
    public TimeSpan LongLivedTimeIPv6 { get; init; }

    /// <summary>RFC 7313: a refresh has a beginning and an end.</summary>
    public bool EnhancedRouteRefresh { get; init; }

    /// <summary>RFC 7911: families in which the peer's NLRI carry path identifiers.</summary>
    public AddressFamilies AddPathReceive { get; init; }

    /// <summary>RFC 7911: families in which our NLRI carry path identifiers.</summary>
    public AddressFamilies AddPathSend { get; init; }

    /// <summary>RFC 8950: IPv4 when its routes may carry IPv6 next hops, both ways.</summary>
    public AddressFamilies IPv6NextHops { get; init; }

    /// <summary>RFC 9234: what we are to the peer; null: not configured.</summary>
    public BgpRole? LocalRole { get; init; }

    /// <summary>RFC 9234: what the peer says it is to us; null: it did not say.</summary>
    public BgpRole? RemoteRole { get; init; }

    public bool IsInternal => LocalAs == RemoteAs;

    /// <summary>RFC 5065: the peer is in another member AS of our confederation.</summary>
    public bool IsConfederation { get; init; }

    /// <summary>RFC 5065: AS_PATH may hold AS_CONFED_SEQUENCE and AS_CONFED_SET.</summary>
    public bool HasConfederation { get; init; }

    public int MaximumMessageLength => ExtendedMessages ? 65535 : 4096;
}
