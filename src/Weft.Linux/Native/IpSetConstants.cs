namespace Weft.Linux.Native;

/// <summary>linux/netfilter/ipset/ip_set.h and ip_set_hash.h. Spelled as in the kernel; checked by AbiTests.</summary>
internal static class IpSetConstants
{
    public const int NFNL_SUBSYS_IPSET = 6;
    public const byte IPSET_PROTOCOL_MIN = 6;

    public const int IPSET_CMD_CREATE = 2;
    public const int IPSET_CMD_DESTROY = 3;
    public const int IPSET_CMD_SWAP = 6;
    public const int IPSET_CMD_LIST = 7;
    public const int IPSET_CMD_ADD = 9;
    public const int IPSET_CMD_DEL = 10;

    public const ushort IPSET_ATTR_PROTOCOL = 1;
    public const ushort IPSET_ATTR_SETNAME = 2;
    public const ushort IPSET_ATTR_TYPENAME = 3;
    public const ushort IPSET_ATTR_SETNAME2 = 3;
    public const ushort IPSET_ATTR_REVISION = 4;
    public const ushort IPSET_ATTR_FAMILY = 5;
    public const ushort IPSET_ATTR_FLAGS = 6;
    public const ushort IPSET_ATTR_DATA = 7;
    public const ushort IPSET_ATTR_ADT = 8;
    public const ushort IPSET_ATTR_LINENO = 9;

    public const ushort IPSET_ATTR_IP = 1;
    public const ushort IPSET_ATTR_CIDR = 3;
    public const ushort IPSET_ATTR_PORT = 4;
    public const ushort IPSET_ATTR_PROTO = 7;
    public const ushort IPSET_ATTR_HASHSIZE = 18;
    public const ushort IPSET_ATTR_MAXELEM = 19;
    public const ushort IPSET_ATTR_REFERENCES = 25;
    public const ushort IPSET_ATTR_ELEMENTS = 24;
    public const ushort IPSET_ATTR_IPADDR_IPV4 = 1;
    public const ushort IPSET_ATTR_IPADDR_IPV6 = 2;

    public const uint IPSET_FLAG_LIST_HEADER = 4;
}
