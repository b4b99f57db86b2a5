using System.Text.Json.Serialization;

namespace Weft.Model.Resources;

/// <summary>
/// An object of projectcalico.org/v3. Property order is the order of the JSON that is stored. Instances handed out by a syncer are shared: nobody
/// changes them; who wants another value makes a copy through JSON.
/// </summary>
public abstract class Resource(ResourceKind kind) : ApiObject
{
    [JsonIgnore]
    public ResourceKind ResourceKind => kind;

    [JsonPropertyOrder(-3)]
    public string Kind
    {
        get => ResourceKind.Name;
        set => KindAsRead = value;
    }

    /// <summary>null in JSON is as if it were not there.</summary>
    [JsonPropertyOrder(-2)]
    public string ApiVersion { get; set => field = value ?? ResourceKind.ApiVersion; } = ResourceKind.ApiVersion;

    [JsonPropertyOrder(-1)]
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>What stood under "kind" in JSON: the codec refuses a value whose kind is not that of its key. Null when there was none.</summary>
    [JsonIgnore]
    internal string? KindAsRead { get; private set; }

    /// <summary>The same object with metadata of its own; everything below spec is shared.</summary>
    internal Resource WithOwnMetadata()
    {
        Resource copy = (Resource)MemberwiseClone();
        copy.Metadata = Metadata.Copy();
        return copy;
    }
}

/// <summary>Metadata of an object, as in the Kubernetes API.</summary>
public sealed class ObjectMeta : ApiObject
{
    public string Name { get; set => field = value ?? string.Empty; } = string.Empty;

    public string? GenerateName { get; set; }

    /// <summary>Null or empty for a cluster-scoped object.</summary>
    public string? Namespace { get; set; }

    /// <summary>Of very old releases; never stored.</summary>
    public string? SelfLink { get; set; }

    public string? Uid { get; set; }

    /// <summary>Decimal modification revision. Never stored; filled after reading.</summary>
    public string? ResourceVersion { get; set; }

    public long? Generation { get; set; }

    public string? CreationTimestamp { get; set; }

    public string? DeletionTimestamp { get; set; }

    public Dictionary<string, string>? Labels { get; set; }

    public Dictionary<string, string>? Annotations { get; set; }

    public List<OwnerReference>? OwnerReferences { get; set; }

    public List<string>? Finalizers { get; set; }

    internal ObjectMeta Copy() => (ObjectMeta)MemberwiseClone();
}

/// <summary>Metadata.ownerReferences entry.</summary>
public sealed class OwnerReference : ApiObject
{
    public string ApiVersion { get; set => field = value ?? string.Empty; } = string.Empty;

    public string Kind { get; set => field = value ?? string.Empty; } = string.Empty;

    public string Name { get; set => field = value ?? string.Empty; } = string.Empty;

    public string Uid { get; set => field = value ?? string.Empty; } = string.Empty;

    public bool? Controller { get; set; }

    public bool? BlockOwnerDeletion { get; set; }
}
