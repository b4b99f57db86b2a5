using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Weft.Linux;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>
/// The router's routes in the kernel: desired, written, difference. Ours are known by their protocol number, so routes that an earlier process left are taken over:
/// they stay as they are, marked stale, until somebody wants the prefix or <see cref="SweepStale"/> says that everybody has spoken. A prefix where another
/// program has a route with the same metric is left to it. Owned by the FIB's loop.
/// </summary>
internal sealed class KernelFib : IDisposable
{
    private static readonly TimeSpan s_firstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_longestRetry = TimeSpan.FromSeconds(30);

    private readonly RouteSocket _socket;
    private readonly byte _protocol;
    private readonly ILogger _logger;
    private readonly RouteBatch _batch = new();
    private readonly List<(IpPrefix Prefix, RouteWrite Write, FibTarget Target)> _sent = new(RouteBatch.Capacity);

    // Bounds: one entry per prefix that is desired or in the kernel. 48 bytes each with the table's own overhead (1 M routes: about 50 MB).
    private readonly Dictionary<IpPrefix, Entry> _entries = [];
    private readonly HashSet<IpPrefix> _dirty = [];
    private readonly HashSet<IpPrefix> _refused = [];
    private readonly Dictionary<FibTarget, FibTarget> _targets = [];

    // Routes of ours beside the one the entry speaks of: another metric, after the setting changed.
    private readonly List<(IpPrefix Prefix, FibTarget Target)> _strays = [];
    private bool _resync = true;
    private TimeSpan _retry = s_firstRetry;

    /// <param name="socket">Owned from now on.</param>
    /// <param name="protocol">Ours alone.</param>
    /// <param name="logger">For what the kernel refuses.</param>
    public KernelFib(RouteSocket socket, byte protocol, ILogger logger) => (_socket, _protocol, _logger) = (socket, protocol, logger);

    private struct Entry
    {
        public FibTarget? Desired;
        public FibTarget? Written;

        /// <summary>Found in the kernel or kept from an earlier session of the speaker; nobody has asked for it since.</summary>
        public bool IsStale;
    }

    /// <summary>Routes of ours in the kernel.</summary>
    public int Installed { get; private set; }

    public int Stale { get; private set; }

    /// <summary>Same value, same object.</summary>
    public FibTarget Intern(FibTarget target)
    {
        ref FibTarget? slot = ref CollectionsMarshal.GetValueRefOrAddDefault(_targets, target, out _);
        return slot ??= target;
    }

    /// <summary>Null takes the route away, unless it is stale: then it stays until the sweep.</summary>
    public void Set(IpPrefix prefix, FibTarget? target)
    {
        if (target is null && !_entries.ContainsKey(prefix))
        {
            return;
        }

        ref Entry entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_entries, prefix, out _);
        if (target is null && entry.Written is null)
        {
            _entries.Remove(prefix);
            _dirty.Remove(prefix);
            return;
        }

        entry.Desired = target;
        entry.IsStale &= target is null;
        if (!ReferenceEquals(entry.Desired, entry.Written))
        {
            _dirty.Add(prefix);
        }
    }

    public bool IsInstalled(IpPrefix prefix) =>
        _entries.TryGetValue(prefix, out Entry entry) && entry.Written is not null && ReferenceEquals(entry.Written, entry.Desired);

    /// <summary>Every route in the kernel becomes stale: what wanted it is gone, what wants it next has not spoken yet.</summary>
    public void MarkAllStale()
    {
        foreach (IpPrefix prefix in _entries.Keys.ToArray())
        {
            ref Entry entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, prefix);
            (entry.Desired, entry.IsStale) = (null, entry.Written is not null);
            _dirty.Remove(prefix);
            if (entry.Written is null)
            {
                _entries.Remove(prefix);
            }
        }
    }

    /// <summary>Takes away what is still stale; returns how many.</summary>
    public int SweepStale()
    {
        int swept = 0;
        foreach (IpPrefix prefix in _entries.Keys.ToArray())
        {
            ref Entry entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, prefix);
            if (entry.IsStale)
            {
                entry.IsStale = false;
                _dirty.Add(prefix);
                swept++;
            }
        }

        return swept;
    }

    /// <summary>The kernel may have changed behind our back.</summary>
    public void QueueResync() => _resync = true;

    /// <summary>A route of ours was removed. True when that was not our doing.</summary>
    public bool IsMissed(IpPrefix prefix, uint metric) => _entries.TryGetValue(prefix, out Entry entry) && entry.Written?.Metric == metric && entry.Desired is not null;

    /// <summary>Writes the difference. Not null: something was refused, come back after that time.</summary>
    public TimeSpan? Apply()
    {
        if (_resync && !Read())
        {
            return NextRetry();
        }

        _refused.Clear();
        foreach (IpPrefix prefix in _dirty)
        {
            Entry entry = _entries.GetValueOrDefault(prefix);
            (FibTarget? desired, FibTarget? written) = (entry.Desired, entry.Written);
            if (ReferenceEquals(desired, written) || entry.IsStale)
            {
                continue;
            }

            if (desired is null)
            {
                Queue(prefix, RouteWrite.Delete, written!);
            }
            else if (written is null || written.Metric != desired.Metric)
            {
                Queue(prefix, RouteWrite.Add, desired);
            }
            else
            {
                Queue(prefix, RouteWrite.Replace, desired);
            }
        }

        Send();
        RemoveStrays();
        _dirty.Clear();
        _dirty.UnionWith(_refused);
        if (_dirty.Count > 0 || _resync)
        {
            return NextRetry();
        }

        _retry = s_firstRetry;
        return null;
    }

    public void Dispose() => _socket.Dispose();

    private TimeSpan NextRetry()
    {
        TimeSpan now = _retry;
        _retry = now * 2 < s_longestRetry ? now * 2 : s_longestRetry;
        return now;
    }

    private void Queue(IpPrefix prefix, RouteWrite write, FibTarget target)
    {
        if (_batch.IsFull)
        {
            Send();
        }

        _batch.Add(write, target.ToRoute(prefix, _protocol));
        _sent.Add((prefix, write, target));
    }

    private void Send()
    {
        if (_sent.Count == 0)
        {
            return;
        }

        NetlinkResult sent = _socket.Routes.Write(_batch);
        for (int i = 0; i < _sent.Count; i++)
        {
            (IpPrefix prefix, RouteWrite write, FibTarget target) = _sent[i];
            Note(prefix, write, target, sent.IsSuccess ? _batch.Results[i] : sent);
        }

        _sent.Clear();
        _batch.Clear();
        _resync |= !sent.IsSuccess; // Nobody knows which of them were written.
    }

    private void Note(IpPrefix prefix, RouteWrite write, FibTarget target, NetlinkResult result)
    {
        ref Entry entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_entries, prefix, out _);
        switch (write)
        {
            case RouteWrite.Delete when result.IsSuccess || result.Errno is Errno.ESRCH or Errno.ENODEV:
                entry.Written = null;
                if (entry.Desired is null)
                {
                    _entries.Remove(prefix);
                }

                break;
            case RouteWrite.Add or RouteWrite.Replace when result.IsSuccess:
                if (entry.Written is { } old && old.Metric != target.Metric)
                {
                    _strays.Add((prefix, old));
                }

                entry.Written = target;
                break;
            default:
                _refused.Add(prefix);
                Log.RouteRefused(_logger, write == RouteWrite.Delete ? "delete" : "write", prefix, target, result.ToString());
                break;
        }
    }

    private void RemoveStrays()
    {
        foreach ((IpPrefix prefix, FibTarget target) in _strays)
        {
            _socket.Routes.Delete(target.ToRoute(prefix, _protocol)); // ESRCH is as good as success; anything else shows in the next resync.
        }

        _strays.Clear();
    }

    /// <summary>Reads our routes and takes what it finds as written.</summary>
    private bool Read()
    {
        Dictionary<IpPrefix, FibTarget> found = [];
        foreach (IpFamily family in (IpFamily[])[IpFamily.IPv4, IpFamily.IPv6])
        {
            Own sink = new(this, found, family);
            NetlinkResult result = _socket.Routes.Dump(new RouteFilter(family, Protocol: _protocol), ref sink);
            if (!result.IsSuccess)
            {
                Log.RoutesNotRead(_logger, family, result.ToString());
                return false;
            }
        }

        foreach (IpPrefix prefix in _entries.Keys.Where(p => !found.ContainsKey(p)).ToArray())
        {
            ref Entry entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, prefix);
            entry.Written = null;
            if (entry.Desired is null)
            {
                _entries.Remove(prefix);
            }
            else
            {
                _dirty.Add(prefix);
            }
        }

        foreach ((IpPrefix prefix, FibTarget target) in found)
        {
            ref Entry entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_entries, prefix, out bool known);
            entry.IsStale |= !known;
            entry.Written = target;
            if (!ReferenceEquals(entry.Desired, target))
            {
                _dirty.Add(prefix);
            }
        }

        _resync = false;
        Count();
        return true;
    }

    /// <summary>For operators; called after every apply.</summary>
    public void Count()
    {
        (Installed, Stale) = (0, 0);
        foreach (Entry entry in _entries.Values)
        {
            Installed += entry.Written is not null ? 1 : 0;
            Stale += entry.IsStale ? 1 : 0;
        }
    }

    private readonly struct Own(KernelFib fib, Dictionary<IpPrefix, FibTarget> found, IpFamily family) : IRouteSink
    {
        private readonly IpFamily _family = family;

        public void Restart()
        {
            IpFamily mine = _family;
            foreach (IpPrefix prefix in found.Keys.Where(p => p.Family == mine).ToArray())
            {
                found.Remove(prefix);
            }

            fib._strays.RemoveAll(s => s.Prefix.Family == mine);
        }

        public void OnRoute(in RouteInfo route)
        {
            FibTarget target = fib.Intern(FibTarget.From(route));
            if (!found.TryAdd(route.Destination, target))
            {
                fib._strays.Add((route.Destination, target));
            }
        }
    }
}
