using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Weft.Dataplane.Drivers.Links;
using Weft.Linux;
using Weft.Linux.Netfilter;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.Routes;

/// <summary>
/// Keeps the routes of one family in one kernel table. Ours are those with our protocol number; others are never replaced: a destination and metric
/// that somebody else holds is reported as a conflict and left. No copy of the kernel's table is kept: a read is compared as it streams by.
/// <code>
///   SetRoutes, SetRoute --> DesiredRoutes --dirty keys--> RouteBatch --netlink--> kernel
///   dump (our protocol) ----compare--------^
/// </code>
/// </summary>
public sealed class RouteTable : IRouteTable
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(30);
    private const byte KernelProtocol = 2; // RTPROT_KERNEL: subnets of addresses, link-local

    private readonly RouteTableSettings _settings;
    private readonly RouteRequests _requests;
    private readonly LinkFacts _links;
    private readonly ConntrackSocket? _conntrack;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly DesiredRoutes _desired;
    private readonly RouteForm _form;
    private readonly RouteBatch _batch = new();
    private readonly List<(PackedKey Key, RouteWrite Write)> _inBatch = new(RouteBatch.Capacity);
    private readonly List<RouteInfo> _strays = [];
    private readonly Dictionary<string, HashSet<PackedKey>> _waiting = []; // by the link they wait for
    private readonly HashSet<PackedKey> _failed = [];
    private readonly HashSet<PackedKey> _conflicts = [];
    private readonly long _started;
    private uint _read;
    private bool _inSync;
    private long _lastRead;
    private TimeSpan _retry = FirstRetry;
    private TimeSpan? _graceLeft;

    /// <param name="requests">Of a socket in the namespace whose table is kept; used by the loop that calls <see cref="Apply"/> only.</param>
    /// <param name="links">Kept up to date by the same loop.</param>
    /// <param name="conntrack">Ends the connections of pod addresses that go or move; null where there are no pods.</param>
    public RouteTable(
        RouteTableSettings settings, RouteRequests requests, LinkFacts links, TimeProvider time, ILogger<RouteTable> logger, ConntrackSocket? conntrack = null)
    {
        _conntrack = conntrack;
        _settings = settings;
        _requests = requests;
        _links = links;
        _time = time;
        _logger = logger;
        _desired = new DesiredRoutes(settings.Family);
        _form = new RouteForm(settings, links);
        _started = time.GetTimestamp();
    }

    /// <summary>How many routes are wanted.</summary>
    public int Count => _desired.Count;

    /// <summary>Every route that is wanted.</summary>
    public IEnumerable<RouteKey> Keys => _desired.Keys.Select(_desired.Unpack);

    public bool IsWanted(RouteKey key) => !Unsafe.IsNullRef(ref _desired.Find(_desired.Pack(key)));

    /// <summary>How many wait for their link.</summary>
    public int WaitingCount => _waiting.Values.Sum(static keys => keys.Count);

    /// <summary>Routes that are wanted but belong to somebody else.</summary>
    public IEnumerable<RouteKey> Conflicts => _conflicts.Select(_desired.Unpack);

    /// <summary>True when the route is wanted and was found or written in the kernel.</summary>
    public bool IsWritten(RouteKey key)
    {
        ref RouteEntry entry = ref _desired.Find(_desired.Pack(key));
        return !Unsafe.IsNullRef(ref entry) && entry.State == RouteState.Written;
    }

    public void SetRoutes(RouteOwner owner, LinkId link, ReadOnlySpan<(RouteKey Key, RouteTarget Target)> routes) => _desired.SetGroup(owner, link, routes);

    public void SetRoute(RouteOwner owner, RouteKey key, RouteTarget target) => _desired.WishSingle(_desired.Pack(key), owner, target);

    public void RemoveRoute(RouteOwner owner, RouteKey key) => _desired.Drop(_desired.Pack(key), owner, LinkId.None);

    public void OnLinkChanged(string name)
    {
        if (_waiting.Remove(name, out HashSet<PackedKey>? waiting))
        {
            _desired.Dirty.UnionWith(waiting);
        }

        // The kernel takes routes away when their link goes down, and IPv4 ones without telling anybody.
        foreach (PackedKey key in _desired.KeysOf(name))
        {
            _desired.Dirty.Add(key);
        }

        // Which of the routes without a group lead there is known only to the kernel.
        if (_desired.MayUse(name))
        {
            _inSync = false;
        }
    }

    public void QueueResync() => _inSync = false;

    public ApplyStatus Apply()
    {
        bool refresh = _settings.RefreshInterval > TimeSpan.Zero && _time.GetElapsedTime(_lastRead) >= _settings.RefreshInterval;
        bool graceEnded = _graceLeft is not null && _time.GetElapsedTime(_started) >= _settings.CleanupGrace;
        if (refresh || graceEnded)
        {
            _inSync = false;
        }

        if (!_inSync && !Read())
        {
            return Retry();
        }

        bool complete = EndConnections(_desired.Moved) && WriteDirty() && DeleteUnwanted() && EndConnections(_desired.Released);
        if (!complete || _failed.Count > 0)
        {
            _desired.Dirty.UnionWith(_failed);
            return Retry();
        }

        _retry = FirstRetry;
        return ApplyStatus.DoneUntil(NextRead());
    }

    private bool EndConnections(HashSet<IpAddress> addresses)
    {
        if (addresses.Count > 0 && _conntrack is not null)
        {
            NetlinkResult result = _conntrack.Delete(_settings.Family, addresses, out int deleted);
            if (!result.IsSuccess)
            {
                Log.ConnectionsNotEnded(_logger, addresses.Count, result);
                return false;
            }

            Log.ConnectionsEnded(_logger, deleted, addresses.Count);
        }

        addresses.Clear();
        return true;
    }

    private ApplyStatus Retry()
    {
        TimeSpan delay = _retry;
        _retry = _retry * 2 < LongestRetry ? _retry * 2 : LongestRetry;
        return ApplyStatus.RetryLater(delay);
    }

    private TimeSpan? NextRead()
    {
        TimeSpan? next = _settings.RefreshInterval > TimeSpan.Zero ? _settings.RefreshInterval - _time.GetElapsedTime(_lastRead) : null;
        return _graceLeft is { } grace && (next is null || grace < next) ? grace : next;
    }

    // ---- reading

    private bool Read()
    {
        _read++;
        DumpSink sink = new(this);
        NetlinkResult result = _requests.Dump(_settings.Filter, ref sink);
        if (!result.IsSuccess)
        {
            Log.RoutesNotRead(_logger, _settings.Family, result);
            return false;
        }

        foreach (PackedKey key in _desired.Keys)
        {
            ref RouteEntry entry = ref _desired.Find(key);
            if (entry.Seen != _read)
            {
                entry.InKernel = false;
                entry.State = RouteState.Dirty;
                _desired.Dirty.Add(key);
            }
        }

        // What is in the kernel and unwanted has just been listed, exactly; what waits for a link is dirty again.
        _desired.Unwanted.Clear();
        _waiting.Clear();
        _conflicts.RemoveWhere(key => Unsafe.IsNullRef(ref _desired.Find(key)));
        _inSync = true;
        _lastRead = _time.GetTimestamp();
        return true;
    }

    private void Restart()
    {
        _read++;
        _strays.Clear();
        _graceLeft = null;
    }

    private void OnKernelRoute(in RouteInfo route)
    {
        bool ours = _settings.IsOurs(route.Protocol);
        string? exclusive = _settings.HasExclusiveLinks && route.Protocol != KernelProtocol && route.Hop.LinkIndex != 0 ? _links.NameOf(route.Hop.LinkIndex) : null;
        bool onExclusive = exclusive is not null && _settings.IsExclusiveLink(exclusive);
        if (!ours && !onExclusive)
        {
            return;
        }

        PackedKey key = _desired.Pack(new RouteKey(route.Destination, route.Metric));
        ref RouteEntry entry = ref _desired.Find(key);
        if (!Unsafe.IsNullRef(ref entry) && entry.Seen != _read)
        {
            entry.Seen = _read;
            entry.InKernel = true;
            if (route.Protocol == _settings.Protocol && _form.Matches(_desired.WishOf(entry), route))
            {
                entry.State = RouteState.Written;
                _desired.Dirty.Remove(key);
            }
            else
            {
                entry.State = RouteState.Dirty;
                _desired.Dirty.Add(key);
                NotePod(_desired.Moved, route, onExclusive);
            }

            return;
        }

        TimeSpan running = _time.GetElapsedTime(_started);
        if (onExclusive && running < _settings.CleanupGrace)
        {
            _graceLeft = _settings.CleanupGrace - running;
            return;
        }

        _strays.Add(route);
        NotePod(_desired.Released, route, onExclusive);
    }

    /// <summary>Before this process started, the address belonged to a pod that is gone or lives elsewhere now.</summary>
    private static void NotePod(HashSet<IpAddress> addresses, in RouteInfo route, bool onExclusive)
    {
        if (onExclusive && route.Destination.IsHost)
        {
            addresses.Add(route.Destination.Address);
        }
    }

    // ---- writing

    private bool WriteDirty()
    {
        _failed.Clear();
        foreach (PackedKey key in _desired.Dirty)
        {
            ref RouteEntry entry = ref _desired.Find(key);
            if (Unsafe.IsNullRef(ref entry))
            {
                continue;
            }

            if (!_form.TryBuild(_desired.Unpack(key), _desired.WishOf(entry), out RouteInfo route, out string? missing))
            {
                Await(key, ref entry, missing);
                continue;
            }

            // Booked as done: nearly all are, and a second look at each would cost as much as the first. What fails is put right in Book.
            RouteWrite write = entry.InKernel ? RouteWrite.Replace : RouteWrite.Add;
            entry.InKernel = true;
            entry.State = RouteState.Written;
            _batch.Add(write, route);
            _inBatch.Add((key, write));
            if (_batch.IsFull && !Send())
            {
                return false;
            }
        }

        if (!Send())
        {
            return false;
        }

        _desired.Dirty.Clear();
        return true;
    }

    private bool DeleteUnwanted()
    {
        foreach (PackedKey key in _desired.Unwanted)
        {
            RouteKey unpacked = _desired.Unpack(key);
            AddDeletion(key, new RouteInfo
            {
                Destination = unpacked.Prefix,
                Metric = unpacked.Metric,
                Protocol = _settings.Protocol,
                Table = _settings.Table,
                Type = RouteType.Unspecified, // Matches whatever it leads to.
            });
            if (_batch.IsFull && !Send())
            {
                return false;
            }
        }

        foreach (RouteInfo stray in _strays)
        {
            AddDeletion(_desired.Pack(new RouteKey(stray.Destination, stray.Metric)), stray);
            if (_batch.IsFull && !Send())
            {
                return false;
            }
        }

        if (!Send())
        {
            return false;
        }

        _desired.Unwanted.Clear();
        _strays.Clear();
        return true;
    }

    private void AddDeletion(PackedKey key, in RouteInfo route)
    {
        _batch.Add(RouteWrite.Delete, route);
        _inBatch.Add((key, RouteWrite.Delete));
    }

    private void Await(PackedKey key, ref RouteEntry entry, string link)
    {
        entry.State = RouteState.AwaitsLink;
        if (!_waiting.TryGetValue(link, out HashSet<PackedKey>? waiting))
        {
            _waiting.Add(link, waiting = []);
        }

        waiting.Add(key);
    }

    /// <summary>Sends what is in the batch and books every result.</summary>
    /// <returns>False when the socket failed: nothing is known then, and the kernel is read again.</returns>
    private bool Send()
    {
        if (_batch.Count == 0)
        {
            return true;
        }

        NetlinkResult sent = _requests.Write(_batch);
        if (sent.IsSuccess)
        {
            ReadOnlySpan<NetlinkResult> results = _batch.Results;
            for (int i = 0; i < results.Length; i++)
            {
                if (!results[i].IsSuccess)
                {
                    BookFailure(_inBatch[i].Key, _inBatch[i].Write, results[i]);
                }
                else if (_conflicts.Count > 0 && _inBatch[i].Write != RouteWrite.Delete)
                {
                    _conflicts.Remove(_inBatch[i].Key);
                }
            }
        }
        else
        {
            Log.RouteBatchFailed(_logger, _settings.Family, _batch.Count, sent);
            _inSync = false;
        }

        _batch.Clear();
        _inBatch.Clear();
        return sent.IsSuccess;
    }

    private void BookFailure(PackedKey key, RouteWrite write, NetlinkResult result)
    {
        if (write == RouteWrite.Delete)
        {
            // ESRCH, ENOENT, ENODEV: it has gone by itself, for instance with its link.
            if (result.Errno is not (Errno.ESRCH or Errno.ENOENT or Errno.ENODEV))
            {
                Log.RouteNotDeleted(_logger, _desired.Unpack(key).Prefix, result);
                _inSync = false;
                _failed.Add(key);
            }

            return;
        }

        ref RouteEntry entry = ref _desired.Find(key);
        entry.InKernel = write == RouteWrite.Replace;
        if (result.Errno == Errno.EEXIST)
        {
            entry.State = RouteState.Conflict;
            if (_conflicts.Add(key))
            {
                Log.RouteConflict(_logger, _desired.Unpack(key).Prefix, _desired.WishOf(entry).Target);
            }

            return;
        }

        Log.RouteNotWritten(_logger, _desired.Unpack(key).Prefix, _desired.WishOf(entry).Target, result);
        entry.State = RouteState.Dirty;
        _failed.Add(key);
    }

    private readonly struct DumpSink(RouteTable table) : IRouteSink
    {
        public void Restart() => table.Restart();

        public void OnRoute(in RouteInfo route) => table.OnKernelRoute(route);
    }
}
