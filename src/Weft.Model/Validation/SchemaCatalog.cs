using System.Globalization;
using Weft.Model.Resources;

namespace Weft.Model.Validation;

/// <summary>Reads fields.schema, whose head explains the notation. A mistake in it is a broken build of ours, so reading throws.</summary>
internal sealed class SchemaCatalog
{
    private static readonly Lazy<SchemaCatalog> s_instance = new(() => new SchemaCatalog(ReadEmbedded()));

    private readonly Dictionary<string, SchemaNode> _types = [];
    private readonly Dictionary<string, SchemaNode> _kinds = [];
    private readonly List<(int Indent, string Text)> _lines;
    private int _next;

    private SchemaCatalog(string text)
    {
        _lines = [.. text.Split('\n').Where(l => l.Length > 0 && l[0] != '#').Select(l => (l.Length - l.TrimStart().Length, l.Trim()))];

        // Types may be used before the line that describes them: all exist before any is filled.
        foreach ((_, string line) in _lines.Where(l => l.Indent == 0 && l.Text.StartsWith("type ", StringComparison.Ordinal)))
        {
            _types[line[5..]] = new SchemaNode(SchemaType.Object);
        }

        while (_next < _lines.Count)
        {
            string[] head = _lines[_next++].Text.Split(' ');
            SchemaNode node = head[0] == "type" ? _types[head[1]] : _kinds[head[1]] = new SchemaNode(SchemaType.Object);
            ReadMembers(node, indent: 2);
        }

        foreach (SchemaNode kind in _kinds.Values)
        {
            kind.Members["kind"] = kind.Members["apiVersion"] = new SchemaNode(SchemaType.Text);
            kind.Members["metadata"] = _types["Metadata"];
            kind.Required.Add("metadata");
        }
    }

    public static SchemaNode Of(ResourceKind kind) => s_instance.Value._kinds[kind.Name];

    private static string ReadEmbedded()
    {
        using Stream stream = typeof(SchemaCatalog).Assembly.GetManifestResourceStream("fields.schema")
            ?? throw new InvalidOperationException("fields.schema is not embedded in the assembly");
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }

    private void ReadMembers(SchemaNode parent, int indent)
    {
        while (_next < _lines.Count && _lines[_next].Indent == indent)
        {
            string[] parts = _lines[_next++].Text.Split(' ');
            string name = parts[0].TrimEnd('!');
            if (name.Length < parts[0].Length)
            {
                parent.Required.Add(name);
            }

            parent.Members[name] = ReadType(parts.AsSpan(1), indent);
        }
    }

    private SchemaNode ReadType(ReadOnlySpan<string> parts, int indent)
    {
        string word = parts[0];
        if (word.StartsWith("list", StringComparison.Ordinal) || word.StartsWith("set", StringComparison.Ordinal))
        {
            (int min, int max) = word.IndexOf('(') is > 0 and int open ? Items(word[(open + 1)..^1]) : (0, int.MaxValue);
            SchemaNode list = new(SchemaType.List) { IsSet = word[0] == 's', MinItems = min, MaxItems = max };
            list.Element = ReadType(parts[1..], indent);
            return list;
        }

        if (word == "map")
        {
            return new SchemaNode(SchemaType.Map) { Element = ReadType(parts[1..], indent) };
        }

        if (_types.TryGetValue(word, out SchemaNode? shared))
        {
            return shared;
        }

        SchemaNode node;
        if (word is "one" or "word")
        {
            node = new SchemaNode(word == "one" ? SchemaType.One : SchemaType.Word) { Words = [.. parts[1].Split('|').Select(w => w.Trim('"'))] };
            ReadLimits(node, parts[2..]);
            return node;
        }

        node = new SchemaNode(word switch
        {
            "any" => SchemaType.Any,
            "text" => SchemaType.Text,
            "int" => SchemaType.Integer,
            "number" => SchemaType.Number,
            "bool" => SchemaType.Boolean,
            "intOrText" => SchemaType.IntegerOrText,
            "port" => SchemaType.Port,
            "protocol" => SchemaType.Protocol,
            "asNumber" => SchemaType.AsNumber,
            "object" => SchemaType.Object,
            _ => throw new InvalidDataException($"fields.schema: unknown type {word}"),
        });
        ReadLimits(node, parts[1..]);
        if (node.Type == SchemaType.Object)
        {
            ReadMembers(node, indent + 2);
        }

        return node;
    }

    private static (int Min, int Max) Items(string range)
    {
        string[] ends = range.Split("..");
        return (Number(ends[0], 0), Number(ends[1], int.MaxValue));

        static int Number(string text, int otherwise) => text.Length == 0 ? otherwise : int.Parse(text, CultureInfo.InvariantCulture);
    }

    private static void ReadLimits(SchemaNode node, ReadOnlySpan<string> limits)
    {
        foreach (string limit in limits)
        {
            int equals = limit.IndexOf('=');
            string value = limit[(equals + 1)..];
            switch (limit[..equals])
            {
                case "max":
                    node.MaxLength = int.Parse(value, CultureInfo.InvariantCulture);
                    break;
                case "range":
                    string[] ends = value.Split("..");
                    node.Min = ends[0].Length == 0 ? long.MinValue : long.Parse(ends[0], CultureInfo.InvariantCulture);
                    node.Max = ends[1].Length == 0 ? long.MaxValue : long.Parse(ends[1], CultureInfo.InvariantCulture);
                    break;
                case "values":
                    node.Values = [.. value.Split('|').Select(v => long.Parse(v, CultureInfo.InvariantCulture))];
                    break;
                case "format":
                    node.Format = value;
                    break;
                case "default":
                    node.Default = value;
                    break;
                case "members":
                    node.ExactMembers = int.Parse(value, CultureInfo.InvariantCulture);
                    break;
                default:
                    throw new InvalidDataException($"fields.schema: unknown limit {limit}");
            }
        }
    }
}
