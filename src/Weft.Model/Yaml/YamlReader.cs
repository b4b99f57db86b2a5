using System.Text.Json.Nodes;
using Weft.Model.Validation;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Weft.Model.Yaml;

/// <summary>
/// Reads a stream of YAML documents (JSON is YAML) into JSON trees. Anchors, aliases, merge keys and duplicate keys are refused: what is written
/// is what is meant. Bounded in size and depth, since files come from anywhere.
/// </summary>
public sealed class YamlReader
{
    /// <summary>Characters of one input; a hundred thousand policies are smaller.</summary>
    public const int MaxLength = 64 * 1024 * 1024;

    /// <summary>Levels of nesting in one document.</summary>
    public const int MaxDepth = 64;

    private readonly IParser _parser;
    private readonly List<YamlDocument> _documents = [];
    private YamlDocument _current = new(0, 1);

    private YamlReader(string text) => _parser = new Parser(new Scanner(new StringReader(text), skipComments: true));

    /// <summary>The documents that are not empty. A syntax error is a problem of the last one, for nothing can be read after it.</summary>
    public static IReadOnlyList<YamlDocument> Read(string text)
    {
        if (text.Length > MaxLength)
        {
            return [Refused(1, $"the input has {text.Length} characters; expected at most {MaxLength}")];
        }

        // The scanner takes NUL for the end and would drop the rest in silence.
        if (text.IndexOf('\0') is >= 0 and int nul)
        {
            return [Refused(text.AsSpan(0, nul).Count('\n') + 1, "not valid YAML: the input holds a NUL character")];
        }

        YamlReader reader = new(text);
        try
        {
            reader.ReadStream();
        }
        catch (Exception e) when (e is YamlException or InvalidOperationException or ArgumentException or FormatException or OverflowException)
        {
            // YamlDotNet 18 throws others than its own for some malformed input.
            (long line, string reason) = e is YamlException known
                ? (known.Start.Line, Lower(known.InnerException?.Message ?? known.Message))
                : (reader._parser.Current?.End.Line ?? 1, "the structure cannot be read here");
            reader.Report(string.Empty, line, $"not valid YAML: {reason}");
            if (!reader._documents.Contains(reader._current))
            {
                reader._documents.Add(reader._current);
            }

            reader._current.Root = null;
        }

        return reader._documents;
    }

    private static YamlDocument Refused(int line, string problem)
    {
        YamlDocument refused = new(0, 1);
        refused.Problems.Add(new Problem(string.Empty, null, problem) { Line = line });
        return refused;
    }

    private void ReadStream()
    {
        _parser.MoveNext();
        while (_parser.MoveNext() && _parser.Current is not StreamEnd)
        {
            // At DocumentStart.
            _current = new YamlDocument(_documents.Count, (int)_parser.Current!.Start.Line);
            _parser.MoveNext();
            _current = new YamlDocument(_documents.Count, (int)_parser.Current!.Start.Line);
            _current.Root = ReadNode(string.Empty, depth: 0);
            if (_current.Root is not null || _current.Problems.Count > 0)
            {
                _documents.Add(_current);
            }

            _parser.MoveNext();
        }
    }

    /// <summary>Enters at the node's first event, leaves at its last.</summary>
    private JsonNode? ReadNode(string path, int depth)
    {
        ParsingEvent current = _parser.Current!;
        _current.SetLine(path, current.Start.Line);
        if (depth > MaxDepth)
        {
            throw new YamlException(current.Start, current.End, $"nested deeper than {MaxDepth} levels");
        }

        if (current is AnchorAlias alias)
        {
            Report(path, current.Start.Line, $"\"*{alias.Value}\" is an alias; aliases are not supported, repeat what they stand for");
            return null;
        }

        if (current is NodeEvent { Anchor.IsEmpty: false } anchored)
        {
            Report(path, current.Start.Line, $"\"&{anchored.Anchor}\" is an anchor; anchors are not supported");
        }

        return current switch
        {
            MappingStart => ReadMapping(path, depth),
            SequenceStart => ReadSequence(path, depth),
            Scalar scalar => ReadScalar(scalar, path),
            _ => throw new YamlException(current.Start, current.End, "unexpected structure"),
        };
    }

    private JsonObject ReadMapping(string path, int depth)
    {
        JsonObject members = [];
        while (_parser.MoveNext() && _parser.Current is not MappingEnd)
        {
            ParsingEvent keyEvent = _parser.Current!;
            if (keyEvent is not Scalar key)
            {
                throw new YamlException(keyEvent.Start, keyEvent.End, "a key must be plain text");
            }

            string name = key.Value;
            string memberPath = path.Length == 0 ? name : $"{path}.{name}";
            bool known = members.ContainsKey(name);
            int before = known ? _current.LineOf(memberPath) : 0;
            bool merge = name == "<<" && key.IsPlainImplicit;
            _parser.MoveNext();
            JsonNode? value = ReadNode(memberPath, depth + 1);
            if (merge)
            {
                Report(memberPath, keyEvent.Start.Line, "merge keys are not supported, repeat what they stand for");
            }
            else if (known)
            {
                Report(memberPath, keyEvent.Start.Line, $"the key stands twice, first in line {before}");
            }
            else
            {
                members[name] = value;
            }
        }

        return members;
    }

    private JsonArray ReadSequence(string path, int depth)
    {
        JsonArray items = [];
        while (_parser.MoveNext() && _parser.Current is not SequenceEnd)
        {
            items.Add(ReadNode($"{path}[{items.Count}]", depth + 1));
        }

        return items;
    }

    private JsonNode? ReadScalar(Scalar scalar, string path)
    {
        string tag = scalar.Tag.IsEmpty ? string.Empty : scalar.Tag.Value;
        switch (tag)
        {
            case "" when scalar.Style == ScalarStyle.Plain:
            case "tag:yaml.org,2002:null" or "tag:yaml.org,2002:bool" or "tag:yaml.org,2002:int" or "tag:yaml.org,2002:float":
                JsonNode? value = YamlScalars.ToJson(scalar.Value, out string? problem);
                if (problem is not null)
                {
                    Report(path, scalar.Start.Line, problem);
                }

                return value;
            case "" or "!" or "tag:yaml.org,2002:str":
                return JsonValue.Create(scalar.Value);
            default:
                Report(path, scalar.Start.Line, $"\"{tag}\" is a tag; tags are not supported");
                return null;
        }
    }

    private void Report(string path, long line, string problem) => _current.Problems.Add(new Problem(path, null, problem) { Line = (int)line });

    private static string Lower(string message) => message.Length > 0 ? char.ToLowerInvariant(message[0]) + message[1..].TrimEnd('.') : message;
}
