using Microsoft.Extensions.Logging;
using Weft.Linux;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>Hears of new pictures of the host.</summary>
internal interface IHostListener
{
    /// <summary>On the watcher's thread; must not wait long.</summary>
    void OnHostChanged(HostView view);

    /// <summary>A route with the router's protocol number has gone; it may have been us.</summary>
    void OnOwnRouteRemoved(IpPrefix prefix, uint metric);

    /// <summary>A link changed or events were lost: own routes may have vanished without a word.</summary>
    void OnOwnRoutesInDoubt();
}

/// <summary>
/// Keeps <see cref="Current"/> true: reads links, addresses and routes once, then follows the kernel's notifications. Owns one thread, because listening blocks.
/// The router's own routes are left out: next hops are not resolved through what neighbours said.
/// </summary>
internal sealed class HostWatcher : IRouteEvents
{
    private const uint MainTable = 254;

    /// <summary>A burst of changes makes one picture: published when it has been quiet for this long ...</summary>
    private static readonly TimeSpan s_quiet = TimeSpan.FromMilliseconds(20);

    /// <summary>... or when the first change is this old.</summary>
    private static readonly TimeSpan s_longest = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan s_idle = TimeSpan.FromMilliseconds(500);

    private readonly byte _ownProtocol;
    private readonly IHostListener _listener;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Dictionary<(IpPrefix Destination, uint Metric), RouteInfo> _routes = [];
    private List<LinkInfo> _links = [];
    private List<AddressInfo> _addresses = [];
    private bool _linksDirty, _routesDirty, _changed, _doubt;
    private volatile HostView _current = HostView.Empty;

    public HostWatcher(byte ownProtocol, IHostListener listener, TimeProvider time, ILogger logger) =>
        (_ownProtocol, _listener, _time, _logger) = (ownProtocol, listener, time, logger);

    public HostView Current => _current;

    private bool IsDirty => _linksDirty || _routesDirty || _changed;

    /// <summary>Reads the first picture on the calling thread, in whose namespace everything stays; then follows until <paramref name="stop"/> fires.</summary>
    /// <exception cref="KernelException">The kernel refused; the task ends with it too when it happens later.</exception>
    public Task Start(CancellationToken stop)
    {
        RouteMonitor monitor = RouteMonitor.Open(MonitorGroups.Links | MonitorGroups.Addresses | MonitorGroups.Routes);
        RouteSocket socket = RouteSocket.Open();
        ReadAll(socket);
        _current = new HostView(_links, _addresses, [.. _routes.Values]);
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Thread thread = new(() => Follow(monitor, socket, done, stop)) { IsBackground = true, Name = "host-watcher" };
        thread.Start();
        return done.Task;
    }

    public void OnLink(LinkInfo link, bool removed) => (_linksDirty, _routesDirty, _doubt) = (true, true, true);

    public void OnAddresses() => _linksDirty = true;

    public void OnLost() => (_linksDirty, _routesDirty, _doubt) = (true, true, true);

    public void OnNeighbors()
    {
    }

    public void OnRoute(in RouteInfo route, bool removed)
    {
        if (route.Table != MainTable)
        {
            return;
        }

        if (route.Protocol == _ownProtocol)
        {
            if (removed)
            {
                _listener.OnOwnRouteRemoved(route.Destination, route.Metric);
            }

            return;
        }

        _changed = true;
        if (!removed && (route.Destination.IsIPv4 || !_routes.ContainsKey((route.Destination, route.Metric))))
        {
            _routes[(route.Destination, route.Metric)] = route;
        }
        else if (route.Destination.IsIPv6)
        {
            // An IPv6 notification may speak of one hop of several: only a dump tells what is left.
            _routesDirty = true;
        }
        else
        {
            _routes.Remove((route.Destination, route.Metric));
        }
    }

    private void Follow(RouteMonitor monitor, RouteSocket socket, TaskCompletionSource done, CancellationToken stop)
    {
        using (monitor)
        using (socket)
        {
            try
            {
                long first = 0;
                while (!stop.IsCancellationRequested)
                {
                    bool wasDirty = IsDirty;
                    bool quiet = !monitor.Wait(this, wasDirty ? s_quiet : s_idle);
                    first = wasDirty ? first : _time.GetTimestamp();
                    if (IsDirty && (quiet || _time.GetElapsedTime(first) > s_longest))
                    {
                        Publish(socket);
                    }
                }

                done.SetResult();
            }
            catch (Exception e)
            {
                done.SetException(e); // The role ends with it: without a picture of the host nothing it does is right.
            }
        }
    }

    private void Publish(RouteSocket socket)
    {
        bool doubt = _doubt;
        ReadAll(socket);
        HostView view = new(_links, _addresses, [.. _routes.Values]);
        _current = view;
        Log.HostChanged(_logger, _links.Count, _addresses.Count, _routes.Count);
        _listener.OnHostChanged(view);
        if (doubt)
        {
            _listener.OnOwnRoutesInDoubt();
        }
    }

    private void ReadAll(RouteSocket socket)
    {
        bool first = _links.Count == 0;
        if (_linksDirty || first)
        {
            _links = socket.Links.List();
            _addresses = socket.Addresses.List();
        }

        if (_routesDirty || first)
        {
            _routes.Clear();
            foreach (IpFamily family in (IpFamily[])[IpFamily.IPv4, IpFamily.IPv6])
            {
                ForeignRoutes sink = new(_routes, _ownProtocol, family);
                socket.Routes.Dump(new RouteFilter(family), ref sink).ThrowIfFailed($"list {family} routes");
            }
        }

        (_linksDirty, _routesDirty, _changed, _doubt) = (false, false, false, false);
    }

    private readonly struct ForeignRoutes(Dictionary<(IpPrefix, uint), RouteInfo> routes, byte ownProtocol, IpFamily family) : IRouteSink
    {
        private readonly IpFamily _family = family;

        public void Restart()
        {
            IpFamily mine = _family;
            foreach ((IpPrefix, uint) key in routes.Keys.Where(k => k.Item1.Family == mine).ToArray())
            {
                routes.Remove(key);
            }
        }

        public void OnRoute(in RouteInfo route)
        {
            if (route.Protocol != ownProtocol)
            {
                routes[(route.Destination, route.Metric)] = route;
            }
        }
    }
}
