using Weft.Model.Selectors;

namespace Weft.Model.Tests.Selectors;

/// <summary>Random expressions, evaluated by the real thing and by the plainest evaluator there is.</summary>
public sealed class SelectorPropertyTests
{
    private static readonly string[] s_names = ["a", "b", "in", "has", "starts", "c.d/e-f_g"];
    private static readonly string[] s_values = ["", "x", "xy", "yx", "it's", "say \"x\""];

    private static readonly Gen<Dictionary<string, string>> s_labels =
        Gen.Dictionary(Pick(s_names), Pick(s_values))[0, 4];

    [Fact]
    public void Evaluation_AgreesWithNaiveEvaluator_AndSurvivesTheCanonicalText()
    {
        Gen.Select(Expression(4), s_labels, s_labels.Array[0, 2]).Sample((expression, own, parents) =>
        {
            Dictionary<string, string> merged = Merge(own, parents);
            Selector selector = Selector.Parse(expression.Text);
            bool expected = expression.Matches(merged);

            Assert.Equal(expected, selector.Matches(own, parents));
            Assert.Equal(expected, Selector.Parse(selector.Text).Matches(own, parents));
            Assert.Equal(expected, selector.WithPrefix("p.").Matches(merged.ToDictionary(l => "p." + l.Key, l => l.Value)));
        }, iter: 20_000);
    }

    [Fact]
    public void Restrictions_NeverExcludeAMatch()
    {
        Gen.Select(Expression(4), s_labels).Sample((expression, labels) =>
        {
            Selector selector = Selector.Parse(expression.Text);
            if (!selector.Matches(labels))
            {
                return;
            }

            foreach ((string label, LabelRestriction restriction) in selector.Restrictions)
            {
                bool present = labels.TryGetValue(label, out string? value);
                Assert.False(restriction.IsUnsatisfiable);
                Assert.True(!restriction.MustBePresent || present);
                Assert.True(!restriction.MustBeAbsent || !present);
                Assert.True(restriction.Values is null || restriction.Values.Contains(value!));
            }
        }, iter: 20_000);
    }

    [Fact]
    public void AnyText_IsParsedOrRefused_NeverThrows()
    {
        Gen<string> pieces = Pick("a", "has(", "all()", ")", "(", "{", "}", ",", "'x'", "\"", "==", "!", "!=", "&&", "||", "&", " ", "not in", "in", "starts with", "\n", "é");
        pieces.Array[0, 12].Sample(parts =>
        {
            string text = string.Concat(parts);
            if (Selector.TryParse(text, out Selector? selector, out _))
            {
                // Parenthesised double negation is the one text that is not its own canonical form.
                Assert.True(Selector.TryParse(selector.Text, out _, out string? error), error);
            }
        }, iter: 50_000);
    }

    private static Gen<string> Pick(params string[] choices) => Gen.Int[0, choices.Length - 1].Select(i => choices[i]);

    private static Dictionary<string, string> Merge(Dictionary<string, string> own, Dictionary<string, string>[] parents)
    {
        Dictionary<string, string> merged = new(own);
        foreach (Dictionary<string, string> parent in parents)
        {
            foreach ((string name, string value) in parent)
            {
                merged.TryAdd(name, value);
            }
        }

        return merged;
    }

    private static Gen<Naive> Expression(int depth)
    {
        Gen<Naive> leaf = Gen.Select(Gen.Int[0, 8], Pick(s_names), Pick(s_values), Pick(s_values), Leaf);
        if (depth == 0)
        {
            return leaf;
        }

        Gen<Naive> inner = Expression(depth - 1);
        return Gen.Frequency(
            (3, leaf),
            (1, inner.Select(x => new Naive($"!({x.Text})", l => !x.Matches(l)))),
            (1, leaf.Select(x => new Naive($"! {x.Text}", l => !x.Matches(l)))),
            (2, Gen.Select(inner, inner, (x, y) => new Naive($"({x.Text}) && ({y.Text})", l => x.Matches(l) && y.Matches(l)))),
            (2, Gen.Select(inner, inner, (x, y) => new Naive($"({x.Text})||({y.Text})", l => x.Matches(l) || y.Matches(l)))),
            (1, Gen.Select(leaf, leaf, leaf, (x, y, z) => new Naive($"{x.Text} || {y.Text} && {z.Text}", l => x.Matches(l) || (y.Matches(l) && z.Matches(l))))));
    }

    private static Naive Leaf(int form, string name, string x, string y) => form switch
    {
        0 => new Naive($"{name} == {Quote(x)}", l => l.TryGetValue(name, out string? v) && v == x),
        1 => new Naive($"{name} != {Quote(x)}", l => !(l.TryGetValue(name, out string? v) && v == x)),
        2 => new Naive($"{name} in {{{Quote(y)},{Quote(x)}}}", l => l.TryGetValue(name, out string? v) && (v == x || v == y)),
        3 => new Naive($"{name} not in {{{Quote(y)},{Quote(x)},}}", l => !(l.TryGetValue(name, out string? v) && (v == x || v == y))),
        4 => new Naive($"{name} contains {Quote(x)}", l => l.TryGetValue(name, out string? v) && v.Contains(x, StringComparison.Ordinal)),
        5 => new Naive($"{name} starts with {Quote(x)}", l => l.TryGetValue(name, out string? v) && v.StartsWith(x, StringComparison.Ordinal)),
        6 => new Naive($"{name} ends with {Quote(x)}", l => l.TryGetValue(name, out string? v) && v.EndsWith(x, StringComparison.Ordinal)),
        7 => new Naive($"has({name})", l => l.ContainsKey(name)),
        _ => new Naive("all()", _ => true),
    };

    private static string Quote(string value) => value.Contains('"') ? $"'{value}'" : $"\"{value}\"";

    private sealed record Naive(string Text, Func<IReadOnlyDictionary<string, string>, bool> Matches);
}
