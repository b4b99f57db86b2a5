using System.Runtime.InteropServices;
using Weft.Model.Keys;
using Weft.Policy.Conversion;
using Weft.Policy.Output;

namespace Weft.Policy.Nodes;

/// <summary>
/// Computes, once per flush, the tiers and policies of every local endpoint that something touched: dirty endpoints in, endpoint updates out. Here it is
/// decided that an endpoint fails closed: it is invalid itself, or a policy or profile that applies to it is.
/// </summary>
internal sealed class PolicyResolver(UpdateSequencer output) : IEndpointDirtyListener
{
    private readonly Dictionary<ResourceKey, WorkloadValue> _workloads = [];
    private readonly Dictionary<ResourceKey, HostEndpointValue> _hosts = [];
    private readonly Dictionary<string, TierValue> _tiers = new(StringComparer.Ordinal);
    private readonly HashSet<ResourceKey> _dirty = [];

    // Several objects may claim one identity: the smallest name has it, whichever came first.
    private readonly Dictionary<WorkloadEndpointId, HashSet<ResourceKey>> _claims = [];

    public void OnEndpointDirty(ResourceKey endpoint) => _dirty.Add(endpoint);

    public void SetWorkload(ResourceKey key, WorkloadValue? workload)
    {
        if (_workloads.TryGetValue(key, out WorkloadValue? old) && old.Id != workload?.Id)
        {
            Release(key, old.Id);
        }

        if (workload is not null)
        {
            ref HashSet<ResourceKey>? claims = ref CollectionsMarshal.GetValueRefOrAddDefault(_claims, workload.Id, out _);
            (claims ??= []).Add(key);
        }

        Set(_workloads, key, workload);
    }

    public void SetHostEndpoint(ResourceKey key, HostEndpointValue? endpoint)
    {
        Set(_hosts, key, endpoint);
    }

    public void SetTier(string name, TierValue? tier)
    {
        if (tier is { } value)
        {
            _tiers[name] = value;
        }
        else
        {
            _tiers.Remove(name);
        }
    }

    public void Flush(ActivePolicyCalculator active)
    {
        foreach (ResourceKey key in _dirty)
        {
            if (_workloads.TryGetValue(key, out WorkloadValue? workload) && Owner(_claims[workload.Id]) == key)
            {
                output.OnWorkload(Resolve(workload, key, active));
            }

            if (_hosts.TryGetValue(key, out HostEndpointValue? host))
            {
                output.OnHostEndpoint(Resolve(host, key, active));
            }
            else if (key.Kind == Model.Resources.ResourceKind.HostEndpoint)
            {
                output.OnHostEndpointGone(key.Name);
            }
        }

        _dirty.Clear();
    }

    private void Set<TValue>(Dictionary<ResourceKey, TValue> values, ResourceKey key, TValue? value)
        where TValue : class
    {
        if (value is not null)
        {
            values[key] = value;
            _dirty.Add(key);
        }
        else if (values.Remove(key))
        {
            _dirty.Add(key);
        }
    }

    private void Release(ResourceKey key, WorkloadEndpointId id)
    {
        HashSet<ResourceKey> claims = _claims[id];
        claims.Remove(key);
        if (claims.Count == 0)
        {
            _claims.Remove(id);
            output.OnWorkloadGone(id);
        }
        else
        {
            _dirty.Add(Owner(claims));
        }
    }

    private static ResourceKey Owner(HashSet<ResourceKey> claims) =>
        claims.Count == 1 ? claims.First() : claims.MinBy(static key => (key.Namespace, key.Name), Comparer<(string, string)>.Create(static (a, b) =>
            string.CompareOrdinal(a.Item1, b.Item1) is var byNamespace and not 0 ? byNamespace : string.CompareOrdinal(a.Item2, b.Item2)))!;

    private WorkloadEndpointUpdate Resolve(WorkloadValue workload, ResourceKey key, ActivePolicyCalculator active)
    {
        List<PolicyValue> policies = [.. active.PoliciesOf(key)];
        string? problem = workload.Problem ?? Problem(workload.Source.Parents, policies, active);
        return new WorkloadEndpointUpdate(
            workload.Id,
            workload.ResourceName,
            workload.InterfaceName,
            workload.Mac,
            workload.Source.Nets,
            problem is null ? workload.Source.Parents : [],
            problem is null ? Tiers(policies, PolicyUse.Normal) : [],
            workload.AllowSpoofedSourcePrefixes,
            workload.Revision,
            problem);
    }

    private static string? Problem(IReadOnlyList<string> profiles, List<PolicyValue> policies, ActivePolicyCalculator active)
    {
        foreach (string profile in profiles)
        {
            if (active.ProfileProblem(profile) is { } problem)
            {
                return $"profile {profile} is invalid: {problem}";
            }
        }

        PolicyValue? invalid = policies.Where(p => p.Problem is not null && !p.Id.IsStaged).OrderBy(p => p.Id.ToString(), StringComparer.Ordinal).FirstOrDefault();
        return invalid is null ? null : $"policy {invalid.Id} is invalid: {invalid.Problem}";
    }

    private HostEndpointUpdate Resolve(HostEndpointValue host, ResourceKey key, ActivePolicyCalculator active)
    {
        List<PolicyValue> policies = [.. active.PoliciesOf(key)];
        if ((host.Problem ?? Problem(host.Source.Parents, policies, active)) is { } problem)
        {
            // What passes through the host is closed only when something that speaks of it is unknown.
            bool forward = !policies.Exists(p => p.Problem is not null && !p.Id.IsStaged && p.Traits.HasFlag(PolicyTraits.ApplyOnForward));
            return new HostEndpointUpdate(host.Name, host.InterfaceName, host.ExpectedIps, [], [], [], [], forward ? Tiers(policies, PolicyUse.Forward) : [], problem, ClosesForwarded: !forward);
        }

        return new HostEndpointUpdate(
            host.Name,
            host.InterfaceName,
            host.ExpectedIps,
            host.Source.Parents,
            Tiers(policies, PolicyUse.Normal),
            Tiers(policies, PolicyUse.Untracked),
            Tiers(policies, PolicyUse.PreDnat),
            Tiers(policies, PolicyUse.Forward));
    }

    private enum PolicyUse : byte
    {
        Normal,
        Forward,
        Untracked,
        PreDnat,
    }

    private List<TierPolicies> Tiers(List<PolicyValue> policies, PolicyUse use)
    {
        List<TierPolicies> tiers = [];
        IEnumerable<IGrouping<string, PolicyValue>> byTier = policies
            .Where(p => p.Problem is null && IsFor(p, use))
            .GroupBy(p => p.Tier, StringComparer.Ordinal)
            .Order(Comparer<IGrouping<string, PolicyValue>>.Create((a, b) => PolicyOrderer.CompareTiers(a.Key, TierNamed(a.Key), b.Key, TierNamed(b.Key))));
        foreach (IGrouping<string, PolicyValue> group in byTier)
        {
            List<PolicyValue> ordered = [.. group];
            ordered.Sort(PolicyOrderer.ComparePolicies);
            PolicyId[] ingress = [.. ordered.Where(p => p.Directions.HasFlag(PolicyDirections.Ingress)).Select(p => p.Id)];
            PolicyId[] egress = use == PolicyUse.PreDnat ? [] : [.. ordered.Where(p => p.Directions.HasFlag(PolicyDirections.Egress)).Select(p => p.Id)];
            if (ingress.Length + egress.Length > 0)
            {
                // Untracked and pre-DNAT policy never ends in a drop: the normal policy still comes.
                bool pass = use is PolicyUse.Untracked or PolicyUse.PreDnat || TierNamed(group.Key) is { DefaultIsPass: true };
                tiers.Add(new TierPolicies(group.Key, pass, ingress, egress));
            }
        }

        return tiers;
    }

    private static bool IsFor(PolicyValue policy, PolicyUse use) => use switch
    {
        PolicyUse.Untracked => policy.Traits.HasFlag(PolicyTraits.Untracked),
        PolicyUse.PreDnat => policy.Traits.HasFlag(PolicyTraits.PreDnat) && !policy.Traits.HasFlag(PolicyTraits.Untracked),
        _ => (policy.Traits & (PolicyTraits.Untracked | PolicyTraits.PreDnat)) == 0
            && (use == PolicyUse.Normal || policy.Traits.HasFlag(PolicyTraits.ApplyOnForward)),
    };

    private TierValue? TierNamed(string name) => _tiers.TryGetValue(name, out TierValue tier) ? tier : null;
}
