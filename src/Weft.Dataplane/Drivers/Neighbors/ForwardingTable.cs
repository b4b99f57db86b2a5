using Microsoft.Extensions.Logging;
using Weft.Dataplane.Drivers.Links;
using Weft.Linux;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.Neighbors;

/// <summary>
/// Keeps the forwarding entries (MAC address to remote tunnel end) of one VXLAN device. The device is ours, so everything on it is ours.
/// </summary>
public sealed class ForwardingTable : IReconciler
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private readonly string _device;
    private readonly NeighborRequests _requests;
    private readonly LinkFacts _links;
    private readonly ILogger _logger;
    private readonly HashSet<(MacAddress Mac, IpAddress Remote)> _desired = [];
    private readonly List<NeighborInfo> _dump = [];
    private bool _dirty = true;

    public ForwardingTable(string device, NeighborRequests requests, LinkFacts links, ILogger<ForwardingTable> logger)
    {
        _device = device;
        _requests = requests;
        _links = links;
        _logger = logger;
    }

    /// <summary>Makes these the only entries of the device.</summary>
    public void SetEntries(ReadOnlySpan<(MacAddress Mac, IpAddress Remote)> entries)
    {
        HashSet<(MacAddress, IpAddress)> wanted = [.. entries];
        if (!_desired.SetEquals(wanted))
        {
            _desired.Clear();
            _desired.UnionWith(wanted);
            _dirty = true;
        }
    }

    public void OnLinkChanged(string name) => _dirty |= name == _device;

    public void QueueResync() => _dirty = true;

    public ApplyStatus Apply()
    {
        if (!_dirty || _links.Find(_device) is not { } link)
        {
            return ApplyStatus.Done;
        }

        NetlinkResult read = _requests.ListForwarding(_dump, link.Index);
        if (!read.IsSuccess)
        {
            Log.NeighborNotWritten(_logger, default, _device, read);
            return ApplyStatus.RetryLater(RetryDelay);
        }

        bool complete = true;
        HashSet<(MacAddress Mac, IpAddress Remote)> actual = [.. _dump.Select(static e => (e.Mac, e.Address))];
        foreach ((MacAddress mac, IpAddress remote) in actual.Where(e => !_desired.Contains(e)))
        {
            complete &= Book(_requests.DeleteForwarding(link.Index, mac, remote), remote);
        }

        foreach ((MacAddress mac, IpAddress remote) in _desired.Where(e => !actual.Contains(e)))
        {
            complete &= Book(_requests.ReplaceForwarding(link.Index, mac, remote), remote);
        }

        _dirty = !complete;
        return complete ? ApplyStatus.Done : ApplyStatus.RetryLater(RetryDelay);
    }

    private bool Book(NetlinkResult result, IpAddress remote)
    {
        bool done = result.IsSuccess || result.Errno == Errno.ENOENT;
        if (!done)
        {
            Log.NeighborNotWritten(_logger, remote, _device, result);
        }

        return done;
    }
}
