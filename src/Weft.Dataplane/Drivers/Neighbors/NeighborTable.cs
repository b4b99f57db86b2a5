using Microsoft.Extensions.Logging;
using Weft.Dataplane.Drivers.Links;
using Weft.Linux;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.Neighbors;

/// <summary>
/// Keeps permanent neighbour entries of one family: pods whose MAC address is known, VXLAN tunnel ends. Ours carry our protocol number, as routes
/// do; entries that the kernel learned give way to ours, entries of other programs are left where we want none.
/// </summary>
public sealed class NeighborTable : IReconciler
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private readonly IpFamily _family;
    private readonly byte _protocol;
    private readonly NeighborRequests _requests;
    private readonly LinkFacts _links;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TimeSpan _refreshInterval;
    private readonly Dictionary<string, Dictionary<IpAddress, MacAddress>> _desired = []; // by link
    private readonly Dictionary<(string Link, IpAddress Address), MacAddress> _actual = []; // ours
    private readonly HashSet<string> _dirty = [];
    private readonly List<NeighborInfo> _dump = [];
    private bool _inSync;
    private long _lastRead;

    /// <param name="protocol">RTPROT_* of our entries.</param>
    /// <param name="refreshInterval">How often the kernel is read although nothing changed; zero for never.</param>
    public NeighborTable(
        IpFamily family, byte protocol, NeighborRequests requests, LinkFacts links, TimeProvider time, ILogger<NeighborTable> logger, TimeSpan? refreshInterval = null)
    {
        _family = family;
        _protocol = protocol;
        _requests = requests;
        _links = links;
        _time = time;
        _logger = logger;
        _refreshInterval = refreshInterval ?? TimeSpan.FromSeconds(90);
    }

    /// <summary>Makes these our only entries on the link; an empty span takes them all away.</summary>
    public void SetNeighbors(string link, ReadOnlySpan<(IpAddress Address, MacAddress Mac)> neighbors)
    {
        _desired.Remove(link);
        if (neighbors.Length > 0)
        {
            Dictionary<IpAddress, MacAddress> entries = [];
            foreach ((IpAddress address, MacAddress mac) in neighbors)
            {
                entries[address] = mac;
            }

            _desired.Add(link, entries);
        }

        _dirty.Add(link);
    }

    /// <summary>The link came, went, or went up or down: the kernel forgets neighbours of links that are down.</summary>
    public void OnLinkChanged(string name)
    {
        if (_desired.ContainsKey(name) || _actual.Keys.Any(key => key.Link == name))
        {
            _inSync = false;
        }
    }

    public void QueueResync() => _inSync = false;

    public ApplyStatus Apply()
    {
        if (_refreshInterval > TimeSpan.Zero && _time.GetElapsedTime(_lastRead) >= _refreshInterval)
        {
            _inSync = false;
        }

        if (!_inSync && !Read())
        {
            return ApplyStatus.RetryLater(RetryDelay);
        }

        bool complete = true;
        foreach (string link in _dirty.ToArray())
        {
            if (WriteLink(link))
            {
                _dirty.Remove(link);
            }
            else
            {
                complete = false;
            }
        }

        return complete
            ? ApplyStatus.DoneUntil(_refreshInterval > TimeSpan.Zero ? _refreshInterval - _time.GetElapsedTime(_lastRead) : null)
            : ApplyStatus.RetryLater(RetryDelay);
    }

    private bool Read()
    {
        NetlinkResult result = _requests.List(_dump, _family);
        if (!result.IsSuccess)
        {
            Log.NeighborsNotRead(_logger, _family, result);
            return false;
        }

        _actual.Clear();
        foreach (NeighborInfo neighbor in _dump)
        {
            if (neighbor.Protocol == _protocol && neighbor.IsPermanent && _links.NameOf(neighbor.LinkIndex) is { } link)
            {
                _actual[(link, neighbor.Address)] = neighbor.Mac;
                _dirty.Add(link);
            }
        }

        _dirty.UnionWith(_desired.Keys);
        _inSync = true;
        _lastRead = _time.GetTimestamp();
        return true;
    }

    private bool WriteLink(string name)
    {
        // An absent link has no neighbours; a link that is down refuses them. OnLinkChanged brings us back.
        if (_links.Find(name) is not { IsUp: true } link)
        {
            return true;
        }

        bool complete = true;
        Dictionary<IpAddress, MacAddress>? desired = _desired.GetValueOrDefault(name);
        foreach ((IpAddress address, MacAddress mac) in desired ?? [])
        {
            if (_actual.TryGetValue((name, address), out MacAddress actual) && actual == mac)
            {
                continue;
            }

            NetlinkResult result = _requests.Replace(link.Index, address, mac, _protocol);
            complete &= Book(result, name, address);
            if (result.IsSuccess)
            {
                _actual[(name, address)] = mac;
            }
        }

        foreach ((string Link, IpAddress Address) key in _actual.Keys.Where(k => k.Link == name && desired?.ContainsKey(k.Address) != true).ToArray())
        {
            NetlinkResult result = _requests.Delete(link.Index, key.Address);
            if (result.IsSuccess || result.Errno is Errno.ENOENT or Errno.ENODEV)
            {
                _actual.Remove(key);
            }
            else
            {
                complete &= Book(result, name, key.Address);
            }
        }

        return complete;
    }

    private bool Book(NetlinkResult result, string link, IpAddress address)
    {
        if (!result.IsSuccess)
        {
            Log.NeighborNotWritten(_logger, address, link, result);
        }

        return result.IsSuccess;
    }
}
