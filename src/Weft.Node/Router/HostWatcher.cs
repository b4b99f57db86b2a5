using Microsoft.Extensions.Logging;
using Weft.Hosting.Loops;
using Weft.Linux;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>Hears of new pictures of the host. Calls must not wait.</summary>
internal interface IHostListener
{
    /// <summary><see cref="HostWatcher.Current"/> is another one now.</summary>
    void OnHostChanged();

    /// <summary>A route with the router's protocol number has gone; it may have been us.</summary>
    void OnOwnRouteRemoved(IpPrefix prefix, uint metric);

    /// <summary>A link changed or events were lost: own routes may have vanished without a word.</summary>
    void OnOwnRoutesInDoubt();
}

/// <summary>One event of the kernel on its way to the watcher's loop.</summary>
internal readonly record struct HostEvent(RouteInfo Route, ChangeKind Change, bool IsRoute);

/// <summary>
/// Keeps <see cref="Current"/> true: reads links, addresses and routes once, then follows the kernel's notifications; one batch of them makes one picture.
/// The router's own routes are left out: next hops are not resolved through what neighbours said.
/// </summary>
internal sealed class HostWatcher : INetlinkListener, ILoopBody<HostEvent>, IDisposable
{
    private const uint MainTable = 254;

    private readonly byte _ownProtocol;
    private readonly IHostListener _listener;
    private readonly ILogger _logger;
    private readonly Loop<HostEvent> _loop;
    private readonly NetlinkMonitor _monitor;
    private readonly RouteSocket _socket;
    private readonly Dictionary<(IpPrefix Destination, uint Metric), RouteInfo> _routes = [];
    private List<LinkInfo> _links = [];
    private List<AddressInfo> _addresses = [];
    private bool _linksDirty = true, _routesDirty = true, _changed, _doubt;
    private volatile bool _lost;
    private volatile HostView _current;

    /// <summary>Reads the first picture of the namespace of the calling thread.</summary>
    /// <exception cref="KernelException">The kernel refused.</exception>
    public HostWatcher(byte ownProtocol, IHostListener listener, ILogger logger)
    {
        (_ownProtocol, _listener, _logger) = (ownProtocol, listener, logger);
        _loop = new Loop<HostEvent>(this, capacity: 4096, batch: 4096);
        _monitor = NetlinkMonitor.Open(MonitoredChanges.Links | MonitoredChanges.Addresses | MonitoredChanges.Routes, ownProtocol: ownProtocol);
        _socket = RouteSocket.Open();
        _current = Read();
    }

    public HostView Current => _current;

    /// <summary>Follows until <paramref name="stop"/> fires; ends with a <see cref="KernelException"/> when the kernel stops answering.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using CancellationTokenSource both = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task[] parts = [_monitor.RunAsync(this, both.Token), _loop.RunAsync(both.Token)];
        await Task.WhenAny(parts);
        await both.CancelAsync();
        await Task.WhenAll(parts);
    }

    public void Dispose()
    {
        _monitor.Dispose();
        _socket.Dispose();
    }

    void INetlinkListener.OnLink(LinkInfo link, ChangeKind change) => Post(default);

    void INetlinkListener.OnAddress(AddressInfo address, ChangeKind change) => Post(default);

    void INetlinkListener.OnRoute(in RouteInfo route, ChangeKind change)
    {
        if (route.Table == MainTable && (route.Protocol != _ownProtocol || change == ChangeKind.Removed))
        {
            Post(new HostEvent(route, change, IsRoute: true));
        }
    }

    void INetlinkListener.OnEventsLost()
    {
        _lost = true;
        Post(default);
    }

    /// <summary>A full channel counts as lost events: the loop then reads everything again.</summary>
    private void Post(HostEvent message)
    {
        if (!_loop.TryPost(message))
        {
            _lost = true;
        }
    }

    void ILoopBody<HostEvent>.OnMessage(in HostEvent message)
    {
        RouteInfo route = message.Route;
        if (!message.IsRoute)
        {
            // When a link goes down the kernel drops the IPv4 routes over it without a word.
            (_linksDirty, _routesDirty, _doubt) = (true, true, true);
        }
        else if (route.Protocol == _ownProtocol)
        {
            _listener.OnOwnRouteRemoved(route.Destination, route.Metric);
        }
        else if (route.Destination.IsIPv6 && (message.Change == ChangeKind.Removed || _routes.ContainsKey((route.Destination, route.Metric))))
        {
            _routesDirty = true; // An IPv6 notification may speak of one hop of several: only a dump tells what is left.
        }
        else if (message.Change == ChangeKind.Removed)
        {
            _changed |= _routes.Remove((route.Destination, route.Metric));
        }
        else
        {
            _changed = true;
            _routes[(route.Destination, route.Metric)] = route;
        }
    }

    ValueTask ILoopBody<HostEvent>.OnBatchEndAsync(CancellationToken stop)
    {
        if (_lost)
        {
            _lost = false;
            (_linksDirty, _routesDirty, _doubt) = (true, true, true);
        }

        if (_linksDirty || _routesDirty || _changed)
        {
            bool doubt = _doubt;
            _current = Read();
            Log.HostChanged(_logger, _links.Count, _addresses.Count, _routes.Count);
            _listener.OnHostChanged();
            if (doubt)
            {
                _listener.OnOwnRoutesInDoubt();
            }
        }

        return ValueTask.CompletedTask;
    }

    private HostView Read()
    {
        if (_linksDirty)
        {
            _links = _socket.Links.List();
            _addresses = _socket.Addresses.List();
        }

        if (_routesDirty)
        {
            foreach (IpFamily family in (IpFamily[])[IpFamily.IPv4, IpFamily.IPv6])
            {
                ForeignRoutes sink = new(_routes, _ownProtocol, family);
                _socket.Routes.Dump(new RouteFilter(family), ref sink).ThrowIfFailed($"list {family} routes");
            }
        }

        (_linksDirty, _routesDirty, _changed, _doubt) = (false, false, false, false);
        return new HostView(_links, _addresses, [.. _routes.Values]);
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
