using System.Globalization;
using Weft.Datastore;
using Weft.Model.Json;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Model.Validation;

namespace Weft.Ctl.Resources;

/// <summary>What became of one object.</summary>
internal enum WriteVerb : byte
{
    Created,
    Updated,
    Unchanged,
    Deleted,
}

/// <summary>
/// Objects of the API over the datastore: every write is conditional on what was read, so that two operators never undo each other unseen. Throws
/// <see cref="CtlException"/> with the reason when a write cannot be made.
/// </summary>
internal sealed class ResourceStore(IDatastore store, TimeProvider time)
{
    // calicoctl's number of tries for an update whose input names no resourceVersion.
    private const int MaxAttempts = 5;

    private readonly Cascades _cascades = new(store);

    public async ValueTask<WriteVerb> CreateAsync(Resource input, CancellationToken stop)
    {
        Refuse(input.ResourceKind, input.Metadata.Name, "create");
        if (!string.IsNullOrEmpty(input.Metadata.ResourceVersion))
        {
            throw new CtlException("metadata.resourceVersion: must not be set when an object is created");
        }

        return await TryCreateAsync(input, stop) ? WriteVerb.Created : throw new CtlException("already exists; \"weft apply\" changes it, \"weft replace\" replaces it");
    }

    /// <summary>Update only.</summary>
    public async ValueTask<WriteVerb> ReplaceAsync(Resource input, CancellationToken stop)
    {
        Refuse(input.ResourceKind, input.Metadata.Name, "replace");
        return await TryUpdateAsync(input, stop) ?? throw new CtlException("does not exist; \"weft create\" or \"weft apply\" makes it");
    }

    /// <summary>Create or update. An input with a resourceVersion means the object it was read from, so it is never created anew.</summary>
    public async ValueTask<WriteVerb> ApplyAsync(Resource input, CancellationToken stop)
    {
        Refuse(input.ResourceKind, input.Metadata.Name, "apply");
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            if (await TryUpdateAsync(input, stop) is { } verb)
            {
                return verb;
            }

            if (!string.IsNullOrEmpty(input.Metadata.ResourceVersion))
            {
                throw new CtlException("resource does not exist, but the input has a resourceVersion; remove it to create the object");
            }

            if (await TryCreateAsync(input, stop))
            {
                return WriteVerb.Created;
            }
        }

        throw new CtlException($"was created and deleted by somebody else {MaxAttempts} times while this command tried");
    }

    /// <param name="key">The object.</param>
    /// <param name="resourceVersion">Delete only at this version; null for any.</param>
    /// <param name="stop">Cancels.</param>
    /// <returns>False when there is no such object.</returns>
    public async ValueTask<bool> DeleteAsync(ResourceKey key, string? resourceVersion, CancellationToken stop)
    {
        Refuse(key.Kind, key.Name, "delete");
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            if (await FindAsync(key, stop) is not { } stored)
            {
                return false;
            }

            CheckVersion(resourceVersion, stored);
            await _cascades.CheckDeleteAsync(stored.As<Resource>(), stop);
            WriteResult result = await store.DeleteAsync(stored.Key, stored.Revision, stop);
            if (result.IsWritten)
            {
                return true;
            }
        }

        throw Contended();
    }

    /// <summary>
    /// The object with this name. Older releases stored a policy of the default tier as "default.NAME", and people name such a policy both ways.
    /// </summary>
    public async ValueTask<KeyValue?> FindAsync(ResourceKey key, CancellationToken stop)
    {
        if (await store.GetAsync(key, stop) is { } found)
        {
            return found;
        }

        const string Prefix = "default.";
        if (!IsTiered(key.Kind))
        {
            return null;
        }

        string other = key.Name.StartsWith(Prefix, StringComparison.Ordinal) ? key.Name[Prefix.Length..] : Prefix + key.Name;
        KeyValue? alias = other.Length == 0 ? null : await store.GetAsync(key with { Name = other }, stop);
        return alias is not null && Cascades.TierOf(alias.As<Resource>()) is null or "" or "default" ? alias : null;
    }

    public static ResourceKey KeyOf(Resource resource) => new(resource.ResourceKind, resource.Metadata.Namespace ?? string.Empty, resource.Metadata.Name);

    private static bool IsTiered(ResourceKind kind) =>
        kind == ResourceKind.NetworkPolicy || kind == ResourceKind.GlobalNetworkPolicy || kind == ResourceKind.StagedNetworkPolicy || kind == ResourceKind.StagedGlobalNetworkPolicy;

    private static void Refuse(ResourceKind kind, string name, string verb)
    {
        if (kind == ResourceKind.ClusterInformation || kind == ResourceKind.BlockAffinity)
        {
            throw new CtlException($"{verb} is not supported on {kind}");
        }

        if (kind == ResourceKind.NetworkPolicy && name.StartsWith("knp.default.", StringComparison.Ordinal))
        {
            throw new CtlException("kubernetes network policies must be managed through the kubernetes API");
        }
    }

    private async ValueTask<bool> TryCreateAsync(Resource input, CancellationToken stop)
    {
        Resource created = ResourceDefaults.Apply(input);
        if (await FindAsync(KeyOf(created), stop) is not null)
        {
            return false;
        }

        ObjectMeta metadata = created.Metadata;
        created.Metadata = new ObjectMeta
        {
            Name = metadata.Name,
            Namespace = metadata.Namespace,
            Uid = Guid.NewGuid().ToString(),
            CreationTimestamp = time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
            Labels = metadata.Labels,
            Annotations = metadata.Annotations,
        };
        await _cascades.CheckWriteAsync(created, isNew: true, stop);
        return (await store.CreateAsync(KeyOf(created), created, stop)).IsWritten;
    }

    /// <summary>Null when there is nothing to update.</summary>
    private async ValueTask<WriteVerb?> TryUpdateAsync(Resource input, CancellationToken stop)
    {
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            if (await FindAsync(KeyOf(input), stop) is not { } found)
            {
                return null;
            }

            CheckVersion(input.Metadata.ResourceVersion, found);
            Resource stored = found.As<Resource>();
            Resource updated = Merge(input, stored);
            if (ModelJson.Serialize(found.Key, updated).AsSpan().SequenceEqual(ModelJson.Serialize(found.Key, stored)))
            {
                return WriteVerb.Unchanged;
            }

            // What the operator wrote, not what is kept of the stored object: a status that the system wrote is not his to mend.
            if (ResourceValidator.Validate(ResourceDefaults.Apply(input), stored) is { Count: > 0 } problems)
            {
                throw new CtlException(string.Join("; ", problems));
            }

            await _cascades.CheckWriteAsync(updated, isNew: false, stop);
            WriteResult result = await store.UpdateAsync(found.Key, updated, found.Revision, stop);
            if (result.IsWritten)
            {
                return WriteVerb.Updated;
            }

            if (result.Outcome == WriteOutcome.NotFound)
            {
                return null;
            }

            if (!string.IsNullOrEmpty(input.Metadata.ResourceVersion))
            {
                throw OutOfDate(input.Metadata.ResourceVersion, result.Existing?.Revision.ToString() ?? "?");
            }
        }

        throw Contended();
    }

    /// <summary>Spec, labels and annotations of the input; identity and status of what is stored.</summary>
    private static Resource Merge(Resource input, Resource stored)
    {
        Resource merged = ResourceDefaults.Apply(input);
        ObjectMeta wanted = merged.Metadata;
        Resource kept = ModelJson.Clone(stored);
        merged.Metadata = kept.Metadata;
        merged.Metadata.Labels = wanted.Labels;
        merged.Metadata.Annotations = wanted.Annotations;
        switch (merged, kept)
        {
            // Written by the system, so a file that says nothing of it means no change.
            case (IPPool to, IPPool from):
                to.Status ??= from.Status;
                break;
            case (Tier to, Tier from):
                to.Status ??= from.Status;
                break;
            case (Node to, Node from):
                to.Status ??= from.Status;
                break;
            case (CalicoNodeStatus to, CalicoNodeStatus from):
                to.Status ??= from.Status;
                break;
            case (KubeControllersConfiguration to, KubeControllersConfiguration from):
                to.Status ??= from.Status;
                break;
        }

        return merged;
    }

    private static void CheckVersion(string? wanted, KeyValue stored)
    {
        if (!string.IsNullOrEmpty(wanted) && wanted != stored.Revision.ToString())
        {
            throw OutOfDate(wanted, stored.Revision.ToString());
        }
    }

    private static CtlException OutOfDate(string wanted, string latest) =>
        new($"update conflict: resource version '{wanted}' is out of date (latest: {latest}). Update the resource YAML/JSON in order to make changes");

    private static CtlException Contended() => new($"was changed by somebody else {MaxAttempts} times while this command tried; try again");
}
