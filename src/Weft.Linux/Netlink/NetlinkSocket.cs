using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weft.Linux.Namespaces;
using Weft.Linux.Native;

namespace Weft.Linux.Netlink;

/// <summary>
/// A netlink socket for requests and dumps. It stays bound to the namespace it was opened in, whichever thread uses it later.
/// Not safe for two threads at once: the loop that owns it is the only user.
/// </summary>
public sealed class NetlinkSocket : INetlink
{
    // A dump that the table outruns this often is given up; the caller keeps its work dirty and comes back.
    private const int DumpAttempts = 8;

    // The kernel fills at most 32 KiB per dump message; the rest is room for acknowledgements that carry the request back.
    private const int ReceiveBuffer = 64 * 1024;

    // Room for one batch of 1000 routes going in and, in the worst case, 1000 errors coming back.
    private const int SocketBuffer = 8 * 1024 * 1024;

    // What the kernel takes off the buffer for itself.
    private const int SendBufferOverhead = 4096;

    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(30);

    private readonly int _descriptor;
    private readonly byte[] _received = GC.AllocateUninitializedArray<byte>(ReceiveBuffer, pinned: true);
    private uint _sequence;
    private int _sendBuffer = SocketBuffer;
    private bool _disposed;

    private NetlinkSocket(int descriptor)
    {
        _descriptor = descriptor;
    }

    /// <summary>Opens a socket of the rtnetlink family.</summary>
    /// <param name="space">The namespace to open it in; null for the one of the calling thread.</param>
    /// <exception cref="KernelException">The kernel refused.</exception>
    public static NetlinkSocket OpenRoute(NetNamespace? space = null) =>
        space is null ? Open(NetlinkConstants.NETLINK_ROUTE) : space.Run(static () => Open(NetlinkConstants.NETLINK_ROUTE));

    /// <summary>Opens a socket of the netfilter family.</summary>
    /// <inheritdoc cref="OpenRoute"/>
    public static NetlinkSocket OpenNetfilter(NetNamespace? space = null) =>
        space is null ? Open(NetlinkConstants.NETLINK_NETFILTER) : space.Run(static () => Open(NetlinkConstants.NETLINK_NETFILTER));

    private static NetlinkSocket Open(int protocol)
    {
        Errno errno = SystemCalls.Socket(
            NetlinkConstants.AF_NETLINK, NetlinkConstants.SOCK_RAW | NetlinkConstants.SOCK_CLOEXEC, protocol, out int descriptor);
        if (errno == Errno.None)
        {
            errno = SystemCalls.BindNetlink(descriptor, groups: 0);
        }

        if (errno != Errno.None)
        {
            throw new KernelException($"open netlink socket of family {protocol}", errno);
        }

        // All of these make answers better; none is needed for a right answer. Old kernels and unprivileged users may lack them.
        _ = SystemCalls.SetSocketOption(descriptor, NetlinkConstants.SOL_SOCKET, NetlinkConstants.SO_SNDBUFFORCE, SocketBuffer);
        _ = SystemCalls.SetSocketOption(descriptor, NetlinkConstants.SOL_SOCKET, NetlinkConstants.SO_RCVBUFFORCE, SocketBuffer);
        _ = SystemCalls.SetSocketOption(descriptor, NetlinkConstants.SOL_NETLINK, NetlinkConstants.NETLINK_EXT_ACK, 1);
        _ = SystemCalls.SetSocketOption(descriptor, NetlinkConstants.SOL_NETLINK, NetlinkConstants.NETLINK_CAP_ACK, 1);
        _ = SystemCalls.SetSocketOption(descriptor, NetlinkConstants.SOL_NETLINK, NetlinkConstants.NETLINK_GET_STRICT_CHK, 1);
        _ = SystemCalls.SetReceiveTimeout(descriptor, AnswerTimeout);
        return new NetlinkSocket(descriptor);
    }

    public NetlinkResult Execute(Span<byte> request)
    {
        uint sequence = ++_sequence;
        Stamp(request, sequence, NetlinkConstants.NLM_F_ACK);
        if (SystemCalls.Send(_descriptor, request) is var sent and not Errno.None)
        {
            return new NetlinkResult(sent);
        }

        Ignore ignore = default;
        return ReadAnswer(sequence, ref ignore, out _);
    }

    public NetlinkResult ExecuteBatch(Span<byte> requests, Span<NetlinkResult> results)
    {
        if (results.IsEmpty)
        {
            return NetlinkResult.Success;
        }

        uint first = _sequence + 1;
        int count = 0;
        for (Span<byte> rest = requests; !rest.IsEmpty; count++)
        {
            int length = MemoryMarshal.Read<int>(rest);

            // Errors come back for every message; an acknowledgement is needed only from the last, to know that all have been carried out.
            Stamp(rest, ++_sequence, count == results.Length - 1 ? NetlinkConstants.NLM_F_ACK : (ushort)0);
            rest = rest[length..];
        }

        ArgumentOutOfRangeException.ThrowIfNotEqual(count, results.Length);
        results.Clear();
        if (SystemCalls.Send(_descriptor, requests) is var sent and not Errno.None)
        {
            return new NetlinkResult(sent);
        }

        return ReadBatchAnswers(first, results);
    }

    public NetlinkResult Transact(Span<byte> batch, out int failed)
    {
        failed = -1;
        uint first = _sequence + 1;
        int lastRequest = LastRequest(batch, out int count);
        for (int i = 0, at = 0; i < count; i++)
        {
            // Of the messages that open and close a batch older kernels acknowledge none: the last request stands for all.
            Span<byte> message = batch[at..];
            Stamp(message, ++_sequence, i == lastRequest ? NetlinkConstants.NLM_F_ACK : (ushort)0);
            at += (MemoryMarshal.Read<int>(message) + 3) & ~3;
        }

        if (batch.Length > _sendBuffer - SendBufferOverhead)
        {
            _sendBuffer = batch.Length + SendBufferOverhead;
            _ = SystemCalls.SetSocketOption(_descriptor, NetlinkConstants.SOL_SOCKET, NetlinkConstants.SO_SNDBUFFORCE, _sendBuffer);
        }

        if (SystemCalls.Send(_descriptor, batch) is var sent and not Errno.None)
        {
            return new NetlinkResult(sent);
        }

        return ReadTransactionAnswers(first, lastRequest, count, ref failed);
    }

    public NetlinkResult Dump<TSink>(scoped Span<byte> request, ref TSink sink) where TSink : struct, INetlinkSink, allows ref struct
    {
        for (int attempt = 0; attempt < DumpAttempts; attempt++)
        {
            uint sequence = ++_sequence;
            Stamp(request, sequence, 0);
            sink.Restart();
            if (SystemCalls.Send(_descriptor, request) is var sent and not Errno.None)
            {
                return new NetlinkResult(sent);
            }

            NetlinkResult result = ReadAnswer(sequence, ref sink, out bool interrupted);
            if (!interrupted)
            {
                return result;
            }
        }

        return new NetlinkResult(Errno.EINTR, "the table changed during every attempt to dump it");
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            SystemCalls.Close(_descriptor);
        }
    }

    private static void Stamp(Span<byte> message, uint sequence, ushort flags)
    {
        NlMsgHdr header = MemoryMarshal.Read<NlMsgHdr>(message);
        header.Sequence = sequence;
        header.Flags |= flags;
        MemoryMarshal.Write(message, in header);
    }

    private NetlinkResult ReadAnswer<TSink>(uint sequence, ref TSink sink, out bool interrupted) where TSink : struct, INetlinkSink, allows ref struct
    {
        interrupted = false;
        while (true)
        {
            if (Receive(out ReadOnlySpan<byte> datagram) is var received and not Errno.None)
            {
                return new NetlinkResult(received);
            }

            while (NextMessage(ref datagram, out NlMsgHdr header, out ReadOnlySpan<byte> payload))
            {
                if (header.Sequence != sequence)
                {
                    continue; // An answer to a request that was given up earlier.
                }

                interrupted |= (header.Flags & NetlinkConstants.NLM_F_DUMP_INTR) != 0;
                switch (header.Type)
                {
                    case NetlinkConstants.NLMSG_ERROR:
                    case NetlinkConstants.NLMSG_DONE:
                        return Outcome(header, payload);
                    case NetlinkConstants.NLMSG_NOOP:
                        break;
                    default:
                        sink.OnMessage(header.Type, payload);
                        break;
                }
            }
        }
    }

    private NetlinkResult ReadBatchAnswers(uint first, Span<NetlinkResult> results)
    {
        while (true)
        {
            if (Receive(out ReadOnlySpan<byte> datagram) is var received and not Errno.None)
            {
                return new NetlinkResult(received);
            }

            while (NextMessage(ref datagram, out NlMsgHdr header, out ReadOnlySpan<byte> payload))
            {
                uint index = header.Sequence - first;
                if (header.Type != NetlinkConstants.NLMSG_ERROR || index >= results.Length)
                {
                    continue;
                }

                results[(int)index] = Outcome(header, payload);
                if (index == results.Length - 1)
                {
                    return NetlinkResult.Success;
                }
            }
        }
    }

    private static int LastRequest(ReadOnlySpan<byte> batch, out int count)
    {
        count = 0;
        int last = 0;
        while (NextMessage(ref batch, out NlMsgHdr header, out _))
        {
            last = header.Type == NfTablesConstants.NFNL_MSG_BATCH_END ? last : count;
            count++;
        }

        return last;
    }

    /// <summary>The answer to the last request comes last, whatever happened before; an answer to the opening message means the whole batch.</summary>
    private NetlinkResult ReadTransactionAnswers(uint first, int last, int count, ref int failed)
    {
        NetlinkResult result = NetlinkResult.Success;
        while (true)
        {
            if (Receive(out ReadOnlySpan<byte> datagram) is var received and not Errno.None)
            {
                return result.IsSuccess ? new NetlinkResult(received) : result;
            }

            while (NextMessage(ref datagram, out NlMsgHdr header, out ReadOnlySpan<byte> payload))
            {
                int index = (int)(header.Sequence - first);
                if (header.Type != NetlinkConstants.NLMSG_ERROR || index < 0 || index >= count)
                {
                    continue;
                }

                NetlinkResult outcome = Outcome(header, payload);
                if (!outcome.IsSuccess && result.IsSuccess)
                {
                    (result, failed) = (outcome, index == 0 ? -1 : index);
                }

                if (index == last || (index == 0 && !outcome.IsSuccess))
                {
                    return result;
                }
            }
        }
    }

    private Errno Receive(out ReadOnlySpan<byte> datagram)
    {
        Errno errno = SystemCalls.Receive(_descriptor, _received, out int length);
        datagram = errno == Errno.None ? _received.AsSpan(0, Math.Min(length, _received.Length)) : default;
        return errno switch
        {
            Errno.EAGAIN => Errno.ETIMEDOUT,
            Errno.None when length > _received.Length => Errno.ENOBUFS,
            _ => errno,
        };
    }

    internal static bool NextMessage(ref ReadOnlySpan<byte> datagram, out NlMsgHdr header, out ReadOnlySpan<byte> payload)
    {
        header = default;
        payload = default;
        int size = Unsafe.SizeOf<NlMsgHdr>();
        if (datagram.Length < size)
        {
            return false;
        }

        header = MemoryMarshal.Read<NlMsgHdr>(datagram);
        if (header.Length < size || header.Length > datagram.Length)
        {
            return false;
        }

        payload = datagram[size..(int)header.Length];
        datagram = datagram[Math.Min((int)(header.Length + 3 & ~3u), datagram.Length)..];
        return true;
    }

    /// <summary>NLMSG_ERROR and NLMSG_DONE: a negative errno, for errors the header of the request, then extended-acknowledgement attributes.</summary>
    internal static NetlinkResult Outcome(NlMsgHdr header, ReadOnlySpan<byte> payload)
    {
        Errno errno = payload.Length >= 4 ? (Errno)(-MemoryMarshal.Read<int>(payload)) : Errno.None;
        if (errno == Errno.None)
        {
            return NetlinkResult.Success;
        }

        string? text = null;
        if ((header.Flags & NetlinkConstants.NLM_F_ACK_TLVS) != 0)
        {
            int skip = 4;
            if (header.Type == NetlinkConstants.NLMSG_ERROR && payload.Length >= 8)
            {
                bool capped = (header.Flags & NetlinkConstants.NLM_F_CAPPED) != 0;
                skip += capped ? Unsafe.SizeOf<NlMsgHdr>() : (MemoryMarshal.Read<int>(payload[4..]) + 3) & ~3;
            }

            AttributeReader attributes = new(payload.Length > skip ? payload[skip..] : default);
            while (attributes.Next(out ushort type, out ReadOnlySpan<byte> value))
            {
                if (type == NetlinkConstants.NLMSGERR_ATTR_MSG)
                {
                    text = AttributeReader.Text(value);
                }
            }
        }

        return new NetlinkResult(errno, text);
    }

    private struct Ignore : INetlinkSink
    {
        public readonly void Restart()
        {
        }

        public readonly void OnMessage(ushort type, scoped ReadOnlySpan<byte> payload)
        {
        }
    }
}
