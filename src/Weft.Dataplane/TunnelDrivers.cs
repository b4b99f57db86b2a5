using Weft.Dataplane.Drivers;
using Weft.Dataplane.Drivers.Neighbors;
using Weft.Dataplane.Drivers.Tunnels;

namespace Weft.Dataplane;

/// <summary>The tunnel devices of one address family and what stands on them.</summary>
/// <param name="Vxlan">"vxlan.calico" or "vxlan-v6.calico".</param>
/// <param name="Forwarding">Remote ends by their MAC address, on the VXLAN device.</param>
/// <param name="Ipip">"tunl0"; null for IPv6.</param>
internal sealed record TunnelDrivers(TunnelDevice Vxlan, ForwardingTable Forwarding, TunnelDevice? Ipip)
{
    /// <summary>Why a device is not as it should be; null when all are.</summary>
    public string? Problem => Vxlan.Problem ?? Ipip?.Problem;

    /// <summary>Devices first: forwarding entries and routes stand on them.</summary>
    public ApplyStatus Apply()
    {
        ApplyStatus status = Vxlan.Apply().And(Forwarding.Apply());
        return Ipip is null ? status : status.And(Ipip.Apply());
    }
}
