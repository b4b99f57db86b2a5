using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Model.Resources;

namespace Weft.Model.Validation;

/// <summary>
/// Compares a JSON tree with the schema of its kind: unknown fields, types, words, ranges, lengths, duplicates. What needs more than one field to
/// decide is in <see cref="ResourceValidator"/>.
/// </summary>
internal sealed class SchemaValidator
{
    private readonly ProblemList _problems;

    private SchemaValidator(ProblemList problems) => _problems = problems;

    public static void Check(ResourceKind kind, JsonObject resource, ProblemList problems) =>
        new SchemaValidator(problems).CheckObject(SchemaCatalog.Of(kind), resource, string.Empty);

    /// <summary>Writes the defaults of absent members into every object that is there, as the API server does.</summary>
    public static void ApplyDefaults(ResourceKind kind, JsonObject resource) => ApplyDefaults(SchemaCatalog.Of(kind), resource);

    private static void ApplyDefaults(SchemaNode schema, JsonNode? value)
    {
        switch (schema.Type, value)
        {
            case (SchemaType.Object, JsonObject members):
                foreach ((string name, SchemaNode member) in schema.Members)
                {
                    if (member.Default is { } text && members[name] is null)
                    {
                        members[name] = member.Type switch
                        {
                            SchemaType.Boolean => JsonValue.Create(text == "true"),
                            SchemaType.Integer => JsonValue.Create(long.Parse(text, CultureInfo.InvariantCulture)),
                            _ => JsonValue.Create(text),
                        };
                    }
                    else
                    {
                        ApplyDefaults(member, members[name]);
                    }
                }

                break;
            case (SchemaType.List, JsonArray items):
                foreach (JsonNode? item in items)
                {
                    ApplyDefaults(schema.Element!, item);
                }

                break;
        }
    }

    private void CheckObject(SchemaNode schema, JsonObject value, string path)
    {
        foreach ((string name, JsonNode? member) in value)
        {
            string memberPath = path.Length == 0 ? name : $"{path}.{name}";
            if (schema.Members.TryGetValue(name, out SchemaNode? memberSchema))
            {
                Check(memberSchema, member, memberPath);
            }
            else
            {
                string? near = NearestName.Find(name, schema.Members.Keys);
                _problems.Add(memberPath, near is null ? $"unknown field; known here: {Some(schema.Members.Keys)}" : $"unknown field; did you mean \"{near}\"?");
            }
        }

        foreach (string name in schema.Required)
        {
            if (value[name] is null && schema.Members[name].Default is null)
            {
                _problems.Add(path.Length == 0 ? name : $"{path}.{name}", $"missing; expected {Form(schema.Members[name])}");
            }
        }

        if (schema.ExactMembers > 0 && value.Count != schema.ExactMembers)
        {
            _problems.Add(path, $"has {value.Count} members; expected exactly one of {string.Join(", ", schema.Members.Keys)}");
        }
    }

    private void Check(SchemaNode schema, JsonNode? value, string path)
    {
        // Null counts as absent, as in Go; whether the member must be there is the parent's question.
        if (value is null || schema.Type == SchemaType.Any)
        {
            return;
        }

        switch (schema.Type, value)
        {
            case (SchemaType.Object, JsonObject members):
                CheckObject(schema, members, path);
                return;
            case (SchemaType.Map, JsonObject entries):
                foreach ((string name, JsonNode? entry) in entries)
                {
                    Check(schema.Element!, entry, $"{path}.{name}");
                }

                return;
            case (SchemaType.List, JsonArray items):
                CheckList(schema, items, path);
                return;
            case (_, JsonValue scalar):
                if (ScalarProblem(schema, scalar) is { } expected)
                {
                    _problems.Add(path, Show(scalar), expected);
                }

                return;
            default:
                _problems.Add(path, $"is a {(value is JsonArray ? "list" : "mapping")}; expected {Form(schema)}");
                return;
        }
    }

    private void CheckList(SchemaNode schema, JsonArray items, string path)
    {
        if (items.Count < schema.MinItems || items.Count > schema.MaxItems)
        {
            _problems.Add(path, $"has {items.Count} elements; expected {schema.MinItems}..{schema.MaxItems}");
        }

        HashSet<string> seen = new(StringComparer.Ordinal);
        for (int i = 0; i < items.Count; i++)
        {
            if (items[i] is null)
            {
                _problems.Add($"{path}[{i}]", $"is empty; expected {Form(schema.Element!)}");
            }

            Check(schema.Element!, items[i], $"{path}[{i}]");
            if (schema.IsSet && items[i] is JsonValue scalar && !seen.Add(Show(scalar)))
            {
                _problems.Add($"{path}[{i}]", Show(scalar), "stands here twice; expected every element once");
            }
        }
    }

    /// <summary>What was expected, or null when the value is right.</summary>
    private static string? ScalarProblem(SchemaNode schema, JsonValue value)
    {
        bool isText = value.GetValueKind() == JsonValueKind.String;
        string text = Show(value);
        return schema.Type switch
        {
            SchemaType.Text when !isText => "expected text: put it in quotes",
            SchemaType.Text => TextProblem(schema, text),
            SchemaType.One when isText && schema.Words.Contains(text) => null,
            SchemaType.Word when isText && (text.Length == 0 || schema.Words.Contains(text, StringComparer.OrdinalIgnoreCase)) => null,
            SchemaType.Integer when !isText && TryInteger(value, out long number) => NumberProblem(schema, number),
            SchemaType.Number when value.GetValueKind() == JsonValueKind.Number => null,
            SchemaType.Boolean when value.GetValueKind() is JsonValueKind.True or JsonValueKind.False => null,
            SchemaType.IntegerOrText when isText || TryInteger(value, out _) => null,
            SchemaType.Port when (isText ? Port.TryParse(text, out _) : TryInteger(value, out long port) && port is >= 0 and <= 65535) => null,
            SchemaType.Protocol when isText || (TryInteger(value, out long number) && number is >= 0 and <= 255) => null,
            SchemaType.AsNumber when (isText ? AsNumber.TryParse(text, out _) : TryInteger(value, out long number) && number is >= 0 and <= uint.MaxValue) => null,
            _ => $"expected {Form(schema)}",
        };
    }

    private static string? TextProblem(SchemaNode schema, string text) =>
        text.Length > schema.MaxLength ? $"has {text.Length} characters; expected at most {schema.MaxLength}"
        : schema.Format is { } format && text.Length > 0 ? TextFormats.Problem(format, text)
        : null;

    private static string? NumberProblem(SchemaNode schema, long number) =>
        schema.Values is { } values && !values.Contains(number) || number < schema.Min || number > schema.Max ? $"expected {Form(schema)}" : null;

    /// <summary>1e3 is a whole number too, as it is for Go's decoder after the YAML has become JSON.</summary>
    private static bool TryInteger(JsonValue value, out long number)
    {
        number = 0;
        if (value.GetValueKind() != JsonValueKind.Number)
        {
            return false;
        }

        if (long.TryParse(value.ToJsonString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number))
        {
            return true;
        }

        bool whole = double.TryParse(value.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture, out double real)
            && Math.Abs(real) <= 1L << 53 && real == Math.Truncate(real);
        number = whole ? (long)real : 0;
        return whole;
    }

    private static string Form(SchemaNode schema) => schema.Type switch
    {
        SchemaType.Text => "text",
        SchemaType.Integer when schema.Values is { } values => string.Join(" or ", values),
        SchemaType.Integer => (schema.Min, schema.Max) switch
        {
            (long.MinValue, long.MaxValue) => "a whole number",
            (_, long.MaxValue) => $"a whole number, {schema.Min} or more",
            _ => $"a whole number, {schema.Min}..{schema.Max}",
        },
        SchemaType.Number => "a number",
        SchemaType.Boolean => "true or false",
        SchemaType.IntegerOrText => "a whole number or text",
        SchemaType.Port => "a port: 0..65535, \"FIRST:LAST\" or a name",
        SchemaType.Protocol => "a protocol: 1..255 or one of TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite",
        SchemaType.AsNumber => "an AS number: 0..4294967295 or \"HIGH.LOW\"",
        SchemaType.One or SchemaType.Word => $"one of {string.Join(", ", schema.Words.Where(w => w.Length > 0))}",
        SchemaType.List => "a list",
        _ => "a mapping",
    };

    private static string Some(IEnumerable<string> names)
    {
        string[] all = [.. names];
        return all.Length <= 12 ? string.Join(", ", all) : $"{string.Join(", ", all.Take(10))} and {all.Length - 10} more";
    }

    private static string Show(JsonValue value) => value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : value.ToJsonString();
}
