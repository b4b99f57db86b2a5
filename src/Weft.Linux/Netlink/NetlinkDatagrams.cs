using System.Net.Sockets;
using Weft.Linux.Native;

namespace Weft.Linux.Netlink;

/// <summary>Takes one datagram; it is valid during the call only.</summary>
internal delegate void NetlinkDatagramHandler(ReadOnlySpan<byte> datagram);

/// <summary>What everybody does who listens to netlink instead of asking it.</summary>
internal static class NetlinkDatagrams
{
    /// <param name="protocol">NETLINK_*.</param>
    /// <param name="receiveBuffer">Octets that the kernel keeps for a listener that is late.</param>
    /// <param name="groups">Multicast groups, as bits.</param>
    /// <param name="filter">A classic BPF program that says which datagrams are wanted, in force before the first can come; empty: all. It saves work and no more: where
    /// the kernel refuses it, everything is told.</param>
    /// <param name="descriptor">Of the socket; -1 when it could not be opened.</param>
    public static Errno Open(int protocol, int receiveBuffer, uint groups, ReadOnlySpan<ulong> filter, out int descriptor)
    {
        Errno errno = SystemCalls.Socket(NetlinkConstants.AF_NETLINK, NetlinkConstants.SOCK_RAW | NetlinkConstants.SOCK_CLOEXEC, protocol, out descriptor);
        if (errno != Errno.None)
        {
            return errno;
        }

        _ = SystemCalls.SetSocketOption(descriptor, NetlinkConstants.SOL_SOCKET, NetlinkConstants.SO_RCVBUFFORCE, receiveBuffer);
        if (!filter.IsEmpty)
        {
            _ = SystemCalls.AttachFilter(descriptor, filter);
        }

        errno = SystemCalls.BindNetlink(descriptor, groups);
        if (errno != Errno.None)
        {
            SystemCalls.Close(descriptor);
            descriptor = -1;
        }

        return errno;
    }

    /// <summary>Runs until <paramref name="stop"/> fires. The runtime's own poller waits: no thread is kept for a socket that is silent most of the time.</summary>
    /// <param name="socket">Of <see cref="Open"/>.</param>
    /// <param name="onDatagram">Given each datagram.</param>
    /// <param name="onLost">Called when the kernel had no room for more: some are missing.</param>
    /// <param name="stop">Ends it.</param>
    public static async Task ReadAsync(Socket socket, NetlinkDatagramHandler onDatagram, Action onLost, CancellationToken stop)
    {
        byte[] buffer = GC.AllocateUninitializedArray<byte>(64 * 1024, pinned: true);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                int length = await socket.ReceiveAsync(buffer, SocketFlags.None, stop);
                onDatagram(buffer.AsSpan(0, length));
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.NoBufferSpaceAvailable)
            {
                onLost();
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
        }
    }
}
