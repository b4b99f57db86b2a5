using Microsoft.Extensions.Logging;
using Weft.Dataplane.Drivers;
using Weft.Dataplane.Managers;
using Weft.Dataplane.Rules;
using Weft.Hosting.Loops;
using Weft.Linux.Namespaces;
using Weft.Linux.Netlink;
using Weft.Linux.Processes;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Dataplane;

/// <summary>What the loop is sent: an update of the graph, a change of a link or an address, or none of them (look whether something is due).</summary>
internal readonly record struct DataplaneMessage(DataplaneUpdate? Update, LinkInfo? Link = null, AddressInfo? Address = null, ChangeKind Change = default)
{
    /// <summary>Somebody wants to know the counters of the rules.</summary>
    public TaskCompletionSource<IReadOnlyList<RuleHits>>? Hits { get; init; }
}

/// <summary>
/// The one writer of this node's kernel state. Takes the updates of the calculation graph in order, hands each to every manager, and when it has heard
/// "in sync" and its budget allows (<see cref="RoundBudget"/>), writes what differs:
/// <code>
///   PolicyGraph --updates--+                     +-> per family:  sets and tables raw, mangle, nat, filter ----+
///                          +-> managers --apply--+                                                            +-> set deletions -> progress
///   NetlinkMonitor --links-+                     +-> settings of links, routes, neighbours --------------------+
/// </code>
/// Nothing is written before the first in-sync: what an earlier life left in the kernel stays in force until everything is known. What cannot be
/// written stays dirty and is tried again; when rules or sets keep being refused, <see cref="RunAsync"/> throws and the process must end.
/// </summary>
public sealed class DataplaneLoop : ILoopBody<DataplaneMessage>, INetlinkListener, IDisposable
{
    // The graph waits while this many updates are queued.
    private const int Capacity = 4096;
    private const int Batch = 4096;

    // Links and addresses that no endpoint names are looked at together: others may make and remove thousands of them, which must cost next to nothing.
    private static readonly TimeSpan s_foreignDelay = TimeSpan.FromSeconds(1);

    private readonly Kernel _kernel;
    private readonly Loop<DataplaneMessage> _loop;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Action<DataplaneReport>? _onRound;
    private readonly NodeNetworking _networking;
    private readonly DataplaneSettings _given;
    private readonly IEndpointProgress _progress;

    // Not before in-sync: how rules are written depends on FelixConfiguration.
    private IDataplaneManager[] _managers = [];
    private PolicyManager _policies = null!;
    private SetsManager _sets = null!;
    private EndpointManager _endpoints = null!;
    private TunnelManager[] _tunnels = [];
    private HostEndpointManager _hostEndpoints = null!;
    private List<DataplaneUpdate> _early = []; // Unbounded on purpose: what the managers will hold anyway.
    private ConfigUpdate? _config;
    private DataplaneSettings _setup; // The given one with what is configured, since in-sync.
    private RuleBackendDecision? _backend;
    private readonly ITimer _timer;
    private readonly RoundBudget _budget;

    private RuleSettings _settings;
    private bool _inSync;
    private bool _dirty;
    private bool _swept;
    private int _rounds;
    private long? _foreignSince; // The first change of a link or address of others that no round has seen.
    private long _dueFrom;
    private TimeSpan? _due;
    private bool _linksLost; // Written by the monitor's task when the queue is full, read by the loop.

    /// <param name="settings">What to program and how.</param>
    /// <param name="progress">Told how far endpoints are.</param>
    /// <param name="onRound">Told of every round, on the loop.</param>
    /// <param name="space">Null for the namespace of the process.</param>
    /// <param name="runner">Null for the real one.</param>
    public DataplaneLoop(
        DataplaneSettings settings, IEndpointProgress progress, ILoggerFactory logs, TimeProvider time, Action<DataplaneReport>? onRound = null, NetNamespace? space = null,
        IProcessRunner? runner = null)
    {
        (_time, _logger, _onRound, _settings) = (time, logs.CreateLogger<DataplaneLoop>(), onRound, settings.Rules);
        _networking = settings.Networking;
        (_given, _setup, _progress) = (settings, settings, progress);
        _kernel = new Kernel(settings, runner ?? new ProcessRunner(space), space, logs, time);
        _loop = new Loop<DataplaneMessage>(this, Capacity, Batch);
        _budget = new RoundBudget(time);

        // A full queue needs no reminder: the batch end looks at what is due anyway.
        _timer = time.CreateTimer(_ => _loop.TryPost(default), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Rounds so far; read for metrics.</summary>
    public long Rounds => Volatile.Read(ref _rounds);

    /// <summary>When the loop last came round (a timestamp of the time provider); 0 before the first time.</summary>
    public long LastBeat { get; private set; }

    /// <summary>Waits while the queue is full.</summary>
    public ValueTask PostAsync(DataplaneUpdate update, CancellationToken stop) => _loop.PostAsync(new DataplaneMessage(update), stop);

    /// <summary>What the rules of policies and profiles have matched; nothing before in-sync.</summary>
    /// <exception cref="DataplaneException">The kernel cannot be read.</exception>
    public async Task<IReadOnlyList<RuleHits>> ReadHitsAsync(CancellationToken stop)
    {
        TaskCompletionSource<IReadOnlyList<RuleHits>> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await _loop.PostAsync(new DataplaneMessage(null) { Hits = answer }, stop);
        return await answer.Task.WaitAsync(stop);
    }

    /// <summary>Makes the loop come round even when nothing changes.</summary>
    public void Beat() => _loop.TryPost(default);

    /// <summary>Runs until stopped; the kernel stays as it is then.</summary>
    /// <exception cref="DataplaneException">The kernel keeps refusing rules or sets.</exception>
    public async Task RunAsync(CancellationToken stop)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task loop = _loop.RunAsync(end.Token);
        Task monitor = _kernel.Monitor.RunAsync(this, end.Token);
        await Task.WhenAny(loop, monitor);
        await end.CancelAsync();
        await Task.WhenAll(loop, monitor);
    }

    public void Dispose()
    {
        _timer.Dispose();
        _kernel.Dispose();
    }

    void ILoopBody<DataplaneMessage>.OnMessage(in DataplaneMessage message)
    {
        if (message.Hits is { } asked)
        {
            Answer(asked);
            return;
        }

        if (message.Link is { } link)
        {
            OnLink(link, message.Change);
            return;
        }

        if (message.Address is { } address)
        {
            long version = _kernel.Addresses.Version;
            _kernel.Addresses.OnAddress(address, message.Change);
            NoteForeign(_kernel.Addresses.Version != version);
            return;
        }

        switch (message.Update)
        {
            case null:
                return;
            case InSync when !_inSync:
                Log.InSync(_logger);
                _inSync = true;
                Open();
                break;
            case ConfigUpdate config:
                OnConfig(config);
                break;
            case EncapsulationUpdate when _networking == NodeNetworking.None:
                break;
            case EncapsulationUpdate encapsulation:
                OnSettings(_settings with { Encapsulation = encapsulation.Needed });
                break;
            case var early when !_inSync:
                _early.Add(early);
                break;
            default:
                foreach (IDataplaneManager manager in _managers)
                {
                    manager.OnUpdate(message.Update);
                }

                break;
        }

        _dirty = true;
    }

    async ValueTask ILoopBody<DataplaneMessage>.OnBatchEndAsync(CancellationToken stop)
    {
        LastBeat = _time.GetTimestamp();
        TimeSpan? left = _due - _time.GetElapsedTime(_dueFrom);
        if (_foreignSince is { } since && s_foreignDelay - _time.GetElapsedTime(since) is var rest)
        {
            left = left is { } due && due < rest ? due : rest;
        }

        if (!_inSync || !(_dirty || left <= TimeSpan.Zero || Volatile.Read(ref _linksLost)))
        {
            // A beat, or a timer that rang a little early.
            ArmTimer(left);
            return;
        }

        TimeSpan wait = _budget.Wait();
        if (wait > TimeSpan.Zero)
        {
            ArmTimer(wait);
            return;
        }

        (_dirty, _foreignSince) = (false, null);
        await ApplyAsync();
    }

    void INetlinkListener.OnLink(LinkInfo link, ChangeKind change)
    {
        if (!_loop.TryPost(new DataplaneMessage(null, link, Change: change)))
        {
            Volatile.Write(ref _linksLost, true);
        }
    }

    void INetlinkListener.OnEventsLost()
    {
        Volatile.Write(ref _linksLost, true);
        _loop.TryPost(default);
    }

    void INetlinkListener.OnAddress(AddressInfo address, ChangeKind change)
    {
        if (!_loop.TryPost(new DataplaneMessage(null, Address: address, Change: change)))
        {
            Volatile.Write(ref _linksLost, true);
        }
    }

    void INetlinkListener.OnRoute(in RouteInfo route, ChangeKind change)
    {
        // Not asked for.
    }

    private void OnLink(LinkInfo link, ChangeKind change)
    {
        bool news = _kernel.Links.OnLink(link, change);
        if (_backend is null || _endpoints.Claims(link.Name) || link.Name is TunnelRenderer.VxlanDevice or TunnelRenderer.VxlanV6Device or TunnelRenderer.IpipDevice)
        {
            _dirty |= news;
        }
        else
        {
            NoteForeign(news);
        }
    }

    private void NoteForeign(bool news)
    {
        if (news)
        {
            _foreignSince ??= _time.GetTimestamp();
        }
    }

    /// <summary>Everything is known: chooses what writes the rules, and tells the managers what came so far.</summary>
    private void Open()
    {
        List<string> problems = [];
        _backend = _kernel.Decide(_config, problems);
        Log.Backend(_logger, _backend.Choice, _backend.Why);
        RuleSettings rules = _config is null ? _settings : FelixFields.Overlay(_given.Rules, _config, _backend.Choice, problems) with { Encapsulation = _settings.Encapsulation };
        _settings = rules;
        _setup = _config is null ? _given : FelixFields.Overlay(_given, _config, _backend.Choice, problems);
        _kernel.Choose(_backend, _setup);
        _policies = new PolicyManager(_kernel.Families, rules);
        _sets = new SetsManager(_kernel.Families, rules);
        _endpoints = new EndpointManager(_kernel.Families, _kernel.Links, _kernel.Sysctls, _kernel.SysctlFiles, _setup with { Rules = rules }, _progress);
        _tunnels = _networking == NodeNetworking.None ? [] : [.. _kernel.Families.Select(f => new TunnelManager(_setup.NodeName, f, f.Tunnels, _kernel.Links, _kernel.Addresses, rules))];
        _hostEndpoints = new HostEndpointManager(_kernel.Families, _kernel.Links, _kernel.Addresses, rules);

        // The host's static chains first: those after it fill some of them.
        _managers =
        [
            new HostManager(_kernel.Families, _kernel.Sysctls, _setup with { Rules = rules }),
            _sets,
            _policies,
            new MasqueradeManager(_kernel.Families, rules),
            new HostAddressManager(_kernel.Families, rules),
            _endpoints,
            .. _tunnels,
            _hostEndpoints,
        ];
        foreach (DataplaneUpdate update in _early)
        {
            foreach (IDataplaneManager manager in _managers)
            {
                manager.OnUpdate(update);
            }
        }

        _early = [];
        foreach (string problem in problems)
        {
            Log.BadSetting(_logger, problem);
        }
    }

    /// <exception cref="DataplaneException">Something else is to write the rules now: the next life will.</exception>
    private void OnConfig(ConfigUpdate config)
    {
        _config = config;
        if (_backend is null)
        {
            return;
        }

        List<string> problems = [];
        if (_kernel.Decide(config, problems) is var wanted && wanted.Choice != _backend.Choice)
        {
            throw new DataplaneException($"rules are to be written by {wanted.Choice} ({wanted.Why}) instead of {_backend.Choice}: starting anew");
        }

        if (FelixFields.Overlay(_given, config, _backend.Choice, problems) != _setup)
        {
            throw new DataplaneException("drivers are to be set up in another way: starting anew");
        }

        RuleSettings settings = FelixFields.Overlay(_given.Rules, config, _backend.Choice, problems) with { Encapsulation = _settings.Encapsulation };
        foreach (string problem in problems)
        {
            Log.BadSetting(_logger, problem);
        }

        OnSettings(settings);
    }

    private void OnSettings(RuleSettings settings)
    {
        _settings = settings;
        foreach (IDataplaneManager manager in _managers)
        {
            manager.OnSettings(settings);
        }
    }

    private async Task ApplyAsync()
    {
        long started = _time.GetTimestamp();
        ApplyStatus linkStatus = RefreshLinks();
        foreach (IDataplaneManager manager in _managers)
        {
            manager.Apply();
        }

        // Families and the rest write to different parts of the kernel and share nothing but the facts on links, which nobody changes now. These threads
        // wait for processes and the kernel; they are joined before the round ends, so there is still one writer.
        Task<ApplyStatus>[] rules = [.. _kernel.Families.Select(family => Task.Run(family.Rules.ApplyUpdates))];
        Task<ApplyStatus> rest = Task.Run(ApplyLinks);
        ApplyStatus[] families = await Task.WhenAll(rules);
        ApplyStatus rulesStatus = families.Aggregate(ApplyStatus.Done, static (all, one) => all.And(one));
        ApplyStatus restStatus = await rest;
        ApplyStatus status = linkStatus.And(rulesStatus).And(restStatus);
        if (rulesStatus.IsDone)
        {
            foreach (FamilyDrivers family in _kernel.Families)
            {
                status = status.And(family.Rules.ApplyDeletions());
            }
        }

        string? problem = !rulesStatus.IsDone ? "rules or sets could not be written"
            : !restStatus.IsDone || !linkStatus.IsDone ? TunnelProblem() ?? "routes, neighbours or settings could not be written"
            : null;
        Report(started, status, rulesStatus, problem);
        if (rulesStatus.IsDone && !_swept)
        {
            // Only now: what an earlier life wrote by other means was in force until these rules were.
            _swept = true;
            await Task.Run(() => _kernel.Sweep(_backend!));
        }
    }

    private void Answer(TaskCompletionSource<IReadOnlyList<RuleHits>> asked)
    {
        try
        {
            asked.TrySetResult(_inSync ? RuleHits.Sum(_kernel.Families.SelectMany(static f => f.Rules.ReadHits())) : []);
        }
        catch (DataplaneException e)
        {
            asked.TrySetException(e);
        }
    }

    private ApplyStatus RefreshLinks()
    {
        if (Volatile.Read(ref _linksLost))
        {
            Volatile.Write(ref _linksLost, false);
            _kernel.Links.QueueResync();
            _kernel.Addresses.QueueResync();
        }

        ApplyStatus status = _kernel.Links.Apply().And(_kernel.Addresses.Apply());
        IReadOnlyList<string> changes = _kernel.Links.TakeChanges();
        if (changes.Count > 0)
        {
            _hostEndpoints.OnLinksChanged();
        }

        foreach (string name in changes)
        {
            _kernel.Sysctls.OnLinkChanged(name);
            foreach (FamilyDrivers family in _kernel.Families)
            {
                family.Routes.OnLinkChanged(name);
                family.Neighbors.OnLinkChanged(name);
                family.Tunnels.Forwarding.OnLinkChanged(name);
            }
        }

        return status;
    }

    /// <summary>Settings first: the first packet along a new route already finds forwarding and proxy ARP.</summary>
    private ApplyStatus ApplyLinks()
    {
        if (_networking == NodeNetworking.None)
        {
            return ApplyStatus.Done;
        }

        ApplyStatus status = _kernel.Sysctls.Apply();
        foreach (FamilyDrivers family in _kernel.Families)
        {
            // Devices first: the routes and neighbours of an overlay stand on them.
            status = status.And(family.Tunnels.Apply()).And(family.Routes.Apply()).And(family.Neighbors.Apply());
        }

        return status;
    }

    private string? TunnelProblem() => _kernel.Families.Select(f => f.Tunnels.Problem).FirstOrDefault(p => p is not null);

    private void Report(long started, ApplyStatus status, ApplyStatus rulesStatus, string? problem)
    {
        TimeSpan duration = _time.GetElapsedTime(started);
        _budget.Spend(duration);
        int routes = _endpoints.RouteCount;
        if (rulesStatus.IsDone)
        {
            // An endpoint's routes are asked for one by one: the trouble of one does not hold up the others.
            _endpoints.ReportProgress();
        }
        else
        {
            _endpoints.ReportFailure(problem!);
        }

        _onRound?.Invoke(new DataplaneReport(_time.GetUtcNow(), duration, problem, _endpoints.Count, _policies.Policies, _policies.Profiles, _sets.Count, routes, [.. _policies.Refused, .. _hostEndpoints.NotEnforced], _backend!));
        if (problem is null && _rounds++ == 0)
        {
            Log.FirstRound(_logger, (long)duration.TotalMilliseconds, _endpoints.Count, _policies.Policies, _sets.Count, routes);
        }
        else if (problem is null)
        {
            Log.Round(_logger, (long)duration.TotalMilliseconds);
        }
        else
        {
            Log.RoundIncomplete(_logger, (long)(status.Next ?? TimeSpan.Zero).TotalMilliseconds, problem);
        }

        (_dueFrom, _due) = (_time.GetTimestamp(), status.Next);
        ArmTimer(status.Next);
    }

    private void ArmTimer(TimeSpan? after)
    {
        if (after is { } due)
        {
            _timer.Change(due > TimeSpan.Zero ? due : TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
        }
    }
}
