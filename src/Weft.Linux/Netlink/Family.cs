using Weft.Linux.Native;
using Weft.Primitives.Net;

namespace Weft.Linux.Netlink;

/// <summary>Our families (the IP version) and the kernel's (AF_*).</summary>
internal static class Family
{
    public static byte ToKernel(IpFamily family) => family switch
    {
        IpFamily.IPv4 => NetlinkConstants.AF_INET,
        IpFamily.IPv6 => NetlinkConstants.AF_INET6,
        _ => NetlinkConstants.AF_UNSPEC,
    };

    public static IpFamily FromKernel(byte family) => family switch
    {
        NetlinkConstants.AF_INET => IpFamily.IPv4,
        NetlinkConstants.AF_INET6 => IpFamily.IPv6,
        _ => IpFamily.None,
    };
}
