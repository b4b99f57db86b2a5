using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using Weft.Model.Json;

namespace Weft.Model.Kubernetes;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(TextMapConverter)])]
[JsonSerializable(typeof(KubernetesNetworkPolicy))]
[JsonSerializable(typeof(ClusterNetworkPolicy))]
[JsonSerializable(typeof(EndpointSlice))]
[JsonSerializable(typeof(KubernetesPod))]
[JsonSerializable(typeof(List<string>))]
[JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class KubernetesJsonContext : JsonSerializerContext;

/// <summary>Reads objects of the Kubernetes API.</summary>
public static class KubernetesJson
{
    /// <typeparam name="T">KubernetesNetworkPolicy, ClusterNetworkPolicy, EndpointSlice or KubernetesPod.</typeparam>
    public static bool TryRead<T>(ReadOnlySpan<byte> json, [NotNullWhen(true)] out T? value, [NotNullWhen(false)] out string? problem)
        where T : class
    {
        (value, problem) = (null, null);
        try
        {
            value = (T?)JsonSerializer.Deserialize(json, KubernetesJsonContext.Default.GetTypeInfo(typeof(T))!);
            problem = value is null ? "the value is null" : null;
        }
        catch (JsonException e)
        {
            problem = e.Message;
        }

        return value is not null;
    }
}
