using Weft.Linux.Namespaces;
using Weft.Linux.Native;

namespace Weft.Linux.Netlink;

/// <summary>What a monitor hears of.</summary>
[Flags]
public enum MonitorGroups : uint
{
    Links = 1u << (RouteConstants.RTNLGRP_LINK - 1),
    Addresses = 1u << (RouteConstants.RTNLGRP_IPV4_IFADDR - 1) | 1u << (RouteConstants.RTNLGRP_IPV6_IFADDR - 1),
    Routes = 1u << (RouteConstants.RTNLGRP_IPV4_ROUTE - 1) | 1u << (RouteConstants.RTNLGRP_IPV6_ROUTE - 1),
    Neighbors = 1u << (RouteConstants.RTNLGRP_NEIGH - 1),
}

/// <summary>Receives what changed in the kernel's tables.</summary>
public interface IRouteEvents
{
    void OnLink(LinkInfo link, bool removed);

    /// <summary>Some address was added, removed or became usable: read them again.</summary>
    void OnAddresses();

    /// <summary>
    /// All tables, all protocols. When a link goes down the kernel drops the IPv4 routes over it without a word: after <see cref="OnLink"/> read again.
    /// </summary>
    void OnRoute(in RouteInfo route, bool removed);

    /// <summary>Some neighbour entry changed.</summary>
    void OnNeighbors();

    /// <summary>Events were lost because nobody read them in time: read everything again.</summary>
    void OnLost();
}

/// <summary>
/// Listens to rtnetlink notifications. <see cref="Wait"/> blocks: it runs on a thread of its own that polls its stop condition between two waits.
/// </summary>
public sealed class RouteMonitor : IDisposable
{
    // Bursts of a whole table must fit; what does not fit is reported as lost, never silently missed.
    private const int SocketBuffer = 4 * 1024 * 1024;

    private readonly int _descriptor;
    private readonly byte[] _received = GC.AllocateUninitializedArray<byte>(64 * 1024, pinned: true);
    private TimeSpan _patience;
    private bool _disposed;

    private RouteMonitor(int descriptor) => _descriptor = descriptor;

    /// <param name="groups">What to hear of.</param>
    /// <param name="space">Null for the namespace of the calling thread.</param>
    /// <exception cref="KernelException">The kernel refused.</exception>
    public static RouteMonitor Open(MonitorGroups groups, NetNamespace? space = null) => space is null ? OpenHere(groups) : space.Run(() => OpenHere(groups));

    private static RouteMonitor OpenHere(MonitorGroups groups)
    {
        Errno errno = SystemCalls.Socket(
            NetlinkConstants.AF_NETLINK, NetlinkConstants.SOCK_RAW | NetlinkConstants.SOCK_CLOEXEC, NetlinkConstants.NETLINK_ROUTE, out int descriptor);
        if (errno == Errno.None)
        {
            // The forced size needs CAP_NET_ADMIN; without it the default holds less and says "lost" sooner.
            _ = SystemCalls.SetSocketOption(descriptor, NetlinkConstants.SOL_SOCKET, NetlinkConstants.SO_RCVBUFFORCE, SocketBuffer);
            errno = SystemCalls.BindNetlink(descriptor, (uint)groups);
        }

        return errno == Errno.None ? new RouteMonitor(descriptor) : throw new KernelException($"listen to route netlink groups {groups}", errno);
    }

    /// <summary>Waits for one datagram and hands its messages on. False when nothing came within the patience.</summary>
    /// <param name="events">Called on this thread.</param>
    /// <param name="patience">Above zero.</param>
    /// <exception cref="KernelException">The socket failed.</exception>
    public bool Wait(IRouteEvents events, TimeSpan patience)
    {
        if (patience != _patience)
        {
            _patience = patience;
            _ = SystemCalls.SetReceiveTimeout(_descriptor, patience);
        }

        Errno errno = SystemCalls.Receive(_descriptor, _received, out int length);
        switch (errno)
        {
            case Errno.EAGAIN:
                return false;
            case Errno.ENOBUFS:
                events.OnLost();
                return true;
            case not Errno.None:
                throw new KernelException("receive route netlink notifications", errno);
        }

        if (length > _received.Length)
        {
            events.OnLost();
            return true;
        }

        ReadOnlySpan<byte> datagram = _received.AsSpan(0, length);
        while (NetlinkSocket.NextMessage(ref datagram, out NlMsgHdr header, out ReadOnlySpan<byte> payload))
        {
            Deliver(header.Type, payload, events);
        }

        return true;
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            SystemCalls.Close(_descriptor);
        }
    }

    private static void Deliver(ushort type, ReadOnlySpan<byte> payload, IRouteEvents events)
    {
        switch (type)
        {
            case RouteConstants.RTM_NEWLINK or RouteConstants.RTM_DELLINK when LinkRequests.Parse(payload) is { } link:
                events.OnLink(link, removed: type == RouteConstants.RTM_DELLINK);
                break;
            case RouteConstants.RTM_NEWADDR or RouteConstants.RTM_DELADDR:
                events.OnAddresses();
                break;
            case RouteConstants.RTM_NEWROUTE or RouteConstants.RTM_DELROUTE when RouteRequests.TryParse(payload, out RouteInfo route, out _):
                events.OnRoute(route, removed: type == RouteConstants.RTM_DELROUTE);
                break;
            case RouteConstants.RTM_NEWNEIGH or RouteConstants.RTM_DELNEIGH:
                events.OnNeighbors();
                break;
        }
    }
}
