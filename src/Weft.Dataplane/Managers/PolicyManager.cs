using Weft.Dataplane.Rules.Model;
using Weft.Dataplane.Rules;
using Weft.Policy.Output;

namespace Weft.Dataplane.Managers;

/// <summary>
/// Policies and profiles become chains of the filter tables, and while there are host endpoints, which ask policy in more places, of the mangle and raw
/// tables too. A chain that no endpoint leads to is remembered there and not programmed.
/// </summary>
internal sealed class PolicyManager(IReadOnlyList<FamilyDrivers> families, RuleSettings settings) : IDataplaneManager
{
    private readonly Dictionary<PolicyId, ActivePolicyUpdate> _policies = [];
    private readonly Dictionary<string, ActiveProfileUpdate> _profiles = new(StringComparer.Ordinal);
    private readonly HashSet<string> _hostEndpoints = new(StringComparer.Ordinal);
    private readonly HashSet<string> _refusedSets = new(StringComparer.Ordinal);
    private PolicyRenderer[] _renderers = Renderers(families, settings);

    public int Policies => _policies.Count;

    public int Profiles => _profiles.Count;

    /// <summary>Policies and profiles that deny everything because a set of theirs cannot be in the kernel, each with the reason.</summary>
    public IReadOnlyList<string> Refused { get; private set; } = [];

    public void OnUpdate(DataplaneUpdate update)
    {
        switch (update)
        {
            // Staged policies are shown by others; no rule of theirs reaches the kernel.
            case ActivePolicyUpdate policy when !policy.Id.IsStaged:
                _policies[policy.Id] = policy;
                Set(r => r.Policy(policy));
                break;
            case ActivePolicyRemove remove when _policies.Remove(remove.Id):
                Remove(ChainNames.PolicyInbound(remove.Id), ChainNames.PolicyOutbound(remove.Id));
                break;
            case ActiveProfileUpdate profile:
                _profiles[profile.Name] = profile;
                Set(r => r.Profile(profile));
                break;
            case ActiveProfileRemove remove when _profiles.Remove(remove.Name):
                Remove(ChainNames.ProfileInbound(remove.Name), ChainNames.ProfileOutbound(remove.Name));
                break;
            case HostEndpointUpdate endpoint:
                if (_hostEndpoints.Add(endpoint.Name) && _hostEndpoints.Count == 1)
                {
                    SetAll();
                }

                break;
            case HostEndpointRemove remove:
                _hostEndpoints.Remove(remove.Name);
                break;
        }
    }

    public void OnSettings(RuleSettings settings)
    {
        _renderers = Renderers(families, settings);
        SetAll();
    }

    private void SetAll()
    {
        foreach (ActivePolicyUpdate policy in _policies.Values)
        {
            Set(r => r.Policy(policy));
        }

        foreach (ActiveProfileUpdate profile in _profiles.Values)
        {
            Set(r => r.Profile(profile));
        }
    }

    /// <summary>The chains are with the tables already, which compare before they write. Only those whose sets no longer fit, or fit again, are rendered anew.</summary>
    public void Apply()
    {
        if (_refusedSets.Count == 0 && families.All(f => f.Sets.TooLarge.Count == 0))
        {
            return;
        }

        HashSet<string> refused = [.. families.SelectMany(f => f.Sets.TooLarge.Keys)];
        HashSet<string> changed = [.. refused];
        changed.SymmetricExceptWith(_refusedSets);
        _refusedSets.Clear();
        _refusedSets.UnionWith(refused);
        List<string> reasons = [];
        foreach (ActivePolicyUpdate policy in _policies.Values)
        {
            Review([.. policy.InboundRules, .. policy.OutboundRules], $"{policy.Id.Kind} {policy.Id}", r => r.Policy(policy));
        }

        foreach (ActiveProfileUpdate profile in _profiles.Values)
        {
            Review([.. profile.InboundRules, .. profile.OutboundRules], $"Profile {profile.Name}", r => r.Profile(profile));
        }

        Refused = reasons;

        void Review(DataplaneRule[] rules, string owner, Func<PolicyRenderer, IEnumerable<Chain>> render)
        {
            string[] sets = [.. rules.SelectMany(PolicyRenderer.SetsOf).Distinct()];
            if (sets.Any(changed.Contains))
            {
                Set(render);
            }

            reasons.AddRange(sets.Where(refused.Contains).Select(set =>
                $"{owner} denies everything: its set {set} has {families.Max(f => f.Sets.TooLarge.GetValueOrDefault(set))} members, more than maxIpsetSize"));
        }
    }

    private static PolicyRenderer[] Renderers(IReadOnlyList<FamilyDrivers> families, RuleSettings settings) =>
        [.. families.Select(f => new PolicyRenderer(settings, f.Family, f.Sets.NameOf, f.Sets.TooLarge.ContainsKey))];

    private void Set(Func<PolicyRenderer, IEnumerable<Chain>> render)
    {
        for (int i = 0; i < families.Count; i++)
        {
            foreach (Chain chain in render(_renderers[i]))
            {
                families[i].Filter.SetChain(chain);
                if (_hostEndpoints.Count > 0)
                {
                    families[i].Mangle.SetChain(chain);
                    families[i].Raw.SetChain(chain);
                }
            }
        }
    }

    private void Remove(params ReadOnlySpan<string> chains)
    {
        foreach (FamilyDrivers family in families)
        {
            foreach (string chain in chains)
            {
                family.Filter.RemoveChain(chain);
                family.Mangle.RemoveChain(chain);
                family.Raw.RemoveChain(chain);
            }
        }
    }
}
