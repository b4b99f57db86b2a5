using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Kubernetes;
using Weft.Model.Resources;
using Weft.Policy.Conversion;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Policy.Nodes;

/// <summary>
/// The door of the graph: converts v3 objects, turns what is invalid into "absent", and records why on the object's key. Three kinds of invalid objects
/// are not simply absent, because absence would let traffic through: a workload or host endpoint of this node whose interface is known, and a policy
/// whose selector is known (its own, or that of its last valid version).
/// </summary>
internal sealed class ValidationFilter(string nodeName, ConfigurationResolver configuration, IValidatedUpdates output)
{
    private readonly Dictionary<ModelKey, string> _problems = [];
    private readonly Dictionary<ResourceKey, PolicyValue> _policies = [];
    private readonly Dictionary<ResourceKey, WorkloadValue> _localWorkloads = [];
    private readonly Dictionary<ResourceKey, HostEndpointValue> _localHosts = [];
    private readonly Dictionary<ResourceKey, ModelUpdate> _spoofingWorkloads = [];
    private readonly Dictionary<ResourceKey, IpamPoolUpdate> _pools = [];

    public IReadOnlyDictionary<ModelKey, string> Problems => _problems;

    public void OnUpdate(in ModelUpdate update)
    {
        if (update.Key is BlockKey block)
        {
            SetProblem(block, update.Problem);
            output.OnBlock(block.Cidr, update.Value is AllocationBlock value ? NodeConversion.Block(block.Cidr, value) : []);
            return;
        }

        if (update.Key is not ResourceKey key)
        {
            return;
        }

        // Set first, so that a converter below may replace it by its own finding.
        SetProblem(key, update.Problem);
        Resource? resource = update.Value as Resource;
        if (key.Kind == ResourceKind.WorkloadEndpoint)
        {
            OnWorkload(key, update);
        }
        else if (key.Kind == ResourceKind.NetworkPolicy || key.Kind == ResourceKind.GlobalNetworkPolicy
            || key.Kind == ResourceKind.StagedNetworkPolicy || key.Kind == ResourceKind.StagedGlobalNetworkPolicy || key.Kind == ResourceKind.StagedKubernetesNetworkPolicy
            || key.Kind == ResourceKind.KubernetesNetworkPolicy || key.Kind == ResourceKind.KubernetesClusterNetworkPolicy)
        {
            OnPolicy(key, resource, update.Problem);
        }
        else if (key.Kind == ResourceKind.EndpointSlice)
        {
            output.OnServiceSlice(key, update.Value is EndpointSlice slice ? SliceConversion.Convert(key, slice) : null);
        }
        else if (key.Kind == ResourceKind.Profile)
        {
            OnProfile(key, resource as Profile, update.Problem);
        }
        else if (key.Kind == ResourceKind.Tier)
        {
            output.OnTier(key.Name, resource is Tier tier && update.Problem is null ? PolicyConversion.Tier(tier) : null);
        }
        else if (key.Kind == ResourceKind.NetworkSet)
        {
            OnNetworkSet(key, resource, (resource as NetworkSet)?.Spec.Nets, update.Problem);
        }
        else if (key.Kind == ResourceKind.GlobalNetworkSet)
        {
            OnNetworkSet(key, resource, (resource as GlobalNetworkSet)?.Spec.Nets, update.Problem);
        }
        else if (key.Kind == ResourceKind.HostEndpoint)
        {
            OnHostEndpoint(key, resource as HostEndpoint, update.Problem);
        }
        else if (key.Kind == ResourceKind.Node)
        {
            OnNode(key, update.Problem is null ? resource as Node : null);
        }
        else if (key.Kind == ResourceKind.IPPool)
        {
            OnPool(key, resource as IPPool, update.Problem);
        }
        else if (key.Kind == ResourceKind.BGPConfiguration)
        {
            OnBgp(key, update.Problem is null ? resource as BGPConfiguration : null);
        }
        else if (key.Kind == ResourceKind.FelixConfiguration)
        {
            OnConfig(key, resource as FelixConfiguration, update.Problem);
        }
    }

    private void SetProblem(ModelKey key, string? problem)
    {
        if (problem is null)
        {
            _problems.Remove(key);
        }
        else
        {
            _problems[key] = problem;
        }
    }

    private void OnPolicy(ResourceKey key, Resource? resource, string? unusable)
    {
        PolicyValue? old = _policies.GetValueOrDefault(key);
        PolicyValue? policy = resource is not null ? PolicyConversion.Policy(key, resource) : unusable is not null ? old : null;
        if (policy is not null && (unusable ?? policy.Problem) is { } problem)
        {
            SetProblem(key, problem);
            policy = policy with { Problem = problem, Inbound = [], Outbound = [] };
        }

        if (old is not null && old.Id != policy?.Id)
        {
            output.OnPolicy(old.Id, null);
        }

        if (policy is null)
        {
            _policies.Remove(key);
            return;
        }

        _policies[key] = policy;
        output.OnPolicy(policy.Id, policy);
    }

    private void OnProfile(ResourceKey key, Profile? profile, string? unusable)
    {
        ProfileValue? value = profile is not null ? PolicyConversion.Profile(key.Name, profile) : unusable is not null ? new ProfileValue(key.Name, [], []) : null;
        if (value is not null && (unusable ?? value.Problem) is { } problem)
        {
            SetProblem(key, problem);
            output.OnProfile(key.Name, value with { Problem = problem }, null);
            return;
        }

        output.OnProfile(key.Name, value, profile?.Spec.LabelsToApply);
    }

    private void OnWorkload(ResourceKey key, in ModelUpdate update)
    {
        WorkloadEndpoint? endpoint = update.Value as WorkloadEndpoint;
        if (endpoint?.Spec.AllowSpoofedSourcePrefixes is { Count: > 0 })
        {
            // Its validity depends on a setting that may change.
            _spoofingWorkloads[key] = update;
        }
        else
        {
            _spoofingWorkloads.Remove(key);
        }

        WorkloadValue? workload;
        if (endpoint is not null)
        {
            workload = EndpointConversion.Workload(key, endpoint, configuration.Facts.Spoofing, update.Revision);
            if (workload is not null && update.Problem is not null)
            {
                workload = workload with { Problem = update.Problem };
            }

            SetProblem(key, workload?.Problem ?? update.Problem);
        }
        else
        {
            workload = update.Problem is not null && _localWorkloads.TryGetValue(key, out WorkloadValue? known)
                ? known with { Problem = update.Problem, Revision = update.Revision }
                : null;
        }

        bool local = workload is not null && workload.Node == nodeName && EndpointConversion.IsInterfaceName(workload.InterfaceName);
        if (local)
        {
            _localWorkloads[key] = workload!;
        }
        else
        {
            _localWorkloads.Remove(key);
        }

        output.OnWorkload(key, local || workload?.Problem is null ? workload : null);
    }

    private void OnHostEndpoint(ResourceKey key, HostEndpoint? endpoint, string? unusable)
    {
        Problems problems = new();
        HostEndpointValue? value = endpoint is not null ? EndpointConversion.HostEndpoint(key, endpoint, problems)
            : unusable is not null ? _localHosts.GetValueOrDefault(key)
            : null;
        if (value is not null && (unusable ?? problems.ToString()) is { } problem)
        {
            SetProblem(key, problem);
            value = value with { Problem = problem };
        }

        bool local = value is not null && value.Node == nodeName && EndpointConversion.IsHostInterface(value);
        if (local)
        {
            _localHosts[key] = value!;
        }
        else
        {
            _localHosts.Remove(key);
        }

        output.OnHostEndpoint(key, local || value?.Problem is null ? value : null);
    }

    private void OnNetworkSet(ResourceKey key, Resource? resource, List<string>? nets, string? unusable)
    {
        Problems problems = new();
        SetSource? source = resource is null || unusable is not null ? null : EndpointConversion.NetworkSet(key, resource, nets, problems);
        if (problems.Any)
        {
            SetProblem(key, problems.ToString());
            source = null;
        }

        output.OnNetworkSet(key, source);
    }

    private void OnPool(ResourceKey key, IPPool? pool, string? unusable)
    {
        Problems problems = new();
        IpamPoolUpdate? value = pool is null || unusable is not null ? null : ClusterConversion.Pool(pool, problems);
        if (problems.Any)
        {
            SetProblem(key, problems.ToString());
            value = null;
        }

        _pools.Remove(key, out IpamPoolUpdate? old);
        if (value is not null)
        {
            _pools[key] = value;
        }

        if (old is not null && old.Cidr != value?.Cidr)
        {
            output.OnPool(old.Cidr, PoolOf(old.Cidr));
        }

        if (value is not null)
        {
            output.OnPool(value.Cidr, PoolOf(value.Cidr));
        }

        output.OnPools(_pools.Values);
    }

    /// <summary>Of several objects with one CIDR the first by name counts, whatever the order they came in.</summary>
    private IpamPoolUpdate? PoolOf(IpPrefix cidr) =>
        _pools.Where(p => p.Value.Cidr == cidr).OrderBy(p => p.Key.Name, StringComparer.Ordinal).Select(p => p.Value).FirstOrDefault();

    private void OnNode(ResourceKey key, Node? node)
    {
        NodeValue? value = node is null ? null : NodeConversion.Node(key.Name, node);
        output.OnNode(key.Name, node is null ? null : ClusterConversion.Host(key.Name, node), value);
        if (key.Name == nodeName)
        {
            ConfigUpdate before = configuration.Config;
            SourceSpoofing spoofing = configuration.Facts.Spoofing;
            configuration.SetNodeLabels(value?.Labels);
            AfterConfig(before, spoofing);
        }
    }

    /// <summary>Of the router's settings only the cluster's blocks of service addresses matter here.</summary>
    private void OnBgp(ResourceKey key, BGPConfiguration? configuration)
    {
        if (key.Name != "default")
        {
            return;
        }

        Problems problems = new();
        output.OnServiceCidrs(ClusterConversion.ServiceCidrs(configuration, problems));
        if (problems.Any)
        {
            SetProblem(key, problems.ToString());
        }
    }

    /// <summary>An object that cannot be read counts as absent.</summary>
    private void OnConfig(ResourceKey key, FelixConfiguration? felix, string? unusable)
    {
        ConfigUpdate before = configuration.Config;
        SourceSpoofing spoofing = configuration.Facts.Spoofing;
        configuration.Set(key, unusable is null ? felix : null);
        SetProblem(key, unusable);
        AfterConfig(before, spoofing);
    }

    private void AfterConfig(ConfigUpdate before, SourceSpoofing spoofing)
    {
        if (!ReferenceEquals(configuration.Config, before))
        {
            output.OnConfig(configuration.Config, configuration.Facts);
        }

        foreach (ResourceKey felix in configuration.Objects)
        {
            SetProblem(felix, configuration.Problem(felix));
        }

        if (configuration.Facts.Spoofing == spoofing)
        {
            return;
        }

        foreach (ModelUpdate workload in _spoofingWorkloads.Values.ToArray())
        {
            OnUpdate(workload);
        }
    }
}
