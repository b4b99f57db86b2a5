using System.Text.Json;
using System.Text.Json.Nodes;

namespace Weft.Node.Cni;

/// <summary>Reads members of a network configuration by name; a member of the wrong type ends the call with the key's path in the message.</summary>
internal readonly struct ConfigReader(JsonObject? node, string path)
{
    public ConfigReader Object(string key) => new(Get(key, JsonValueKind.Object) as JsonObject, Path(key));

    public string Text(string key, string @default = "") => Get(key, JsonValueKind.String)?.GetValue<string>() ?? @default;

    /// <summary>Null when absent. Numbers may stand as text, as older configurations have them.</summary>
    public int? Integer(string key)
    {
        JsonNode? value = node?[key];
        return value?.GetValueKind() switch
        {
            null or JsonValueKind.Null => null,
            JsonValueKind.Number when value.AsValue().TryGetValue(out int number) => number,
            JsonValueKind.String when int.TryParse(value.GetValue<string>(), out int number) => number,
            _ => throw Wrong(key, "a whole number"),
        };
    }

    /// <inheritdoc cref="Integer"/>
    public long? Integer64(string key)
    {
        JsonNode? value = node?[key];
        return value?.GetValueKind() switch
        {
            null or JsonValueKind.Null => null,
            JsonValueKind.Number when value.AsValue().TryGetValue(out long number) => number,
            _ => throw Wrong(key, "a whole number"),
        };
    }

    /// <summary>JSON true and false, or the words as text (Calico writes assign_ipv4 that way).</summary>
    public bool? Switch(string key)
    {
        JsonNode? value = node?[key];
        return value?.GetValueKind() switch
        {
            null or JsonValueKind.Null => null,
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            JsonValueKind.String when bool.TryParse(value.GetValue<string>(), out bool word) => word,
            _ => throw Wrong(key, "true or false"),
        };
    }

    public IReadOnlyList<string> Texts(string key)
    {
        List<string> texts = [];
        foreach (JsonNode? item in Get(key, JsonValueKind.Array) as JsonArray ?? [])
        {
            texts.Add(item?.GetValueKind() == JsonValueKind.String ? item.GetValue<string>() : throw Wrong(key, "a list of texts"));
        }

        return texts;
    }

    public IReadOnlyList<ConfigReader> Objects(string key)
    {
        List<ConfigReader> objects = [];
        foreach (JsonNode? item in Get(key, JsonValueKind.Array) as JsonArray ?? [])
        {
            objects.Add(new ConfigReader(item as JsonObject ?? throw Wrong(key, "a list of objects"), $"{Path(key)}[{objects.Count}]"));
        }

        return objects;
    }

    public JsonObject? Node(string key) => Get(key, JsonValueKind.Object) as JsonObject;

    public CniException Wrong(string key, string expected) =>
        new(CniErrorCode.InvalidConfiguration, $"network configuration: {Path(key)}: expected {expected}");

    private JsonNode? Get(string key, JsonValueKind kind)
    {
        JsonNode? value = node?[key];
        if (value is null)
        {
            return null;
        }

        return value.GetValueKind() == kind ? value : throw Wrong(key, kind switch
        {
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => "a list",
            _ => "text",
        });
    }

    private string Path(string key) => path.Length == 0 ? key : $"{path}.{key}";
}
