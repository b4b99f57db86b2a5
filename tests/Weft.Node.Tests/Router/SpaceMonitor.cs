using Weft.Linux.Netlink;

namespace Weft.Node.Tests.Router;

/// <summary>Remembers every route that was deleted in a namespace while it lived.</summary>
internal sealed class SpaceMonitor : INetlinkListener, IDisposable
{
    private readonly List<string> _deleted = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly NetlinkMonitor _monitor;
    private readonly Task _running;

    public SpaceMonitor(Space space)
    {
        _monitor = NetlinkMonitor.Open(MonitoredChanges.Routes, space.Namespace);
        _running = _monitor.RunAsync(this, _stop.Token);
    }

    public string[] Deleted()
    {
        lock (_deleted)
        {
            return [.. _deleted];
        }
    }

    public void OnLink(LinkInfo link, ChangeKind change)
    {
    }

    public void OnAddress(AddressInfo address, ChangeKind change)
    {
    }

    public void OnRoute(in RouteInfo route, ChangeKind change)
    {
        if (change == ChangeKind.Removed)
        {
            lock (_deleted)
            {
                _deleted.Add(route.Destination.ToString());
            }
        }
    }

    public void OnEventsLost()
    {
        lock (_deleted)
        {
            _deleted.Add("lost");
        }
    }

    public void Dispose()
    {
        _stop.Cancel();
        _running.Wait(TimeSpan.FromSeconds(5));
        _monitor.Dispose();
        _stop.Dispose();
    }
}
