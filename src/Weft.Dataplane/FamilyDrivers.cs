using Weft.Dataplane.Drivers;
using Weft.Dataplane.Drivers.Neighbors;
using Weft.Dataplane.Drivers.Routes;
using Weft.Primitives.Net;

namespace Weft.Dataplane;

/// <summary>The drivers of one address family.</summary>
internal sealed record FamilyDrivers(IpFamily Family, IRuleBackend Rules, RouteTable Routes, NeighborTable Neighbors, TunnelDrivers Tunnels)
{
    public IRuleTable Raw => Rules.Raw;

    public IRuleTable Mangle => Rules.Mangle;

    public IRuleTable Nat => Rules.Nat;

    public IRuleTable Filter => Rules.Filter;

    public IIpSetFamily Sets => Rules.Sets;

    public void QueueResync()
    {
        Rules.QueueResync();
        Routes.QueueResync();
        Neighbors.QueueResync();
        Tunnels.Forwarding.QueueResync();
    }
}
