using Weft.Datastore;
using Weft.Model.Keys;
using Weft.Model.Resources;

namespace Weft.Node.Cni;

/// <summary>ClusterInformation "default": an operator (or a migration) stops every allocation by datastoreReady: false.</summary>
internal static class ClusterReadiness
{
    /// <exception cref="CniException">Code 11: the cluster is not ready; trying again later may help.</exception>
    public static async ValueTask RequireAsync(IDatastore datastore, CancellationToken stop)
    {
        if (await ReasonAsync(datastore, stop) is { } reason)
        {
            throw new CniException(CniErrorCode.TryAgainLater, reason);
        }
    }

    /// <summary>Null when the cluster is ready.</summary>
    public static async ValueTask<string?> ReasonAsync(IDatastore datastore, CancellationToken stop)
    {
        KeyValue? found = await datastore.GetAsync(new ResourceKey(ResourceKind.ClusterInformation, "default"), stop);
        return found?.Value switch
        {
            null => "error getting ClusterInformation: default does not exist; no agent has initialised this datastore yet",
            ClusterInformation { Spec.DatastoreReady: true } => null,
            _ => "Calico is currently not ready to process requests: ClusterInformation default has datastoreReady other than true",
        };
    }
}
