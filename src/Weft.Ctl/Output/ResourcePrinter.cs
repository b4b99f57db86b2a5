using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Model.Json;
using Weft.Model.Resources;
using Weft.Model.Yaml;

namespace Weft.Ctl.Output;

internal enum OutputFormat : byte
{
    Table,
    Wide,
    Yaml,
    Json,
    Name,
}

/// <summary>Prints objects in the formats of "get -o".</summary>
internal static class ResourcePrinter
{
    public const string Formats = "wide|yaml|json|name";

    public static bool TryParse(string? text, out OutputFormat format)
    {
        (bool known, format) = text switch
        {
            null or "ps" => (true, OutputFormat.Table),
            "wide" => (true, OutputFormat.Wide),
            "yaml" or "yml" => (true, OutputFormat.Yaml),
            "json" => (true, OutputFormat.Json),
            "name" => (true, OutputFormat.Name),
            _ => (false, OutputFormat.Table),
        };
        return known;
    }

    public static string Table(ResourceKind kind, IReadOnlyList<Resource> resources, bool wide, bool withNamespace, string globalAs)
    {
        IReadOnlyList<ResourceColumn> columns = ResourceColumns.Of(kind, wide, globalAs);
        if (withNamespace)
        {
            columns = [new ResourceColumn("NAMESPACE", r => r.Metadata.Namespace), .. columns];
        }

        TextTable table = new([.. columns.Select(c => c.Heading)]);
        foreach (Resource resource in resources)
        {
            table.Add([.. columns.Select(c => c.Cell(resource))]);
        }

        return table.ToString();
    }

    public static string Names(IEnumerable<Resource> resources) =>
        string.Concat(resources.Select(r => $"{r.ResourceKind.Name.ToLowerInvariant()}/{r.Metadata.Name}\n"));

    /// <summary>The object alone, or a list object of the kind: both can be fed back to apply.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="resources">In order.</param>
    /// <param name="asList">Also for one or no object.</param>
    /// <param name="revision">Of the list; null when it is none.</param>
    /// <param name="yaml">YAML, else JSON.</param>
    public static string Document(ResourceKind kind, IReadOnlyList<Resource> resources, bool asList, string? revision, bool yaml)
    {
        JsonNode root = resources.Count == 1 && !asList ? ModelJson.ToNode(resources[0]) : new JsonObject
        {
            ["kind"] = kind.Name + "List",
            ["apiVersion"] = ResourceKind.ApiVersion,
            ["metadata"] = revision is null ? new JsonObject() : new JsonObject { ["resourceVersion"] = revision },
            ["items"] = new JsonArray([.. resources.Select(ModelJson.ToNode)]),
        };
        return yaml ? YamlWriter.Write(root) : Indented(root) + "\n";
    }

    /// <summary>Two blanks per level; quotes and letters beyond ASCII as they are.</summary>
    public static string Indented(JsonNode root)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter writer = new(buffer, new JsonWriterOptions { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            root.WriteTo(writer);
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
    }
}
