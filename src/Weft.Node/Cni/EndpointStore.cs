using Weft.Datastore;
using Weft.Model.Keys;
using Weft.Model.Resources;

namespace Weft.Node.Cni;

/// <summary>
/// WorkloadEndpoint and Profile as the verbs need them: found by identity, written by compare-and-swap, conflicts read again and tried again.
/// </summary>
internal sealed class EndpointStore(IDatastore datastore, TimeProvider time)
{
    /// <summary>As upstream: a handful of writers at most touch one endpoint.</summary>
    private const int Attempts = 6;

    /// <summary>The pod's endpoints, one for each interface it has. Names that begin alike but belong to somebody else are passed over.</summary>
    public async ValueTask<PodEndpoints> FindAsync(PodIdentity pod, CancellationToken stop)
    {
        string prefix = ModelPrefix.Of(ResourceKind.WorkloadEndpoint, pod.Namespace).Path + pod.EndpointNamePrefix;
        ListResult list = await datastore.ListAsync(new ModelPrefix(prefix), stop);
        return new PodEndpoints(pod, [.. list.Items.Where(item => item.Value is WorkloadEndpoint { Spec: { } spec } && spec.Node == pod.Node && spec.Orchestrator == pod.Orchestrator
            && (pod.IsKubernetes ? spec.Pod == pod.Pod : spec.ContainerID == pod.ContainerId))]);
    }

    /// <summary>Writes the endpoint over <paramref name="existing"/> (null: creates it), and returns the revision that the agent must have seen.</summary>
    /// <exception cref="CniException">Somebody else goes on changing it.</exception>
    public async ValueTask<Revision> WriteAsync(ResourceKey key, WorkloadEndpoint endpoint, KeyValue? existing, CancellationToken stop)
    {
        KeyValue? current = existing;
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            KeepIdentity(endpoint, current?.Value as WorkloadEndpoint);
            WriteResult result = current is null
                ? await datastore.CreateAsync(key, endpoint, stop)
                : await datastore.UpdateAsync(key, endpoint, current.Revision, stop);
            if (result.IsWritten)
            {
                return result.Revision;
            }

            current = result.Existing;
        }

        throw new CniException(CniErrorCode.TryAgainLater, $"write of {key}: changed by somebody else {Attempts} times in a row");
    }

    /// <summary>Deletes what <paramref name="mayDelete"/> allows; absent is success.</summary>
    /// <returns>False when the endpoint is there and may not be deleted.</returns>
    public async ValueTask<bool> DeleteAsync(KeyValue found, Func<WorkloadEndpoint, bool> mayDelete, CancellationToken stop)
    {
        KeyValue? current = found;
        for (int attempt = 0; current is not null && attempt < Attempts; attempt++)
        {
            if (!mayDelete(current.As<WorkloadEndpoint>()))
            {
                return false;
            }

            WriteResult result = await datastore.DeleteAsync(current.Key, current.Revision, stop);
            if (result.IsWritten || result.Outcome == WriteOutcome.NotFound)
            {
                return true;
            }

            current = result.Existing ?? await datastore.GetAsync(current.Key, stop);
        }

        return current is null
            ? true
            : throw new CniException(CniErrorCode.TryAgainLater, $"delete of {found.Key}: changed by somebody else {Attempts} times in a row");
    }

    /// <summary>
    /// Without Kubernetes policy a network is its own profile: its members may talk to each other, and under Kubernetes everything may talk to them. Never
    /// updated: it is the operator's from then on.
    /// </summary>
    public async ValueTask EnsureProfileAsync(string network, bool kubernetes, CancellationToken stop)
    {
        ResourceKey key = new(ResourceKind.Profile, network);
        if (await datastore.GetAsync(key, stop) is not null)
        {
            return;
        }

        Profile profile = new()
        {
            Metadata = NewMetadata(network, null),
            Spec = new ProfileSpec
            {
                LabelsToApply = new Dictionary<string, string> { [network] = string.Empty },
                Egress = [new Rule { Action = "Allow" }],
                Ingress = [new Rule { Action = "Allow", Source = kubernetes ? null : new EntityRule { Selector = $"has({network})" } }],
            },
        };
        await datastore.CreateAsync(key, profile, stop); // AlreadyExists: another pod's ADD was faster with the same content.
    }

    public ObjectMeta NewMetadata(string name, string? @namespace) => new()
    {
        Name = name,
        Namespace = @namespace,
        Uid = Guid.NewGuid().ToString(),
        CreationTimestamp = time.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ssZ"),
    };

    private static void KeepIdentity(WorkloadEndpoint endpoint, WorkloadEndpoint? current)
    {
        if (current is not null)
        {
            endpoint.Metadata.Uid = current.Metadata.Uid;
            endpoint.Metadata.CreationTimestamp = current.Metadata.CreationTimestamp;
        }
    }
}
