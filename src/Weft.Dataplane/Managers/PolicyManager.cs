using Weft.Dataplane.Rules.Model;
using Weft.Dataplane.Rules;
using Weft.Policy.Output;

namespace Weft.Dataplane.Managers;

/// <summary>Policies and profiles become chains of the filter tables. A chain that no endpoint leads to is remembered there and not programmed.</summary>
internal sealed class PolicyManager(IReadOnlyList<FamilyDrivers> families, RuleSettings settings) : IDataplaneManager
{
    private readonly Dictionary<PolicyId, ActivePolicyUpdate> _policies = [];
    private readonly Dictionary<string, ActiveProfileUpdate> _profiles = new(StringComparer.Ordinal);
    private PolicyRenderer[] _renderers = Renderers(families, settings);

    public int Policies => _policies.Count;

    public int Profiles => _profiles.Count;

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
        }
    }

    public void OnSettings(RuleSettings settings)
    {
        _renderers = Renderers(families, settings);
        foreach (ActivePolicyUpdate policy in _policies.Values)
        {
            Set(r => r.Policy(policy));
        }

        foreach (ActiveProfileUpdate profile in _profiles.Values)
        {
            Set(r => r.Profile(profile));
        }
    }

    /// <summary>Nothing is left to do: the tables themselves compare before they write.</summary>
    public void Apply()
    {
    }

    private static PolicyRenderer[] Renderers(IReadOnlyList<FamilyDrivers> families, RuleSettings settings) =>
        [.. families.Select(f => new PolicyRenderer(settings, f.Family, f.Sets.NameOf))];

    private void Set(Func<PolicyRenderer, IEnumerable<Chain>> render)
    {
        for (int i = 0; i < families.Count; i++)
        {
            foreach (Chain chain in render(_renderers[i]))
            {
                families[i].Filter.SetChain(chain);
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
            }
        }
    }
}
