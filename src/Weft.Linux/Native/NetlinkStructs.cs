using System.Runtime.InteropServices;

namespace Weft.Linux.Native;

// Fixed headers of netlink messages, in the order a request is built. Sizes and offsets are checked against the C headers by AbiTests.

/// <summary>struct sockaddr_nl</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SockAddrNl
{
    public ushort Family;
    public ushort Pad;
    public uint Pid;
    public uint Groups;
}

/// <summary>struct nlmsghdr</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NlMsgHdr
{
    public uint Length;
    public ushort Type;
    public ushort Flags;
    public uint Sequence;
    public uint Pid;
}

/// <summary>struct nlattr (and struct rtattr)</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NlAttr
{
    public ushort Length;
    public ushort Type;
}

/// <summary>struct ifinfomsg</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IfInfoMsg
{
    public byte Family;
    public byte Pad;
    public ushort Type;
    public int Index;
    public uint Flags;
    public uint Change;
}

/// <summary>struct ifaddrmsg</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IfAddrMsg
{
    public byte Family;
    public byte PrefixLength;
    public byte Flags;
    public byte Scope;
    public uint Index;
}

/// <summary>struct rtmsg</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RtMsg
{
    public byte Family;
    public byte DestinationLength;
    public byte SourceLength;
    public byte Tos;
    public byte Table;
    public byte Protocol;
    public byte Scope;
    public byte Type;
    public uint Flags;
}

/// <summary>struct rtnexthop</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RtNextHop
{
    public ushort Length;
    public byte Flags;
    public byte Hops;
    public int Index;
}

/// <summary>struct ndmsg</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NdMsg
{
    public byte Family;
    public byte Pad1;
    public ushort Pad2;
    public int Index;
    public ushort State;
    public byte Flags;
    public byte Type;
}

/// <summary>struct fib_rule_hdr</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FibRuleHdr
{
    public byte Family;
    public byte DestinationLength;
    public byte SourceLength;
    public byte Tos;
    public byte Table;
    public byte Reserved1;
    public byte Reserved2;
    public byte Action;
    public uint Flags;
}

/// <summary>struct tcmsg</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TcMsg
{
    public byte Family;
    public byte Pad1;
    public ushort Pad2;
    public int Index;
    public uint Handle;
    public uint Parent;
    public uint Info;
}

/// <summary>struct tc_ratespec</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TcRateSpec
{
    public byte CellLog;
    public byte LinkLayer;
    public ushort Overhead;
    public short CellAlign;
    public ushort Mpu;
    public uint Rate;
}

/// <summary>struct tc_tbf_qopt</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TcTbfQopt
{
    public TcRateSpec Rate;
    public TcRateSpec PeakRate;
    public uint Limit;
    public uint Buffer;
    public uint Mtu;
}

/// <summary>struct tc_u32_sel followed by one struct tc_u32_key: 16 bytes each.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TcU32SelOne
{
    public byte Flags;
    public byte OffShift;
    public byte Keys;
    public ushort OffMask;
    public ushort Off;
    public short OffOff;
    public short Hoff;
    public uint Hmask;
    public uint KeyMask;
    public uint KeyValue;
    public int KeyOff;
    public int KeyOffMask;
}

/// <summary>struct tc_mirred</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TcMirred
{
    public uint Index;
    public uint Capab;
    public int Action;
    public int RefCount;
    public int BindCount;
    public int MirrorAction;
    public uint InterfaceIndex;
}
