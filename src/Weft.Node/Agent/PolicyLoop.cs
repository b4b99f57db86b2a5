using Microsoft.Extensions.Logging;
using Weft.Datastore.Sync;
using Weft.Hosting.Loops;
using Weft.Model.Felix;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Policy;
using Weft.Policy.Output;

namespace Weft.Node.Agent;

/// <summary>What the policy loop is sent: changes, a new status of the syncer, or a beat of the watchdog (neither).</summary>
internal readonly record struct PolicyMessage(IReadOnlyList<ModelUpdate>? Updates, SyncStatus? Status = null, string Detail = "");

/// <summary>Takes what a flush yields; waiting slows the policy loop, and with it the syncer.</summary>
internal interface IDataplaneIntake
{
    ValueTask PostAsync(DataplaneUpdate update, CancellationToken stop);
}

/// <summary>
/// The owner of the calculation graph: takes what the syncer sends, and flushes the graph once per batch. What changes twice between two flushes is
/// calculated and written once, so a storm of changes costs batches, not changes.
/// </summary>
internal sealed class PolicyLoop : ISyncSink, ILoopBody<PolicyMessage>, IDataplaneSink, IBeatingLoop
{
    /// <summary>Messages, each with up to one syncer delivery: beyond that the syncer waits and coalesces per key.</summary>
    private const int Capacity = 64;
    private const int Batch = 64;

    private static readonly ResourceKey s_cluster = new(ResourceKind.ClusterInformation, "default");

    private readonly PolicyGraph _graph;
    private readonly Loop<PolicyMessage> _loop;
    private readonly IDataplaneIntake _dataplane;
    private readonly EndpointProgress _progress;
    private readonly AgentState _state;
    private readonly NodeMtu _mtu;
    private readonly Dictionary<ModelKey, IPPool> _pools = [];
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly List<DataplaneUpdate> _flushed = [];
    private Dictionary<ModelKey, string> _problems = [];
    private bool _locked;
    private long _lastBeat;

    public PolicyLoop(string node, FelixLocalSettings felix, IDataplaneIntake dataplane, EndpointProgress progress, AgentState state, NodeMtu mtu, TimeProvider time, ILogger logger)
    {
        _graph = new PolicyGraph(node, felix.Values);
        _loop = new Loop<PolicyMessage>(this, Capacity, Batch);
        (_dataplane, _progress, _state, _mtu, _time, _logger) = (dataplane, progress, state, mtu, time, logger);
    }

    /// <summary>What the graph needs of the datastore.</summary>
    public static IReadOnlyList<ModelPrefix> Ranges { get; } =
    [
        .. new[]
        {
            ResourceKind.BGPConfiguration, ResourceKind.ClusterInformation, ResourceKind.FelixConfiguration, ResourceKind.GlobalNetworkPolicy, ResourceKind.GlobalNetworkSet, ResourceKind.HostEndpoint,
            ResourceKind.IPPool, ResourceKind.NetworkPolicy, ResourceKind.NetworkSet, ResourceKind.Node, ResourceKind.Profile, ResourceKind.StagedGlobalNetworkPolicy,
            ResourceKind.StagedKubernetesNetworkPolicy, ResourceKind.StagedNetworkPolicy, ResourceKind.Tier, ResourceKind.WorkloadEndpoint,
        }.Select(ModelPrefix.Of),
        ModelPrefix.AllBlocks,
    ];

    public string Part => "policy loop";

    public long LastBeat => Volatile.Read(ref _lastBeat);

    public Task RunAsync(CancellationToken stop) => _loop.RunAsync(stop);

    public void Beat() => _loop.TryPost(default);

    public ValueTask OnStatusAsync(SyncStatus status, string detail, CancellationToken stop) => _loop.PostAsync(new PolicyMessage(null, status, detail), stop);

    public ValueTask OnUpdatesAsync(IReadOnlyList<ModelUpdate> updates, CancellationToken stop) => _loop.PostAsync(new PolicyMessage(updates), stop);

    public void OnMessage(in PolicyMessage message)
    {
        foreach (ModelUpdate update in message.Updates ?? [])
        {
            if (update.Key.Equals(s_cluster))
            {
                // An operator locks the datastore during a migration: what is in the kernel stays as it is.
                _locked = update.Value is ClusterInformation { Spec.DatastoreReady: false };
            }

            if (update.Key is ResourceKey resource && resource.Kind == ResourceKind.IPPool)
            {
                OnPool(update);
            }

            _graph.OnUpdate(update);
        }

        if (message.Status is { } status)
        {
            _state.SetSync(status, message.Detail);
            Log.SyncStatusChanged(_logger, status.ToString(), message.Detail);
            if (status == SyncStatus.InSync)
            {
                _graph.OnInSync();
            }
        }
    }

    /// <summary>How pods reach other nodes decides how much fits into their packets.</summary>
    private void OnPool(in ModelUpdate update)
    {
        _pools.Remove(update.Key);
        if (update.Value is IPPool pool)
        {
            _pools[update.Key] = pool;
        }

        _mtu.SetPools(_pools.Values);
    }

    public async ValueTask OnBatchEndAsync(CancellationToken stop)
    {
        if (!_locked)
        {
            _graph.Flush(this);
        }

        foreach (DataplaneUpdate update in _flushed)
        {
            await _dataplane.PostAsync(update, stop);
        }

        _flushed.Clear();
        ReportProblems();
        if (!_state.Staged.SequenceEqual(_graph.Staged))
        {
            _state.SetStaged([.. _graph.Staged]);
        }

        Volatile.Write(ref _lastBeat, _time.GetTimestamp());
    }

    public void Emit(DataplaneUpdate update)
    {
        switch (update)
        {
            case WorkloadEndpointUpdate endpoint:
                _progress.Wanted(endpoint);
                break;
            case WorkloadEndpointRemove gone:
                _progress.Removed(gone.Id);
                break;
            case ConfigUpdate config:
                _state.SetConfig(config);
                break;
        }

        _flushed.Add(update);
    }

    /// <summary>The graph's own table changes under way; others see copies, made only when something is different.</summary>
    private void ReportProblems()
    {
        if (_graph.Problems.Count == _problems.Count && _graph.Problems.All(p => _problems.TryGetValue(p.Key, out string? reason) && reason == p.Value))
        {
            return;
        }

        foreach ((ModelKey key, string reason) in _graph.Problems)
        {
            if (!_problems.TryGetValue(key, out string? known) || known != reason)
            {
                Log.InvalidObject(_logger, key.Path, reason);
            }
        }

        foreach (ModelKey key in _problems.Keys.Where(k => !_graph.Problems.ContainsKey(k)))
        {
            Log.ValidAgain(_logger, key.Path);
        }

        _problems = _graph.Problems.ToDictionary();
        _state.SetProblems(_problems);
    }
}
