using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Weft.Linux.Native;

/// <summary>
/// TCP-AO of linux/tcp.h since Linux 6.7. Apart from <see cref="SocketConstants"/> because the headers of Debian 12 do not have it: a test compares it with what is
/// written in the kernel's own documentation of the layout instead.
/// </summary>
internal static class TcpAoConstants
{
    public const int TCP_AO_ADD_KEY = 38;
    public const int TCP_AO_DEL_KEY = 39;
    public const int TCP_AO_MAXKEYLEN = 80;
}

/// <summary>struct tcp_ao_add: the peer, the algorithm, then the numbers by which both sides know the key, then the key. Aligned to 8.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 8)]
internal struct TcpAoAdd
{
    public TcpMd5Sig.SockAddrStorage Address;
    public AlgorithmName Algorithm;
    public int InterfaceIndex;

    /// <summary>Bit 0: set_current, bit 1: set_rnext.</summary>
    public uint Flags;
    public ushort Reserved;
    public byte PrefixLength;
    public byte SendId;
    public byte ReceiveId;
    public byte MacLength;
    public byte KeyFlags;
    public byte KeyLength;
    public AoKey Key;

    [InlineArray(64)]
    internal struct AlgorithmName
    {
        private byte _first;
    }

    [InlineArray(TcpAoConstants.TCP_AO_MAXKEYLEN)]
    internal struct AoKey
    {
        private byte _first;
    }
}

/// <summary>struct tcp_ao_del. Aligned to 8.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 8)]
internal struct TcpAoDelete
{
    public TcpMd5Sig.SockAddrStorage Address;
    public int InterfaceIndex;

    /// <summary>Bit 0: set_current, bit 1: set_rnext, bit 2: del_async (listening sockets only).</summary>
    public uint Flags;
    public ushort Reserved;
    public byte PrefixLength;
    public byte SendId;
    public byte ReceiveId;
    public byte CurrentKey;
    public byte NextKey;
    public byte KeyFlags;
}
