using Weft.Model.Keys;
using Weft.Policy.Conversion;
using Weft.Policy.Indexes;
using Weft.Policy.Nodes;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Policy;

/// <summary>
/// What the datastore says, turned into what this node's dataplane must do. Synchronous and pure: output is a function of the updates so far, whatever
/// their order; the loop that owns it decides when to flush. Not thread-safe.
/// <code>
///  ModelUpdate
///      v
///  ValidationFilter --- problems by key
///      |  policies, profiles, local endpoints        all endpoints, network sets, profile labels     hosts, pools, settings
///      v                                                     v                                            |
///  ActivePolicyCalculator -- active rules --> RuleScanner -- sets in use --> SelectorIndex                |
///      |  endpoints touched                          | rules with set ids        | members                |
///      v                                             v                           v                        v
///  PolicyResolver -- endpoints with ordered tiers --> UpdateSequencer &lt;---------------------------------+
///                                                        v  Flush
///                                                   IDataplaneSink
/// </code>
/// </summary>
public sealed class PolicyGraph : IValidatedUpdates
{
    private readonly string _nodeName;
    private readonly ValidationFilter _filter;
    private readonly UpdateSequencer _sequencer;
    private readonly ActivePolicyCalculator _active;
    private readonly PolicyResolver _resolver;
    private SyncStage _sync;

    /// <param name="nodeName">Endpoints with this node are local.</param>
    public PolicyGraph(string nodeName)
    {
        _nodeName = nodeName;
        _filter = new ValidationFilter(nodeName, this);
        _sequencer = new UpdateSequencer();
        _resolver = new PolicyResolver(_sequencer);
        _active = new ActivePolicyCalculator(new RuleScanner(_sequencer), _resolver);
    }

    private enum SyncStage : byte
    {
        Waiting,

        /// <summary>In sync, and the dataplane has not been told.</summary>
        Reached,
        Announced,
    }

    /// <summary>Objects that exist and cannot be used, and why.</summary>
    public IReadOnlyDictionary<ModelKey, string> Problems => _filter.Problems;

    private SelectorIndex Index => _sequencer.Index;

    /// <summary>Takes the newest state of one key. Kinds the graph does not know are ignored.</summary>
    public void OnUpdate(in ModelUpdate update) => _filter.OnUpdate(update);

    /// <summary>The datastore has sent everything it had at some moment.</summary>
    public void OnInSync()
    {
        if (_sync == SyncStage.Waiting)
        {
            _sync = SyncStage.Reached;
        }
    }

    /// <summary>Sends everything that changed since the last flush. Does nothing before the first in-sync: half a policy is worse than none.</summary>
    public void Flush(IDataplaneSink sink)
    {
        if (_sync == SyncStage.Waiting)
        {
            return;
        }

        _resolver.Flush(_active);
        _sequencer.Flush(sink);
        if (_sync == SyncStage.Reached)
        {
            _sync = SyncStage.Announced;
            sink.Emit(new InSync());
        }
    }

    void IValidatedUpdates.OnPolicy(PolicyId id, PolicyValue? policy)
    {
        if (policy is null)
        {
            _active.RemovePolicy(id);
        }
        else
        {
            _active.SetPolicy(policy);
        }
    }

    void IValidatedUpdates.OnProfile(string name, ProfileValue? profile, IReadOnlyDictionary<string, string>? labels)
    {
        _active.SetProfile(name, profile, labels);
        Index.SetProfileLabels(name, labels);
    }

    void IValidatedUpdates.OnTier(string name, TierValue? tier)
    {
        _resolver.SetTier(name, tier);
        _active.MarkTier(name);
    }

    void IValidatedUpdates.OnWorkload(ResourceKey key, WorkloadValue? workload)
    {
        SetSource? source = workload is { Problem: null } ? workload.Source : null;
        bool local = workload is not null && workload.Node == _nodeName;
        SetSource(key, source);
        SetLocal(key, local ? source : null);
        _resolver.SetWorkload(key, local ? workload : null);
    }

    void IValidatedUpdates.OnHostEndpoint(ResourceKey key, HostEndpointValue? endpoint)
    {
        HostEndpointValue? local = endpoint?.Node == _nodeName ? endpoint : null;
        SetSource(key, endpoint?.Source);
        SetLocal(key, local?.Source);
        _resolver.SetHostEndpoint(key, local);
    }

    void IValidatedUpdates.OnNetworkSet(ResourceKey key, SetSource? source) => SetSource(key, source);

    void IValidatedUpdates.OnHost(string node, HostMetadataUpdate? host)
    {
        if (host is null)
        {
            _sequencer.OnHostGone(node);
        }
        else
        {
            _sequencer.OnHost(host);
        }
    }

    void IValidatedUpdates.OnPool(IpamPoolUpdate? pool, IpPrefix? replaced)
    {
        if (replaced is { } cidr)
        {
            _sequencer.OnPoolGone(cidr);
        }

        if (pool is not null)
        {
            _sequencer.OnPool(pool);
        }
    }

    void IValidatedUpdates.OnConfig(ConfigUpdate config) => _sequencer.OnConfig(config);

    private void SetSource(ResourceKey key, SetSource? source)
    {
        if (source is null)
        {
            Index.RemoveSource(key);
        }
        else
        {
            Index.SetSource(key, source);
        }
    }

    private void SetLocal(ResourceKey key, SetSource? source)
    {
        if (source is null)
        {
            _active.RemoveEndpoint(key);
        }
        else
        {
            _active.SetEndpoint(key, source);
        }
    }
}
