using System.Runtime.InteropServices;
using Weft.Model.Keys;
using Weft.Policy.Conversion;
using Weft.Policy.Indexes;
using Weft.Policy.Output;

namespace Weft.Policy.Nodes;

/// <summary>Told which rules this node needs.</summary>
internal interface IActiveRulesListener
{
    void OnPolicyActive(PolicyValue policy);

    void OnPolicyInactive(PolicyId id);

    void OnProfileActive(ProfileValue profile);

    void OnProfileInactive(string name);
}

/// <summary>Told which endpoints must be computed again.</summary>
internal interface IEndpointDirtyListener
{
    void OnEndpointDirty(ResourceKey endpoint);
}

/// <summary>
/// Which policies and profiles apply to endpoints of this node: by selector, with labels inherited from profiles. A policy becomes active with its first
/// match and inactive with its last. A profile that an endpoint names and that does not exist is active as one that denies.
/// </summary>
internal sealed class ActivePolicyCalculator : IMatchListener<PolicyId, ResourceKey>
{
    private readonly IActiveRulesListener _rules;
    private readonly IEndpointDirtyListener _endpoints;
    private readonly LabelIndex<PolicyId, ResourceKey> _labels;
    private readonly Dictionary<PolicyId, PolicyValue> _policies = [];
    private readonly HashSet<PolicyId> _active = [];
    private readonly SortedList<string, PolicyId> _staged = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ProfileValue> _profiles = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<ResourceKey>> _profileUsers = new(StringComparer.Ordinal);
    private readonly Dictionary<ResourceKey, IReadOnlyList<string>> _profilesOf = [];

    public ActivePolicyCalculator(IActiveRulesListener rules, IEndpointDirtyListener endpoints)
    {
        _rules = rules;
        _endpoints = endpoints;
        _labels = new LabelIndex<PolicyId, ResourceKey>(this);
        _profiles[PolicyConversion.DefaultAllowProfile] = PolicyConversion.DefaultAllow(PolicyConversion.DefaultAllowProfile);
    }

    /// <summary>Also policies with a problem: they say that the endpoint must be closed.</summary>
    public IEnumerable<PolicyValue> PoliciesOf(ResourceKey endpoint) => _labels.SelectorsMatching(endpoint).Select(id => _policies[id]);

    public IEnumerable<StagedPolicy> Staged => _staged.Values.Select(id => new StagedPolicy(id, _labels.MatchCount(id)));

    /// <summary>Why a profile of this name cannot be used; null when it can, or does not exist.</summary>
    public string? ProfileProblem(string name) => _profiles.GetValueOrDefault(name)?.Problem;

    public void SetPolicy(PolicyValue policy)
    {
        PolicyValue? old = _policies.GetValueOrDefault(policy.Id);
        _policies[policy.Id] = policy;
        if (policy.Id.IsStaged)
        {
            _staged[policy.Id.ToString()] = policy.Id;
        }

        _labels.SetSelector(policy.Id, policy.Selector);
        Reconsider(policy.Id, rulesChanged: true);
        if (old is not null && !SamePlace(old, policy))
        {
            MarkUsers(policy.Id);
        }
    }

    public void RemovePolicy(PolicyId id)
    {
        // The selector goes first: every match that stops marks its endpoint dirty and deactivates the policy.
        _labels.RemoveSelector(id);
        _policies.Remove(id);
        if (id.IsStaged)
        {
            _staged.Remove(id.ToString());
        }

        if (_active.Remove(id))
        {
            _rules.OnPolicyInactive(id);
        }
    }

    /// <summary>What a policy's matches cost when only its tier's properties changed.</summary>
    public void MarkTier(string tier)
    {
        foreach (PolicyValue policy in _policies.Values)
        {
            if (policy.Tier == tier)
            {
                MarkUsers(policy.Id);
            }
        }
    }

    /// <summary>Null when the profile does not exist.</summary>
    public void SetProfile(string name, ProfileValue? profile, IReadOnlyDictionary<string, string>? labels)
    {
        if (profile is not null)
        {
            _profiles[name] = profile;
        }
        else if (name == PolicyConversion.DefaultAllowProfile)
        {
            _profiles[name] = PolicyConversion.DefaultAllow(name);
        }
        else
        {
            _profiles.Remove(name);
        }

        _labels.SetParent(name, labels);
        if (_profileUsers.TryGetValue(name, out HashSet<ResourceKey>? users))
        {
            _rules.OnProfileActive(Usable(name));
            foreach (ResourceKey user in users)
            {
                _endpoints.OnEndpointDirty(user);
            }
        }
    }

    public void SetEndpoint(ResourceKey key, SetSource source)
    {
        IReadOnlyList<string> old = _profilesOf.GetValueOrDefault(key) ?? [];
        _profilesOf[key] = source.Parents;
        _labels.SetItem(key, source.Labels, source.Parents);
        foreach (string name in source.Parents)
        {
            ref HashSet<ResourceKey>? users = ref CollectionsMarshal.GetValueRefOrAddDefault(_profileUsers, name, out bool known);
            (users ??= []).Add(key);
            if (!known)
            {
                _rules.OnProfileActive(Usable(name));
            }
        }

        Release(key, old.Except(source.Parents));
        _endpoints.OnEndpointDirty(key);
    }

    public void RemoveEndpoint(ResourceKey key)
    {
        if (!_profilesOf.Remove(key, out IReadOnlyList<string>? profiles))
        {
            // Never was local: nearly every endpoint of a large cluster.
            return;
        }

        _labels.RemoveItem(key);
        Release(key, profiles);
        _endpoints.OnEndpointDirty(key);
    }

    void IMatchListener<PolicyId, ResourceKey>.OnMatchStarted(PolicyId policy, ResourceKey endpoint)
    {
        _endpoints.OnEndpointDirty(endpoint);
        Reconsider(policy, rulesChanged: false);
    }

    void IMatchListener<PolicyId, ResourceKey>.OnMatchStopped(PolicyId policy, ResourceKey endpoint)
    {
        _endpoints.OnEndpointDirty(endpoint);
        Reconsider(policy, rulesChanged: false);
    }

    private void Reconsider(PolicyId id, bool rulesChanged)
    {
        PolicyValue policy = _policies[id];
        bool wanted = policy.Problem is null && (policy.Activation == PolicyActivation.Always || _labels.HasMatch(id));
        if (wanted && (_active.Add(id) || rulesChanged))
        {
            _rules.OnPolicyActive(policy);
        }
        else if (!wanted && _active.Remove(id))
        {
            _rules.OnPolicyInactive(id);
        }
    }

    private void MarkUsers(PolicyId id)
    {
        foreach (ResourceKey endpoint in _labels.ItemsMatching(id))
        {
            _endpoints.OnEndpointDirty(endpoint);
        }
    }

    /// <summary>Whether two versions of a policy stand at the same place in every endpoint's list.</summary>
    private static bool SamePlace(PolicyValue a, PolicyValue b) =>
        a.Tier == b.Tier && a.Order.Equals(b.Order) && a.Directions == b.Directions && a.Traits == b.Traits && a.Problem == b.Problem;

    private ProfileValue Usable(string name) =>
        _profiles.TryGetValue(name, out ProfileValue? profile) && profile.Problem is null ? profile : PolicyConversion.Missing(name);

    private void Release(ResourceKey endpoint, IEnumerable<string> profiles)
    {
        foreach (string name in profiles)
        {
            if (_profileUsers.TryGetValue(name, out HashSet<ResourceKey>? users) && users.Remove(endpoint) && users.Count == 0)
            {
                _profileUsers.Remove(name);
                _rules.OnProfileInactive(name);
            }
        }
    }
}
