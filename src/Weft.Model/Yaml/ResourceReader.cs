using System.Text;
using System.Text.Json.Nodes;
using Weft.Model.Json;
using Weft.Model.Resources;
using Weft.Model.Validation;

namespace Weft.Model.Yaml;

/// <summary>One object of an input, with all that is wrong with how it is written.</summary>
/// <param name="Resource">Null when there are problems.</param>
/// <param name="Kind">Null when the document does not say a kind that weft knows.</param>
/// <param name="Name">As far as it can be read; for messages.</param>
/// <param name="Source">File name as given, or "-".</param>
/// <param name="Index">Which object of the input, from 0.</param>
/// <param name="Line">Where it begins, from 1.</param>
/// <param name="Problems">Each with path, value, what is expected, and line.</param>
public sealed record ResourceDocument(
    Resource? Resource, ResourceKind? Kind, string Name, string Source, int Index, int Line, IReadOnlyList<Problem> Problems)
{
    /// <summary>"IPPool pool-a", "NetworkPolicy demo/allow-web", or "document 2" when it does not say.</summary>
    public string Title => Kind is null ? $"document {Index + 1}" : $"{Kind} {Name}";

    /// <summary>Line of a field, for problems that are found later.</summary>
    public Func<string, int> LineOf { get; init; } = _ => 0;
}

/// <summary>
/// Reads objects as users write them: one or many documents, lists ("kind: List", "kind: IPPoolList", or a sequence). Everything is read and
/// checked against the schemas; the rules that need defaults first are <see cref="ResourceValidator"/>'s.
/// </summary>
public static class ResourceReader
{
    /// <summary>All objects of the input, in order.</summary>
    public static IReadOnlyList<ResourceDocument> Read(string text, string source)
    {
        List<ResourceDocument> objects = [];
        foreach (YamlDocument document in YamlReader.Read(text))
        {
            if (document.Problems.Count > 0)
            {
                objects.Add(new ResourceDocument(null, null, string.Empty, source, objects.Count, document.Line, document.Problems));
                continue;
            }

            ReadItem(objects, document, document.Root, path: string.Empty, source);
        }

        return objects;
    }

    private static void ReadItem(List<ResourceDocument> objects, YamlDocument document, JsonNode? node, string path, string source)
    {
        JsonArray? items = node as JsonArray;
        string itemsPath = path;
        if (node is JsonObject list && Text(list["kind"]) is { } kind && kind.EndsWith("List", StringComparison.Ordinal) && list["items"] is JsonArray inner)
        {
            (items, itemsPath) = (inner, path.Length == 0 ? "items" : $"{path}.items");
        }

        if (items is null)
        {
            objects.Add(ReadObject(node, document, path, source, objects.Count));
            return;
        }

        for (int i = 0; i < items.Count; i++)
        {
            ReadItem(objects, document, items[i], $"{itemsPath}[{i}]", source);
        }
    }

    private static ResourceDocument ReadObject(JsonNode? node, YamlDocument document, string path, string source, int index)
    {
        int LineOf(string field) => document.LineOf(path.Length == 0 ? field : field.Length == 0 ? path : $"{path}.{field}");

        ResourceDocument Refused(ResourceKind? kind, string name, IEnumerable<Problem> problems) =>
            new(null, kind, name, source, index, LineOf(string.Empty), [.. problems.Select(p => p with { Line = LineOf(p.Path) })]) { LineOf = LineOf };

        if (node is not JsonObject tree)
        {
            return Refused(null, string.Empty, [new Problem(string.Empty, null, "expected an object with apiVersion, kind, metadata and spec")]);
        }

        (ResourceKind? kind, Problem? wrong) = KindOf(tree);
        string name = NameOf(tree);
        if (wrong is not null || kind is null)
        {
            return Refused(kind, name, [wrong!]);
        }

        IReadOnlyList<Problem> problems = ResourceValidator.ValidateSchema(kind, tree);
        if (problems.Count > 0)
        {
            return Refused(kind, name, problems);
        }

        if (!ModelJson.TryDeserialize(kind, Encoding.UTF8.GetBytes(tree.ToJsonString()), out Resource? resource, out string? problem))
        {
            int colon = problem.IndexOf(": ", StringComparison.Ordinal);
            return Refused(kind, name, [colon > 0 ? new Problem(problem[..colon], null, problem[(colon + 2)..]) : new Problem(string.Empty, null, problem)]);
        }

        return new ResourceDocument(resource, kind, name, source, index, LineOf(string.Empty), []) { LineOf = LineOf };
    }

    private static (ResourceKind? Kind, Problem? Wrong) KindOf(JsonObject tree)
    {
        string? kindName = Text(tree["kind"]);
        string? version = Text(tree["apiVersion"]);
        if (kindName is null)
        {
            return (null, new Problem("kind", null, "missing; expected a kind such as IPPool or NetworkPolicy"));
        }

        ResourceKind? kind = ResourceKind.FromName(kindName);
        if (version != ResourceKind.ApiVersion)
        {
            return (null, new Problem("apiVersion", version, $"unknown resource type ({kindName}) and/or version ({version}); expected {ResourceKind.ApiVersion}"));
        }

        string? near = kind is null ? NearestName.Find(kindName, ResourceKind.All.Select(k => k.Name)) : null;
        return kind is null ? (null, new Problem("kind", kindName, near is null ? "is not a kind of projectcalico.org/v3" : $"is not a kind of projectcalico.org/v3; did you mean {near}?")) : (kind, null);
    }

    private static string NameOf(JsonObject tree)
    {
        JsonObject? metadata = tree["metadata"] as JsonObject;
        string name = Text(metadata?["name"]) ?? "(no name)";
        return Text(metadata?["namespace"]) is { Length: > 0 } space ? $"{space}/{name}" : name;
    }

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : null;
}
