using System.Text.Json.Nodes;
using Weft.Model.Json;
using Weft.Model.Resources;

namespace Weft.Model.Validation;

/// <summary>
/// Every rule an object must keep before it is stored: the schema of its kind, then what needs more than one field to decide. Called by the command
/// line and by whoever writes for a user; values read from the store are taken as they are.
/// </summary>
public static class ResourceValidator
{
    /// <summary>All problems; none means that the object may be stored. Apply <see cref="ResourceDefaults"/> first.</summary>
    /// <param name="resource">The object to store.</param>
    /// <param name="stored">The object it replaces, for the rules on fields that cannot change; null when it is new.</param>
    public static IReadOnlyList<Problem> Validate(Resource resource, Resource? stored = null)
    {
        ProblemList problems = new();
        SchemaValidator.Check(resource.ResourceKind, ModelJson.ToNode(resource), problems);
        CheckRules(resource, stored, problems);
        return problems.Problems;
    }

    /// <summary>The schema alone, on a tree as a user wrote it: unknown fields, types, ranges.</summary>
    internal static IReadOnlyList<Problem> ValidateSchema(ResourceKind kind, JsonObject tree)
    {
        ProblemList problems = new();
        SchemaValidator.Check(kind, tree, problems);
        return problems.Problems;
    }

    private static void CheckRules(Resource resource, Resource? stored, ProblemList problems)
    {
        MetadataRules.Check(resource, problems);
        switch (resource)
        {
            case NetworkPolicy policy:
                PolicyRules.Check(policy.Spec, isNamespaced: true, problems);
                break;
            case GlobalNetworkPolicy policy:
                PolicyRules.Check(policy.Spec, isNamespaced: false, problems);
                PolicyRules.CheckHostModes(policy.Spec, policy.Spec.DoNotTrack, policy.Spec.PreDNAT, policy.Spec.ApplyOnForward, problems);
                PolicyRules.CheckNotGlobal(policy.Spec.NamespaceSelector, "spec.namespaceSelector", problems);
                break;
            case StagedNetworkPolicy policy:
                PolicyRules.CheckStaged(policy.Spec, policy.Spec.StagedAction, isNamespaced: true, hasMore: false, problems);
                break;
            case StagedGlobalNetworkPolicy policy:
                PolicyRules.CheckStaged(
                    policy.Spec, policy.Spec.StagedAction, isNamespaced: false,
                    hasMore: policy.Spec.DoNotTrack is true || policy.Spec.PreDNAT is true || policy.Spec.ApplyOnForward is true || !string.IsNullOrEmpty(policy.Spec.NamespaceSelector),
                    problems);
                PolicyRules.CheckHostModes(policy.Spec, policy.Spec.DoNotTrack, policy.Spec.PreDNAT, policy.Spec.ApplyOnForward, problems);
                PolicyRules.CheckNotGlobal(policy.Spec.NamespaceSelector, "spec.namespaceSelector", problems);
                break;
            case StagedKubernetesNetworkPolicy policy:
                KubernetesPolicyRules.Check(policy.Spec, problems);
                break;
            case Profile profile:
                PolicyRules.CheckProfile(profile.Spec, problems);
                break;
            case Tier tier:
                PolicyRules.CheckTier(tier, problems);
                break;
            case NetworkSet set:
                EndpointRules.CheckNets(set.Spec, set.Metadata, problems);
                break;
            case GlobalNetworkSet set:
                EndpointRules.CheckNets(set.Spec, set.Metadata, problems);
                break;
            case HostEndpoint endpoint:
                EndpointRules.Check(endpoint.Spec, problems);
                break;
            case WorkloadEndpoint endpoint:
                EndpointRules.Check(endpoint, problems);
                break;
            case IPPool pool:
                PoolRules.Check(pool.Spec, (stored as IPPool)?.Spec, problems);
                break;
            case IPAMConfiguration configuration:
                PoolRules.Check(configuration.Spec, problems);
                break;
            case Node node:
                NodeRules.Check(node, problems);
                break;
            case BGPConfiguration configuration:
                BgpRules.Check(configuration, problems);
                break;
            case BGPPeer peer:
                BgpRules.Check(peer.Spec, problems);
                break;
            case BGPFilter filter:
                BgpRules.Check(filter.Spec, problems);
                break;
            case FelixConfiguration configuration:
                FelixRules.Check(configuration, problems);
                break;
            case CalicoNodeStatus status:
                NodeRules.Check(status.Spec, problems);
                break;
        }
    }
}
