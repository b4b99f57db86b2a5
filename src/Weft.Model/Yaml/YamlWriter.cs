using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Weft.Model.Yaml;

/// <summary>Writes a JSON tree as block-style YAML that any YAML parser, 1.1 or 1.2, reads back as the same tree.</summary>
public static class YamlWriter
{
    /// <summary>Ends with a line feed.</summary>
    public static string Write(JsonNode? node)
    {
        StringBuilder text = new();
        if (node is JsonObject { Count: > 0 } or JsonArray { Count: > 0 })
        {
            WriteBlock(text, node, indent: 0);
        }
        else
        {
            text.Append(Inline(node)).Append('\n');
        }

        return text.ToString();
    }

    private static void WriteBlock(StringBuilder text, JsonNode node, int indent)
    {
        if (node is JsonObject members)
        {
            bool first = true;
            foreach ((string name, JsonNode? value) in members)
            {
                // The first member of a list element stands behind the dash.
                text.Append(' ', first && text.Length > 0 && text[^1] == ' ' ? 0 : indent).Append(Text(name)).Append(':');
                first = false;
                WriteValue(text, value, indent);
            }

            return;
        }

        foreach (JsonNode? item in (JsonArray)node)
        {
            text.Append(' ', text.Length > 0 && text[^1] == ' ' ? 0 : indent).Append('-');
            if (item is JsonObject { Count: > 0 } or JsonArray { Count: > 0 })
            {
                text.Append(' ');
                WriteBlock(text, item, indent + 2);
            }
            else
            {
                text.Append(' ').Append(Inline(item)).Append('\n');
            }
        }
    }

    private static void WriteValue(StringBuilder text, JsonNode? value, int indent)
    {
        if (value is JsonObject { Count: > 0 })
        {
            text.Append('\n');
            WriteBlock(text, value, indent + 2);
        }
        else if (value is JsonArray { Count: > 0 })
        {
            // Lists are not indented under their key, as kubectl and calicoctl print them.
            text.Append('\n');
            WriteBlock(text, value, indent);
        }
        else
        {
            text.Append(' ').Append(Inline(value)).Append('\n');
        }
    }

    private static string Inline(JsonNode? value) => value switch
    {
        null => "null",
        JsonObject => "{}",
        JsonArray => "[]",
        _ when value.GetValueKind() == JsonValueKind.String => Text(value.GetValue<string>()),
        _ => value.ToJsonString(),
    };

    private static string Text(string text) => YamlScalars.NeedsQuotes(text) ? Quoted(text) : text;

    /// <summary>Single quotes where they do, else double quotes with escapes.</summary>
    private static string Quoted(string text)
    {
        if (text.All(c => c is >= ' ' and not ('\u007f' or '\u0085' or '\u2028' or '\u2029' or '\ufeff')))
        {
            return $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
        }

        StringBuilder quoted = new("\"");
        foreach (char c in text)
        {
            _ = c switch
            {
                '"' or '\\' => quoted.Append('\\').Append(c),
                '\n' => quoted.Append("\\n"),
                '\t' => quoted.Append("\\t"),
                '\r' => quoted.Append("\\r"),
                < ' ' or '\u007f' or '\u0085' or '\u2028' or '\u2029' or '\ufeff' => quoted.Append($"\\u{(int)c:x4}"),
                _ => quoted.Append(c),
            };
        }

        return quoted.Append('"').ToString();
    }
}
