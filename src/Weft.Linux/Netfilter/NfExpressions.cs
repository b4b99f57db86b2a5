using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Weft.Linux.Native;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;
using static Weft.Linux.Native.NfTablesConstants;

namespace Weft.Linux.Netfilter;

/// <summary>Which of a packet's ends an expression reads.</summary>
public enum NfEnd : byte
{
    Source,
    Destination,
}

/// <summary>Which interface of a packet an expression reads.</summary>
public enum NfInterface : byte
{
    In,
    Out,
}

/// <summary>Whether a criterion must hold or must not.</summary>
public enum NfSense : byte
{
    Is,
    IsNot,
}

/// <summary>What a connection may be in the table of connections; bits of the kernel's "ct state".</summary>
[Flags]
public enum NfConntrackStates : uint
{
    Invalid = 1,
    Established = 2,
    Related = 4,
    New = 8,
    Untracked = 64,
}

/// <summary>
/// The expressions of one rule, in the order in which the kernel carries them out: criteria first, then what is done. Each loads something into a
/// register, works on it or compares it; the first that fails ends the rule.
/// <code>
///   NFTA_LIST_ELEM { NFTA_EXPR_NAME "meta", NFTA_EXPR_DATA { key, register } }  NFTA_LIST_ELEM { "cmp" ... } ...
/// </code>
/// Used by one thread; the buffer is kept from rule to rule.
/// </summary>
public sealed class NfExpressions
{
    // Registers are areas of 16 bytes, addressed in pieces of four: every criterion starts at the first, a concatenated key fills several.
    private const uint Register = NFT_REG32_00;
    private const int RegisterLength = 4;
    private const int Room = 1024;

    private readonly IpFamily _family;
    private byte[] _buffer = new byte[Room];
    private int _length;

    public NfExpressions(IpFamily family)
    {
        _family = family;
    }

    private delegate void Data(ref NetlinkRequest attributes);

    /// <summary>The expressions as attributes; valid until the next call that changes them.</summary>
    public ReadOnlySpan<byte> Bytes => _buffer.AsSpan(0, _length);

    private int AddressLength => _family == IpFamily.IPv4 ? 4 : 16;

    public void Clear() => _length = 0;

    // ---- criteria

    /// <summary>(packet mark AND mask) against the mark.</summary>
    public void Mark(uint mark, uint mask, NfSense sense)
    {
        LoadMeta(NFT_META_MARK, Register);
        Mask(Register, Native(mask), Native(0u));
        Compare(Register, sense, Native(mark));
    }

    public void InterfaceName(NfInterface which, string name)
    {
        LoadMeta(Meta(which), Register);
        Compare(Register, NfSense.Is, NameKey(name));
    }

    /// <summary>The name starts so.</summary>
    public void InterfacePrefix(NfInterface which, string prefix)
    {
        LoadMeta(Meta(which), Register);
        Compare(Register, NfSense.Is, Encoding.ASCII.GetBytes(prefix));
    }

    public void Protocol(byte number, NfSense sense)
    {
        LoadMeta(NFT_META_L4PROTO, Register);
        Compare(Register, sense, [number]);
    }

    public void Address(NfEnd end, IpPrefix net, NfSense sense)
    {
        Span<byte> address = stackalloc byte[AddressLength];
        net.Address.CopyTo(address);
        LoadAddress(end);
        MaskAddress(net.Length);
        Compare(Register, sense, address);
    }

    /// <summary>The first bits of the address are a member of the set.</summary>
    /// <param name="end">Whose address.</param>
    /// <param name="length">How many bits.</param>
    /// <param name="set">Of addresses.</param>
    /// <param name="sense">In the set, or not.</param>
    public void AddressInSet(NfEnd end, int length, string set, NfSense sense)
    {
        LoadAddress(end);
        MaskAddress(length);
        Lookup(set, 0, sense);
    }

    /// <summary>Address, protocol and port together are a member of the set.</summary>
    public void AddressAndPortInSet(NfEnd end, string set, NfSense sense)
    {
        uint next = Register + (uint)(AddressLength / RegisterLength);
        LoadAddress(end);
        LoadMeta(NFT_META_L4PROTO, next);
        LoadPort(end, next + 1);
        Lookup(set, 0, sense);
    }

    /// <summary>The port lies between the two, both included.</summary>
    public void Port(NfEnd end, ushort first, ushort last)
    {
        LoadPort(end, Register);
        if (first == last)
        {
            Compare(Register, NfSense.Is, BigEndian(first));
            return;
        }

        Compare(Register, NFT_CMP_GTE, BigEndian(first));
        Compare(Register, NFT_CMP_LTE, BigEndian(last));
    }

    /// <summary>The port does not lie between the two.</summary>
    public void PortOutside(NfEnd end, ushort first, ushort last)
    {
        LoadPort(end, Register);
        Expression("range", (ref attributes) =>
        {
            attributes.PutBigEndian(NFTA_RANGE_SREG, Register);
            attributes.PutBigEndian(NFTA_RANGE_OP, NFT_RANGE_NEQ);
            PutData(ref attributes, NFTA_RANGE_FROM_DATA, BigEndian(first));
            PutData(ref attributes, NFTA_RANGE_TO_DATA, BigEndian(last));
        });
    }

    /// <summary>The port is in a nameless set of the same batch.</summary>
    public void PortInSet(NfEnd end, uint setId)
    {
        LoadPort(end, Register);
        Lookup(NfTablesBatch.NamelessSet, setId, NfSense.Is);
    }

    /// <summary>Only behind the family's own ICMP protocol.</summary>
    /// <param name="type">ICMP type.</param>
    /// <param name="code">Null for any.</param>
    /// <param name="sense">It, or anything but it.</param>
    public void Icmp(byte type, byte? code, NfSense sense)
    {
        LoadPayload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, code is null ? 1u : 2u, Register);
        Compare(Register, sense, code is { } c ? [type, c] : [type]);
    }

    /// <summary>The connection is in one of the states, or in none of them.</summary>
    public void ConntrackState(NfConntrackStates states, NfSense sense)
    {
        LoadConntrack(NFT_CT_STATE, Register);
        AnyBit((uint)states, sense);
    }

    /// <summary>The connection's destination was translated, or not. A packet without a connection fails both ways.</summary>
    public void DestinationTranslated(NfSense sense)
    {
        LoadConntrack(NFT_CT_STATUS, Register);
        AnyBit(IPS_DST_NAT, sense);
    }

    /// <summary>The address is one of this host's.</summary>
    /// <param name="end">Whose address.</param>
    /// <param name="interfaces">Of which interface: null for any.</param>
    /// <param name="sense">It is, or it is not.</param>
    public void LocalAddress(NfEnd end, NfInterface? interfaces, NfSense sense)
    {
        uint flags = end == NfEnd.Source ? NFTA_FIB_F_SADDR : NFTA_FIB_F_DADDR;
        flags |= interfaces switch { NfInterface.In => NFTA_FIB_F_IIF, NfInterface.Out => NFTA_FIB_F_OIF, _ => 0 };
        Fib(NFT_FIB_RESULT_ADDRTYPE, flags);
        Compare(Register, sense, Native((uint)RouteConstants.RTN_LOCAL));
    }

    /// <summary>The source address would not be routed back through the interface the packet came by.</summary>
    public void ReversePathFails()
    {
        Fib(NFT_FIB_RESULT_OIF, NFTA_FIB_F_SADDR | NFTA_FIB_F_MARK | NFTA_FIB_F_IIF);
        Compare(Register, NfSense.Is, Native(0u));
    }

    /// <summary>Not more packets than this so far.</summary>
    public void Limit(ulong packets, TimeSpan per, uint burst) => Expression("limit", (ref attributes) =>
    {
        attributes.PutBigEndian(NFTA_LIMIT_RATE, packets);
        attributes.PutBigEndian(NFTA_LIMIT_UNIT, (ulong)per.TotalSeconds);
        attributes.PutBigEndian(NFTA_LIMIT_BURST, burst);
    });

    // ---- what is done

    /// <summary>Counts what came so far.</summary>
    public void Counter() => Expression("counter", static (ref _) => { });

    public void Accept() => Verdict(NF_ACCEPT, null);

    public void Drop() => Verdict(NF_DROP, null);

    public void Return() => Verdict(NFT_RETURN, null);

    public void Jump(string chain) => Verdict(NFT_JUMP, chain);

    public void Goto(string chain) => Verdict(NFT_GOTO, chain);

    /// <summary>The verdict that the map holds for the interface; a name it does not hold goes on to the next rule.</summary>
    public void InterfaceVerdict(NfInterface which, string map)
    {
        LoadMeta(Meta(which), Register);
        Expression("lookup", (ref attributes) =>
        {
            attributes.Put(NFTA_LOOKUP_SET, map);
            attributes.PutBigEndian(NFTA_LOOKUP_SREG, Register);
            attributes.PutBigEndian(NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
        });
    }

    /// <summary>The bits of the mask become those of the mark.</summary>
    public void SetMark(uint mark, uint mask)
    {
        LoadMeta(NFT_META_MARK, Register);
        Mask(Register, Native(~mask), Native(mark));
        Expression("meta", static (ref attributes) =>
        {
            attributes.PutBigEndian(NFTA_META_KEY, NFT_META_MARK);
            attributes.PutBigEndian(NFTA_META_SREG, Register);
        });
    }

    /// <summary>ICMP port unreachable.</summary>
    public void Reject()
    {
        const byte PortUnreachable = 3; // RFC 792
        const byte PortUnreachableV6 = 4; // RFC 4443 3.1
        byte code = _family == IpFamily.IPv4 ? PortUnreachable : PortUnreachableV6;
        Expression("reject", (ref attributes) =>
        {
            attributes.PutBigEndian(NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
            attributes.Put(NFTA_REJECT_ICMP_CODE, code);
        });
    }

    public void RejectWithTcpReset() => Expression("reject", static (ref attributes) => attributes.PutBigEndian(NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST));

    /// <summary>No entry in the table of connections; only at hooks before it.</summary>
    public void NoTrack() => Expression("notrack", static (ref _) => { });

    /// <summary>A line in the kernel's log, of level notice.</summary>
    public void Log(string prefix) => Expression("log", (ref attributes) =>
    {
        attributes.Put(NFTA_LOG_PREFIX, prefix);
        attributes.PutBigEndian(NFTA_LOG_LEVEL, NFT_LOGLEVEL_NOTICE);
    });

    /// <summary>The packet's first bytes to the listeners of the group.</summary>
    public void Nflog(ushort group, string prefix, uint bytes) => Expression("log", (ref attributes) =>
    {
        attributes.PutBigEndian(NFTA_LOG_GROUP, group);
        attributes.Put(NFTA_LOG_PREFIX, prefix);
        attributes.PutBigEndian(NFTA_LOG_SNAPLEN, bytes);
    });

    /// <param name="address">The new destination.</param>
    /// <param name="port">0 keeps the packet's.</param>
    public void Dnat(IpAddress address, ushort port) => Translate(NFT_NAT_DNAT, address, port == 0 ? null : (port, port), flags: 0);

    /// <param name="address">The new source.</param>
    /// <param name="ports">Null for any; chosen at random, or two connections of different pods could be given one port at the same time.</param>
    public void Snat(IpAddress address, (ushort First, ushort Last)? ports) => Translate(NFT_NAT_SNAT, address, ports, NF_NAT_RANGE_PROTO_RANDOM_FULLY);

    /// <summary>As <see cref="Snat"/>, with the address of the outgoing interface.</summary>
    public void Masquerade((ushort First, ushort Last)? ports)
    {
        LoadPorts(ports, Register);
        Expression("masq", (ref attributes) =>
        {
            attributes.PutBigEndian(NFTA_MASQ_FLAGS, NF_NAT_RANGE_PROTO_RANDOM_FULLY);
            if (ports is not null)
            {
                attributes.PutBigEndian(NFTA_MASQ_REG_PROTO_MIN, Register);
                attributes.PutBigEndian(NFTA_MASQ_REG_PROTO_MAX, Register + 1);
            }
        });
    }

    /// <summary>The six bits of the DSCP field (RFC 2474); the two beside them stay.</summary>
    public void SetDscp(byte value)
    {
        // IPv4: version 4, length 4, DSCP 6, ECN 2.  IPv6: version 4, DSCP 6, ECN 2, flow label 4.
        bool v4 = _family == IpFamily.IPv4;
        LoadPayload(NFT_PAYLOAD_NETWORK_HEADER, 0, 2, Register);
        Mask(Register, BigEndian(v4 ? (ushort)0xff03 : (ushort)0xf03f), BigEndian((ushort)(value << (v4 ? 2 : 6))));
        Expression("payload", (ref attributes) =>
        {
            const uint ChecksumOffset = 10;
            attributes.PutBigEndian(NFTA_PAYLOAD_SREG, Register);
            attributes.PutBigEndian(NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
            attributes.PutBigEndian(NFTA_PAYLOAD_OFFSET, 0u);
            attributes.PutBigEndian(NFTA_PAYLOAD_LEN, 2u);
            attributes.PutBigEndian(NFTA_PAYLOAD_CSUM_TYPE, v4 ? NFT_PAYLOAD_CSUM_INET : NFT_PAYLOAD_CSUM_NONE);
            attributes.PutBigEndian(NFTA_PAYLOAD_CSUM_OFFSET, v4 ? ChecksumOffset : 0);
        });
    }

    /// <summary>An interface's name as it is compared: sixteen bytes, the rest of them zero.</summary>
    internal static byte[] NameKey(string name)
    {
        byte[] key = new byte[NfTablesBatch.InterfaceKeyLength];
        Encoding.ASCII.GetBytes(name, key.AsSpan(0, NfTablesBatch.InterfaceKeyLength - 1));
        return key;
    }

    internal static void PutVerdict(ref NetlinkRequest attributes, ushort type, int code, string? chain)
    {
        int data = attributes.BeginNested(type);
        int verdict = attributes.BeginNested(NFTA_DATA_VERDICT);
        attributes.PutBigEndian(NFTA_VERDICT_CODE, (uint)code);
        if (chain is not null)
        {
            attributes.Put(NFTA_VERDICT_CHAIN, chain);
        }

        attributes.EndNested(verdict);
        attributes.EndNested(data);
    }

    internal static void PutData(ref NetlinkRequest attributes, ushort type, scoped ReadOnlySpan<byte> value)
    {
        int data = attributes.BeginNested(type);
        attributes.Put(NFTA_DATA_VALUE, value);
        attributes.EndNested(data);
    }

    // ---- pieces

    private static uint Meta(NfInterface which) => which == NfInterface.In ? NFT_META_IIFNAME : NFT_META_OIFNAME;

    private static byte[] Native(uint value)
    {
        byte[] bytes = new byte[4];
        MemoryMarshal.Write(bytes, in value);
        return bytes;
    }

    private static byte[] BigEndian(ushort value)
    {
        byte[] bytes = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, value);
        return bytes;
    }

    private void LoadMeta(uint key, uint register) => Expression("meta", (ref attributes) =>
    {
        attributes.PutBigEndian(NFTA_META_KEY, key);
        attributes.PutBigEndian(NFTA_META_DREG, register);
    });

    private void LoadConntrack(uint key, uint register) => Expression("ct", (ref attributes) =>
    {
        attributes.PutBigEndian(NFTA_CT_KEY, key);
        attributes.PutBigEndian(NFTA_CT_DREG, register);
    });

    private void LoadAddress(NfEnd end)
    {
        // Places of the addresses in the two headers (RFC 791 3.1, RFC 8200 3).
        (uint source, uint destination) = _family == IpFamily.IPv4 ? (12u, 16u) : (8u, 24u);
        LoadPayload(NFT_PAYLOAD_NETWORK_HEADER, end == NfEnd.Source ? source : destination, (uint)AddressLength, Register);
    }

    /// <summary>Of TCP, UDP, SCTP, DCCP: the first two fields of their headers.</summary>
    private void LoadPort(NfEnd end, uint register) => LoadPayload(NFT_PAYLOAD_TRANSPORT_HEADER, end == NfEnd.Source ? 0u : 2u, 2, register);

    private void LoadPayload(uint header, uint offset, uint length, uint register) => Expression("payload", (ref attributes) =>
    {
        attributes.PutBigEndian(NFTA_PAYLOAD_DREG, register);
        attributes.PutBigEndian(NFTA_PAYLOAD_BASE, header);
        attributes.PutBigEndian(NFTA_PAYLOAD_OFFSET, offset);
        attributes.PutBigEndian(NFTA_PAYLOAD_LEN, length);
    });

    private void MaskAddress(int length)
    {
        if (length == AddressLength * 8)
        {
            return;
        }

        byte[] mask = new byte[AddressLength];
        for (int i = 0; i < mask.Length; i++)
        {
            mask[i] = (byte)(0xff00 >> Math.Clamp(length - (i * 8), 0, 8));
        }

        Mask(Register, mask, new byte[AddressLength]);
    }

    private void Mask(uint register, byte[] mask, byte[] xor) => Expression("bitwise", (ref attributes) =>
    {
        attributes.PutBigEndian(NFTA_BITWISE_SREG, register);
        attributes.PutBigEndian(NFTA_BITWISE_DREG, register);
        attributes.PutBigEndian(NFTA_BITWISE_LEN, (uint)mask.Length);
        PutData(ref attributes, NFTA_BITWISE_MASK, mask);
        PutData(ref attributes, NFTA_BITWISE_XOR, xor);
    });

    private void AnyBit(uint bits, NfSense sense)
    {
        Mask(Register, Native(bits), Native(0u));
        Compare(Register, sense == NfSense.Is ? NFT_CMP_NEQ : NFT_CMP_EQ, Native(0u));
    }

    private void Compare(uint register, NfSense sense, scoped ReadOnlySpan<byte> value) =>
        Compare(register, sense == NfSense.Is ? NFT_CMP_EQ : NFT_CMP_NEQ, value);

    private void Compare(uint register, uint operation, scoped ReadOnlySpan<byte> value)
    {
        NetlinkRequest attributes = Begin("cmp", out int element, out int data);
        attributes.PutBigEndian(NFTA_CMP_SREG, register);
        attributes.PutBigEndian(NFTA_CMP_OP, operation);
        PutData(ref attributes, NFTA_CMP_DATA, value);
        End(ref attributes, element, data);
    }

    private void Lookup(string set, uint setId, NfSense sense) => Expression("lookup", (ref attributes) =>
    {
        attributes.Put(NFTA_LOOKUP_SET, set);
        attributes.PutBigEndian(NFTA_LOOKUP_SREG, Register);
        if (setId != 0)
        {
            attributes.PutBigEndian(NFTA_LOOKUP_SET_ID, setId);
        }

        if (sense == NfSense.IsNot)
        {
            attributes.PutBigEndian(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
        }
    });

    private void Fib(uint result, uint flags) => Expression("fib", (ref attributes) =>
    {
        attributes.PutBigEndian(NFTA_FIB_DREG, Register);
        attributes.PutBigEndian(NFTA_FIB_RESULT, result);
        attributes.PutBigEndian(NFTA_FIB_FLAGS, flags);
    });

    private void Verdict(int code, string? chain) => Expression("immediate", (ref attributes) =>
    {
        attributes.PutBigEndian(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
        PutVerdict(ref attributes, NFTA_IMMEDIATE_DATA, code, chain);
    });

    private void LoadValue(uint register, byte[] value) => Expression("immediate", (ref attributes) =>
    {
        attributes.PutBigEndian(NFTA_IMMEDIATE_DREG, register);
        PutData(ref attributes, NFTA_IMMEDIATE_DATA, value);
    });

    private void LoadPorts((ushort First, ushort Last)? ports, uint register)
    {
        if (ports is { } span)
        {
            LoadValue(register, BigEndian(span.First));
            LoadValue(register + 1, BigEndian(span.Last));
        }
    }

    private void Translate(uint type, IpAddress address, (ushort First, ushort Last)? ports, uint flags)
    {
        byte[] value = new byte[AddressLength];
        address.CopyTo(value);
        uint portRegister = Register + (uint)(AddressLength / RegisterLength);
        LoadValue(Register, value);
        LoadPorts(ports, portRegister);
        Expression("nat", (ref attributes) =>
        {
            attributes.PutBigEndian(NFTA_NAT_TYPE, type);
            attributes.PutBigEndian(NFTA_NAT_FAMILY, (uint)Family.ToKernel(_family));
            attributes.PutBigEndian(NFTA_NAT_REG_ADDR_MIN, Register);
            if (ports is not null)
            {
                attributes.PutBigEndian(NFTA_NAT_REG_PROTO_MIN, portRegister);
                attributes.PutBigEndian(NFTA_NAT_REG_PROTO_MAX, portRegister + 1);
            }

            if (flags != 0)
            {
                attributes.PutBigEndian(NFTA_NAT_FLAGS, flags);
            }
        });
    }

    private void Expression(string name, Data write)
    {
        NetlinkRequest attributes = Begin(name, out int element, out int data);
        write(ref attributes);
        End(ref attributes, element, data);
    }

    private NetlinkRequest Begin(string name, out int element, out int data)
    {
        if (_buffer.Length - _length < Room)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        NetlinkRequest attributes = NetlinkRequest.Attributes(_buffer.AsSpan(_length));
        element = attributes.BeginNested(NFTA_LIST_ELEM);
        attributes.Put(NFTA_EXPR_NAME, name);
        data = attributes.BeginNested(NFTA_EXPR_DATA);
        return attributes;
    }

    private void End(ref NetlinkRequest attributes, int element, int data)
    {
        attributes.EndNested(data);
        attributes.EndNested(element);
        _length += attributes.Length;
    }
}
