using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weft.Linux.Native;
using Weft.Primitives.Net;
using static Weft.Linux.Native.NetlinkConstants;
using static Weft.Linux.Native.RouteConstants;

namespace Weft.Linux.Netlink;

/// <summary>An entry of the neighbour table.</summary>
/// <param name="LinkIndex">The interface.</param>
/// <param name="Address">The neighbour.</param>
/// <param name="Mac">Default when not (yet) known, and for proxy entries.</param>
/// <param name="IsPermanent">Written by somebody, not learned.</param>
/// <param name="Protocol">RTPROT_*: who wrote it, as for routes (Linux 5.0); 0 when nobody said.</param>
public readonly record struct NeighborInfo(int LinkIndex, IpAddress Address, MacAddress Mac, bool IsPermanent, byte Protocol = 0);

/// <summary>Neighbours (ARP and ND), proxy entries, and the forwarding entries of VXLAN devices.</summary>
public sealed class NeighborRequests
{
    private readonly INetlink _netlink;

    internal NeighborRequests(INetlink netlink)
    {
        _netlink = netlink;
    }

    /// <summary>A permanent entry; EEXIST when the link has any entry for the address.</summary>
    public NetlinkResult Add(int linkIndex, IpAddress address, MacAddress mac, byte protocol = 0) =>
        Write(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, linkIndex, address, mac, 0, protocol);

    /// <summary>A permanent entry, in the place of whatever was there.</summary>
    public NetlinkResult Replace(int linkIndex, IpAddress address, MacAddress mac, byte protocol = 0) =>
        Write(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, linkIndex, address, mac, 0, protocol);

    /// <summary>ENOENT when there is none.</summary>
    public NetlinkResult Delete(int linkIndex, IpAddress address) => Write(RTM_DELNEIGH, 0, linkIndex, address, null, 0);

    /// <summary>The link answers ARP or ND requests for the address on behalf of its owner.</summary>
    public NetlinkResult AddProxy(int linkIndex, IpAddress address) => Write(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, linkIndex, address, null, NTF_PROXY);

    public NetlinkResult DeleteProxy(int linkIndex, IpAddress address) => Write(RTM_DELNEIGH, 0, linkIndex, address, null, NTF_PROXY);

    /// <summary>VXLAN forwarding entry: frames to <paramref name="mac"/> go to <paramref name="remote"/>.</summary>
    public NetlinkResult ReplaceForwarding(int linkIndex, MacAddress mac, IpAddress remote) =>
        WriteForwarding(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, linkIndex, mac, remote);

    public NetlinkResult DeleteForwarding(int linkIndex, MacAddress mac, IpAddress remote) => WriteForwarding(RTM_DELNEIGH, 0, linkIndex, mac, remote);

    /// <param name="neighbors">Receives the result.</param>
    /// <param name="family">IPv4 or IPv6.</param>
    /// <param name="linkIndex">0 for all links.</param>
    public NetlinkResult List(List<NeighborInfo> neighbors, IpFamily family, int linkIndex = 0) => List(neighbors, Family.ToKernel(family), linkIndex, 0);

    /// <inheritdoc cref="List(List{NeighborInfo}, IpFamily, int)"/>
    /// <exception cref="KernelException">The dump failed.</exception>
    public List<NeighborInfo> List(IpFamily family, int linkIndex = 0)
    {
        List<NeighborInfo> neighbors = [];
        List(neighbors, family, linkIndex).ThrowIfFailed("list neighbours");
        return neighbors;
    }

    public NetlinkResult ListProxies(List<NeighborInfo> neighbors, IpFamily family, int linkIndex = 0) =>
        List(neighbors, Family.ToKernel(family), linkIndex, NTF_PROXY);

    /// <summary>The forwarding entries of a VXLAN device that name a remote.</summary>
    public NetlinkResult ListForwarding(List<NeighborInfo> entries, int linkIndex)
    {
        // The bridge family selects by NDA_IFINDEX nowhere and by ndm_ifindex in old kernels only: filter here.
        return List(entries, AF_BRIDGE, linkIndex, 0);
    }

    private NetlinkResult List(List<NeighborInfo> neighbors, byte family, int linkIndex, byte flags)
    {
        NetlinkRequest request = new(stackalloc byte[64], RTM_GETNEIGH, NLM_F_DUMP);
        if (family == AF_BRIDGE)
        {
            request.Header(new NdMsg { Family = AF_BRIDGE, Index = linkIndex });
        }
        else
        {
            request.Header(new NdMsg { Family = family, Flags = flags });
            if (linkIndex != 0 && flags == 0)
            {
                request.Put(NDA_IFINDEX, linkIndex);
            }
        }

        Sink sink = new(neighbors, linkIndex, family, flags);
        return _netlink.Dump(request.Finish(), ref sink);
    }

    private NetlinkResult Write(ushort type, int flags, int linkIndex, IpAddress address, MacAddress? mac, byte neighborFlags, byte protocol = 0)
    {
        NetlinkRequest request = new(stackalloc byte[128], type, flags);
        request.Header(new NdMsg { Family = Family.ToKernel(address.Family), Index = linkIndex, State = NUD_PERMANENT, Flags = neighborFlags });
        request.Put(NDA_DST, address);
        if (mac is { } value)
        {
            request.Put(NDA_LLADDR, value);
        }

        if (protocol != 0)
        {
            request.Put(NDA_PROTOCOL, protocol);
        }

        return _netlink.Execute(request.Finish());
    }

    private NetlinkResult WriteForwarding(ushort type, int flags, int linkIndex, MacAddress mac, IpAddress remote)
    {
        NetlinkRequest request = new(stackalloc byte[128], type, flags);
        request.Header(new NdMsg { Family = AF_BRIDGE, Index = linkIndex, State = NUD_PERMANENT | NUD_NOARP, Flags = NTF_SELF });
        request.Put(NDA_LLADDR, mac);
        request.Put(NDA_DST, remote);
        return _netlink.Execute(request.Finish());
    }

    private readonly struct Sink(List<NeighborInfo> neighbors, int linkIndex, byte family, byte flags) : INetlinkSink
    {
        public void Restart() => neighbors.Clear();

        public void OnMessage(ushort type, scoped ReadOnlySpan<byte> payload)
        {
            int size = Unsafe.SizeOf<NdMsg>();
            if (type != RTM_NEWNEIGH || payload.Length < size)
            {
                return;
            }

            NdMsg header = MemoryMarshal.Read<NdMsg>(payload);
            if (header.Family != family || (header.Flags & NTF_PROXY) != flags || (linkIndex != 0 && header.Index != linkIndex))
            {
                return;
            }

            IpAddress address = default;
            MacAddress mac = default;
            byte protocol = 0;
            AttributeReader attributes = new(payload[size..]);
            while (attributes.Next(out ushort attribute, out ReadOnlySpan<byte> value))
            {
                switch (attribute)
                {
                    case NDA_DST when value.Length is 4 or 16: address = IpAddress.FromBytes(value); break;
                    case NDA_LLADDR when value.Length == 6: mac = MacAddress.FromBytes(value); break;
                    case NDA_PROTOCOL when value.Length == 1: protocol = value[0]; break;
                }
            }

            if (address.Family != IpFamily.None)
            {
                neighbors.Add(new NeighborInfo(header.Index, address, mac, (header.State & NUD_PERMANENT) != 0, protocol));
            }
        }
    }
}
