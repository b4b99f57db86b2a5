using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Weft.Bgp.Rib;
using Weft.Dataplane.Drivers.Routes;
using Weft.Hosting.Loops;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>What the FIB's loop is told.</summary>
internal enum FibEvent : byte
{
    /// <summary>Best routes changed; they wait in the feeder's list.</summary>
    Best,
    Settings,
    Host,
    OwnRouteRemoved,
    OwnRoutesInDoubt,

    /// <summary>A new speaker starts with an empty table.</summary>
    NewSpeaker,

    /// <summary>Everybody has sent their tables.</summary>
    Settled,
    Retry,

    /// <summary>Next hops that were given up may be tried again.</summary>
    HopsAgain,
    Query,
}

/// <summary>One message; <paramref name="Body"/> is what the event needs.</summary>
internal readonly record struct FibMessage(FibEvent Event, object? Body = null);

/// <summary>Which prefixes are installed, asked from another thread.</summary>
internal sealed record FibQuery(IReadOnlyCollection<IpPrefix> Prefixes, TaskCompletionSource<FibAnswer> Answer);

/// <param name="Installed">Of those asked for.</param>
/// <param name="Count">Routes of ours in the kernel.</param>
/// <param name="Stale">Of these, left over and not yet confirmed.</param>
internal sealed record FibAnswer(IReadOnlySet<IpPrefix> Installed, int Count, int Stale);

/// <summary>
/// Best routes -> kernel routes (design 5, F1). The RIB's loops call <see cref="OnBestChanged"/>; everything else runs on the feeder's own loop: next hops are
/// resolved against the latest picture of the host, once per distinct set of next hops, and resolved again when the picture changes.
/// </summary>
internal sealed class FibFeeder : IRibListener, ILoopBody<FibMessage>, IDisposable
{
    private const string TunnelLink = "tunl0";

    private readonly KernelFib _kernel;
    private readonly ILogger _logger;
    private readonly Loop<FibMessage> _loop;
    private readonly TimeProvider _time;
    private readonly ITimer _retry;

    /// <summary>Looks again for next hops that were given up.</summary>
    private readonly ITimer _again;

    private readonly PendingRoutes _pendingIPv4 = new(IpFamily.IPv4);
    private readonly PendingRoutes _pendingIPv6 = new(IpFamily.IPv6);
    private readonly NextHopSets _sets = new();
    private readonly NextHopSets.Cache _recentIPv4;
    private readonly NextHopSets.Cache _recentIPv6;

    private readonly LearnedRoutes _learned = new();
    private readonly Dictionary<(int Set, KernelAction Action, IpFamily Family), RouteTarget?> _targets = [];
    private ((int Set, KernelAction Action, IpFamily Family) Key, RouteTarget? Target) _lastTarget;
    private readonly Dictionary<RouteTarget, RouteTarget> _shared = [];
    private readonly HashSet<IpPrefix> _fixed = [];
    private readonly List<FibQuery> _queries = [];
    private FibSettings? _settings;
    private bool _recursionDirty;
    private volatile bool _frozen;
    private volatile bool _doubt;
    private HostView _host = HostView.Empty;

    public FibFeeder(KernelFib kernel, TimeProvider time, ILogger logger)
    {
        (_kernel, _time, _logger) = (kernel, time, logger);
        (_recentIPv4, _recentIPv6) = (new NextHopSets.Cache(_sets), new NextHopSets.Cache(_sets));
        _loop = new Loop<FibMessage>(this, capacity: 1024, batch: 256);
        Recursive.Asked = () => _loop.TryPost(new FibMessage(FibEvent.Best));
        _again = time.CreateTimer(_ => _loop.TryPost(new FibMessage(FibEvent.HopsAgain)), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _retry = time.CreateTimer(_ => _loop.TryPost(new FibMessage(FibEvent.Retry)), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>
    /// While true, the RIB is not heard: the speaker is going down and takes its sessions with it, but the kernel keeps forwarding. A new speaker begins with
    /// <see cref="FibEvent.NewSpeaker"/>, then this becomes false again.
    /// </summary>
    public bool IsFrozen
    {
        get => _frozen;
        set => _frozen = value;
    }

    /// <summary>The newest picture of the host; set before <see cref="RunAsync"/>.</summary>
    public Func<HostView> Host { get; set; } = () => HostView.Empty;

    /// <summary>Own routes may have vanished from the kernel: read them again.</summary>
    public void DoubtKernel()
    {
        _doubt = true;
        _loop.TryPost(new FibMessage(FibEvent.OwnRoutesInDoubt));
    }

    /// <summary>Next hops behind routes of our own.</summary>
    public RecursiveHops Recursive { get; } = new();

    public Task RunAsync(CancellationToken stop) => _loop.RunAsync(stop);

    public ValueTask PostAsync(FibMessage message, CancellationToken stop) => _loop.PostAsync(message, stop);

    /// <summary>False when the loop is behind; for callers that may not wait and whose event repeats or is covered by another.</summary>
    public bool TryPost(FibMessage message) => _loop.TryPost(message);

    public async Task<FibAnswer> AskAsync(IReadOnlyCollection<IpPrefix> prefixes, CancellationToken stop)
    {
        FibQuery query = new(prefixes, new TaskCompletionSource<FibAnswer>(TaskCreationOptions.RunContinuationsAsynchronously));
        await _loop.PostAsync(new FibMessage(FibEvent.Query, query), stop);
        return await query.Answer.Task.WaitAsync(stop);
    }

    /// <summary>On the RIB loop of the prefix's family: each family has a list of its own.</summary>
    public void OnBestChanged(in BestChange change)
    {
        if (_frozen)
        {
            return;
        }

        bool ipv4 = change.Prefix.IsIPv4;
        int set = change.IsWithdrawn || change.IsLocal ? 0 : (ipv4 ? _recentIPv4 : _recentIPv6).IdOf(change.NextHops);
        (ipv4 ? _pendingIPv4 : _pendingIPv6).Add(LearnedRoute.From(change.Prefix, set));
    }

    public void OnBatchEnd(IpFamily family)
    {
        (family == IpFamily.IPv4 ? _pendingIPv4 : _pendingIPv6).Publish();

        // A full channel is as good as a message: the loop takes what is pending at the end of every batch.
        _loop.TryPost(new FibMessage(FibEvent.Best));
    }

    void ILoopBody<FibMessage>.OnMessage(in FibMessage message)
    {
        switch (message.Event)
        {
            case FibEvent.Settings:
                Use((FibSettings)message.Body!);
                break;
            case FibEvent.OwnRouteRemoved when message.Body is (IpPrefix prefix, uint metric) && _kernel.IsMissed(prefix, metric):
                _kernel.QueueResync();
                break;
            case FibEvent.NewSpeaker:
                _pendingIPv4.Take(); // Of the speaker before: without effect on the new one.
                _pendingIPv6.Take();
                _learned.Clear();
                _recursionDirty = true;
                ForgetTargets();
                _shared.Clear();
                _kernel.MarkAllStale();
                RefreshFixed();
                break;
            case FibEvent.Settled:
                Log.Settled(_logger, _kernel.SweepStale());
                break;
            case FibEvent.HopsAgain:
                _recursionDirty = true;
                break;
            case FibEvent.Query:
                _queries.Add((FibQuery)message.Body!);
                break;
            default:
                break; // The end of the batch looks after the others, so that none of their messages can get lost.
        }
    }

    ValueTask ILoopBody<FibMessage>.OnBatchEndAsync(CancellationToken stop)
    {
        if (Host() is var host && !ReferenceEquals(host, _host))
        {
            Use(host);
        }

        if (_doubt)
        {
            _doubt = false;
            _kernel.QueueResync();
        }

        Learn(_pendingIPv4);
        Learn(_pendingIPv6);
        UpdateRecursion();
        if (_settings is not null && _kernel.Apply() is { } retry)
        {
            _retry.Change(retry, Timeout.InfiniteTimeSpan);
        }

        Answer();
        return ValueTask.CompletedTask;
    }

    public void Dispose()
    {
        _again.Dispose();
        _retry.Dispose();
        _kernel.Dispose();
    }

    private void Learn(PendingRoutes pending)
    {
        bool keep = _settings is not { InstallRoutes: false };
        foreach (LearnedRoute route in pending.Take())
        {
            IpPrefix prefix = route.Prefix(pending.Family);
            _learned.Set(keep ? route : route with { Set = 0 }, pending.Family);
            _recursionDirty |= Recursive.Concerns(prefix);
            Refresh(prefix);
        }
    }

    /// <summary>Before the kernel is written: routes over next hops that lead elsewhere now go along, and the RIB hears of it.</summary>
    private void UpdateRecursion()
    {
        if (_settings is not { } settings || !(_recursionDirty || Recursive.IsAsked))
        {
            return;
        }

        bool changed = Recursive.Update(_host, settings, _learned, _sets, _time, out bool isGivenUp);
        _recursionDirty = false;
        if (isGivenUp)
        {
            _again.Change(RecursiveHops.Patience, Timeout.InfiniteTimeSpan);
        }

        if (changed)
        {
            LeadAgain();
            Recursive.Changed();
        }
    }

    private void ForgetTargets()
    {
        _targets.Clear();
        _lastTarget = default;
    }

    private void Answer()
    {
        if (_queries.Count == 0)
        {
            return;
        }

        foreach (FibQuery query in _queries)
        {
            query.Answer.TrySetResult(new FibAnswer(query.Prefixes.Where(_kernel.IsInstalled).ToHashSet(), _kernel.Count, _kernel.Stale));
        }

        _queries.Clear();
    }

    private void Use(FibSettings settings)
    {
        _settings = settings;
        _recursionDirty = true;
        ForgetTargets();
        _kernel.UseMetrics(settings.MetricIPv4, settings.MetricIPv6);
        RefreshFixed();
        foreach ((IpPrefix prefix, _) in _learned.All)
        {
            Refresh(prefix);
        }

        if (!settings.InstallRoutes)
        {
            // The RIB is no longer heard; when it is again, it tells everything.
            _learned.Clear();
        }
    }

    /// <summary>Only prefixes whose next hops lead elsewhere now are touched.</summary>
    private void Use(HostView host)
    {
        _host = host;
        if (_settings is null)
        {
            return;
        }

        _recursionDirty = true;
        LeadAgain();
        RefreshFixed();
    }

    /// <summary>Resolves every set of next hops in use again, and touches the prefixes of those that lead elsewhere now.</summary>
    private void LeadAgain()
    {
        HashSet<int> moved = [];
        _lastTarget = default;
        foreach (((int Set, KernelAction Action, IpFamily Family) key, RouteTarget? before) in _targets.ToArray())
        {
            RouteTarget? now = Resolve(_sets[key.Set], key.Action);
            if (!ReferenceEquals(now, before))
            {
                _targets[key] = now;
                moved.Add(key.Set);
            }
        }

        foreach (IpPrefix prefix in moved.Count == 0 ? [] : _learned.All.Where(l => moved.Contains(l.Set)).Select(l => l.Prefix))
        {
            Refresh(prefix);
        }
    }

    /// <summary>Blackholes and host routes, those that were and those that are.</summary>
    private void RefreshFixed()
    {
        IpPrefix[] before = [.. _fixed];
        _fixed.Clear();
        if (_settings is not null)
        {
            _fixed.UnionWith(_settings.Blackholes);
            _fixed.UnionWith(_settings.HostRoutes.Keys);
        }

        foreach (IpPrefix prefix in before.Union(_fixed).ToArray())
        {
            Refresh(prefix);
        }
    }

    private void Refresh(IpPrefix prefix)
    {
        if (_settings is { } settings)
        {
            _kernel.Set(prefix, settings.InstallRoutes ? Target(prefix, settings) : null);
        }
    }

    private RouteTarget? Target(IpPrefix prefix, FibSettings settings)
    {
        if (_fixed.Count > 0 && settings.HostRoutes.TryGetValue(prefix, out IpAddress gateway))
        {
            return _host.Resolve(gateway, viaDefault: true) is { } way ? Unicast([way.Hop]) : null;
        }

        // Traffic to a free address of an own block ends here instead of circling between this node and its default gateway.
        if (_fixed.Count > 0 && _fixed.Contains(prefix))
        {
            return settings.Rules.Decide(prefix, default) == KernelAction.Skip ? null : RouteTarget.Blackhole;
        }

        int set = _learned.Find(prefix);
        if (set == 0)
        {
            return null;
        }

        KernelAction action = settings.Rules.InstallsAll ? KernelAction.Install : settings.Rules.Decide(prefix, _sets[set].Hops[0].Address);
        (int, KernelAction, IpFamily) key = (set, action, prefix.Family);
        if (_lastTarget.Key == key)
        {
            return _lastTarget.Target;
        }

        if (!_targets.TryGetValue(key, out RouteTarget? target))
        {
            target = Resolve(_sets[set], action);
            _targets[key] = target;
        }

        _lastTarget = (key, target);
        return target;
    }

    /// <summary>Null when no next hop is reachable: the RIB hears of the same picture and chooses another path.</summary>
    private RouteTarget? Resolve(NextHopSet set, KernelAction action)
    {
        List<NextHop> hops = [];
        foreach (RouteNextHop hop in action == KernelAction.Skip ? [] : set.Hops)
        {
            if (action == KernelAction.Tunnel)
            {
                // The device needs no neighbour entry: the address itself is where the outer packet goes.
                if (_host.Link(TunnelLink) is { IsUp: true })
                {
                    hops.Add(new NextHop(hop.Address, new LinkId(TunnelLink), OnLink: true, hop.Weight));
                }
            }
            else if ((Recursive.TryResolve(hop.Address, out ResolvedHop behind) ? behind : _host.Resolve(hop, _settings!.ResolveViaDefault)) is { } way)
            {
                hops.Add(way.Hop with { Weight = hop.Weight });
            }
        }

        return hops.Count == 0 ? null : Unicast(hops);
    }

    /// <summary>Same value, same object: a route holds only a reference. Two next hops behind one gateway make one hop with the larger share.</summary>
    private RouteTarget Unicast(IEnumerable<NextHop> hops)
    {
        NextHop[] distinct = [.. hops.GroupBy(h => h with { Weight = 1 }).Select(g => g.MaxBy(h => h.Weight))];
        RouteTarget target = distinct is [var one] ? RouteTarget.Via(one.Gateway, one.Link, one.OnLink) : RouteTarget.Multipath(distinct);
        ref RouteTarget? slot = ref CollectionsMarshal.GetValueRefOrAddDefault(_shared, target, out _);
        return slot ??= target;
    }
}
