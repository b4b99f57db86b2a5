using Weft.Linux.Namespaces;

namespace Weft.Linux.Netlink;

/// <summary>
/// The typed face of one rtnetlink socket. Used by one thread at a time; it works on the namespace it was opened in.
/// </summary>
public sealed class RouteSocket : IDisposable
{
    private readonly INetlink _netlink;

    /// <param name="netlink">Owned from now on: disposed with this object.</param>
    public RouteSocket(INetlink netlink)
    {
        _netlink = netlink;
        Links = new LinkRequests(netlink);
        Addresses = new AddressRequests(netlink);
        Routes = new RouteRequests(netlink);
        Neighbors = new NeighborRequests(netlink);
        Rules = new RuleRequests(netlink);
        Qdiscs = new QdiscRequests(netlink);
    }

    public LinkRequests Links { get; }

    public AddressRequests Addresses { get; }

    public RouteRequests Routes { get; }

    public NeighborRequests Neighbors { get; }

    public RuleRequests Rules { get; }

    public QdiscRequests Qdiscs { get; }

    /// <param name="space">Null for the namespace of the calling thread.</param>
    public static RouteSocket Open(NetNamespace? space = null) => new(NetlinkSocket.OpenRoute(space));

    public void Dispose() => _netlink.Dispose();
}
