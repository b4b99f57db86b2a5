using Microsoft.Extensions.Logging;
using Weft.Dataplane.Drivers;
using Weft.Dataplane.Drivers.Links;
using Weft.Dataplane.Drivers.Routes;
using Weft.Linux;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>
/// The router's routes in the kernel, both families, over <see cref="RouteTable"/>. What it adds is patience: routes that an earlier run left are found by their
/// protocol number and wanted as they are, marked stale, until somebody speaks for the prefix or <see cref="SweepStale"/> says that everybody has spoken.
/// So neither a restart nor a crash takes a route away that is still right. Owned by the FIB's loop.
/// </summary>
internal sealed class KernelFib : IDisposable
{
    private readonly RouteSocket _socket;
    private readonly LinkFacts _links;
    private readonly RouteTable _ipv4;
    private readonly RouteTable _ipv6;

    // RouteTable knows a route by prefix and metric; all that are not stale have the metric of their family.
    private uint _metricIPv4;
    private uint _metricIPv6;
    private readonly HashSet<RouteKey> _stale = [];

    /// <summary>Reads what an earlier run left.</summary>
    /// <param name="socket">Owned from now on.</param>
    /// <param name="protocol">Ours alone.</param>
    /// <param name="time">For retries.</param>
    /// <param name="logs">For what the kernel refuses.</param>
    /// <exception cref="KernelException">The kernel cannot be read.</exception>
    public KernelFib(RouteSocket socket, byte protocol, TimeProvider time, ILoggerFactory logs)
    {
        _socket = socket;
        _links = new LinkFacts(socket.Links);
        _links.Apply();
        ILogger<RouteTable> logger = logs.CreateLogger<RouteTable>();
        _ipv4 = new RouteTable(new RouteTableSettings(IpFamily.IPv4, protocol), socket.Routes, _links, time, logger);
        _ipv6 = new RouteTable(new RouteTableSettings(IpFamily.IPv6, protocol), socket.Routes, _links, time, logger);
        foreach (IpFamily family in (IpFamily[])[IpFamily.IPv4, IpFamily.IPv6])
        {
            foreach (RouteInfo route in socket.Routes.List(new RouteFilter(family, Protocol: protocol)))
            {
                RouteKey key = new(route.Destination, route.Metric);
                if (Target(route) is { } target && _stale.Add(key))
                {
                    Table(family).SetRoute(RouteOwner.Bgp, key, target);
                }
            }
        }
    }

    /// <summary>Routes of ours that are wanted in the kernel, stale ones among them.</summary>
    public int Count => _ipv4.Count + _ipv6.Count;

    public int Stale => _stale.Count;

    /// <summary>Before the first <see cref="Set"/>. Another metric takes the routes of the old one away once those that the caller sets again are written.</summary>
    public void UseMetrics(uint ipv4, uint ipv6)
    {
        ChangeMetric(_ipv4, ref _metricIPv4, ipv4);
        ChangeMetric(_ipv6, ref _metricIPv6, ipv6);
    }

    /// <summary>Null takes the route away; a stale one stays until the sweep.</summary>
    /// <param name="target">Shared: the same object for all routes that lead the same way.</param>
    public void Set(IpPrefix prefix, RouteTarget? target)
    {
        RouteKey key = Key(prefix);
        if (target is not null)
        {
            Table(prefix.Family).SetRoute(RouteOwner.Bgp, key, target);
            if (_stale.Count > 0)
            {
                _stale.Remove(key);
            }
        }
        else if (_stale.Count == 0 || !_stale.Contains(key))
        {
            Table(prefix.Family).RemoveRoute(RouteOwner.Bgp, key);
        }
    }

    public bool IsInstalled(IpPrefix prefix) => Key(prefix) is var key && !_stale.Contains(key) && Table(prefix.Family).IsWritten(key);

    /// <summary>Every route becomes stale: what wanted it is gone, what wants it next has not spoken yet.</summary>
    public void MarkAllStale()
    {
        _stale.UnionWith(_ipv4.Keys);
        _stale.UnionWith(_ipv6.Keys);
    }

    /// <summary>Takes away what is still stale; returns how many.</summary>
    public int SweepStale()
    {
        int swept = _stale.Count;
        foreach (RouteKey key in _stale)
        {
            Table(key.Prefix.Family).RemoveRoute(RouteOwner.Bgp, key);
        }

        _stale.Clear();
        return swept;
    }

    /// <summary>The kernel may have changed behind our back.</summary>
    public void QueueResync()
    {
        _links.QueueResync();
        _ipv4.QueueResync();
        _ipv6.QueueResync();
    }

    /// <summary>A route of ours was removed: true when it is wanted, so that it was not our doing.</summary>
    public bool IsMissed(IpPrefix prefix, uint metric) => Table(prefix.Family).IsWanted(new RouteKey(prefix, metric));

    /// <summary>Writes what differs. Not null: come back after that time although nothing changed.</summary>
    public TimeSpan? Apply()
    {
        ApplyStatus status = _links.Apply();
        foreach (string link in _links.TakeChanges())
        {
            _ipv4.OnLinkChanged(link);
            _ipv6.OnLinkChanged(link);
        }

        return status.And(_ipv4.Apply()).And(_ipv6.Apply()).Next;
    }

    public void Dispose() => _socket.Dispose();

    private RouteKey Key(IpPrefix prefix) => new(prefix, prefix.IsIPv6 ? _metricIPv6 : _metricIPv4);

    private void ChangeMetric(RouteTable table, ref uint current, uint metric)
    {
        if (current == metric)
        {
            return;
        }

        foreach (RouteKey key in table.Keys.Where(k => !_stale.Contains(k)).ToArray())
        {
            table.RemoveRoute(RouteOwner.Bgp, key);
        }

        current = metric;
    }

    private RouteTable Table(IpFamily family) => family == IpFamily.IPv6 ? _ipv6 : _ipv4;

    /// <summary>Null for a route over a link that has just gone: it is about to vanish itself.</summary>
    private RouteTarget? Target(in RouteInfo route)
    {
        if (route.Type != RouteType.Unicast)
        {
            return route.Type == RouteType.Unreachable ? RouteTarget.Unreachable : RouteTarget.Blackhole;
        }

        RouteHop[] hops = route.Multipath ?? [route.Hop];
        NextHop[] named = new NextHop[hops.Length];
        for (int i = 0; i < hops.Length; i++)
        {
            if (_links.NameOf(hops[i].LinkIndex) is not { } link)
            {
                return null;
            }

            named[i] = new NextHop(hops[i].Gateway, new LinkId(link), hops[i].OnLink, hops[i].Weight);
        }

        return named is [{ Gateway.Family: IpFamily.None }] ? RouteTarget.OnLink(named[0].Link)
            : named is [var one] ? RouteTarget.Via(one.Gateway, one.Link, one.OnLink)
            : RouteTarget.Multipath(named);
    }
}
