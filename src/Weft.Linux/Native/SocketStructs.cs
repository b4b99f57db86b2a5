using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Weft.Linux.Native;

/// <summary>linux/tcp.h, in.h, in6.h, asm-generic/socket.h. Spelled as in the kernel; checked by AbiTests.</summary>
internal static class SocketConstants
{
    public const int SOL_SOCKET = 1;
    public const int SO_PEERCRED = 17;
    public const int SO_BINDTODEVICE = 25;
    public const int SO_PRIORITY = 12;
    public const int IPPROTO_IP = 0;
    public const int IPPROTO_TCP = 6;
    public const int IPPROTO_IPV6 = 41;
    public const int IPPROTO_ICMPV6 = 58;
    public const int ICMPV6_FILTER = 1;
    public const int IP_TOS = 1;
    public const int IP_TTL = 2;
    public const int IP_FREEBIND = 15;
    public const int IP_MINTTL = 21;
    public const int IPV6_UNICAST_HOPS = 16;
    public const int IPV6_MULTICAST_HOPS = 18;
    public const int IPV6_TCLASS = 67;
    public const int IPV6_MINHOPCOUNT = 73;
    public const int IPV6_FREEBIND = 78;
    public const int TCP_MD5SIG = 14;
    public const int TCP_USER_TIMEOUT = 18;
    public const int TCP_MD5SIG_EXT = 32;
    public const int TCP_MD5SIG_MAXKEYLEN = 80;
    public const byte TCP_MD5SIG_FLAG_PREFIX = 1;
}

/// <summary>struct tcp_md5sig: an address in a sockaddr_storage, then how much of it counts, then the key.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TcpMd5Sig
{
    public SockAddrStorage Address;
    public byte Flags;
    public byte PrefixLength;
    public ushort KeyLength;
    public int InterfaceIndex;
    public Md5Key Key;

    [InlineArray(128)]
    internal struct SockAddrStorage
    {
        private byte _first;
    }

    [InlineArray(SocketConstants.TCP_MD5SIG_MAXKEYLEN)]
    internal struct Md5Key
    {
        private byte _first;
    }
}

/// <summary>struct ucred</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UCred
{
    public int Pid;
    public uint Uid;
    public uint Gid;
}
