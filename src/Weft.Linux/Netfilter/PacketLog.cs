using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Weft.Linux.Namespaces;
using Weft.Linux.Native;
using Weft.Linux.Netlink;
using static Weft.Linux.Native.NetfilterConstants;

namespace Weft.Linux.Netfilter;

/// <summary>
/// Packets that rules send to groups of NFLOG (nfnetlink_log). The kernel gives a group to one listener at a time, and does nothing for a group without one. What the
/// listener does not read in time is lost, and counted by it.
/// </summary>
public sealed class PacketLog : IDisposable
{
    private const int ReceiveBuffer = 4 * 1024 * 1024;
    private const int CopyBytes = 80;

    private readonly Socket _socket;

    private PacketLog(Socket socket) => _socket = socket;

    /// <summary>Times the kernel had no room for more packets: some are missing then.</summary>
    public long Overruns { get; private set; }

    /// <param name="groups">Numbers of the groups.</param>
    /// <param name="space">Null for the namespace of the calling thread.</param>
    /// <exception cref="KernelException">The kernel refused; EBUSY or EPERM: another program listens to a group.</exception>
    public static PacketLog Open(IReadOnlyList<ushort> groups, NetNamespace? space = null)
    {
        int descriptor = space is null ? OpenDescriptor(groups) : space.Run(() => OpenDescriptor(groups));
        return new PacketLog(new Socket(new SafeSocketHandle(descriptor, ownsHandle: true)));
    }

    /// <summary>Runs until <paramref name="stop"/> fires.</summary>
    public Task RunAsync(Action<LoggedPacket> onPacket, CancellationToken stop) =>
        NetlinkDatagrams.ReadAsync(_socket, datagram => Deliver(datagram, onPacket), () => Overruns++, stop);

    public void Dispose() => _socket.Dispose();

    private static int OpenDescriptor(IReadOnlyList<ushort> groups)
    {
        Errno errno = NetlinkDatagrams.Open(NetlinkConstants.NETLINK_NETFILTER, ReceiveBuffer, groups: 0, filter: [], out int descriptor);
        foreach (ushort group in groups)
        {
            errno = errno == Errno.None ? Configure(descriptor, group) : errno;
        }

        if (errno == Errno.None)
        {
            return descriptor;
        }

        if (descriptor >= 0)
        {
            SystemCalls.Close(descriptor);
        }

        throw new KernelException($"listen to NFLOG groups {string.Join(", ", groups)}", errno);
    }

    /// <summary>Binds the group, asks for the head of each packet, and for delivery within a tenth of a second.</summary>
    private static Errno Configure(int descriptor, ushort group)
    {
        NetlinkRequest request = new(stackalloc byte[128], NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, NetlinkConstants.NLM_F_ACK);
        request.Header(new NfGenMsg { ResourceId = BinaryPrimitives.ReverseEndianness(group) });
        request.Put(NFULA_CFG_CMD, NFULNL_CFG_CMD_BIND);

        // struct nfulnl_msg_config_mode: copy_range, big endian; copy_mode; padding.
        request.Put(NFULA_CFG_MODE, [0, 0, 0, CopyBytes, NFULNL_COPY_PACKET, 0]);
        request.Put(NFULA_CFG_TIMEOUT, BinaryPrimitives.ReverseEndianness(10u));
        request.Put(NFULA_CFG_QTHRESH, BinaryPrimitives.ReverseEndianness(100u));
        Errno errno = SystemCalls.Send(descriptor, request.Finish());
        if (errno != Errno.None)
        {
            return errno;
        }

        Span<byte> answer = stackalloc byte[256];
        errno = SystemCalls.Receive(descriptor, answer, out int length);
        if (errno != Errno.None)
        {
            return errno;
        }

        ReadOnlySpan<byte> datagram = answer[..length];
        return NetlinkSocket.NextMessage(ref datagram, out NlMsgHdr header, out ReadOnlySpan<byte> payload) && header.Type == NetlinkConstants.NLMSG_ERROR
            ? NetlinkSocket.Outcome(header, payload).Errno
            : Errno.EPROTO;
    }

    private static void Deliver(ReadOnlySpan<byte> datagram, Action<LoggedPacket> onPacket)
    {
        while (NetlinkSocket.NextMessage(ref datagram, out NlMsgHdr header, out ReadOnlySpan<byte> payload))
        {
            if (header.Type == (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) && payload.Length >= Unsafe.SizeOf<NfGenMsg>())
            {
                onPacket(Parse(new AttributeReader(payload[Unsafe.SizeOf<NfGenMsg>()..])));
            }
        }
    }

    private static LoggedPacket Parse(AttributeReader attributes)
    {
        string prefix = string.Empty;
        PacketFlow flow = default;
        int inLink = 0, outLink = 0;
        while (attributes.Next(out ushort type, out ReadOnlySpan<byte> value))
        {
            switch (type)
            {
                case NFULA_PREFIX: prefix = AttributeReader.Text(value); break;
                case NFULA_PAYLOAD: flow = PacketFlow.Of(value); break;
                case NFULA_IFINDEX_INDEV when value.Length >= 4: inLink = BinaryPrimitives.ReadInt32BigEndian(value); break;
                case NFULA_IFINDEX_OUTDEV when value.Length >= 4: outLink = BinaryPrimitives.ReadInt32BigEndian(value); break;
            }
        }

        return new LoggedPacket(prefix, flow, inLink, outLink);
    }
}
