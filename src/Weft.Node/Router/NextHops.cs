using Weft.Bgp;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>Answers the RIB from the latest picture of the host, the same one the FIB resolves by.</summary>
internal sealed class NextHops(HostWatcher host, RecursiveHops recursive) : INextHopResolver
{
    /// <summary>Set by the reconciler before the speaker is told that next hops changed.</summary>
    public volatile bool ViaDefault;

    public string? LinkTo(IpAddress nextHop) => nextHop.IsIPv6 && nextHop.IsLinkLocal ? null
        : recursive.TryResolve(nextHop, out ResolvedHop way) ? way.Hop.Link.Name
        : host.Current.Resolve(nextHop, ViaDefault)?.Hop.Link.Name;

    public void Release(IpAddress nextHop) => recursive.Release(nextHop);

    public NextHopState Resolve(IpAddress nextHop)
    {
        // A link-local next hop names a neighbour on the link of its session; while that is up, so is the next hop.
        if (nextHop.IsIPv6 && nextHop.IsLinkLocal)
        {
            return NextHopState.Connected;
        }

        ResolvedHop? own = host.Current.Resolve(nextHop, ViaDefault);
        if (own is { IsConnected: true })
        {
            return NextHopState.Connected;
        }

        if (!host.Current.IsOwn(nextHop))
        {
            recursive.Track(nextHop);
        }

        // Both ways count the same: were they told apart, a choice between paths could undo what made it.
        return own is not null || recursive.TryResolve(nextHop, out _) ? new NextHopState(true, 1) : NextHopState.Unreachable;
    }
}
