using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Node.Cni;

/// <summary>
/// The interface a pod is to have, as data: what <see cref="IPodNetwork"/> makes, what CHECK compares with and what the result tells. The pod has no
/// subnet and no gateway of its own: everything goes to 169.254.1.1, which the host answers for by proxy ARP, or to the link-local address that follows
/// from the host side's fixed MAC.
/// </summary>
internal sealed record PodInterface
{
    /// <summary>Nobody has this address: the host answers ARP for it on every pod's link (proxy_arp).</summary>
    public static readonly IpAddress GatewayIPv4 = IpAddress.Parse("169.254.1.1");

    /// <summary>The EUI-64 link-local address of <see cref="MacAddress.HostVeth"/>.</summary>
    public static readonly IpAddress GatewayIPv6 = IpAddress.Parse("fe80::ecee:eeff:feee:eeee");

    public required string NetnsPath { get; init; }

    /// <summary>In the pod.</summary>
    public required string Name { get; init; }

    /// <summary>On the host.</summary>
    public required string HostName { get; init; }

    /// <summary>Written on the host side.</summary>
    public InterfaceOwner Owner { get; init; }

    /// <summary>Of the pod's side; null lets the kernel choose.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>Null keeps the kernel's default.</summary>
    public int? Mtu { get; init; }

    public int Queues { get; init; } = 1;

    /// <summary>At most one per family.</summary>
    public required IReadOnlyList<IpAddress> Addresses { get; init; }

    public bool AllowIpForwarding { get; init; }

    /// <summary>
    /// The pod has another interface, which has its main table: this one's routes are in a table of their own, which what is sent from its addresses uses.
    /// </summary>
    public bool IsAdditional { get; init; }

    /// <summary>Null for no limits.</summary>
    public QosControls? Qos { get; init; }

    /// <summary>What the pod sends passes this block on the host, when that is limited.</summary>
    public string LimiterName => $"bw~{HostName[Math.Min(4, HostName.Length)..]}";

    /// <summary>A unicast address of nobody's (the bit for local administration is set).</summary>
    public static MacAddress RandomMac()
    {
        ulong value = (ulong)Random.Shared.NextInt64() & 0xffff_ffff_ffff;
        return new MacAddress((value | 0x0200_0000_0000) & ~0x0100_0000_0000ul);
    }

    /// <summary>Of the host's route to the pod: Felix' number, so that an agent finds the route right and keeps it.</summary>
    public const byte RouteProtocol = 80;

    /// <summary>Of the host's route to the pod: Calico's ipv4NormalRoutePriority, as the agent writes it.</summary>
    public const uint RouteMetric = 1024;

    public bool HasIPv4 => Addresses.Any(a => a.IsIPv4);

    public bool HasIPv6 => Addresses.Any(a => a.IsIPv6);

    /// <summary>What the pod reaches by its gateways: everything, per family it has an address of.</summary>
    public IEnumerable<(IpPrefix Destination, IpAddress Gateway)> Routes
    {
        get
        {
            if (HasIPv4)
            {
                yield return (new IpPrefix(IpAddress.FromIPv4(0), 0), GatewayIPv4);
            }

            if (HasIPv6)
            {
                yield return (new IpPrefix(IpAddress.FromIPv6(0), 0), GatewayIPv6);
            }
        }
    }

    /// <summary>Written on the host side, below /proc/sys. Those that are not required may be missing in a kernel: they only speed things up.</summary>
    public IEnumerable<(string Path, string Value, bool Required)> HostSysctls
    {
        get
        {
            if (HasIPv4)
            {
                yield return ($"net/ipv4/conf/{HostName}/route_localnet", "1", true); // Services on the host's loopback stay reachable after DNAT.
                yield return ($"net/ipv4/neigh/{HostName}/proxy_delay", "0", false); // The first ARP answer would wait up to 0.8 s.
                yield return ($"net/ipv4/conf/{HostName}/proxy_arp", "1", true);
                yield return ($"net/ipv4/conf/{HostName}/forwarding", "1", true);
            }

            if (HasIPv6)
            {
                yield return ($"net/ipv6/conf/{HostName}/accept_dad", "0", true); // All host sides share one link-local address, each alone on its link.
                yield return ($"net/ipv6/conf/{HostName}/disable_ipv6", "0", true);
                yield return ($"net/ipv6/conf/{HostName}/proxy_ndp", "1", true);
                yield return ($"net/ipv6/conf/{HostName}/forwarding", "1", true);
            }

            yield return ($"net/ipv6/conf/{HostName}/accept_ra", "0", false); // A pod must not route the host.
        }
    }

    /// <summary>Written in the pod before its link comes up.</summary>
    public IEnumerable<(string Path, string Value, bool Required)> PodSysctlsBeforeUp
    {
        get
        {
            if (HasIPv6)
            {
                yield return ("net/ipv6/conf/all/disable_ipv6", "0", true);
                yield return ("net/ipv6/conf/default/disable_ipv6", "0", true);
                yield return ("net/ipv6/conf/lo/disable_ipv6", "0", true);
                yield return ($"net/ipv6/conf/{Name}/accept_dad", "0", true); // The address is this pod's alone; a second of waiting would be for nothing.
            }
        }
    }

    /// <summary>Written in the pod when all else stands.</summary>
    public IEnumerable<(string Path, string Value, bool Required)> PodSysctlsAfterUp
    {
        get
        {
            string value = AllowIpForwarding ? "1" : "0";
            if (HasIPv4)
            {
                yield return ("net/ipv4/ip_forward", value, true);
            }

            if (HasIPv6)
            {
                yield return ("net/ipv6/conf/all/forwarding", value, true);
            }
        }
    }
}

/// <summary>What is really there.</summary>
/// <param name="Mac">Of the pod's side.</param>
/// <param name="Mtu">Of the pod's side, in bytes.</param>
/// <param name="IsUp">Of the pod's side.</param>
/// <param name="Addresses">On the pod's side, link-local ones left out.</param>
/// <param name="Routes">Of the pod's main table through this interface.</param>
/// <param name="HostMac">Null when the host side is missing or is not this interface's peer.</param>
/// <param name="IsHostUp">The host side is up.</param>
/// <param name="Reached">Addresses of the pod that the host sends to the host side.</param>
/// <param name="Ingress">What the pod may receive in bits per second; 0 for no limit.</param>
/// <param name="Egress">What the pod may send in bits per second; 0 for no limit.</param>
internal sealed record PodInterfaceState(
    MacAddress Mac, int Mtu, bool IsUp, IReadOnlyList<InterfaceAddress> Addresses, IReadOnlyList<(IpPrefix Destination, IpAddress? Gateway)> Routes, MacAddress? HostMac, bool IsHostUp,
    IReadOnlyList<IpAddress> Reached, long Ingress = 0, long Egress = 0)
{
    /// <summary>Every difference from the plan, in words; empty when all is as it was made.</summary>
    public IReadOnlyList<string> DifferencesFrom(PodInterface plan)
    {
        List<string> differences = [];
        Expect(IsUp, $"{plan.Name} is down");
        Expect(plan.Mtu is null || Mtu == plan.Mtu, $"{plan.Name} has MTU {Mtu} instead of {plan.Mtu}");
        foreach (IpAddress address in plan.Addresses)
        {
            Expect(Addresses.Contains(new InterfaceAddress(address, address.BitLength)), $"{plan.Name} lacks the address {address.ToPrefix()}");
        }

        foreach ((IpPrefix destination, IpAddress gateway) in plan.Routes)
        {
            Expect(Routes.Any(r => r.Destination == destination && r.Gateway == gateway), $"the route {destination} via {gateway} dev {plan.Name} is missing");
        }

        Expect(HostMac is not null, $"{plan.HostName}, the host side of {plan.Name}, is missing");
        Expect(HostMac is null || IsHostUp, $"{plan.HostName} is down");
        Expect(plan.Mac is null || Mac == plan.Mac, $"{plan.Name} has MAC {Mac} instead of {plan.Mac}");
        if (HostMac is not null)
        {
            ExpectRate(Ingress, plan.Qos?.IngressBandwidth, "receive");
            ExpectRate(Egress, plan.Qos?.EgressBandwidth, "send");
        }

        return differences;

        // The kernel counts in bytes.
        void ExpectRate(long found, long? wanted, string what) =>
            Expect(found / 8 == (wanted ?? 0) / 8, $"{plan.Name} may {what} {(found == 0 ? "without limit" : $"{found} bit/s")} instead of {(wanted is { } rate ? $"{rate} bit/s" : "without limit")}");

        void Expect(bool holds, string difference)
        {
            if (!holds)
            {
                differences.Add(difference);
            }
        }
    }
}

/// <summary>What <see cref="IPodNetwork.CutAsync"/> found on the host.</summary>
internal enum CutOutcome
{
    /// <summary>It was this pod's, and passes nothing any more.</summary>
    Cut,

    /// <summary>There is no such interface.</summary>
    Absent,

    /// <summary>It belongs to another sandbox and was left alone.</summary>
    Foreign,

    /// <summary>Nothing is written on it (another program made it): left alone, for the datastore to decide.</summary>
    Unknown,
}

/// <summary>The kernel's part of a pod's network; tests have one without a kernel.</summary>
internal interface IPodNetwork
{
    /// <summary>
    /// Makes the pair, addresses, routes and sysctls; an older pair with the same host name is replaced. Whatever fails on the way leaves no interface.
    /// </summary>
    /// <returns>The MAC address of the pod's side and its MTU.</returns>
    /// <exception cref="CniException">Which step failed, with the kernel's answer.</exception>
    ValueTask<(MacAddress Mac, int Mtu)> CreateAsync(PodInterface plan, CancellationToken stop);

    /// <summary>
    /// Cuts the traffic of the pod's interface, and frees its names on both sides, at once; the rest of its deletion may take place later, also in a later life of this program.
    /// </summary>
    /// <returns>Whose the host side is.</returns>
    ValueTask<CutOutcome> CutAsync(PodInterface plan, CancellationToken stop);

    /// <summary>Host sides of pods with what is written on them.</summary>
    ValueTask<IReadOnlyList<(string HostName, InterfaceOwner Owner)>> OwnedAsync(CancellationToken stop);

    /// <summary>Deletes the interface in the namespace; a namespace, path or interface that is gone is success.</summary>
    ValueTask RemoveFromPodAsync(string netnsPath, string name, CancellationToken stop);

    /// <summary>Deletes the host side; absent is success.</summary>
    ValueTask RemoveFromHostAsync(string hostName, CancellationToken stop);

    /// <summary>Null when the namespace or the interface in it is missing.</summary>
    ValueTask<PodInterfaceState?> ReadAsync(PodInterface plan, CancellationToken stop);
}
