using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weft.Linux.Namespaces;
using Weft.Linux.Native;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;
using static Weft.Linux.Native.IpSetConstants;

namespace Weft.Linux.Netfilter;

/// <summary>
/// The kernel's ip sets, spoken to directly: a member costs microseconds where the ipset program costs milliseconds. Used by one thread at a time.
/// <code>
/// | nlmsghdr | nfgenmsg | PROTOCOL | SETNAME | ... | ADT { DATA { IP { IPADDR_IPV4 } CIDR PORT PROTO } DATA { ... } ... } |
/// </code>
/// Numbers travel in network order and their attributes say so.
/// </summary>
public sealed class IpSetSocket : IDisposable
{
    /// <summary>So many members go into one message: the length of an attribute has 16 bits, a member takes at most 56.</summary>
    internal const int MembersPerMessage = 1000;

    // Names have at most 31 characters, everything beside the members fits well.
    private const int HeaderRoom = 256;
    private const int LargestMember = 56;

    private readonly INetlink _netlink;
    private readonly byte[] _buffer = new byte[HeaderRoom + MembersPerMessage * LargestMember];

    /// <param name="netlink">A socket of the netfilter family; owned from now on.</param>
    public IpSetSocket(INetlink netlink)
    {
        _netlink = netlink;
    }

    /// <param name="space">Null for the namespace of the calling thread.</param>
    /// <exception cref="KernelException">The kernel refused.</exception>
    public static IpSetSocket Open(NetNamespace? space = null) => new(NetlinkSocket.OpenNetfilter(space));

    /// <summary>Fails with EEXIST when there is a set of the name.</summary>
    public NetlinkResult Create(IpSetHeader set)
    {
        NetlinkRequest request = Begin(IPSET_CMD_CREATE, NetlinkConstants.NLM_F_CREATE | NetlinkConstants.NLM_F_EXCL, set.Family);
        request.Put(IPSET_ATTR_SETNAME, set.Name);
        request.Put(IPSET_ATTR_TYPENAME, set.TypeName);

        // Later revisions only add what is not used here. The first that the ipset program can print; SCTP ports came with 1.
        request.Put(IPSET_ATTR_REVISION, (byte)(set.TypeName == IpSetTypes.IpPort ? 1 : 0));
        request.Put(IPSET_ATTR_FAMILY, Family.ToKernel(set.Family));
        int data = request.BeginNested(IPSET_ATTR_DATA);
        if (set.HashSize > 0)
        {
            request.PutNetOrder(IPSET_ATTR_HASHSIZE, set.HashSize);
        }

        request.PutNetOrder(IPSET_ATTR_MAXELEM, set.MaxElements);
        request.EndNested(data);
        return _netlink.Execute(request.Finish());
    }

    /// <summary>Fails with <see cref="Errno.IPSET_ERR_BUSY"/> while a rule or another set names it; one that is not there is no failure.</summary>
    public NetlinkResult Destroy(string name)
    {
        NetlinkRequest request = Begin(IPSET_CMD_DESTROY, 0, IpFamily.None);
        request.Put(IPSET_ATTR_SETNAME, name);
        return _netlink.Execute(request.Finish());
    }

    /// <summary>The contents change places in one step for every packet. Both must be of the same type and family.</summary>
    public NetlinkResult Swap(string one, string other)
    {
        NetlinkRequest request = Begin(IPSET_CMD_SWAP, 0, IpFamily.None);
        request.Put(IPSET_ATTR_SETNAME, one);
        request.Put(IPSET_ATTR_SETNAME2, other);
        return _netlink.Execute(request.Finish());
    }

    /// <summary>Those that are there already are no failure. Not a transaction: after a failure the members before it are in.</summary>
    public NetlinkResult Add(IpSetHeader set, ReadOnlySpan<IpSetEntry> members) => Change(IPSET_CMD_ADD, set, members);

    /// <summary>Those that are not there are no failure.</summary>
    public NetlinkResult Remove(IpSetHeader set, ReadOnlySpan<IpSetEntry> members) => Change(IPSET_CMD_DEL, set, members);

    /// <summary>Every set of the namespace without its members.</summary>
    public NetlinkResult ListHeaders(List<IpSetHeader> sets)
    {
        NetlinkRequest request = Begin(IPSET_CMD_LIST, NetlinkConstants.NLM_F_DUMP, IpFamily.None);
        request.PutNetOrder(IPSET_ATTR_FLAGS, IPSET_FLAG_LIST_HEADER);
        HeaderSink sink = new(sets);
        return _netlink.Dump(request.Finish(), ref sink);
    }

    /// <summary>Fails with ENOENT when there is no such set.</summary>
    public NetlinkResult ListMembers(string name, List<IpSetEntry> members)
    {
        NetlinkRequest request = Begin(IPSET_CMD_LIST, NetlinkConstants.NLM_F_DUMP, IpFamily.None);
        request.Put(IPSET_ATTR_SETNAME, name);
        MemberSink sink = new(members);
        return _netlink.Dump(request.Finish(), ref sink);
    }

    public void Dispose() => _netlink.Dispose();

    private NetlinkResult Change(int command, IpSetHeader set, ReadOnlySpan<IpSetEntry> members)
    {
        for (ReadOnlySpan<IpSetEntry> rest = members; !rest.IsEmpty;)
        {
            ReadOnlySpan<IpSetEntry> some = rest[..Math.Min(rest.Length, MembersPerMessage)];
            rest = rest[some.Length..];
            NetlinkRequest request = Begin(command, 0, set.Family);
            request.Put(IPSET_ATTR_SETNAME, set.Name);

            // The kernel wants a line number for a list of members, as if it came from a script.
            request.PutNetOrder(IPSET_ATTR_LINENO, 1u);
            int list = request.BeginNested(IPSET_ATTR_ADT);
            foreach (ref readonly IpSetEntry member in some)
            {
                Append(ref request, member, set.TypeName == IpSetTypes.Net);
            }

            request.EndNested(list);
            NetlinkResult result = _netlink.Execute(request.Finish());
            if (!result.IsSuccess)
            {
                return result;
            }
        }

        return NetlinkResult.Success;
    }

    private static void Append(ref NetlinkRequest request, in IpSetEntry member, bool isNet)
    {
        IpAddress address = member.Prefix.Address;
        int data = request.BeginNested(IPSET_ATTR_DATA);
        int ip = request.BeginNested(IPSET_ATTR_IP);
        request.Put(
            (ushort)((address.Family == IpFamily.IPv6 ? IPSET_ATTR_IPADDR_IPV6 : IPSET_ATTR_IPADDR_IPV4) | NetlinkConstants.NLA_F_NET_BYTEORDER), address);
        request.EndNested(ip);
        if (isNet)
        {
            request.Put(IPSET_ATTR_CIDR, (byte)member.Prefix.Length);
        }

        if (member.Protocol != 0)
        {
            request.PutBigEndian((ushort)(IPSET_ATTR_PORT | NetlinkConstants.NLA_F_NET_BYTEORDER), member.Port);
            request.Put(IPSET_ATTR_PROTO, member.Protocol);
        }

        request.EndNested(data);
    }

    private NetlinkRequest Begin(int command, int flags, IpFamily family)
    {
        NetlinkRequest request = new(_buffer, (ushort)(NFNL_SUBSYS_IPSET << 8 | command), flags);
        request.Header(new NfGenMsg { Family = Family.ToKernel(family) });
        request.Put(IPSET_ATTR_PROTOCOL, IPSET_PROTOCOL_MIN);
        return request;
    }

    private readonly struct HeaderSink(List<IpSetHeader> sets) : INetlinkSink
    {
        public void Restart() => sets.Clear();

        public void OnMessage(ushort type, scoped ReadOnlySpan<byte> payload)
        {
            IpSetHeader set = new(string.Empty, string.Empty, IpFamily.None, 0);
            AttributeReader attributes = new(payload[Math.Min(payload.Length, Unsafe.SizeOf<NfGenMsg>())..]);
            while (attributes.Next(out ushort attribute, out ReadOnlySpan<byte> value))
            {
                switch (attribute)
                {
                    case IPSET_ATTR_SETNAME: set = set with { Name = AttributeReader.Text(value) }; break;
                    case IPSET_ATTR_TYPENAME: set = set with { TypeName = AttributeReader.Text(value) }; break;
                    case IPSET_ATTR_FAMILY when value.Length == 1: set = set with { Family = Family.FromKernel(value[0]) }; break;
                    case IPSET_ATTR_DATA: set = Options(set, value); break;
                }
            }

            sets.Add(set);
        }

        private static IpSetHeader Options(IpSetHeader set, ReadOnlySpan<byte> data)
        {
            AttributeReader options = new(data);
            while (options.Next(out ushort option, out ReadOnlySpan<byte> value))
            {
                set = option switch
                {
                    IPSET_ATTR_HASHSIZE => set with { HashSize = Number(value) },
                    IPSET_ATTR_MAXELEM => set with { MaxElements = Number(value) },
                    IPSET_ATTR_ELEMENTS => set with { Elements = Number(value) },
                    IPSET_ATTR_REFERENCES => set with { References = Number(value) },
                    _ => set,
                };
            }

            return set;
        }

        private static uint Number(ReadOnlySpan<byte> value) => value.Length >= 4 ? BinaryPrimitives.ReadUInt32BigEndian(value) : 0;
    }

    private readonly struct MemberSink(List<IpSetEntry> members) : INetlinkSink
    {
        public void Restart() => members.Clear();

        public void OnMessage(ushort type, scoped ReadOnlySpan<byte> payload)
        {
            AttributeReader attributes = new(payload[Math.Min(payload.Length, Unsafe.SizeOf<NfGenMsg>())..]);
            while (attributes.Next(out ushort attribute, out ReadOnlySpan<byte> value))
            {
                if (attribute == IPSET_ATTR_ADT)
                {
                    AttributeReader list = new(value);
                    while (list.Next(out ushort kind, out ReadOnlySpan<byte> member))
                    {
                        if (kind == IPSET_ATTR_DATA)
                        {
                            Read(member);
                        }
                    }
                }
            }
        }

        private void Read(ReadOnlySpan<byte> data)
        {
            IpAddress address = default;
            int length = -1;
            byte protocol = 0;
            ushort port = 0;
            AttributeReader parts = new(data);
            while (parts.Next(out ushort part, out ReadOnlySpan<byte> value))
            {
                switch (part)
                {
                    case IPSET_ATTR_IP when value.Length is 8 or 20: address = IpAddress.FromBytes(value[4..]); break;
                    case IPSET_ATTR_CIDR when value.Length == 1: length = value[0]; break;
                    case IPSET_ATTR_PORT when value.Length == 2: port = BinaryPrimitives.ReadUInt16BigEndian(value); break;
                    case IPSET_ATTR_PROTO when value.Length == 1: protocol = value[0]; break;
                }
            }

            if (address.Family != IpFamily.None)
            {
                members.Add(new IpSetEntry(new IpPrefix(address, length < 0 ? address.BitLength : length), protocol, port));
            }
        }
    }
}
