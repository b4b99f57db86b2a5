using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.Sysctls;

/// <summary>The settings that the host side of a pod's veth pair needs.</summary>
public static class WorkloadSysctls
{
    /// <param name="reversePathFilter">0 for a pod that may use foreign source addresses; otherwise what net/ipv4/conf/default/rp_filter says.</param>
    public static SysctlValue[] For(IpFamily family, string link, int reversePathFilter)
    {
        // A pod must not be able to change the host's routes by router advertisements, whichever families it was given.
        SysctlValue noAdvertisements = new($"net/ipv6/conf/{link}/accept_ra", "0", IsBestEffort: true);
        return family == IpFamily.IPv6
            ?
            [
                noAdvertisements,
                new($"net/ipv6/conf/{link}/proxy_ndp", "1"),
                new($"net/ipv6/conf/{link}/forwarding", "1"),
            ]
            :
            [
                noAdvertisements,

                // The node reaches its own pods over DNAT to 127.0.0.1 (host ports).
                new($"net/ipv4/conf/{link}/route_localnet", "1"),

                // The host answers ARP for the pod's link-local gateway 169.254.1.1, and at once.
                new($"net/ipv4/neigh/{link}/proxy_delay", "0", IsBestEffort: true),
                new($"net/ipv4/conf/{link}/proxy_arp", "1"),
                new($"net/ipv4/conf/{link}/forwarding", "1"),
                new($"net/ipv4/conf/{link}/rp_filter", $"{reversePathFilter}"),
            ];
    }
}
