using System.Text.Json.Nodes;
using Weft.Model.Yaml;

namespace Weft.Model.Tests.Yaml;

public sealed class YamlReaderTests
{
    [Theory] // YAML 1.2.2, 10.3.2
    [InlineData("no", "\"no\"")]
    [InlineData("on", "\"on\"")]
    [InlineData("yes", "\"yes\"")]
    [InlineData("true", "true")]
    [InlineData("True", "true")]
    [InlineData("tRue", "\"tRue\"")]
    [InlineData("~", "null")]
    [InlineData("null", "null")]
    [InlineData("Null", "null")]
    [InlineData("", "null")]
    [InlineData("010", "10")]
    [InlineData("0o10", "8")]
    [InlineData("0x1F", "31")]
    [InlineData("-7", "-7")]
    [InlineData("+7", "7")]
    [InlineData("1e3", "1000")]
    [InlineData("1.5", "1.5")]
    [InlineData(".5", "0.5")]
    [InlineData("5.", "5")]
    [InlineData("1_000", "\"1_000\"")]
    [InlineData("12:30", "\"12:30\"")]
    [InlineData("1.2.3", "\"1.2.3\"")]
    [InlineData("e3", "\"e3\"")]
    [InlineData("1e", "\"1e\"")]
    [InlineData("2026-01-02", "\"2026-01-02\"")]
    [InlineData("18446744073709551615", "18446744073709551615")]
    [InlineData("'010'", "\"010\"")]
    [InlineData("\"true\"", "\"true\"")]
    [InlineData("!!str 5", "\"5\"")]
    [InlineData("!!int \"5\"", "5")]
    [InlineData("10.0.0.0/16", "\"10.0.0.0/16\"")]
    [InlineData("fd00::/64", "\"fd00::/64\"")]
    public void Scalar_FollowsTheCoreSchema(string scalar, string json)
    {
        YamlDocument document = Assert.Single(YamlReader.Read($"a: {scalar}\n"));

        Assert.Empty(document.Problems);
        Assert.Equal($"{{\"a\":{json}}}", document.Root!.ToJsonString());
    }

    [Theory]
    [InlineData("a: 1\nb: 2\na: 3\n", "a", "the key stands twice, first in line 1", 3)]
    [InlineData("a: &x 1\nb: 2\n", "a", "\"&x\" is an anchor; anchors are not supported", 1)]
    [InlineData("a: 1\nb: *x\n", "b", "\"*x\" is an alias; aliases are not supported, repeat what they stand for", 2)]
    [InlineData("a:\n  <<: {b: 1}\n", "a.<<", "merge keys are not supported, repeat what they stand for", 2)]
    [InlineData("a: !mine 1\n", "a", "\"!mine\" is a tag; tags are not supported", 1)]
    [InlineData("a: .inf\n", "a", "\".inf\" is a number that JSON cannot hold", 1)]
    public void WhatCannotBeMeant_IsRefusedWithItsLine(string yaml, string path, string problem, int line)
    {
        YamlDocument document = Assert.Single(YamlReader.Read(yaml));

        Assert.Contains(document.Problems, p => p.Path == path && p.Expected == problem && p.Line == line);
    }

    [Theory]
    [InlineData("a:\n\tb: 1\n", 2)]
    [InlineData("a: [1, 2\n", 2)]
    [InlineData("a: 'x\n", 2)]
    [InlineData("a: b: c\n", 1)]
    [InlineData("{\"a\": 1,\n \"b\": }}\n", 2)]
    [InlineData("? [a, b]\n: 1\n", 1)]
    public void SyntaxError_NamesItsLine(string yaml, int line)
    {
        YamlDocument document = YamlReader.Read(yaml)[^1];

        Assert.StartsWith("not valid YAML: ", document.Problems[^1].Expected);
        Assert.InRange(document.Problems[^1].Line, line - 1, line);
        Assert.Null(document.Root);
    }

    [Fact]
    public void ManyDocuments_AreRead_EmptyOnesDoNotCount()
    {
        IReadOnlyList<YamlDocument> documents = YamlReader.Read("# nothing\n---\na: 1\n---\n---\n# only a comment\n---\n- 2\n...\n");

        Assert.Equal(["""{"a":1}""", "[2]"], documents.Select(d => d.Root!.ToJsonString()));
        Assert.Equal([0, 1], documents.Select(d => d.Index));
        Assert.Equal([3, 8], documents.Select(d => d.Line));
    }

    [Fact]
    public void DocumentsBeforeASyntaxError_AreKept()
    {
        IReadOnlyList<YamlDocument> documents = YamlReader.Read("a: 1\n---\nb: [\n");

        Assert.Equal(2, documents.Count);
        Assert.Empty(documents[0].Problems);
        Assert.NotEmpty(documents[1].Problems);
    }

    [Fact]
    public void Json_IsReadLikeYaml_EvenWithTabs()
    {
        YamlDocument document = Assert.Single(YamlReader.Read("{\n\t\"a\": [1, true, null, \"x\\u0041\\/\"],\n\t\"b\": {\"c\": 1.5e2}\n}\n"));

        Assert.Equal("""{"a":[1,true,null,"xA/"],"b":{"c":150}}""", document.Root!.ToJsonString());
        Assert.Equal(3, document.LineOf("b.c"));
    }

    [Fact]
    public void Line_OfAMissingField_IsThatOfItsParent()
    {
        YamlDocument document = Assert.Single(YamlReader.Read("kind: X\nspec:\n  rules:\n  - a: 1\n  - a: 2\n    b: 3\n"));

        Assert.Equal(6, document.LineOf("spec.rules[1].b"));
        Assert.Equal(5, document.LineOf("spec.rules[1].c.d"));
        Assert.Equal(1, document.LineOf("metadata.name"));
    }

    [Fact]
    public void TooDeepOrTooLong_IsRefused()
    {
        string deep = string.Concat(Enumerable.Repeat("[", 200)) + string.Concat(Enumerable.Repeat("]", 200));

        Assert.Contains("nested deeper", YamlReader.Read(deep)[^1].Problems[^1].Expected);
        Assert.Contains("expected at most", YamlReader.Read(new string('a', YamlReader.MaxLength + 1))[0].Problems[0].Expected);
    }

    [Fact]
    public void WhatIsWritten_ReadsBackTheSame()
    {
        Gen<string> text = Gen.OneOf(
            Gen.String[Gen.Char["ab:# -0123456789.'\"\\\n\t{}[]&*!|>%@`=<~éx\u2028e_"], 0, 12],
            Gen.OneOf(new[] { "no", "yes", "010", "1e3", "~", "null", "true", "12:30", "0x1F", "-", "---", "...", "<<", "=", "10.0.0.1", "2026-01-02T03:04:05Z", "a: b", " a", "a ", "\ufeff" }.Select(Gen.Const).ToArray()));
        Gen<JsonNode?> leaf = Gen.OneOf(text.Select(t => (JsonNode?)JsonValue.Create(t)), Gen.Long.Select(n => (JsonNode?)JsonValue.Create(n)), Gen.Bool.Select(b => (JsonNode?)JsonValue.Create(b)), Gen.Const((JsonNode?)null));
        Gen<JsonNode?> tree = Gen.Recursive<JsonNode?>((depth, self) => depth > 3
            ? leaf
            : Gen.OneOf(
                leaf,
                self.List[0, 4].Select(items => (JsonNode?)new JsonArray([.. items.Select(i => i?.DeepClone())])),
                Gen.Select(text, self).List[0, 4].Select(members => (JsonNode?)new JsonObject(members.DistinctBy(m => m.Item1).Where(m => m.Item1 != "<<").Select(m => KeyValuePair.Create(m.Item1, m.Item2?.DeepClone()))))));

        tree.Where(t => t is JsonObject or JsonArray).Sample(
            t =>
            {
                string yaml = YamlWriter.Write(t);
                IReadOnlyList<YamlDocument> back = YamlReader.Read(yaml);
                if (back.Count != 1 || back[0].Problems.Count > 0 || !JsonNode.DeepEquals(back[0].Root, t))
                {
                    throw new InvalidOperationException($"wrote\n{yaml}\nfor {t!.ToJsonString()}\nread {(back.Count > 0 ? back[0].Root?.ToJsonString() + string.Join("; ", back[0].Problems) : "nothing")}");
                }
            },
            iter: 5000);
    }

    [Theory]
    [InlineData("579209cb-136e-4bf3-bc47-3e11da2974b2", false)]
    [InlineData("10.0.0.0/16", false)]
    [InlineData("10.0.0.1", false)]
    [InlineData("fd00::1", false)]
    [InlineData("app == 'web' && x != 'y'", false)]
    [InlineData("2026-01-02T03:04:05Z", true)]
    [InlineData("2026-01-02", true)]
    [InlineData("12:30:45", true)]
    [InlineData("1e3", true)]
    [InlineData("0x1F", true)]
    [InlineData("0b11", true)]
    [InlineData("1_000", true)]
    [InlineData("42", true)]
    [InlineData("on", true)]
    public void Writer_QuotesWhatAnyYamlWouldTakeForSomethingElse(string text, bool isQuoted)
    {
        Assert.Equal(isQuoted, YamlWriter.Write(new JsonObject { ["a"] = text }) == $"a: '{text}'\n");
    }

    [Fact]
    public void Writer_LaysOutAsKubectlDoes()
    {
        JsonNode tree = JsonNode.Parse("""{"kind":"X","spec":{"empty":[],"none":{},"nets":["10.0.0.0/8",{"a":1,"b":[1,2]},[3]],"text":"no","order":1.5}}""")!;

        Assert.Equal(
            """
            kind: X
            spec:
              empty: []
              none: {}
              nets:
              - 10.0.0.0/8
              - a: 1
                b:
                - 1
                - 2
              - - 3
              text: 'no'
              order: 1.5

            """,
            YamlWriter.Write(tree));
    }
}
