using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Weft.Bgp;
using Weft.Datastore.Sync;
using Weft.Hosting.Loops;
using Weft.Hosting.Systemd;
using Weft.Linux.Netlink;
using Weft.Linux.Processes;
using Weft.Model.Keys;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>What the router's loop is told.</summary>
internal readonly record struct RouterMessage
{
    /// <summary>Changes of the datastore.</summary>
    public IReadOnlyList<ModelUpdate>? Updates { get; init; }

    public (SyncStatus Status, string Detail)? Datastore { get; init; }

    /// <summary>Settings read again, free of problems.</summary>
    public RouterSettings? Settings { get; init; }

    /// <summary>The picture of the host changed; the newest one counts.</summary>
    public bool Host { get; init; }

    /// <summary>From the control socket.</summary>
    public OperatorRequest? Operator { get; init; }

    /// <summary>Who was heard on a link with an unnumbered neighbour.</summary>
    public (string Link, IpAddress From)? Heard { get; init; }

    /// <summary>A second has passed.</summary>
    public bool Tick { get; init; }
}

/// <summary>
/// The one writer of what the router is: takes changes of the datastore, the settings file and the host, derives what should run, and lets
/// <see cref="SpeakerHost"/> make it so. Once a second it looks after what only time can tell: passwords that changed, a table that has settled, the state shown to systemd.
/// </summary>
internal sealed class RouterLoop : ILoopBody<RouterMessage>, ISyncSink
{
    /// <summary>Host routes of workloads, as the agent writes them.</summary>
    public const byte AgentProtocol = 80;

    private static readonly TimeSpan s_secretsPeriod = TimeSpan.FromSeconds(5);

    private readonly SpeakerHost _speaker;
    private readonly Func<HostView> _host;
    private readonly SystemdNotifier _systemd;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Loop<RouterMessage> _loop;
    private readonly RpkiFile _rpki;
    private readonly LinkNeighbors _links;
    private readonly ClusterState _cluster;
    private readonly List<OperatorRequest> _asked = [];
    private readonly TaskCompletionSource _needsWorkloads = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private RouterSettings _settings;
    private SecretStore _secrets;
    private DerivedRouting? _derived;
    private ImmutableArray<string> _problems = [];
    private string _waiting = string.Empty;
    private string _shown = string.Empty;
    private long _secretsChecked;
    private bool _hasSynced, _isDirty = true, _isReady, _tick;
    private RouterStatus _status;

    public RouterLoop(RouterSettings settings, SpeakerHost speaker, Func<HostView> host, SystemdNotifier systemd, TimeProvider time, ILogger logger)
    {
        (_settings, _speaker, _host, _systemd, _time, _logger) = (settings, speaker, host, systemd, time, logger);
        _cluster = new ClusterState(settings.NodeName);
        _secrets = new SecretStore(settings.SecretsDirectory);
        _secretsChecked = time.GetTimestamp();
        _rpki = new RpkiFile(time, logger);
        _links = new LinkNeighbors(HeardOnLink, time, logger);
        speaker.HeardOnLink = HeardOnLink;
        _status = RouterStatus.Starting with { UsesDatastore = settings.UsesDatastore, StartedAt = time.GetUtcNow() };
        _loop = new Loop<RouterMessage>(this, capacity: 1024, batch: 256);
    }

    /// <summary>Completes when a BGPPeer asks for sessions with local workloads: their endpoints must be read then, and are not before.</summary>
    public Task NeedsWorkloads => _needsWorkloads.Task;

    /// <summary>For the control socket; any thread.</summary>
    public RouterStatus Status => Volatile.Read(ref _status);

    public async Task RunAsync(CancellationToken stop)
    {
        _loop.TryPost(new RouterMessage { Tick = true });
        using ITimer timer = _time.CreateTimer(_ => _loop.TryPost(new RouterMessage { Tick = true }), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
        try
        {
            await _loop.RunAsync(stop);
        }
        finally
        {
            _links.Dispose();
        }
    }

    public ValueTask PostAsync(RouterMessage message, CancellationToken stop) => _loop.PostAsync(message, stop);

    /// <summary>A hint that may get lost: the next second looks again.</summary>
    public void HostChanged() => _loop.TryPost(new RouterMessage { Host = true });

    /// <summary>May get lost as well: neighbours say it again.</summary>
    private void HeardOnLink(string link, IpAddress from) => _loop.TryPost(new RouterMessage { Heard = (link, from) });

    ValueTask ISyncSink.OnStatusAsync(SyncStatus status, string detail, CancellationToken stop) => _loop.PostAsync(new RouterMessage { Datastore = (status, detail) }, stop);

    ValueTask ISyncSink.OnUpdatesAsync(IReadOnlyList<ModelUpdate> updates, CancellationToken stop) => _loop.PostAsync(new RouterMessage { Updates = updates }, stop);

    void ILoopBody<RouterMessage>.OnMessage(in RouterMessage message)
    {
        foreach (ModelUpdate update in message.Updates ?? [])
        {
            _isDirty |= _cluster.Apply(update);
        }

        if (message.Datastore is { } datastore)
        {
            Note(datastore.Status, datastore.Detail);
        }

        if (message.Settings is { } settings)
        {
            _secrets = settings.SecretsDirectory == _settings.SecretsDirectory ? _secrets : new SecretStore(settings.SecretsDirectory);
            _settings = settings;
            _shown = string.Empty; // systemd shows "settings read again" now.
            _isDirty = true;
        }

        if (message.Operator is { } asked)
        {
            _asked.Add(asked);
            _isDirty = true;
        }

        if (message.Heard is { } heard)
        {
            _isDirty |= _links.Heard(heard.Link, heard.From);
        }

        _isDirty |= message.Host;
        _tick |= message.Tick;
    }

    async ValueTask ILoopBody<RouterMessage>.OnBatchEndAsync(CancellationToken stop)
    {
        if (_tick && _time.GetElapsedTime(_secretsChecked) >= s_secretsPeriod)
        {
            _secretsChecked = _time.GetTimestamp();
            _isDirty |= _derived is { Secrets.Count: > 0 } && _secrets.HasChanged(_derived.Secrets);
        }

        _isDirty |= await _rpki.CheckAsync(_settings.RpkiFile);
        if (_isDirty || (_tick && _speaker.NeedsRetry))
        {
            _isDirty = false;
            await ReconcileAsync(stop);
        }

        if (_tick)
        {
            _tick = false;
            _links.Tick();
            await ShowAsync(stop);
        }
    }

    private void Note(SyncStatus status, string detail)
    {
        _cluster.Status = status;
        if (status == SyncStatus.InSync && !_hasSynced)
        {
            _hasSynced = _isDirty = true;
        }

        Log.DatastoreStatus(_logger, status.ToString(), detail);
        Volatile.Write(ref _status, _status with { DatastoreStatus = status.ToString(), DatastoreDetail = detail, DatastoreSince = _time.GetUtcNow() });
    }

    private async Task ReconcileAsync(CancellationToken stop)
    {
        HostView host = _host();
        List<(OperatorRequest Request, string? Problem)> answers = [.. _asked.Select(a => (a, _speaker.Operate(a)))];
        _asked.Clear();

        // Before the first complete picture nothing is derived: half a list would look like deletions. Later trouble with the datastore changes nothing.
        _derived = _settings.UsesDatastore && _hasSynced ? PeerDerivation.Derive(_cluster, _settings, _secrets.Find) : null;
        if (_derived is { NeedsWorkloads: true })
        {
            _needsWorkloads.TrySetResult();
        }

        _links.Use([.. _settings.Neighbors.Where(n => n.IsUnnumbered).Select(n => n.Interface!)], host);
        DesiredRouter? desired = DesiredRouter.Compose(_settings, _derived, host, _links.Find, out string waiting);
        if (waiting != _waiting && waiting.Length > 0)
        {
            Log.Waiting(_logger, waiting);
        }

        _waiting = waiting;
        if (desired is not null)
        {
            await _speaker.UseAsync(desired, _rpki.Table, _settings.SettleTime, WorkloadRoutes(desired.Workloads, host), stop);
        }

        ImmutableArray<string> problems = [.. (desired?.Problems ?? _derived?.Problems ?? []).Concat(_rpki.Problem is { } rpki ? [rpki] : []).Concat(_cluster.Problems.Select(p => $"{p.Key}: {p.Value}")).Distinct()];
        foreach (string problem in problems.Except(_problems))
        {
            Log.Problem(_logger, problem);
        }

        _problems = problems;
        Publish();
        foreach ((OperatorRequest request, string? problem) in answers)
        {
            request.Answer.TrySetResult(problem); // After it is done, so that the next question shows it.
        }
    }

    /// <summary>Addresses that local workloads borrowed from blocks of other nodes must be announced by themselves, or their replies go astray.</summary>
    private static ImmutableSortedDictionary<IpPrefix, uint> WorkloadRoutes(WorkloadRoutes rule, HostView host) => rule.Pools.IsEmpty
        ? ImmutableSortedDictionary<IpPrefix, uint>.Empty
        : host.Routes.Where(r => r.Protocol == AgentProtocol && r.Destination.IsHost && IsOnInterface(r, host) && rule.Announces(r.Destination, r.Metric))
            .GroupBy(r => r.Destination)
            .ToImmutableSortedDictionary(g => g.Key, g => g.Min(r => rule.IsElevated(r.Destination, r.Metric) ? r.Metric : r.Destination.IsIPv6 ? rule.MetricIPv6 : rule.MetricIPv4));

    /// <summary>The agent's other host routes lead to tunnel ends of other nodes, which announce themselves.</summary>
    private static bool IsOnInterface(in RouteInfo route, HostView host) =>
        route.Hop.Gateway.Family == IpFamily.None && host.Link(route.Hop.LinkIndex) is { Vxlan: null, Kind: not "ipip" };

    private async Task ShowAsync(CancellationToken stop)
    {
        ImmutableArray<PeerSnapshot> peers = await _speaker.SettleAsync(stop);
        Publish();
        int enabled = peers.Count(p => p.Settings is { Enabled: true, IsRange: false });
        string text = _waiting.Length > 0 && _speaker.Speaker is null
            ? $"waiting: {_waiting}"
            : $"{peers.Count(p => p.State == Weft.Bgp.Session.SessionState.Established)} of {enabled} sessions established";
        if (!_isReady)
        {
            // Ready also while waiting for the datastore: nothing is gained by a unit that hangs in its start.
            _isReady = true;
            _systemd.Ready(text);
            StartPages.Release();
        }
        else if (text != _shown)
        {
            _systemd.Status(text);
        }

        _shown = text;
        _systemd.FeedWatchdog(); // This loop turned, and the speaker's loops have just answered.
    }

    private void Publish() => Volatile.Write(ref _status, _status with
    {
        Speaker = _speaker.Speaker,
        Waiting = _speaker.Speaker is null ? _waiting : string.Empty,
        Listen = [.. _speaker.Listening.Select(e => e.ToString())],
        Problems = _problems,
        IsSettled = _speaker.IsSettled,
        Selection = _speaker.Selection,
        Originated = _speaker.Originated,
        Refused = _speaker.Refused,
        Authorizations = _rpki.Table?.Count,
        Shutdown = _speaker.Shutdown,
        ClusterId = _speaker.ClusterId,
    });
}
