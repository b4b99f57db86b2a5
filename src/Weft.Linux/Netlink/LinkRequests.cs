using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weft.Linux.Namespaces;
using Weft.Linux.Native;
using Weft.Primitives.Net;
using static Weft.Linux.Native.NetlinkConstants;
using static Weft.Linux.Native.RouteConstants;

namespace Weft.Linux.Netlink;

/// <summary>One end of a veth pair to be created.</summary>
/// <param name="Name">At most 15 bytes.</param>
public sealed record VethEnd(string Name)
{
    /// <summary>Null lets the kernel choose.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>0 leaves the kernel's default (1500).</summary>
    public int Mtu { get; init; }

    /// <summary>Transmit and receive queues; 0 leaves the kernel's default (one each).</summary>
    public int Queues { get; init; }

    /// <summary>Where the end is born; null for the namespace of the socket.</summary>
    public NetNamespace? Namespace { get; init; }
}

/// <summary>A VXLAN device to be created.</summary>
public sealed record VxlanSettings(string Name, uint Vni, ushort Port, IpAddress Local)
{
    /// <summary>Device that carries the tunnel; 0 for none.</summary>
    public int ParentIndex { get; init; }

    public MacAddress? Mac { get; init; }

    public int Mtu { get; init; }

    /// <summary>False for Calico: the forwarding table is written, not learned.</summary>
    public bool Learning { get; init; }
}

/// <summary>Interfaces: create, change, delete, read.</summary>
public sealed class LinkRequests
{
    private readonly INetlink _netlink;

    internal LinkRequests(INetlink netlink)
    {
        _netlink = netlink;
    }

    /// <summary>Both ends are born down: the kernel refuses to open one end (ENOTCONN) before the other is tied to it.</summary>
    public NetlinkResult CreateVeth(VethEnd end, VethEnd peer)
    {
        NetlinkRequest request = new(stackalloc byte[1024], RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
        PutVethEnd(ref request, end);
        int info = request.BeginNested(IFLA_LINKINFO);
        request.Put(IFLA_INFO_KIND, "veth");
        int data = request.BeginNested(IFLA_INFO_DATA);
        int peerData = request.BeginNested(VETH_INFO_PEER);
        PutVethEnd(ref request, peer);
        request.EndNested(peerData);
        request.EndNested(data);
        request.EndNested(info);
        NetlinkResult result = _netlink.Execute(request.Finish());
        GC.KeepAlive(end);
        GC.KeepAlive(peer);
        return result;
    }

    public NetlinkResult CreateBridge(string name)
    {
        NetlinkRequest request = new(stackalloc byte[256], RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
        request.Header(new IfInfoMsg());
        request.Put(IFLA_IFNAME, name);
        int info = request.BeginNested(IFLA_LINKINFO);
        request.Put(IFLA_INFO_KIND, "bridge");
        request.EndNested(info);
        return _netlink.Execute(request.Finish());
    }

    /// <summary>An intermediate functional block: what is redirected to it passes its queue and goes on as if nothing had happened.</summary>
    public NetlinkResult CreateIfb(string name, int mtu)
    {
        NetlinkRequest request = new(stackalloc byte[256], RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
        request.Header(new IfInfoMsg { Flags = IFF_UP, Change = IFF_UP });
        request.Put(IFLA_IFNAME, name);
        PutShape(ref request, null, mtu);
        int info = request.BeginNested(IFLA_LINKINFO);
        request.Put(IFLA_INFO_KIND, "ifb");
        request.EndNested(info);
        return _netlink.Execute(request.Finish());
    }

    public NetlinkResult CreateVxlan(VxlanSettings settings)
    {
        NetlinkRequest request = new(stackalloc byte[512], RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
        request.Header(new IfInfoMsg());
        request.Put(IFLA_IFNAME, settings.Name);
        PutShape(ref request, settings.Mac, settings.Mtu);
        int info = request.BeginNested(IFLA_LINKINFO);
        request.Put(IFLA_INFO_KIND, "vxlan");
        int data = request.BeginNested(IFLA_INFO_DATA);
        request.Put(IFLA_VXLAN_ID, settings.Vni);
        request.PutBigEndian(IFLA_VXLAN_PORT, settings.Port);
        request.Put(settings.Local.IsIPv6 ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL, settings.Local);
        request.Put(IFLA_VXLAN_LEARNING, settings.Learning ? (byte)1 : (byte)0);
        if (settings.ParentIndex != 0)
        {
            request.Put(IFLA_VXLAN_LINK, settings.ParentIndex);
        }

        request.EndNested(data);
        request.EndNested(info);
        return _netlink.Execute(request.Finish());
    }

    /// <summary>A device that takes each packet's remote end from its route's gateway; EOPNOTSUPP without the ipip module, EEXIST for "tunl0" with it.</summary>
    public NetlinkResult CreateIpip(string name)
    {
        NetlinkRequest request = new(stackalloc byte[256], RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
        request.Header(new IfInfoMsg());
        request.Put(IFLA_IFNAME, name);
        int info = request.BeginNested(IFLA_LINKINFO);
        request.Put(IFLA_INFO_KIND, "ipip");
        request.EndNested(info);
        return _netlink.Execute(request.Finish());
    }

    public NetlinkResult SetUp(int index) => SetFlags(index, IFF_UP);

    /// <summary>Up, and with a text that stays with the link and tells a later life of this program what it is; at most 255 bytes.</summary>
    public NetlinkResult SetUp(int index, string alias)
    {
        NetlinkRequest request = new(stackalloc byte[320], RTM_SETLINK, 0);
        request.Header(new IfInfoMsg { Index = index, Flags = IFF_UP, Change = IFF_UP });
        request.Put(IFLA_IFALIAS, alias);
        return _netlink.Execute(request.Finish());
    }

    public NetlinkResult SetDown(int index) => SetFlags(index, 0);

    /// <param name="mtu">In bytes.</param>
    public NetlinkResult SetMtu(int index, int mtu)
    {
        NetlinkRequest request = Change(stackalloc byte[64], index);
        request.Put(IFLA_MTU, mtu);
        return _netlink.Execute(request.Finish());
    }

    public NetlinkResult SetMac(int index, MacAddress mac)
    {
        NetlinkRequest request = Change(stackalloc byte[64], index);
        request.Put(IFLA_ADDRESS, mac);
        return _netlink.Execute(request.Finish());
    }

    public NetlinkResult Rename(int index, string name)
    {
        NetlinkRequest request = Change(stackalloc byte[64], index);
        request.Put(IFLA_IFNAME, name);
        return _netlink.Execute(request.Finish());
    }

    /// <param name="masterIndex">0 releases the link from its bridge.</param>
    public NetlinkResult SetMaster(int index, int masterIndex)
    {
        NetlinkRequest request = Change(stackalloc byte[64], index);
        request.Put(IFLA_MASTER, masterIndex);
        return _netlink.Execute(request.Finish());
    }

    /// <summary>Moves the link into another namespace, under a new name if one is given (names may clash there).</summary>
    public NetlinkResult MoveTo(int index, NetNamespace space, string? newName = null)
    {
        NetlinkRequest request = Change(stackalloc byte[64], index);
        request.Put(IFLA_NET_NS_FD, space.Descriptor);
        if (newName is not null)
        {
            request.Put(IFLA_IFNAME, newName);
        }

        NetlinkResult result = _netlink.Execute(request.Finish());
        GC.KeepAlive(space);
        return result;
    }

    /// <summary>
    /// Takes a link out of service at once: down (which also takes the routes over it away), then into a group and under another name, so that its own is free
    /// again. What remains, <see cref="DeleteGroup"/>, waits long.
    /// </summary>
    public NetlinkResult Retire(int index, string newName, uint group)
    {
        // Two messages: older kernels rename only what is down already.
        Span<byte> batch = stackalloc byte[160];
        NetlinkRequest down = new(batch, RTM_SETLINK, 0);
        down.Header(new IfInfoMsg { Index = index, Change = IFF_UP });
        int length = down.Finish().Length;
        NetlinkRequest aside = new(batch[length..], RTM_SETLINK, 0);
        aside.Header(new IfInfoMsg { Index = index });
        aside.Put(IFLA_GROUP, group);
        aside.Put(IFLA_IFNAME, newName);
        length += aside.Finish().Length;
        Span<NetlinkResult> results = new NetlinkResult[2];
        NetlinkResult sent = _netlink.ExecuteBatch(batch[..length], results);
        return !sent.IsSuccess ? sent : !results[0].IsSuccess ? results[0] : results[1];
    }

    /// <summary>Deletes every link of the group together, and their peers: one wait for all. ENODEV when there is none.</summary>
    /// <param name="group">Not 0, which every link belongs to.</param>
    public NetlinkResult DeleteGroup(uint group)
    {
        ArgumentOutOfRangeException.ThrowIfZero(group);
        NetlinkRequest request = new(stackalloc byte[64], RTM_DELLINK, 0);
        request.Header(new IfInfoMsg());
        request.Put(IFLA_GROUP, group);
        return _netlink.Execute(request.Finish());
    }

    /// <summary>Deleting one end of a veth pair deletes the other.</summary>
    public NetlinkResult Delete(int index)
    {
        NetlinkRequest request = new(stackalloc byte[64], RTM_DELLINK, 0);
        request.Header(new IfInfoMsg { Index = index });
        return _netlink.Execute(request.Finish());
    }

    /// <returns>Null when there is no such link.</returns>
    /// <exception cref="KernelException">The kernel failed otherwise.</exception>
    public LinkInfo? Find(string name)
    {
        NetlinkRequest request = new(stackalloc byte[128], RTM_GETLINK, NLM_F_ACK);
        request.Header(new IfInfoMsg());
        request.Put(IFLA_IFNAME, name);
        return FindOne(request.Finish(), name);
    }

    /// <inheritdoc cref="Find(string)"/>
    public LinkInfo? Find(int index)
    {
        NetlinkRequest request = new(stackalloc byte[64], RTM_GETLINK, NLM_F_ACK);
        request.Header(new IfInfoMsg { Index = index });
        return FindOne(request.Finish(), $"index {index}");
    }

    /// <summary>Every link of the namespace.</summary>
    public NetlinkResult List(List<LinkInfo> links)
    {
        NetlinkRequest request = new(stackalloc byte[64], RTM_GETLINK, NLM_F_DUMP);
        request.Header(new IfInfoMsg());
        request.Put(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        Sink sink = new(links);
        return _netlink.Dump(request.Finish(), ref sink);
    }

    /// <exception cref="KernelException">The dump failed.</exception>
    public List<LinkInfo> List()
    {
        List<LinkInfo> links = [];
        List(links).ThrowIfFailed("list links");
        return links;
    }

    internal static LinkInfo? Parse(ReadOnlySpan<byte> payload)
    {
        int size = Unsafe.SizeOf<IfInfoMsg>();
        if (payload.Length < size)
        {
            return null;
        }

        IfInfoMsg header = MemoryMarshal.Read<IfInfoMsg>(payload);
        string name = string.Empty, kind = string.Empty, alias = string.Empty;
        VxlanSettings? vxlan = null;
        uint group = 0;
        int mtu = 0, master = 0, parent = 0;
        MacAddress mac = default;
        AttributeReader attributes = new(payload[size..]);
        while (attributes.Next(out ushort type, out ReadOnlySpan<byte> value))
        {
            switch (type)
            {
                case IFLA_IFNAME: name = AttributeReader.Text(value); break;
                case IFLA_MTU: mtu = (int)AttributeReader.U32(value); break;
                case IFLA_MASTER: master = (int)AttributeReader.U32(value); break;
                case IFLA_LINK: parent = (int)AttributeReader.U32(value); break;
                case IFLA_GROUP: group = AttributeReader.U32(value); break;
                case IFLA_IFALIAS: alias = AttributeReader.Text(value); break;
                case IFLA_ADDRESS when value.Length == 6: mac = MacAddress.FromBytes(value); break;
                case IFLA_LINKINFO: ParseInfo(value, ref kind, ref vxlan); break;
            }
        }

        return new LinkInfo
        {
            Index = header.Index,
            Name = name,
            Kind = kind,
            IsUp = (header.Flags & IFF_UP) != 0,
            HasCarrier = (header.Flags & IFF_LOWER_UP) != 0,
            IsLoopback = (header.Flags & IFF_LOOPBACK) != 0,
            Mtu = mtu,
            Mac = mac,
            MasterIndex = master,
            ParentIndex = parent,
            Group = group,
            Alias = alias,
            Vxlan = vxlan is null ? null : vxlan with { Name = name, Mac = mac, Mtu = mtu },
        };
    }

    private static void ParseInfo(ReadOnlySpan<byte> info, ref string kind, ref VxlanSettings? vxlan)
    {
        AttributeReader attributes = new(info);
        while (attributes.Next(out ushort type, out ReadOnlySpan<byte> value))
        {
            // The kernel writes the kind before the data.
            if (type == IFLA_INFO_KIND)
            {
                kind = AttributeReader.Text(value);
            }
            else if (type == IFLA_INFO_DATA && kind == "vxlan")
            {
                vxlan = ParseVxlan(value);
            }
        }
    }

    private static VxlanSettings ParseVxlan(ReadOnlySpan<byte> data)
    {
        VxlanSettings settings = new(string.Empty, 0, 0, default);
        AttributeReader attributes = new(data);
        while (attributes.Next(out ushort type, out ReadOnlySpan<byte> value))
        {
            settings = type switch
            {
                IFLA_VXLAN_ID => settings with { Vni = AttributeReader.U32(value) },
                IFLA_VXLAN_PORT when value.Length == 2 => settings with { Port = BinaryPrimitives.ReadUInt16BigEndian(value) },
                IFLA_VXLAN_LOCAL or IFLA_VXLAN_LOCAL6 when value.Length is 4 or 16 => settings with { Local = IpAddress.FromBytes(value) },
                IFLA_VXLAN_LINK => settings with { ParentIndex = (int)AttributeReader.U32(value) },
                IFLA_VXLAN_LEARNING when value.Length == 1 => settings with { Learning = value[0] != 0 },
                _ => settings,
            };
        }

        return settings;
    }

    private LinkInfo? FindOne(Span<byte> request, string what)
    {
        List<LinkInfo> found = [];
        Sink sink = new(found);
        NetlinkResult result = _netlink.Dump(request, ref sink);
        if (result.Errno is Errno.ENODEV or Errno.ENXIO)
        {
            return null;
        }

        result.ThrowIfFailed($"look up link {what}");
        return found.Count > 0 ? found[0] : null;
    }

    private NetlinkResult SetFlags(int index, uint flags)
    {
        NetlinkRequest request = new(stackalloc byte[64], RTM_NEWLINK, 0);
        request.Header(new IfInfoMsg { Index = index, Flags = flags, Change = IFF_UP });
        return _netlink.Execute(request.Finish());
    }

    private static NetlinkRequest Change(Span<byte> buffer, int index)
    {
        NetlinkRequest request = new(buffer, RTM_SETLINK, 0);
        request.Header(new IfInfoMsg { Index = index });
        return request;
    }

    private static void PutVethEnd(ref NetlinkRequest request, VethEnd end)
    {
        request.Header(new IfInfoMsg());
        request.Put(IFLA_IFNAME, end.Name);
        PutShape(ref request, end.Mac, end.Mtu);
        if (end.Queues > 0)
        {
            request.Put(IFLA_NUM_TX_QUEUES, end.Queues);
            request.Put(IFLA_NUM_RX_QUEUES, end.Queues);
        }

        if (end.Namespace is { } space)
        {
            request.Put(IFLA_NET_NS_FD, space.Descriptor);
        }
    }

    private static void PutShape(ref NetlinkRequest request, MacAddress? mac, int mtu)
    {
        if (mac is { } address)
        {
            request.Put(IFLA_ADDRESS, address);
        }

        if (mtu != 0)
        {
            request.Put(IFLA_MTU, mtu);
        }
    }

    private readonly struct Sink(List<LinkInfo> links) : INetlinkSink
    {
        public void Restart() => links.Clear();

        public void OnMessage(ushort type, scoped ReadOnlySpan<byte> payload)
        {
            if (type == RTM_NEWLINK && Parse(payload) is { } link)
            {
                links.Add(link);
            }
        }
    }
}
