using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Weft.Bgp;
using Weft.Bgp.Policies;
using Weft.Bgp.Session;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>
/// Runs the speaker and makes it equal to a <see cref="DesiredRouter"/>, touching only what changed: a new route of our own does not reset a session, a changed
/// filter does not touch another neighbour. Owned by <see cref="RouterLoop"/>.
/// </summary>
internal sealed class SpeakerHost : IAsyncDisposable
{
    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(5);

    private readonly FibFeeder _fib;
    private readonly HostWatcher _watcher;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _logs;
    private readonly ILogger _logger;
    private readonly PeerTransport _transport;
    private readonly NextHops _nextHops;
    private readonly PeerListener _listener;
    private readonly Dictionary<string, PeerSettings> _peers = new(StringComparer.Ordinal);
    private readonly Dictionary<IpPrefix, RouteAttributes> _originated = [];
    private readonly TaskCompletionSource _failure = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile BgpSpeaker? _speaker;
    private CancellationTokenSource? _speakerStop;
    private Task _running = Task.CompletedTask;
    private FibSettings? _fibSettings;
    private SpeakerOptions? _options;
    private bool _fibListens;
    private RoaTable? _roas;
    private HostView? _seen;
    private long _startedAt;
    private long _triedAt;
    private bool _isIncomplete;
    private bool _haveSpoken;
    private volatile bool _recursionChanged;
    private TimeSpan _settleTime;

    public SpeakerHost(FibFeeder fib, HostWatcher watcher, TimeProvider time, ILoggerFactory logs)
    {
        (_fib, _watcher, _time, _logs) = (fib, watcher, time, logs);
        _logger = logs.CreateLogger("router");
        _transport = new PeerTransport(() => watcher.Current, time);
        _nextHops = new NextHops(watcher, fib.Recursive);
        _listener = new PeerListener((connection, stop) => _speaker?.AcceptAsync(connection, stop) ?? Task.FromResult(false), () => watcher.Current, time, _logger);
    }

    public BgpSpeaker? Speaker => _speaker;

    /// <summary>Hears who asks for sessions from link-local addresses, known or not; any thread.</summary>
    public Action<string, IpAddress> HeardOnLink
    {
        set => _listener.HeardOnLink = value;
    }

    public IEnumerable<ListenEndpoint> Listening => _listener.Endpoints;

    public int Originated => _originated.Count;

    public long Refused => _listener.Refused;

    public string? ClusterId => _options?.ClusterId.ToString();

    /// <summary>Neighbours an operator took down, with the message given.</summary>
    public ImmutableSortedDictionary<string, string> Shutdown { get; private set; } = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>Neighbours an operator drains (RFC 8326).</summary>
    public ImmutableSortedSet<string> Drained { get; private set; } = ImmutableSortedSet.Create<string>(StringComparer.Ordinal);

    /// <summary>Notes an operator's wish; the next <see cref="UseAsync"/> carries it out. Not null: why it cannot be.</summary>
    public string? Operate(OperatorRequest request)
    {
        if (!_peers.TryGetValue(request.Name, out PeerSettings? peer))
        {
            return request.Name.Split('@') is [var range, _] && _peers.ContainsKey(range)
                ? $"{request.Name} came from a range: \"weft router reset\" ends its session, and {range} can be shut down as a whole"
                : $"no neighbour \"{request.Name}\"";
        }

        switch (request.Wish)
        {
            case OperatorWish.Shutdown:
                Shutdown = Shutdown.SetItem(request.Name, request.Message ?? string.Empty);
                Log.ShutDownByOperator(_logger, request.Name, request.Message ?? string.Empty);
                return null;
            case OperatorWish.Drain:
                Drained = Drained.Add(request.Name);
                Log.DrainedByOperator(_logger, request.Name);
                return null;
            case OperatorWish.Enable when Shutdown.ContainsKey(request.Name) || Drained.Contains(request.Name):
                Shutdown = Shutdown.Remove(request.Name);
                Drained = Drained.Remove(request.Name);
                Log.EnabledByOperator(_logger, request.Name);
                return null;
            default:
                return !peer.Enabled ? $"{request.Name} is disabled by the settings: [neighbor:{request.Name}] enabled = no"
                    : peer.GracefulShutdown ? $"{request.Name} is drained by the settings: [neighbor:{request.Name}] graceful-shutdown = yes"
                    : null;
        }
    }

    /// <summary>Something could not be opened, and it is time for <see cref="UseAsync"/> to try again.</summary>
    public bool NeedsRetry => _recursionChanged || (_isIncomplete && _time.GetElapsedTime(_triedAt) >= s_retry);

    /// <summary>Next hops behind learnt routes lead elsewhere now: the next <see cref="UseAsync"/> tells the RIB. Any thread.</summary>
    public void RecursionChanged() => _recursionChanged = true;

    /// <summary>Routes of an earlier run have been confirmed or removed.</summary>
    public bool IsSettled { get; private set; }

    /// <summary>How far route selection has come after a start; empty once everything is settled.</summary>
    public ImmutableArray<SelectionSnapshot> Selection { get; private set; } = [];

    /// <summary>Ends, failed, when a speaker does.</summary>
    public Task Failure => _failure.Task;

    public async Task UseAsync(DesiredRouter desired, RoaTable? roas, TimeSpan settleTime, ImmutableSortedDictionary<IpPrefix, uint> workloads, CancellationToken stop)
    {
        _settleTime = settleTime;
        _nextHops.ViaDefault = desired.Fib.ResolveViaDefault;
        if (_speaker is null || NeedsNewSpeaker(_speaker.Options, desired.Speaker))
        {
            await StartAsync(desired, stop);
        }
        else if (_options!.MaximumPaths != desired.Speaker.MaximumPaths)
        {
            Log.RouterChanged(_logger, $"multipath {_options.MaximumPaths} -> {desired.Speaker.MaximumPaths}, every prefix is decided again");
            await _speaker.SetMaximumPathsAsync(desired.Speaker.MaximumPaths, stop);
        }

        _options = desired.Speaker;

        // Before neighbours: the first table they send is judged as the later ones are.
        if (roas is not null && !ReferenceEquals(roas, _roas))
        {
            _roas = roas;
            await _speaker!.UseRoasAsync(roas, stop);
        }

        await ConnectFibAsync(desired.Fib.InstallRoutes, stop);
        if (_fibSettings is null || !Same(_fibSettings, desired.Fib))
        {
            bool waysChanged = _fibSettings is not null && _fibSettings.ResolveViaDefault != desired.Fib.ResolveViaDefault;
            _seen = waysChanged ? null : _seen; // The RIB asks for every next hop again, below.
            if (_fibSettings is not null)
            {
                Log.RouterChanged(_logger, FibDifference(_fibSettings, desired.Fib));
            }

            _fibSettings = desired.Fib;
            await _fib.PostAsync(new FibMessage(FibEvent.Settings, desired.Fib), stop);
        }

        if (!ReferenceEquals(_seen, _watcher.Current) || _recursionChanged)
        {
            _recursionChanged = false;
            _seen = _watcher.Current;
            await _speaker!.NextHopsChangedAsync(stop);
        }

        // Own routes before neighbours: the first table they hear is complete. Neighbours before keys: a connection that comes in finds its neighbour.
        await OriginateAsync(desired, workloads, stop);
        await UsePeersAsync(desired.Peers, stop);
        await _speaker!.PeersCompleteAsync(stop);
        _isIncomplete = !await _listener.UseAsync(desired.Listen, desired.Peers.Values);
        _triedAt = _time.GetTimestamp();
    }

    /// <summary>
    /// Asks for the neighbours, and ends the time in which routes of an earlier run are kept when all have sent their tables or it has lasted too long.
    /// </summary>
    public async Task<ImmutableArray<PeerSnapshot>> SettleAsync(CancellationToken stop)
    {
        if (_speaker is null)
        {
            return [];
        }

        ImmutableArray<PeerSnapshot> peers = await _speaker.GetPeersAsync(stop);
        Selection = IsSettled ? [] : await _speaker.GetSelectionAsync(stop);
        bool spoken = peers.Length > 0 && peers.All(HasSpoken);
        bool already = _haveSpoken;
        _haveSpoken = spoken;

        // While selection is deferred (RFC 4724 4.1) the kernel's routes are all there is: none may be swept before those selected have been told.
        // And once more a second later: a route over a next hop that another route leads to follows that one by a moment.
        if (!IsSettled && Selection.All(s => s.IsComplete) && (_time.GetElapsedTime(_startedAt) >= _settleTime || (spoken && already)))
        {
            IsSettled = true;
            await _fib.PostAsync(new FibMessage(FibEvent.Settled), stop);
        }

        return peers;
    }

    /// <summary>Ends the sessions in such a way that neighbours keep our routes, and leaves the kernel as it is.</summary>
    public async ValueTask DisposeAsync()
    {
        await _listener.DisposeAsync();
        await StopSpeakerAsync();
    }

    /// <summary>Who may come from a range, and when, nobody knows: with one only time settles.</summary>
    private static bool HasSpoken(PeerSnapshot peer) =>
        !peer.Settings.Enabled || (!peer.Settings.IsRange && peer.State == SessionState.Established && peer.Families.All(f => f.EndOfRibReceived));

    private async Task StartAsync(DesiredRouter desired, CancellationToken stop)
    {
        if (_speaker is not null)
        {
            Log.SpeakerRestarted(_logger);
            await StopSpeakerAsync();
        }

        await _fib.PostAsync(new FibMessage(FibEvent.NewSpeaker), stop);
        FibAnswer kernel = await _fib.AskAsync([], stop);

        // RFC 4724: the bits that say "I restarted, and my forwarding never stopped" are only told when there is something to show for it.
        BgpSpeaker speaker = new(desired.Speaker with { Restarting = kernel.Count > 0 }, _transport, _nextHops, _time, _logs.CreateLogger("bgp"));
        _speakerStop = new CancellationTokenSource();
        _running = speaker.RunAsync(_speakerStop.Token);
        _ = WatchAsync(_running);
        _fib.IsFrozen = false;
        _fibListens = false;
        _roas = null;
        _peers.Clear();
        _originated.Clear();
        _speaker = speaker;
        _seen = _watcher.Current;
        (_startedAt, IsSettled, _haveSpoken) = (_time.GetTimestamp(), false, false);
        Log.Started(_logger, desired.Speaker.RouterId, desired.Speaker.LocalAs, desired.Peers.Count);
    }

    /// <summary>A router that installs nothing does not keep a second table of everything for the kernel either.</summary>
    private async Task ConnectFibAsync(bool installRoutes, CancellationToken stop)
    {
        if (installRoutes == _fibListens)
        {
            return;
        }

        _fibListens = installRoutes;
        if (installRoutes)
        {
            await _speaker!.SubscribeAsync(_fib, stop);
        }
        else
        {
            await _speaker!.UnsubscribeAsync(_fib, stop);
        }
    }

    private async Task WatchAsync(Task running)
    {
        try
        {
            await running;
        }
        catch (Exception e)
        {
            _failure.TrySetException(e); // The role ends with it; the kernel keeps forwarding until systemd has started the next one.
        }
    }

    private async Task StopSpeakerAsync()
    {
        if (_speaker is not { } speaker)
        {
            return;
        }

        _fib.IsFrozen = true;
        _speaker = null;
        speaker.StopGracefully();
        await _speakerStop!.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // A failure has been reported by WatchAsync.
        _speakerStop.Dispose();
    }

    private async Task OriginateAsync(DesiredRouter desired, ImmutableSortedDictionary<IpPrefix, uint> workloads, CancellationToken stop)
    {
        Dictionary<IpPrefix, RouteAttributes> wanted = desired.Originated.ToDictionary();
        foreach ((IpPrefix prefix, uint metric) in workloads)
        {
            // Filters may ask for the link, and for routes that come from the kernel.
            wanted.TryAdd(prefix, RouteAttributes.Default with { LocalPreference = FilterCompiler.PriorityBase - metric, FromKernel = true, Interface = _watcher.Current.LinkOf(prefix) });
        }

        foreach (IpPrefix prefix in _originated.Keys.Where(p => !wanted.ContainsKey(p)).ToArray())
        {
            await _speaker!.WithdrawAsync(prefix, stop);
            _originated.Remove(prefix);
            Log.OwnRoute(_logger, prefix, "withdrawn");
        }

        foreach ((IpPrefix prefix, RouteAttributes attributes) in wanted)
        {
            if (!_originated.TryGetValue(prefix, out RouteAttributes? old) || !PolicyComparer.Same(old, attributes))
            {
                await _speaker!.OriginateAsync(prefix, attributes, stop);
                _originated[prefix] = attributes;
                Log.OwnRoute(_logger, prefix, old is null ? "announced" : "announced with other attributes");
            }
        }
    }

    private async Task UsePeersAsync(ImmutableSortedDictionary<string, PeerSettings> wanted, CancellationToken stop)
    {
        foreach (string name in _peers.Keys.Where(n => !wanted.ContainsKey(n)).ToArray())
        {
            await _speaker!.RemovePeerAsync(name, stop);
            _peers.Remove(name);
            Log.PeerRemoved(_logger, name);
        }

        Shutdown = Shutdown.RemoveRange(Shutdown.Keys.Where(n => !wanted.ContainsKey(n)).ToArray());
        Drained = Drained.Except(Drained.Where(n => !wanted.ContainsKey(n)));
        foreach ((string name, PeerSettings configured) in wanted)
        {
            PeerSettings peer = Shutdown.TryGetValue(name, out string? message)
                ? configured with { Enabled = false, ShutdownMessage = message.Length == 0 ? null : message }
                : configured;
            peer = Drained.Contains(name) ? peer with { GracefulShutdown = true } : peer;
            if (!_peers.TryGetValue(name, out PeerSettings? running))
            {
                await _speaker!.AddPeerAsync(peer, stop);
                _peers[name] = peer;
                Log.PeerAdded(_logger, name, peer.IsRange ? peer.Range.ToString() : peer.Address.ToString(), $"{(peer.RemoteAs != 0 ? peer.RemoteAs : peer.AcceptedAs)}");
                continue;
            }

            PeerSettings next = PolicyComparer.Reuse(running, peer);
            if (next == running)
            {
                continue;
            }

            PeerChange outcome = await _speaker!.UpdatePeerAsync(next, stop);
            if (outcome == PeerChange.Done && !Equals(next.TransportOptions, running.TransportOptions) && NeedsNewConnection(running, next))
            {
                await _speaker.ResetPeerAsync(name, stop: stop);
                outcome = PeerChange.SessionReset;
            }

            _peers[name] = next;
            Log.PeerChanged(_logger, name, PeerDifference.Describe(running, next, outcome));
        }
    }

    /// <summary>A key or a TTL belongs to the connection; a description does not.</summary>
    private static bool NeedsNewConnection(PeerSettings a, PeerSettings b) =>
        PeerSocket.Options(a) with { Description = string.Empty } != PeerSocket.Options(b) with { Description = string.Empty };

    /// <summary>Every OPEN names the AS and the router id: a change of these ends all sessions. The rest can be changed under them.</summary>
    private static bool NeedsNewSpeaker(SpeakerOptions running, SpeakerOptions desired) =>
        running with { Restarting = false, MaximumPaths = 0, RestartTime = default, RestartDeferral = default, ClusterId = default }
        != desired with { Restarting = false, MaximumPaths = 0, RestartTime = default, RestartDeferral = default, ClusterId = default };

    private static string FibDifference(FibSettings a, FibSettings b) => string.Join(", ", new[]
    {
        a.InstallRoutes == b.InstallRoutes ? "" : b.InstallRoutes ? "routes go into the kernel" : "routes are taken out of the kernel",
        (a.MetricIPv4, a.MetricIPv6) == (b.MetricIPv4, b.MetricIPv6) ? "" : $"kernel metric {a.MetricIPv4} and {a.MetricIPv6} -> {b.MetricIPv4} and {b.MetricIPv6}",
        a.Rules == b.Rules ? "" : "which pools the router programs",
        a.ResolveViaDefault == b.ResolveViaDefault ? "" : $"next hops {(b.ResolveViaDefault ? "may" : "may not")} be reached by a default route",
        a.Blackholes.SequenceEqual(b.Blackholes) ? "" : $"{b.Blackholes.Length} blackholes instead of {a.Blackholes.Length}",
        a.HostRoutes.SequenceEqual(b.HostRoutes) ? "" : $"{b.HostRoutes.Count} host routes to neighbours instead of {a.HostRoutes.Count}",
    }.Where(s => s.Length > 0));

    private static bool Same(FibSettings a, FibSettings b) =>
        a with { Blackholes = b.Blackholes, HostRoutes = b.HostRoutes } == b && a.Blackholes.SequenceEqual(b.Blackholes) && a.HostRoutes.SequenceEqual(b.HostRoutes);
}
