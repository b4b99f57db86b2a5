using Weft.Bgp.Policies;
using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Primitives.Net;

namespace Weft.Bgp.Export;

/// <summary>Everything that decides which bytes a peer gets. Peers with equal profiles share an update group; policies that say the same are equal.</summary>
internal sealed record ExportProfile
{
    public required bool IsInternal { get; init; }

    /// <summary>RFC 5065: the peers are in another member AS of our confederation.</summary>
    public bool IsConfederation { get; init; }

    /// <summary>RFC 5065: we are in a confederation, so paths may name member ASes.</summary>
    public bool HasConfederation { get; init; }

    /// <summary>Attributes of the AS stay with the routes.</summary>
    public bool IsInterior => IsInternal || IsConfederation;

    public required bool IsClient { get; init; }

    public required uint LocalAs { get; init; }

    public required uint ClusterId { get; init; }

    public required NextHopMode NextHop { get; init; }

    /// <summary>Own address for NEXT_HOP; None: routes that need it are not sent.</summary>
    public required IpAddress Self { get; init; }

    public required IpAddress SelfLinkLocal { get; init; }

    /// <summary>The family is IPv6, or IPv4 with RFC 8950 agreed on.</summary>
    public required bool TakesIPv6NextHop { get; init; }

    /// <summary>RFC 7911: how many paths of a prefix are told, with identifiers; 0: the best one, without.</summary>
    public int Paths { get; init; }

    public required IpPrefix SharedSubnet { get; init; }

    public required bool SendMed { get; init; }

    public required bool FourOctetAs { get; init; }

    public required int MaximumMessageLength { get; init; }

    public required TimeSpan AdvertisementInterval { get; init; }

    /// <summary>RFC 9234: what we are to the peer.</summary>
    public BgpRole? Role { get; init; }

    public required RoutePolicy? Policy { get; init; }

    /// <summary>Sent to internal peers for routes that came without LOCAL_PREF. The same for all groups of a speaker.</summary>
    public required uint DefaultLocalPreference { get; init; }

    /// <summary>RFC 9494 4.6: the peer has sent the capability.</summary>
    public bool KnowsLongLived { get; init; }

    /// <summary>RFC 9494 4.6: it is told of long-lived routes although it has not.</summary>
    public bool LongLivedToAll { get; init; }

    /// <summary>RFC 8326: the session is about to end.</summary>
    public bool GracefulShutdown { get; init; }

    public static ExportProfile For(RibPeer peer, NegotiatedSession session, IpFamily family, uint defaultLocalPreference)
    {
        PeerSettings settings = peer.Settings;
        bool ipv4 = family == IpFamily.IPv4;
        bool takesIPv6 = !ipv4 || (session.IPv6NextHops & AddressFamilies.IPv4) != 0;
        IpAddress local = session.LocalAddress;

        // RFC 8950: over IPv6 our IPv6 address is the one that the peer surely reaches; over IPv4 there is no need for it.
        IpFamily hops = takesIPv6 && local.IsIPv6 ? IpFamily.IPv6 : family;
        IpAddress configured = hops == IpFamily.IPv4 ? settings.LocalIPv4 : settings.LocalIPv6;
        bool usable = local.Family == hops && !(local.IsIPv6 && local.IsLinkLocal);
        IpAddress linkLocal = hops == IpFamily.IPv4 ? default : local.IsIPv6 && local.IsLinkLocal ? local : session.LocalLinkLocal;
        IpAddress self = configured.Family == hops ? configured : usable ? local : linkLocal;
        return new ExportProfile
        {
            IsInternal = peer.IsInternal,
            IsConfederation = session.IsConfederation,
            HasConfederation = peer.IsInConfederation,
            IsClient = peer.IsClient,
            LocalAs = peer.LocalAs,
            ClusterId = peer.ClusterId,
            NextHop = settings.NextHop,
            Self = self,
            SelfLinkLocal = linkLocal,
            TakesIPv6NextHop = takesIPv6,
            Paths = (session.AddPathSend & (ipv4 ? AddressFamilies.IPv4 : AddressFamilies.IPv6)) == 0 ? 0 : settings.AddPathLimit > 0 ? settings.AddPathLimit : int.MaxValue,
            SharedSubnet = ipv4 ? settings.SharedSubnetIPv4 : settings.SharedSubnetIPv6,
            SendMed = settings.SendMed,
            FourOctetAs = session.FourOctetAs,
            MaximumMessageLength = session.MaximumMessageLength,
            AdvertisementInterval = settings.AdvertisementInterval,
            Role = session.LocalRole,
            Policy = MissingPolicy.ExportOf(peer),
            DefaultLocalPreference = defaultLocalPreference,
            KnowsLongLived = session.PeerKnowsLongLived,
            LongLivedToAll = settings.LongLivedToAll && peer.IsInternal,
            GracefulShutdown = settings.GracefulShutdown,
        };
    }

    /// <summary>For edits of the policy. Prepended within the confederation, our AS stands among its members.</summary>
    public PolicyContext Context => new(LocalAs, default, HasConfederation && IsInterior);

    // The policy comes last: it may be long.
    public bool Equals(ExportProfile? other) =>
        other is not null
        && (IsInternal, IsClient, LocalAs, ClusterId, NextHop, Self, SelfLinkLocal) ==
           (other.IsInternal, other.IsClient, other.LocalAs, other.ClusterId, other.NextHop, other.Self, other.SelfLinkLocal)
        && (SharedSubnet, SendMed, FourOctetAs, MaximumMessageLength, AdvertisementInterval) ==
           (other.SharedSubnet, other.SendMed, other.FourOctetAs, other.MaximumMessageLength, other.AdvertisementInterval)
        && (Role, IsConfederation, HasConfederation, TakesIPv6NextHop, Paths) == (other.Role, other.IsConfederation, other.HasConfederation, other.TakesIPv6NextHop, other.Paths)
        && (KnowsLongLived, LongLivedToAll, GracefulShutdown) == (other.KnowsLongLived, other.LongLivedToAll, other.GracefulShutdown)
        && Equals(Policy, other.Policy);

    public override int GetHashCode() => HashCode.Combine(IsInternal, IsClient, LocalAs, ClusterId, NextHop, Self, MaximumMessageLength);
}
