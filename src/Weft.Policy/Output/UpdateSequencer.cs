using System.Runtime.InteropServices;
using Weft.Policy.Indexes;
using Weft.Policy.Nodes;
using Weft.Primitives.Net;

namespace Weft.Policy.Output;

/// <summary>
/// Buffers what the nodes compute and sends it in an order in which nothing ever refers to something that is not there (felix/calc/event_sequencer.go):
/// <code>
///   config; new sets, changes of sets; policies; profiles; endpoints
///   then removals the other way round: endpoints; profiles; policies; sets
///   then routes that go, tunnel ends that go or change, tunnel ends, routes
///   then hosts and pools, removals first; encapsulation; blocks of services
/// </code>
/// What comes and goes between two flushes is not sent, nor what equals the last thing sent. Using a set that is not active is a broken invariant.
/// </summary>
internal sealed class UpdateSequencer : ISetListener, IScannedRulesListener
{
    private readonly SelectorIndex _index;
    private readonly Dictionary<string, IpSetType> _activeSets = new(StringComparer.Ordinal);
    private readonly HashSet<string> _sentSets = new(StringComparer.Ordinal);
    private readonly HashSet<string> _newSets = new(StringComparer.Ordinal);
    private readonly HashSet<string> _goneSets = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Dictionary<IpSetMember, MemberChange>> _memberChanges = new(StringComparer.Ordinal);

    private readonly Stage<PolicyId, ActivePolicyUpdate> _policies = new();
    private readonly Stage<string, ActiveProfileUpdate> _profiles = new();
    private readonly Stage<WorkloadEndpointId, WorkloadEndpointUpdate> _workloads = new();
    private readonly Stage<string, HostEndpointUpdate> _hostEndpoints = new();
    private readonly Stage<string, HostMetadataUpdate> _hosts = new();
    private readonly Stage<IpPrefix, IpamPoolUpdate> _pools = new();
    private readonly Stage<string, VXLANTunnelEndpointUpdate> _vteps = new();
    private readonly Stage<IpPrefix, RouteUpdate> _routes = new();
    private readonly Stage<int, EncapsulationUpdate> _encapsulation = new();
    private readonly Stage<int, ConfigUpdate> _config = new();
    private readonly Stage<int, ServiceCidrsUpdate> _serviceCidrs = new();

    public UpdateSequencer()
    {
        _index = new SelectorIndex(this);
    }

    private enum MemberChange : byte
    {
        Added,
        Removed,
    }

    /// <summary>The index whose changes come here.</summary>
    public SelectorIndex Index => _index;

    public void OnSetActive(SetDefinition set)
    {
        _activeSets.Add(set.Id, set.Type);
        _goneSets.Remove(set.Id);
        _newSets.Add(set.Id);
        _index.Activate(set);
    }

    public void OnSetInactive(string setId)
    {
        _activeSets.Remove(setId);
        _newSets.Remove(setId);
        _memberChanges.Remove(setId);
        _goneSets.Add(setId);
        _index.Deactivate(setId);
    }

    public void OnMemberAdded(string setId, in IpSetMember member) => OnMember(setId, member, MemberChange.Added);

    public void OnMemberRemoved(string setId, in IpSetMember member) => OnMember(setId, member, MemberChange.Removed);

    public void OnPolicyRules(ActivePolicyUpdate policy) => _policies.Set(policy.Id, policy);

    public void OnPolicyGone(PolicyId id) => _policies.Remove(id);

    public void OnProfileRules(ActiveProfileUpdate profile) => _profiles.Set(profile.Name, profile);

    public void OnProfileGone(string name) => _profiles.Remove(name);

    public void OnWorkload(WorkloadEndpointUpdate update) => _workloads.Set(update.Id, update);

    public void OnWorkloadGone(WorkloadEndpointId id) => _workloads.Remove(id);

    public void OnHostEndpoint(HostEndpointUpdate update) => _hostEndpoints.Set(update.Name, update);

    public void OnHostEndpointGone(string name) => _hostEndpoints.Remove(name);

    public void OnHost(HostMetadataUpdate update) => _hosts.Set(update.Node, update);

    public void OnHostGone(string node) => _hosts.Remove(node);

    /// <summary>Null when it is gone.</summary>
    public void SetPool(IpPrefix cidr, IpamPoolUpdate? pool) => _pools.Set(cidr, pool);

    /// <summary>Null when it is gone.</summary>
    public void SetVtep(string node, VXLANTunnelEndpointUpdate? vtep) => _vteps.Set(node, vtep);

    public void OnRoute(RouteUpdate update) => _routes.Set(update.Destination, update);

    public void OnRouteGone(IpPrefix destination) => _routes.Remove(destination);

    public void OnEncapsulation(EncapsulationUpdate update) => _encapsulation.Set(0, update);

    public void OnConfig(ConfigUpdate update) => _config.Set(0, update);

    public void OnServiceCidrs(ServiceCidrsUpdate update) => _serviceCidrs.Set(0, update);

    public void Flush(IDataplaneSink sink)
    {
        _config.SendUpdates(sink);
        SendNewSets(sink);
        SendMemberChanges(sink);
        _policies.SendUpdates(sink);
        _profiles.SendUpdates(sink);
        _workloads.SendUpdates(sink);
        _hostEndpoints.SendUpdates(sink);

        _hostEndpoints.SendRemovals(sink, name => new HostEndpointRemove(name));
        _workloads.SendRemovals(sink, id => new WorkloadEndpointRemove(id));
        _profiles.SendRemovals(sink, name => new ActiveProfileRemove(name));
        _policies.SendRemovals(sink, id => new ActivePolicyRemove(id));
        SendGoneSets(sink);

        _routes.SendRemovals(sink, destination => new RouteRemove(destination));
        _vteps.SendRemovals(sink, node => new VXLANTunnelEndpointRemove(node), alsoOfChanged: true);
        _vteps.SendUpdates(sink);
        _routes.SendUpdates(sink);

        _hosts.SendRemovals(sink, node => new HostMetadataRemove(node));
        _hosts.SendUpdates(sink);
        _pools.SendRemovals(sink, cidr => new IpamPoolRemove(cidr));
        _pools.SendUpdates(sink);
        _encapsulation.SendUpdates(sink);
        _serviceCidrs.SendUpdates(sink);
    }

    private void OnMember(string setId, in IpSetMember member, MemberChange change)
    {
        if (_newSets.Contains(setId))
        {
            // All members are read from the index when the set is sent.
            return;
        }

        ref Dictionary<IpSetMember, MemberChange>? changes = ref CollectionsMarshal.GetValueRefOrAddDefault(_memberChanges, setId, out _);
        changes ??= [];
        if (changes.TryGetValue(member, out MemberChange pending) && pending != change)
        {
            changes.Remove(member);
        }
        else
        {
            changes[member] = change;
        }
    }

    private void SendNewSets(IDataplaneSink sink)
    {
        foreach (string id in _newSets)
        {
            sink.Emit(new IpSetUpdate(id, _activeSets[id], _index.Members(id)));
            _sentSets.Add(id);
        }

        _newSets.Clear();
    }

    private void SendMemberChanges(IDataplaneSink sink)
    {
        foreach ((string id, Dictionary<IpSetMember, MemberChange> changes) in _memberChanges)
        {
            if (changes.Count > 0)
            {
                IpSetMember[] added = [.. changes.Where(c => c.Value == MemberChange.Added).Select(c => c.Key)];
                IpSetMember[] removed = [.. changes.Where(c => c.Value == MemberChange.Removed).Select(c => c.Key)];
                sink.Emit(new IpSetDeltaUpdate(id, added, removed));
            }
        }

        _memberChanges.Clear();
    }

    private void SendGoneSets(IDataplaneSink sink)
    {
        foreach (string id in _goneSets)
        {
            if (_sentSets.Remove(id))
            {
                sink.Emit(new IpSetRemove(id));
            }
        }

        _goneSets.Clear();
    }

    /// <summary>Pending and sent objects of one kind.</summary>
    private sealed class Stage<TKey, TUpdate>
        where TKey : notnull
        where TUpdate : DataplaneUpdate
    {
        private readonly Dictionary<TKey, TUpdate> _sent = [];
        private readonly Dictionary<TKey, TUpdate?> _pending = [];

        public void Set(TKey key, TUpdate? update) => _pending[key] = update;

        public void Remove(TKey key) => _pending[key] = null;

        public void SendUpdates(IDataplaneSink sink)
        {
            foreach ((TKey key, TUpdate? update) in _pending)
            {
                if (update is null)
                {
                    continue;
                }

                if (!_sent.TryGetValue(key, out TUpdate? last) || !last.Equals(update))
                {
                    _sent[key] = update;
                    sink.Emit(update);
                }

                _pending.Remove(key);
            }
        }

        /// <param name="sink">Where to.</param>
        /// <param name="removal">How it is said.</param>
        /// <param name="alsoOfChanged">The old state of what changed is removed too; its new state follows.</param>
        public void SendRemovals(IDataplaneSink sink, Func<TKey, DataplaneUpdate> removal, bool alsoOfChanged = false)
        {
            foreach ((TKey key, TUpdate? update) in _pending)
            {
                if (alsoOfChanged && update is not null && _sent.TryGetValue(key, out TUpdate? last) && !last.Equals(update))
                {
                    _sent.Remove(key);
                    sink.Emit(removal(key));
                }

                if (update is null)
                {
                    if (_sent.Remove(key))
                    {
                        sink.Emit(removal(key));
                    }

                    _pending.Remove(key);
                }
            }
        }
    }
}
