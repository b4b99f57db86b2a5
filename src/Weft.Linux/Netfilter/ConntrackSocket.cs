using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weft.Linux.Namespaces;
using Weft.Linux.Native;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;
using static Weft.Linux.Native.NetfilterConstants;

namespace Weft.Linux.Netfilter;

/// <summary>
/// The kernel's table of connections. A connection that was allowed stays allowed; so when an address leaves a pod, its connections must go before
/// another pod gets the address. Used by one thread at a time.
/// </summary>
public sealed class ConntrackSocket : IDisposable
{
    private readonly INetlink _netlink;

    /// <param name="netlink">A socket of the netfilter family; owned from now on.</param>
    public ConntrackSocket(INetlink netlink)
    {
        _netlink = netlink;
    }

    /// <param name="space">Null for the namespace of the calling thread.</param>
    /// <exception cref="KernelException">The kernel refused.</exception>
    public static ConntrackSocket Open(NetNamespace? space = null) => new(NetlinkSocket.OpenNetfilter(space));

    /// <summary>Deletes every connection one of whose ends, before or after address translation, is one of the addresses. Reads the table once.</summary>
    /// <param name="deleted">How many there were.</param>
    public NetlinkResult Delete(IpFamily family, IReadOnlySet<IpAddress> addresses, out int deleted)
    {
        deleted = 0;
        NetlinkRequest request = new(stackalloc byte[64], Type(IPCTNL_MSG_CT_GET), NetlinkConstants.NLM_F_DUMP);
        request.Header(new NfGenMsg { Family = Family.ToKernel(family) });
        Sink sink = new(family, addresses, []);
        NetlinkResult result = _netlink.Dump(request.Finish(), ref sink);
        if (!result.IsSuccess)
        {
            return result;
        }

        Span<byte> buffer = stackalloc byte[1024];
        foreach (byte[] tuple in sink.Found)
        {
            NetlinkRequest deletion = new(buffer, Type(IPCTNL_MSG_CT_DELETE), 0);
            deletion.Header(new NfGenMsg { Family = Family.ToKernel(family) });
            deletion.Append(tuple);
            NetlinkResult outcome = _netlink.Execute(deletion.Finish());
            if (outcome.IsSuccess)
            {
                deleted++;
            }
            else if (outcome.Errno != Errno.ENOENT)
            {
                return outcome; // ENOENT: it ended by itself in the meantime.
            }
        }

        return NetlinkResult.Success;
    }

    public void Dispose() => _netlink.Dispose();

    private static ushort Type(int message) => (ushort)(NFNL_SUBSYS_CTNETLINK << 8 | message);

    private readonly struct Sink(IpFamily family, IReadOnlySet<IpAddress> addresses, List<byte[]> found) : INetlinkSink
    {
        /// <summary>For each connection the attributes that name it, as the kernel wrote them: original tuple, id, zone.</summary>
        public List<byte[]> Found => found;

        public void Restart() => found.Clear();

        public void OnMessage(ushort type, scoped ReadOnlySpan<byte> payload)
        {
            int size = Unsafe.SizeOf<NfGenMsg>();
            if (payload.Length < size || MemoryMarshal.Read<NfGenMsg>(payload).Family != Family.ToKernel(family))
            {
                return;
            }

            bool concerned = false;
            NetlinkRequest name = new(stackalloc byte[1024], 0, 0);
            int start = name.Length;
            AttributeReader attributes = new(payload[size..]);
            while (attributes.Next(out ushort attribute, out ReadOnlySpan<byte> value))
            {
                switch (attribute)
                {
                    case CTA_TUPLE_ORIG:
                        concerned |= Concerns(value);
                        name.Put(CTA_TUPLE_ORIG | NetlinkConstants.NLA_F_NESTED, value);
                        break;
                    case CTA_TUPLE_REPLY:
                        concerned |= Concerns(value);
                        break;
                    case CTA_ID or CTA_ZONE:
                        name.Put(attribute, value);
                        break;
                }
            }

            if (concerned)
            {
                found.Add(name.Finish()[start..].ToArray());
            }
        }

        private bool Concerns(ReadOnlySpan<byte> tuple)
        {
            AttributeReader parts = new(tuple);
            while (parts.Next(out ushort part, out ReadOnlySpan<byte> value))
            {
                if (part != CTA_TUPLE_IP)
                {
                    continue;
                }

                AttributeReader ends = new(value);
                while (ends.Next(out _, out ReadOnlySpan<byte> address))
                {
                    if (address.Length is 4 or 16 && addresses.Contains(IpAddress.FromBytes(address)))
                    {
                        return true;
                    }
                }
            }

            return false;
        }
    }
}
