using Weft.Dataplane.Drivers.Links;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.Routes;

/// <summary>Between a wish, which names links, and the kernel's form of a route, which numbers them: builds one, and compares one that was read.</summary>
internal sealed class RouteForm(RouteTableSettings settings, LinkFacts links)
{
    /// <param name="missing">When false is returned: the link that is not there or not up.</param>
    public bool TryBuild(RouteKey key, in RouteWish wish, out RouteInfo route, out string missing)
    {
        RouteTarget target = wish.Target;
        missing = string.Empty;
        route = new RouteInfo
        {
            Destination = key.Prefix,
            Metric = key.Metric,
            Protocol = settings.Protocol,
            Table = settings.Table,
            Type = target.Type,
            Scope = settings.Family == IpFamily.IPv4 ? target.Scope : RouteScope.Universe,
            Source = target.Source,
            Mtu = target.Mtu,
        };
        ReadOnlySpan<NextHop> hops = target.Hops;
        RouteHop[]? multipath = hops.Length > 1 ? new RouteHop[hops.Length] : null;
        for (int i = 0; i < hops.Length; i++)
        {
            int index = 0;
            if (LinkOf(wish, hops[i]) is { } name)
            {
                if (links.Find(name) is not { IsUp: true } link)
                {
                    missing = name;
                    return false;
                }

                index = link.Index;
            }

            RouteHop hop = new(hops[i].Gateway, index, hops[i].OnLink, hops[i].Weight);
            if (multipath is null)
            {
                route.Hop = hop;
            }
            else
            {
                multipath[i] = hop;
            }
        }

        route.Multipath = multipath;
        return true;
    }

    /// <summary>True when the kernel's route is what the wish asks for.</summary>
    public bool Matches(in RouteWish wish, in RouteInfo route)
    {
        RouteTarget target = wish.Target;
        if (route.Type != target.Type || route.Source != target.Source || route.Mtu != target.Mtu)
        {
            return false;
        }

        if (settings.Family == IpFamily.IPv4 && route.Scope != target.Scope)
        {
            return false;
        }

        ReadOnlySpan<NextHop> hops = target.Hops;
        if (hops.Length > 1)
        {
            return route.Multipath is { } actual && actual.Length == hops.Length && AllMatch(wish, hops, actual);
        }

        // The kernel reports IPv6 routes that lead nowhere as leading to the loopback.
        return route.Multipath is null && (hops.Length == 0 || HopMatches(wish, hops[0], route.Hop));
    }

    private bool AllMatch(in RouteWish wish, ReadOnlySpan<NextHop> hops, RouteHop[] actual)
    {
        ulong taken = 0; // The kernel may keep hops in another order. More than 64 never match and are rewritten at each read.
        foreach (NextHop hop in hops)
        {
            bool found = false;
            for (int i = 0; i < actual.Length && i < 64 && !found; i++)
            {
                if ((taken & 1ul << i) == 0 && HopMatches(wish, hop, actual[i]) && Math.Max(hop.Weight, 1) == actual[i].Weight)
                {
                    taken |= 1ul << i;
                    found = true;
                }
            }

            if (!found)
            {
                return false;
            }
        }

        return true;
    }

    private bool HopMatches(in RouteWish wish, NextHop hop, RouteHop actual)
    {
        if (hop.Gateway != actual.Gateway || hop.OnLink != actual.OnLink)
        {
            return false;
        }

        return LinkOf(wish, hop) is not { } name || links.NameOf(actual.LinkIndex) == name;
    }

    private static string? LinkOf(in RouteWish wish, NextHop hop) => hop.Link.Name ?? wish.Link.Name;
}
