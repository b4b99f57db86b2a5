using Weft.Model.Keys;
using Weft.Model.Resources;

namespace Weft.Datastore;

/// <summary>
/// Puts into an empty store what every cluster has: ClusterInformation "default" and the three built-in tiers. Any number of nodes may do so at once and
/// at every start; what an operator has changed stays. Source: reference 1.14.
/// </summary>
public static class ClusterInitialization
{
    // Races with other nodes that start at the same time end after a round or two.
    private const int MaxAttempts = 20;

    private static readonly ResourceKey InformationKey = new(ResourceKind.ClusterInformation, "default");

    /// <param name="store">The store.</param>
    /// <param name="version">Written as calicoVersion, unless empty.</param>
    /// <param name="clusterType">Words separated by commas, added to those stored; may be empty.</param>
    /// <param name="time">For creation times and pauses.</param>
    /// <param name="stop">Cancels.</param>
    /// <exception cref="DatastoreException">The store did not answer.</exception>
    public static async ValueTask EnsureAsync(IDatastore store, string version, string clusterType, TimeProvider time, CancellationToken stop)
    {
        await EnsureInformationAsync(store, version, clusterType, time, stop);
        await EnsureTierAsync(store, "kube-admin", 1_000, "Pass", time, stop);
        await EnsureTierAsync(store, "default", 1_000_000, "Deny", time, stop);
        await EnsureTierAsync(store, "kube-baseline", 10_000_000, "Pass", time, stop);
    }

    private static async ValueTask EnsureInformationAsync(IDatastore store, string version, string clusterType, TimeProvider time, CancellationToken stop)
    {
        Backoff backoff = new(time);
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            KeyValue? stored = await store.GetAsync(InformationKey, stop);
            ClusterInformation information = stored?.As<ClusterInformation>() ?? new ClusterInformation();
            bool changed = Complete(information.Spec, version, clusterType);
            if (stored is not null && !changed)
            {
                return;
            }

            if (stored is null)
            {
                Born(information, "default", time);
            }

            WriteResult result = stored is null
                ? await store.CreateAsync(InformationKey, information, stop)
                : await store.UpdateAsync(InformationKey, information, stored.Revision, stop);
            if (result.IsWritten)
            {
                return;
            }

            await backoff.WaitAsync(stop);
        }

        throw new DatastoreException($"{InformationKey}: changed by others {MaxAttempts} times in a row while this node wanted to complete it");
    }

    /// <summary>True when something was missing or different. An explicit "not ready" stays: somebody has locked the store.</summary>
    private static bool Complete(ClusterInformationSpec spec, string version, string clusterType)
    {
        (string? guid, string? type, string? oldVersion, bool? ready) = (spec.ClusterGUID, spec.ClusterType, spec.CalicoVersion, spec.DatastoreReady);
        if (string.IsNullOrEmpty(spec.ClusterGUID))
        {
            spec.ClusterGUID = Guid.NewGuid().ToString("N");
        }

        if (version.Length > 0)
        {
            spec.CalicoVersion = version;
        }

        string[] words = [.. $"{spec.ClusterType},{clusterType}".Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Distinct()];
        spec.ClusterType = words.Length == 0 ? spec.ClusterType : string.Join(',', words);
        spec.DatastoreReady ??= true;
        return (guid, type, oldVersion, ready) != (spec.ClusterGUID, spec.ClusterType, spec.CalicoVersion, spec.DatastoreReady);
    }

    private static async ValueTask EnsureTierAsync(IDatastore store, string name, double order, string action, TimeProvider time, CancellationToken stop)
    {
        ResourceKey key = new(ResourceKind.Tier, name);
        if (await store.GetAsync(key, stop) is not null)
        {
            return;
        }

        Tier tier = new() { Spec = { Order = order, DefaultAction = action } };
        Born(tier, name, time);

        // AlreadyExists is success: another node was faster.
        await store.CreateAsync(key, tier, stop);
    }

    private static void Born(Resource resource, string name, TimeProvider time)
    {
        resource.Metadata.Name = name;
        resource.Metadata.Uid = Guid.NewGuid().ToString();
        resource.Metadata.CreationTimestamp = time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);
    }
}
