using System.Text;
using System.Text.Json.Nodes;
using Weft.Model.Json;
using Weft.Model.Resources;

namespace Weft.Model.Validation;

/// <summary>Fills in what a user may leave out, as Calico's API does before it stores an object.</summary>
public static class ResourceDefaults
{
    public const string TierLabel = "projectcalico.org/tier";

    private const string NamespaceLabel = "projectcalico.org/namespace";
    private const string OrchestratorLabel = "projectcalico.org/orchestrator";

    /// <summary>A copy with the defaults of the kind.</summary>
    public static T Apply<T>(T resource)
        where T : Resource
    {
        JsonObject tree = ModelJson.ToNode(resource);
        SchemaValidator.ApplyDefaults(resource.ResourceKind, tree);
        if (!ModelJson.TryDeserialize(resource.ResourceKind, Encoding.UTF8.GetBytes(tree.ToJsonString()), out Resource? copy, out string? problem))
        {
            throw new InvalidOperationException($"the defaults of {resource.ResourceKind} do not fit its type: {problem}");
        }

        ApplyRules(copy);
        return (T)copy;
    }

    private static void ApplyRules(Resource resource)
    {
        switch (resource)
        {
            case NetworkPolicy policy:
                ApplyPolicy(policy, policy.Spec, setTypes: true);
                break;
            case GlobalNetworkPolicy policy:
                ApplyPolicy(policy, policy.Spec, setTypes: true);
                break;
            case StagedNetworkPolicy policy:
                ApplyPolicy(policy, policy.Spec, setTypes: policy.Spec.StagedAction != "Delete");
                break;
            case StagedGlobalNetworkPolicy policy:
                ApplyPolicy(policy, policy.Spec, setTypes: policy.Spec.StagedAction != "Delete");
                break;
            case Tier tier:
                tier.Spec.Order ??= 1_000_000;
                break;
            case IPPool pool:
                ApplyPool(pool.Spec);
                break;
            case WorkloadEndpoint endpoint:
                endpoint.Metadata.Labels ??= [];
                endpoint.Metadata.Labels[NamespaceLabel] = endpoint.Metadata.Namespace ?? string.Empty;
                endpoint.Metadata.Labels[OrchestratorLabel] = endpoint.Spec.Orchestrator ?? string.Empty;
                break;
        }
    }

    /// <summary>Types follow from the rules: Egress alone only when there are egress rules and no ingress rules.</summary>
    private static void ApplyPolicy(Resource policy, PolicySpec spec, bool setTypes)
    {
        policy.Metadata.Labels ??= [];
        policy.Metadata.Labels[TierLabel] = string.IsNullOrEmpty(spec.Tier) ? "default" : spec.Tier;
        if (setTypes && spec.Types is null or [])
        {
            spec.Types = (spec.Ingress is { Count: > 0 }, spec.Egress is { Count: > 0 }) switch
            {
                (false, true) => ["Egress"],
                (true, true) => ["Ingress", "Egress"],
                _ => ["Ingress"],
            };
        }
    }

    private static void ApplyPool(IPPoolSpec spec)
    {
        spec.BlockSize = PoolRules.BlockSize(spec, spec.Cidr.Contains(':'));
        spec.IpipMode = string.IsNullOrEmpty(spec.IpipMode) ? "Never" : spec.IpipMode;
        spec.VxlanMode = string.IsNullOrEmpty(spec.VxlanMode) ? "Never" : spec.VxlanMode;
        spec.NodeSelector = string.IsNullOrEmpty(spec.NodeSelector) ? "all()" : spec.NodeSelector;
        spec.AllowedUses = spec.AllowedUses is { Count: > 0 } uses ? uses : ["Workload", "Tunnel"];
    }
}
