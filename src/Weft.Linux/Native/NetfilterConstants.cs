using System.Runtime.InteropServices;

namespace Weft.Linux.Native;

/// <summary>linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h and nfnetlink_log.h. Spelled as in the kernel; checked by AbiTests.</summary>
internal static class NetfilterConstants
{
    public const int NFNL_SUBSYS_CTNETLINK = 1;
    public const int IPCTNL_MSG_CT_GET = 1;
    public const int IPCTNL_MSG_CT_DELETE = 2;
    public const int NFNETLINK_V0 = 0;

    public const ushort CTA_TUPLE_ORIG = 1;
    public const ushort CTA_TUPLE_REPLY = 2;
    public const ushort CTA_ID = 12;
    public const ushort CTA_ZONE = 18;
    public const ushort CTA_TUPLE_IP = 1;
    public const ushort CTA_IP_V4_SRC = 1;
    public const ushort CTA_IP_V4_DST = 2;
    public const ushort CTA_IP_V6_SRC = 3;
    public const ushort CTA_IP_V6_DST = 4;

    public const int NFNL_SUBSYS_ULOG = 4;
    public const int NFULNL_MSG_PACKET = 0;
    public const int NFULNL_MSG_CONFIG = 1;
    public const ushort NFULA_CFG_CMD = 1;
    public const ushort NFULA_CFG_MODE = 2;
    public const ushort NFULA_CFG_TIMEOUT = 4;
    public const ushort NFULA_CFG_QTHRESH = 5;
    public const byte NFULNL_CFG_CMD_BIND = 1;
    public const byte NFULNL_COPY_PACKET = 2;
    public const ushort NFULA_PACKET_HDR = 1;
    public const ushort NFULA_IFINDEX_INDEV = 4;
    public const ushort NFULA_IFINDEX_OUTDEV = 5;
    public const ushort NFULA_PAYLOAD = 9;
    public const ushort NFULA_PREFIX = 10;
}

/// <summary>struct nfgenmsg</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NfGenMsg
{
    public byte Family;
    public byte Version;
    public ushort ResourceId;
}
