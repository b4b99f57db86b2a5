using System.Text.Json.Nodes;
using Weft.Model.Validation;

namespace Weft.Model.Yaml;

/// <summary>One document of a YAML stream as a JSON tree, with the line of every value.</summary>
public sealed class YamlDocument
{
    private readonly Dictionary<string, int> _lines = [];

    internal YamlDocument(int index, int line)
    {
        (Index, Line) = (index, line);
    }

    /// <summary>Counted from 0 over the documents of the stream that are not empty.</summary>
    public int Index { get; }

    /// <summary>Where the document begins, from 1.</summary>
    public int Line { get; }

    public JsonNode? Root { get; internal set; }

    /// <summary>What cannot be read: malformed YAML, duplicate keys, anchors. Empty when <see cref="Root"/> says all that the document says.</summary>
    public List<Problem> Problems { get; } = [];

    /// <summary>Line of the value at the path, or of the nearest value around it that has one.</summary>
    public int LineOf(string path)
    {
        for (string at = path; at.Length > 0; at = at[..Math.Max(0, at.AsSpan().LastIndexOfAny('.', '['))])
        {
            if (_lines.TryGetValue(at, out int line))
            {
                return line;
            }
        }

        return Line;
    }

    internal void SetLine(string path, long line) => _lines[path] = (int)line;
}
