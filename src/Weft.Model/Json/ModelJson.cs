using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Model.Status;

namespace Weft.Model.Json;

/// <summary>
/// From stored bytes to values and back, by Calico's rules for etcd (reference: value encoding rules of libcalico-go's backend model). Thread-safe.
/// </summary>
public static class ModelJson
{
    /// <summary>
    /// The annotation under which the etcd driver keeps a policy's true name: {"name":"..."}. It exists in stored bytes only.
    /// </summary>
    public const string PolicyMetadataAnnotation = "projectcalico.org/metadata";

    private const string DefaultTierPrefix = "default.";

    // Quotes, plus signs and letters beyond ASCII stand for themselves, as Go writes them; what Go escapes besides is done in GoEscaped.
    private static readonly ModelJsonContext s_compact = new(Options(indented: false));
    private static readonly ModelJsonContext s_indented = new(Options(indented: true));
    private static readonly SearchValues<byte> s_escapedByGo = SearchValues.Create("<>&"u8);

    /// <summary>The bytes to store under the key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">A value of the key's type; null is stored as the literal null.</param>
    /// <exception cref="ArgumentException">The value is not of the key's type.</exception>
    public static byte[] Serialize(ModelKey key, object? value)
    {
        if (value is null)
        {
            return "null"u8.ToArray();
        }

        JsonTypeInfo contract = Contract(s_compact, key);
        if (value.GetType() != contract.Type)
        {
            throw new ArgumentException($"{key} holds a {contract.Type.Name}, not a {value.GetType().Name}", nameof(value));
        }

        byte[] json = JsonSerializer.SerializeToUtf8Bytes(value is Resource resource ? AsStored((ResourceKey)key, resource) : value, contract);
        return GoEscaped(key is ResourceKey { Kind: var kind } && kind == ResourceKind.BlockAffinity ? WithTextDeleted(json) : json);
    }

    /// <summary>Reads stored bytes. Fields weft does not know are kept in <see cref="ApiObject.UnknownFields"/>.</summary>
    /// <param name="key">The key the bytes stand under.</param>
    /// <param name="json">The bytes.</param>
    /// <param name="value">The value; a resource has name and namespace from the key, and no resourceVersion.</param>
    /// <param name="problem">What is wrong, with the path of the field, as "spec.order: ...".</param>
    public static bool TryDeserialize(
        ModelKey key, ReadOnlySpan<byte> json, [NotNullWhen(true)] out object? value, [NotNullWhen(false)] out string? problem)
    {
        // Older releases wrote empty values where only the existence of the key counts.
        if (json.IsEmpty && key is BlockAffinityKey or IpamHostKey)
        {
            json = "{}"u8;
        }

        if (!TryRead(Contract(s_compact, key), json, out value, out problem))
        {
            return false;
        }

        // Nobody who walks a list of rules or peers should have to ask whether one of them is there.
        if (key is ResourceKey && HasNullElement(json))
        {
            (value, problem) = (null, "a list holds null");
            return false;
        }

        if (value is Resource resource)
        {
            problem = FromStored((ResourceKey)key, resource);
            value = problem is null ? value : null;
        }

        return problem is null;
    }

    /// <summary>Reads an object of the API as a user wrote it: without the rules of storage.</summary>
    public static bool TryDeserialize(
        ResourceKind kind, ReadOnlySpan<byte> json, [NotNullWhen(true)] out Resource? resource, [NotNullWhen(false)] out string? problem)
    {
        bool ok = TryRead(ResourceContract(s_compact, kind), json, out object? value, out problem);
        resource = (Resource?)value;
        return ok;
    }

    /// <summary>An object as the API shows it: with resourceVersion, without the rules of storage.</summary>
    public static byte[] Serialize(Resource resource, bool indented = false) =>
        JsonSerializer.SerializeToUtf8Bytes(resource, ResourceContract(indented ? s_indented : s_compact, resource.ResourceKind));

    /// <summary>The same as a tree.</summary>
    public static JsonObject ToNode(Resource resource) =>
        (JsonObject)JsonSerializer.SerializeToNode(resource, ResourceContract(s_compact, resource.ResourceKind))!;

    /// <summary>A copy that shares nothing with the original: objects handed out by a syncer are changed only this way.</summary>
    public static T Clone<T>(T resource)
        where T : Resource
    {
        JsonTypeInfo contract = ResourceContract(s_compact, resource.ResourceKind);
        return (T)JsonSerializer.Deserialize(JsonSerializer.SerializeToUtf8Bytes(resource, contract), contract)!;
    }

    /// <summary>How weft writes JSON everywhere: the escapes of <see cref="JavaScriptEncoder.UnsafeRelaxedJsonEscaping"/>; it is never put into HTML.</summary>
    internal static JsonSerializerOptions Options(bool indented) => new(ModelJsonContext.Default.Options)
    {
        WriteIndented = indented,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private static bool TryRead(
        JsonTypeInfo contract, ReadOnlySpan<byte> json, [NotNullWhen(true)] out object? value, [NotNullWhen(false)] out string? problem)
    {
        // RFC 8259 8.1, 8.2: text that is no Unicode could be read where it stands in an unknown field, and would then not be writable.
        if (!Utf8.IsValid(json) || HasLoneSurrogate(json))
        {
            (value, problem) = (null, "not Unicode text");
            return false;
        }

        try
        {
            value = JsonSerializer.Deserialize(json, contract);
            problem = value is null ? "the value is null" : null;
        }
        catch (JsonException e)
        {
            value = null;
            problem = Describe(e);
        }

        return value is not null;
    }

    /// <summary>An escape of half a surrogate pair. Malformed JSON is somebody else's finding.</summary>
    private static bool HasLoneSurrogate(ReadOnlySpan<byte> json)
    {
        if (json.IndexOf("\\u"u8) < 0)
        {
            return false;
        }

        Utf8JsonReader reader = new(json);
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped)
                {
                    _ = reader.GetString();
                }
            }
        }
        catch (JsonException)
        {
            return false;
        }
        catch (InvalidOperationException)
        {
            return true;
        }

        return false;
    }

    private static bool HasNullElement(ReadOnlySpan<byte> json)
    {
        if (json.IndexOf("null"u8) < 0)
        {
            return false;
        }

        // One bit per level: set inside a list. The serializer has read these bytes, so they are no deeper than its limit of 64.
        ulong lists = 0;
        Utf8JsonReader reader = new(json);
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartArray:
                    lists |= 1UL << reader.CurrentDepth;
                    break;
                case JsonTokenType.StartObject:
                    lists &= ~(1UL << reader.CurrentDepth);
                    break;
                case JsonTokenType.Null when reader.CurrentDepth > 0 && (lists >> (reader.CurrentDepth - 1) & 1) != 0:
                    return true;
            }
        }

        return false;
    }

    private static string Describe(JsonException e)
    {
        string path = e.Path is null or "$" ? string.Empty : e.Path.StartsWith("$.", StringComparison.Ordinal) ? e.Path[2..] : e.Path;
        string reason = e switch
        {
            FieldFormatException => e.Message,
            // Bytes that are no JSON: the serializer wraps what its reader threw.
            { InnerException: JsonException } => $"not valid JSON at line {e.LineNumber + 1}, byte {e.BytePositionInLine}",
            _ => "the value is not of the kind that belongs here",
        };
        return path.Length == 0 ? reason : $"{path}: {reason}";
    }

    private static JsonTypeInfo Contract(ModelJsonContext context, ModelKey key) => key switch
    {
        ResourceKey resource => ResourceContract(context, resource.Kind),
        BlockKey => context.AllocationBlock,
        BlockAffinityKey => context.BlockAffinityValue,
        HandleKey => context.IpamHandle,
        IpamConfigKey => context.IpamConfig,
        IpamHostKey => context.IpamHost,
        FelixStatusKey => context.FelixStatusReport,
        WorkloadStatusKey or HostEndpointStatusKey => context.EndpointStatusReport,
        _ => throw new ArgumentException($"no value type is known for {key.GetType().Name}", nameof(key)),
    };

    private static JsonTypeInfo ResourceContract(ModelJsonContext context, ResourceKind kind) => kind.Name switch
    {
        nameof(BGPConfiguration) => context.BGPConfiguration,
        nameof(BGPFilter) => context.BGPFilter,
        nameof(BGPPeer) => context.BGPPeer,
        nameof(BlockAffinity) => context.BlockAffinity,
        nameof(CalicoNodeStatus) => context.CalicoNodeStatus,
        nameof(ClusterInformation) => context.ClusterInformation,
        nameof(FelixConfiguration) => context.FelixConfiguration,
        nameof(GlobalNetworkPolicy) => context.GlobalNetworkPolicy,
        nameof(GlobalNetworkSet) => context.GlobalNetworkSet,
        nameof(HostEndpoint) => context.HostEndpoint,
        nameof(IPAMConfiguration) => context.IPAMConfiguration,
        nameof(IPPool) => context.IPPool,
        nameof(IPReservation) => context.IPReservation,
        nameof(KubeControllersConfiguration) => context.KubeControllersConfiguration,
        nameof(NetworkPolicy) => context.NetworkPolicy,
        nameof(NetworkSet) => context.NetworkSet,
        nameof(Node) => context.Node,
        nameof(Profile) => context.Profile,
        nameof(StagedGlobalNetworkPolicy) => context.StagedGlobalNetworkPolicy,
        nameof(StagedKubernetesNetworkPolicy) => context.StagedKubernetesNetworkPolicy,
        nameof(StagedNetworkPolicy) => context.StagedNetworkPolicy,
        nameof(Tier) => context.Tier,
        nameof(WorkloadEndpoint) => context.WorkloadEndpoint,
        _ => throw new ArgumentException($"no contract for {kind}", nameof(kind)),
    };

    private static bool KeepsTrueName(ResourceKind kind) =>
        kind == ResourceKind.NetworkPolicy || kind == ResourceKind.GlobalNetworkPolicy
        || kind == ResourceKind.StagedNetworkPolicy || kind == ResourceKind.StagedGlobalNetworkPolicy;

    private static Resource AsStored(ResourceKey key, Resource resource)
    {
        Resource stored = resource.WithOwnMetadata();
        stored.Metadata.ResourceVersion = null;
        stored.Metadata.SelfLink = null;
        if (KeepsTrueName(key.Kind))
        {
            string name = JsonSerializer.Serialize(resource.Metadata.Name, s_compact.String);
            stored.Metadata.Annotations = new Dictionary<string, string>(resource.Metadata.Annotations ?? []) { [PolicyMetadataAnnotation] = $$"""{"name":{{name}}}""" };
            stored.Metadata.Name = key.Name;
        }

        return stored;
    }

    private static string? FromStored(ResourceKey key, Resource resource)
    {
        if (resource.KindAsRead is { Length: > 0 } kind && kind != key.Kind.Name)
        {
            return $"kind: \"{kind}\" stands under a key of kind {key.Kind.Name}";
        }

        resource.Metadata.Name = key.Name;
        resource.Metadata.Namespace = key.Kind.IsNamespaced ? key.Namespace : null;
        resource.Metadata.ResourceVersion = null;
        resource.Metadata.SelfLink = null;
        if (KeepsTrueName(key.Kind))
        {
            RestoreTrueName(resource);
        }

        return null;
    }

    private static void RestoreTrueName(Resource resource)
    {
        ObjectMeta metadata = resource.Metadata;
        if (metadata.Annotations is { } annotations && annotations.Remove(PolicyMetadataAnnotation, out string? text))
        {
            metadata.Annotations = annotations.Count == 0 ? null : annotations;
            if (TrueName(text) is { Length: > 0 } name)
            {
                metadata.Name = name;
                return;
            }
        }

        // Written before true names were kept: there a policy of the default tier carries the tier's name in front.
        if (TierOf(resource) is null or "" or "default" && metadata.Name.StartsWith(DefaultTierPrefix, StringComparison.Ordinal))
        {
            metadata.Name = metadata.Name[DefaultTierPrefix.Length..];
        }
    }

    private static string? TrueName(string annotation)
    {
        try
        {
            return JsonNode.Parse(annotation) is JsonObject members && members["name"] is JsonValue name && name.TryGetValue(out string? text) ? text : null;
        }
        catch (JsonException)
        {
            return null; // Somebody else's text: as good as no annotation.
        }
    }

    private static string? TierOf(Resource resource) => resource switch
    {
        NetworkPolicy policy => policy.Spec.Tier,
        GlobalNetworkPolicy policy => policy.Spec.Tier,
        StagedNetworkPolicy policy => policy.Spec.Tier,
        StagedGlobalNetworkPolicy policy => policy.Spec.Tier,
        _ => null,
    };

    private static byte[] WithTextDeleted(byte[] json)
    {
        JsonNode root = JsonNode.Parse(json)!;
        JsonNode spec = root["spec"]!;
        spec["deleted"] = spec["deleted"]!.GetValue<bool>() ? "true" : "false";
        return Encoding.UTF8.GetBytes(root.ToJsonString(s_compact.Options));
    }

    /// <summary>Go escapes these three in every string ("a &amp;&amp; b" in selectors), and JSON has them nowhere else.</summary>
    private static byte[] GoEscaped(byte[] json)
    {
        if (json.AsSpan().IndexOfAny(s_escapedByGo) < 0)
        {
            return json;
        }

        ArrayBufferWriter<byte> escaped = new(json.Length + 64);
        ReadOnlySpan<byte> rest = json;
        for (int at = rest.IndexOfAny(s_escapedByGo); at >= 0; at = rest.IndexOfAny(s_escapedByGo))
        {
            escaped.Write(rest[..at]);
            escaped.Write(rest[at] switch { (byte)'<' => "\\u003c"u8, (byte)'>' => "\\u003e"u8, _ => "\\u0026"u8 });
            rest = rest[(at + 1)..];
        }

        escaped.Write(rest);
        return escaped.WrittenSpan.ToArray();
    }
}
