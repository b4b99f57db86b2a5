using System.Collections.Frozen;
using Weft.Bgp.Rib;
using Weft.Dataplane.Drivers.Routes;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>A way to a next hop.</summary>
/// <param name="Hop">What stands in the kernel route; its link is named.</param>
/// <param name="IsConnected">The next hop is on a subnet of that link.</param>
internal readonly record struct ResolvedHop(NextHop Hop, bool IsConnected);

/// <summary>
/// Links, addresses and the routes that are not the router's own, as one immutable picture. Made by <see cref="HostWatcher"/>; read by the RIB's loops (next hops),
/// the FIB and the reconciler, each at its own time.
/// </summary>
internal sealed class HostView : IHostAddresses
{
    public static readonly HostView Empty = new([], [], []);

    private readonly FrozenDictionary<int, LinkInfo> _links;
    private readonly FrozenDictionary<string, LinkInfo> _linksByName;
    private readonly FrozenDictionary<IpPrefix, RouteInfo> _routes;
    private readonly FrozenSet<IpAddress> _own;
    private readonly int[] _lengthsIPv4;
    private readonly int[] _lengthsIPv6;

    /// <param name="links">Every link of the host.</param>
    /// <param name="addresses">Every address of the host.</param>
    /// <param name="routes">Routes of the main table, without those of the router.</param>
    public HostView(IReadOnlyCollection<LinkInfo> links, IReadOnlyCollection<AddressInfo> addresses, IReadOnlyCollection<RouteInfo> routes)
    {
        _links = links.ToFrozenDictionary(l => l.Index);
        _linksByName = links.DistinctBy(l => l.Name).ToFrozenDictionary(l => l.Name);
        Addresses = addresses;
        Routes = routes;
        _own = addresses.Select(a => a.Address.Address).ToFrozenSet();

        // The kernel takes the lowest metric among routes to one prefix.
        _routes = routes.GroupBy(r => r.Destination).ToFrozenDictionary(g => g.Key, g => g.MinBy(r => r.Metric));
        _lengthsIPv4 = Lengths(IpFamily.IPv4);
        _lengthsIPv6 = Lengths(IpFamily.IPv6);
    }

    public IReadOnlyCollection<AddressInfo> Addresses { get; }

    public IReadOnlyCollection<RouteInfo> Routes { get; }

    public LinkInfo? Link(string name) => _linksByName.GetValueOrDefault(name);

    public LinkInfo? Link(int index) => _links.GetValueOrDefault(index);

    public bool IsOwn(IpAddress address) => _own.Contains(address);

    /// <summary>
    /// The way to a next hop: on a connected subnet, or through the gateway of the longest matching kernel route. Null when there is none, when the link is down,
    /// or when the address is our own.
    /// </summary>
    /// <param name="nextHop">Not a link-local address: that one needs its link.</param>
    /// <param name="viaDefault">Whether a default route may lead there.</param>
    public ResolvedHop? Resolve(IpAddress nextHop, bool viaDefault)
    {
        if (_own.Contains(nextHop))
        {
            return null;
        }

        foreach (int length in nextHop.IsIPv6 ? _lengthsIPv6 : _lengthsIPv4)
        {
            if (_routes.TryGetValue(new IpPrefix(nextHop, length), out RouteInfo route))
            {
                // The longest match decides, also when it leads nowhere: a shorter one would send packets astray.
                return length == 0 && !viaDefault ? null : Through(route, nextHop);
            }
        }

        return null;
    }

    /// <summary>Name of the link that the kernel's route to exactly this prefix leads out by; null: there is none.</summary>
    public string? LinkOf(IpPrefix prefix) => _routes.TryGetValue(prefix, out RouteInfo route) ? _links.GetValueOrDefault(route.Hop.LinkIndex)?.Name : null;

    /// <summary>The same for a next hop of a learnt route; a link-local one is on the link of its session.</summary>
    public ResolvedHop? Resolve(in RouteNextHop hop, bool viaDefault) =>
        hop is { Address.IsLinkLocal: true, Interface: { } link } ? OnLink(hop.Address, link) : Resolve(hop.Address, viaDefault);

    /// <summary>Length of the kernel route that decides about an address; -1 when there is none.</summary>
    public int MatchLength(IpAddress address, bool viaDefault)
    {
        foreach (int length in address.IsIPv6 ? _lengthsIPv6 : _lengthsIPv4)
        {
            if (_routes.ContainsKey(new IpPrefix(address, length)))
            {
                return length == 0 && !viaDefault ? -1 : length;
            }
        }

        return -1;
    }

    /// <summary>The way to a neighbour on a link known by name; null when the link is absent or down.</summary>
    public ResolvedHop? OnLink(IpAddress nextHop, string link) =>
        Link(link) is { } found && IsUsable(found) ? new ResolvedHop(new NextHop(nextHop, new LinkId(link)), IsConnected: true) : null;

    public IpAddress Towards(IpAddress neighbor, string? link, IpFamily family)
    {
        string? leads = neighbor.IsLinkLocal && link is not null ? link : Resolve(neighbor, viaDefault: true)?.Hop.Link.Name;
        int index = leads is null ? 0 : Link(leads)?.Index ?? 0;
        foreach (AddressInfo address in Addresses)
        {
            if (address.LinkIndex == index && address.Address.Address.Family == family && address.Scope == RouteScope.Universe && address.IsUsable)
            {
                return address.Address.Address;
            }
        }

        return default;
    }

    public IpPrefix SharedWith(IpAddress neighbor, IpFamily family)
    {
        if (neighbor.IsLinkLocal || Resolve(neighbor, viaDefault: false) is not { IsConnected: true, Hop.Link.Name: { } name } || Link(name) is not { } link)
        {
            return default;
        }

        foreach (AddressInfo address in Addresses)
        {
            InterfaceAddress own = address.Address;
            bool fits = address.LinkIndex == link.Index && own.Address.Family == family && !own.Prefix.IsHost && !own.Address.IsLinkLocal && address.IsUsable;
            if (fits && (family != neighbor.Family || own.Prefix.Contains(neighbor)))
            {
                return own.Prefix;
            }
        }

        return default;
    }

    private ResolvedHop? Through(RouteInfo route, IpAddress nextHop)
    {
        if (route.Type != RouteType.Unicast)
        {
            return null;
        }

        foreach (RouteHop hop in route.Multipath ?? [route.Hop])
        {
            if (_links.TryGetValue(hop.LinkIndex, out LinkInfo? link) && IsUsable(link))
            {
                bool connected = hop.Gateway.Family == IpFamily.None;
                return new ResolvedHop(new NextHop(connected ? nextHop : hop.Gateway, new LinkId(link.Name), hop.OnLink), connected);
            }
        }

        return null;
    }

    private static bool IsUsable(LinkInfo link) => link.IsUp && (link.HasCarrier || link.IsLoopback);

    /// <summary>Longest first.</summary>
    private int[] Lengths(IpFamily family) => [.. _routes.Keys.Where(p => p.Family == family).Select(p => p.Length).Distinct().OrderDescending()];
}
