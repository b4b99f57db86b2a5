using Weft.Bgp;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>Answers the RIB from the latest picture of the host, the same one the FIB resolves by.</summary>
internal sealed class NextHops(HostWatcher host) : INextHopResolver
{
    /// <summary>Set by the reconciler before the speaker is told that next hops changed.</summary>
    public volatile bool ViaDefault;

    public string? LinkTo(IpAddress nextHop) => nextHop.IsIPv6 && nextHop.IsLinkLocal ? null : host.Current.Resolve(nextHop, ViaDefault)?.Hop.Link.Name;

    public NextHopState Resolve(IpAddress nextHop)
    {
        // A link-local next hop names a neighbour on the link of its session; while that is up, so is the next hop.
        if (nextHop.IsIPv6 && nextHop.IsLinkLocal)
        {
            return NextHopState.Connected;
        }

        return host.Current.Resolve(nextHop, ViaDefault) is { } way ? way.IsConnected ? NextHopState.Connected : new NextHopState(true, 1) : NextHopState.Unreachable;
    }
}
