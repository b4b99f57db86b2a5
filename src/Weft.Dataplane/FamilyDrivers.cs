using Weft.Dataplane.Drivers;
using Weft.Dataplane.Drivers.IpSets;
using Weft.Dataplane.Drivers.Neighbors;
using Weft.Dataplane.Drivers.Routes;
using Weft.Primitives.Net;

namespace Weft.Dataplane;

/// <summary>The drivers of one address family.</summary>
internal sealed record FamilyDrivers(
    IpFamily Family,
    IRuleTable Raw,
    IRuleTable Mangle,
    IRuleTable Nat,
    IRuleTable Filter,
    IpSetFamily Sets,
    RouteTable Routes,
    NeighborTable Neighbors,
    TunnelDrivers Tunnels)
{
    /// <summary>Sets first: a rule may name only a set that exists. Their deletion is the caller's, when all tables are written.</summary>
    public ApplyStatus ApplyRules()
    {
        ApplyStatus status = Sets.ApplyUpdates();
        if (!status.IsDone)
        {
            // Rules that name a set that is not there would be refused, and count as failures of the table.
            return status;
        }

        // Filter last: when it says that an endpoint is open, everything else about it is in place.
        foreach (IRuleTable table in (ReadOnlySpan<IRuleTable>)[Raw, Mangle, Nat, Filter])
        {
            status = status.And(table.Apply());
        }

        return status;
    }

    public void QueueResync()
    {
        Sets.QueueResync();
        Routes.QueueResync();
        Neighbors.QueueResync();
        Tunnels.Forwarding.QueueResync();
        foreach (IRuleTable table in (ReadOnlySpan<IRuleTable>)[Raw, Mangle, Nat, Filter])
        {
            table.QueueResync();
        }
    }
}
