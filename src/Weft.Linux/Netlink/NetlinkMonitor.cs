using System.Net.Sockets;
using Weft.Linux.Namespaces;
using Weft.Linux.Native;
using static Weft.Linux.Native.RouteConstants;

namespace Weft.Linux.Netlink;

/// <summary>What a <see cref="NetlinkMonitor"/> listens to.</summary>
[Flags]
public enum MonitoredChanges
{
    None = 0,
    Links = 1,
    Addresses = 2,
    Routes = 4,
}

/// <summary>
/// Hears of changes, in the order the kernel made them, on the monitor's task: hand them to the loop that owns the state and return.
/// </summary>
public interface INetlinkListener
{
    void OnLink(LinkInfo link, ChangeKind change);

    void OnAddress(AddressInfo address, ChangeKind change);

    void OnRoute(in RouteInfo route, ChangeKind change);

    /// <summary>Events were lost (ENOBUFS: more changes than the socket's buffer holds). Only a dump tells what the kernel holds now.</summary>
    void OnEventsLost();
}

public enum ChangeKind
{
    /// <summary>New, or changed.</summary>
    Present,

    Removed,
}

/// <summary>
/// Multicast notifications of rtnetlink. Open it, then dump, then run: a change between the two is seen at least once. It listens from
/// <see cref="Open"/> on, whenever <see cref="RunAsync"/> starts.
/// </summary>
public sealed class NetlinkMonitor : IDisposable
{
    private readonly Socket _socket;

    private NetlinkMonitor(Socket socket)
    {
        _socket = socket;
    }

    /// <param name="changes">What to listen to.</param>
    /// <param name="space">Null for the namespace of the calling thread.</param>
    /// <param name="ownProtocol">Routes that appear with this protocol number are the listener's own and not told, not even to the process: a table of a million
    /// would come back as a million datagrams. Removed ones are told. 0: everything is.</param>
    /// <exception cref="KernelException">The kernel refused.</exception>
    public static NetlinkMonitor Open(MonitoredChanges changes, NetNamespace? space = null, byte ownProtocol = 0)
    {
        int descriptor = space is null ? OpenDescriptor(changes, ownProtocol) : space.Run(() => OpenDescriptor(changes, ownProtocol));
        return new NetlinkMonitor(new Socket(new SafeSocketHandle(descriptor, ownsHandle: true)));
    }

    /// <summary>Runs until <paramref name="stop"/> fires.</summary>
    public Task RunAsync(INetlinkListener listener, CancellationToken stop) =>
        NetlinkDatagrams.ReadAsync(_socket, datagram => Deliver(datagram, listener), listener.OnEventsLost, stop);

    public void Dispose() => _socket.Dispose();

    private static int OpenDescriptor(MonitoredChanges changes, byte ownProtocol)
    {
        Errno errno = NetlinkDatagrams.Open(
            NetlinkConstants.NETLINK_ROUTE, 8 * 1024 * 1024, Groups(changes), ownProtocol == 0 ? [] : WithoutOwnRoutes(ownProtocol), out int descriptor);
        return errno == Errno.None ? descriptor : throw new KernelException($"listen to changes of {changes}", errno);
    }

    /// <summary>
    /// <code>
    ///   0  ldb [4]                 low octet of nlmsg_type (every machine we run on is little-endian)
    ///   1  jeq RTM_NEWROUTE ? 2 : 4
    ///   2  ldb [21]                rtm_protocol, behind the header of 16
    ///   3  jeq own ? 5 : 4
    ///   4  ret all
    ///   5  ret nothing
    /// </code>
    /// </summary>
    private static ulong[] WithoutOwnRoutes(byte protocol)
    {
        const ushort LoadByte = 0x30;
        const ushort JumpIfEqual = 0x15;
        const ushort Return = 0x06;
        return
        [
            Instruction(LoadByte, 0, 0, 4), Instruction(JumpIfEqual, 0, 2, RTM_NEWROUTE), Instruction(LoadByte, 0, 0, 21), Instruction(JumpIfEqual, 1, 0, protocol),
            Instruction(Return, 0, 0, uint.MaxValue), Instruction(Return, 0, 0, 0),
        ];

        static ulong Instruction(ushort code, byte whenTrue, byte whenFalse, uint operand) => code | (ulong)whenTrue << 16 | (ulong)whenFalse << 24 | (ulong)operand << 32;
    }

    private static uint Groups(MonitoredChanges changes)
    {
        uint groups = 0;
        Add(MonitoredChanges.Links, RTNLGRP_LINK);
        Add(MonitoredChanges.Addresses, RTNLGRP_IPV4_IFADDR);
        Add(MonitoredChanges.Addresses, RTNLGRP_IPV6_IFADDR);
        Add(MonitoredChanges.Routes, RTNLGRP_IPV4_ROUTE);
        Add(MonitoredChanges.Routes, RTNLGRP_IPV6_ROUTE);
        return groups;

        void Add(MonitoredChanges wanted, int group) => groups |= changes.HasFlag(wanted) ? 1u << (group - 1) : 0;
    }

    private static void Deliver(ReadOnlySpan<byte> datagram, INetlinkListener listener)
    {
        while (NetlinkSocket.NextMessage(ref datagram, out NlMsgHdr header, out ReadOnlySpan<byte> payload))
        {
            switch (header.Type)
            {
                case RTM_NEWLINK or RTM_DELLINK when LinkRequests.Parse(payload) is { } link:
                    listener.OnLink(link, header.Type == RTM_NEWLINK ? ChangeKind.Present : ChangeKind.Removed);
                    break;
                case RTM_NEWADDR or RTM_DELADDR when AddressRequests.TryParse(payload, out AddressInfo address):
                    listener.OnAddress(address, header.Type == RTM_NEWADDR ? ChangeKind.Present : ChangeKind.Removed);
                    break;
                case RTM_NEWROUTE or RTM_DELROUTE when RouteRequests.TryParse(payload, out RouteInfo route, out uint flags) && (flags & RTM_F_CLONED) == 0:
                    listener.OnRoute(route, header.Type == RTM_NEWROUTE ? ChangeKind.Present : ChangeKind.Removed);
                    break;
            }
        }
    }
}
