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
///      |  policies, profiles, local endpoints        all endpoints, network sets, profile labels     nodes, pools, blocks, settings
///      v                                                     v                                            v
///  ActivePolicyCalculator -- active rules --> RuleScanner -- sets in use --> SelectorIndex            RouteResolver,
///      |  endpoints touched                          | rules with set ids        | members            EncapsulationResolver
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
    private readonly RouteResolver _routes;
    private readonly EncapsulationResolver _encapsulation;
    private readonly Dictionary<IpPrefix, IReadOnlyList<BlockRoute>> _blocks = [];
    private RouteSource _routeSource;
    private SyncStage _sync;

    /// <param name="nodeName">Endpoints with this node are local.</param>
    /// <param name="localFields">What environment and file of this node say of FelixConfiguration's fields, by their names; null for nothing.</param>
    public PolicyGraph(string nodeName, IReadOnlyDictionary<string, string>? localFields = null)
    {
        _nodeName = nodeName;
        ConfigurationResolver configuration = new(nodeName, localFields ?? new Dictionary<string, string>());
        _filter = new ValidationFilter(nodeName, configuration, this);
        _sequencer = new UpdateSequencer();
        _routes = new RouteResolver(nodeName, _sequencer);
        _encapsulation = new EncapsulationResolver(_sequencer);
        _resolver = new PolicyResolver(_sequencer);
        _active = new ActivePolicyCalculator(new RuleScanner(_sequencer), _resolver);
        ((IValidatedUpdates)this).OnConfig(configuration.Config, configuration.Facts);
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

    /// <summary>Staged policies, in order of their names, and how many endpoints of this node each would be for.</summary>
    public IEnumerable<StagedPolicy> Staged => _active.Staged;

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
        _routes.Flush();
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
        SetRoutes(key, source);
        SetLocal(key, local ? source : null);
        _resolver.SetWorkload(key, local ? workload : null);
    }

    void IValidatedUpdates.OnHostEndpoint(ResourceKey key, HostEndpointValue? endpoint)
    {
        HostEndpointValue? local = endpoint?.Node == _nodeName ? endpoint : null;
        SetSource(key, endpoint is { Problem: null } ? endpoint.Source : null);

        // Also with a problem: which policies are for it says whether what passes through the host is policed.
        SetLocal(key, local?.Source);
        _resolver.SetHostEndpoint(key, local);
    }

    void IValidatedUpdates.OnServiceCidrs(IReadOnlyList<IpPrefix> cidrs) => _sequencer.OnServiceCidrs(new ServiceCidrsUpdate(cidrs));

    void IValidatedUpdates.OnServiceSlice(ResourceKey key, ServiceSlice? slice) => Index.SetSlice(key, slice);

    void IValidatedUpdates.OnNetworkSet(ResourceKey key, SetSource? source) => SetSource(key, source);

    void IValidatedUpdates.OnNode(string name, HostMetadataUpdate? host, NodeValue? node)
    {
        if (host is null)
        {
            _sequencer.OnHostGone(name);
        }
        else
        {
            _sequencer.OnHost(host);
        }

        _sequencer.SetVtep(name, node?.Vtep);
        _routes.SetNode(name, node);
    }

    void IValidatedUpdates.OnPool(IpPrefix cidr, IpamPoolUpdate? pool)
    {
        _sequencer.SetPool(cidr, pool);
        _routes.SetPool(cidr, pool is null ? null : ClusterConversion.Route(pool));
    }

    void IValidatedUpdates.OnPools(IReadOnlyCollection<IpamPoolUpdate> pools) => _encapsulation.SetPools(pools);

    void IValidatedUpdates.OnBlock(IpPrefix cidr, IReadOnlyList<BlockRoute> routes)
    {
        _blocks.Remove(cidr);
        if (routes.Count > 0)
        {
            _blocks[cidr] = routes;
        }

        _routes.SetBlock(cidr, _routeSource == RouteSource.CalicoIPAM ? routes : []);
    }

    void IValidatedUpdates.OnConfig(ConfigUpdate config, FelixFacts facts)
    {
        _sequencer.OnConfig(config);
        _encapsulation.SetFacts(facts);
        if (_routeSource != facts.Routes)
        {
            _routeSource = facts.Routes;
            SwitchRouteSource();
        }
    }

    /// <summary>A rare event that costs all blocks and endpoints.</summary>
    private void SwitchRouteSource()
    {
        foreach ((IpPrefix cidr, IReadOnlyList<BlockRoute> routes) in _blocks)
        {
            _routes.SetBlock(cidr, _routeSource == RouteSource.CalicoIPAM ? routes : []);
        }

        foreach ((ResourceKey key, SetSource source) in Index.Sources)
        {
            SetRoutes(key, source);
        }
    }

    private void SetRoutes(ResourceKey key, SetSource? source)
    {
        if (source is { Node.Length: > 0 } && (_routeSource == RouteSource.WorkloadIPs || source.Node == _nodeName))
        {
            _routes.SetWorkload(key, source.Node, source.Nets);
        }
        else
        {
            _routes.RemoveWorkload(key);
        }
    }

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
