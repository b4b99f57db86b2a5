using Weft.Bgp.Wire;

namespace Weft.Bgp.Session;

/// <summary>What we say of ourselves in the OPEN to a peer, as its settings have it, and which changes of these need another OPEN. Called by <see cref="PeerSession"/>.</summary>
internal static class SessionOffer
{
    /// <param name="settings">Of the peer.</param>
    /// <param name="services">For what the speaker says to all peers, and whether it still selects routes after a restart.</param>
    /// <param name="localAs">Ours towards the peer.</param>
    /// <param name="hasBeenUp">A session with the peer has been established before.</param>
    public static SessionConfig Make(PeerSettings settings, SessionServices services, uint localAs, bool hasBeenUp)
    {
        SpeakerOptions options = services.Options;
        TimeSpan restart = settings.RestartTime ?? options.RestartTime;
        bool longLived = settings.LongLivedStaleTime > TimeSpan.Zero;
        uint staleTime = (uint)Math.Clamp(settings.LongLivedStaleTime.TotalSeconds, 0, 0xFFFFFF);

        // Once a session of this process has been up, it is no restart of ours that ends it: forwarding goes on as before.
        AddressFamilies kept = options.Restarting || hasBeenUp ? settings.Families : AddressFamilies.None;
        return new SessionConfig
        {
            Settings = settings,
            Confederation = options.Confederation,
            LocalOpen = new OpenMessage
            {
                As = localAs,
                HoldTime = (ushort)Math.Clamp(settings.HoldTime.TotalSeconds, 0, ushort.MaxValue),
                RouterId = options.RouterId,
                HasMultiprotocol = true,
                Families = settings.Families,
                FourOctetAs = true,
                RouteRefresh = true,
                ExtendedMessages = true,
                AddPathReceive = settings.AddPath.HasFlag(AddPathMode.Receive) ? settings.Families : AddressFamilies.None,
                AddPathSend = settings.AddPath.HasFlag(AddPathMode.Send) ? settings.Families : AddressFamilies.None,
                IPv6NextHops = settings.ExtendedNextHop ? AddressFamilies.IPv4 & settings.Families : AddressFamilies.None,
                Role = settings.RemoteAs == localAs || options.Confederation?.IsOtherMember(settings.RemoteAs, localAs) == true ? null : settings.Role,
                GracefulRestart = settings.GracefulRestart,
                Restarting = settings.GracefulRestart && (services.Ribs.IPv4.IsDeferring || services.Ribs.IPv6.IsDeferring),
                RestartNotifications = settings.GracefulRestart,
                RestartTime = (ushort)Math.Clamp(restart.TotalSeconds, 0, 4095),
                RestartFamilies = restart > TimeSpan.Zero || longLived ? settings.Families : AddressFamilies.None,
                ForwardingKept = restart > TimeSpan.Zero || longLived ? kept : AddressFamilies.None,
                LongLived = settings.GracefulRestart,
                LongLivedFamilies = settings.GracefulRestart && longLived ? settings.Families : AddressFamilies.None,
                LongLivedKept = settings.GracefulRestart && longLived ? kept : AddressFamilies.None,
                LongLivedTimeIPv4 = staleTime,
                LongLivedTimeIPv6 = staleTime,
                EnhancedRouteRefresh = true,
            },
        };
    }

    /// <summary>Policies and whatever is only read per route take effect at once; the rest is said in the OPEN or belongs to the connection.</summary>
    public static bool Differs(PeerSettings before, PeerSettings after) => before != after with
    {
        Import = before.Import,
        Export = before.Export,
        RequirePolicy = before.RequirePolicy,
        NextHop = before.NextHop,
        LocalIPv4 = before.LocalIPv4,
        LocalIPv6 = before.LocalIPv6,
        SharedSubnetIPv4 = before.SharedSubnetIPv4,
        SharedSubnetIPv6 = before.SharedSubnetIPv6,
        ClusterId = before.ClusterId,
        SendMed = before.SendMed,
        AddPathLimit = before.AddPathLimit,
        PrefixLimit = before.PrefixLimit,
        AdvertisementInterval = before.AdvertisementInterval,
        ConnectRetryTime = before.ConnectRetryTime,
        SendHoldTime = before.SendHoldTime,
        IdleHoldTime = before.IdleHoldTime,
        IdleHoldMaximum = before.IdleHoldMaximum,
        ShutdownMessage = before.ShutdownMessage,
        AllowedLocalAs = before.AllowedLocalAs,
        MultipathWeight = before.MultipathWeight,
        RouteReflectorClient = before.RouteReflectorClient,
        RestartTime = before.RestartTime, // Said in the next OPEN.
        LongLivedToAll = before.LongLivedToAll,
        HonourGracefulShutdown = before.HonourGracefulShutdown,
        GracefulShutdown = before.GracefulShutdown,
        TransportOptions = before.TransportOptions, // Whether they need another connection is the transport's to know.
    };
}
