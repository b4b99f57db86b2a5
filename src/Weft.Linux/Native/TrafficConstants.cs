namespace Weft.Linux.Native;

/// <summary>linux/rtnetlink.h, pkt_sched.h, pkt_cls.h, tc_act/tc_mirred.h. Spelled as in the kernel; checked by AbiTests.</summary>
internal static class TrafficConstants
{
    public const ushort RTM_NEWQDISC = 36;
    public const ushort RTM_DELQDISC = 37;
    public const ushort RTM_GETQDISC = 38;
    public const ushort RTM_NEWTFILTER = 44;

    public const ushort TCA_KIND = 1;
    public const ushort TCA_OPTIONS = 2;
    public const uint TC_H_ROOT = 0xffffffff;
    public const uint TC_H_INGRESS = 0xfffffff1;
    public const byte TC_LINKLAYER_ETHERNET = 1;

    public const ushort TCA_TBF_PARMS = 1;
    public const ushort TCA_TBF_RATE64 = 4;
    public const ushort TCA_TBF_PRATE64 = 5;
    public const ushort TCA_TBF_BURST = 6;
    public const ushort TCA_TBF_PBURST = 7;

    public const ushort TCA_U32_SEL = 5;
    public const ushort TCA_U32_ACT = 7;
    public const byte TC_U32_TERMINAL = 1;

    public const ushort TCA_ACT_KIND = 1;
    public const ushort TCA_ACT_OPTIONS = 2;
    public const ushort TCA_MIRRED_PARMS = 2;
    public const int TCA_EGRESS_REDIR = 1;
    public const int TC_ACT_STOLEN = 4;
    public const ushort ETH_P_ALL = 3;
}
