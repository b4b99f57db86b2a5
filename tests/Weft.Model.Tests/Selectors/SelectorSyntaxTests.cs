using Weft.Model.Selectors;

namespace Weft.Model.Tests.Selectors;

/// <summary>Vectors of reference 10.1.</summary>
public sealed class SelectorSyntaxTests
{
    public static TheoryData<string> Valid =>
    [
        "a==\"b\"",
        "contains contains 'contains'",
        "label contains\"value\"",
        "label startswith \"value\"",
        "label starts  with \"value\"",
        "endswith ends with \"value\"",
        new string('a', 512) + " == \"value\"",
        "has(calico/k8s_NS-.1/role)",
        "all( )",
        "global( )",
        "a not in {}",
        "a in {'x',}",
        "a in\t{'x'}",
        "has( foo )",
        "in in {'in'} && has == 'has' && all == 'all'",
        "a == 'line\nbreak'",
        "a == ''",
        "-a == 'b'",
        "",
        " \t ",
    ];

    public static TheoryData<string> Invalid =>
    [
        new string('a', 513) + " == \"value\"",
        "a notin\"bar\"&&!has(foo)||b in\"c\"",
        "label = \"value\"", "label == \"value", "all(", "global(", "has()", "has(foo", "has( foo ",
        "a == \"b\" & has(foo)", "a == \"b\" | has(foo)",
        "label starts foo \"value\"", "label inf \"value\"", "label ends withs \"value\"", "label squiggles \"value\"",
        "b == b", "b contains b", "'b1' == b", "b", "a b", "!", "foo != ||", "foo in {\"\", ||", "foo in \"\"", "\"FOO'", "(", "(a == \"foo\"", ")", "()", "%",
        "a == \"b\" && %", "a ", "has(foo) &&", "thing=hello &",
        "has (x)", "a in {,}", "a in {'x' 'y'}", "has(a) has(b)", "a == 'b'\n", "a\n== 'b'", "a && b == 'c'", "all() || ", "(all()",
    ];

    [Theory]
    [MemberData(nameof(Valid))]
    public void ValidText_Parses(string text) => Assert.True(Selector.TryParse(text, out _, out string? error), error);

    [Theory]
    [MemberData(nameof(Invalid))]
    public void InvalidText_IsRefusedWithAReason(string text)
    {
        Assert.False(Selector.TryParse(text, out _, out string? error));
        Assert.NotEmpty(error);
    }

    [Fact]
    public void Depth_IsBounded_AndTheApisLengthFits()
    {
        string api = new string('(', 508) + "has(a)" + new string(')', 508);
        string tooDeep = new string('(', Selector.MaxDepth + 1) + "has(a)" + new string(')', Selector.MaxDepth + 1);

        Assert.True(Selector.TryParse(api, out _, out _));
        Assert.False(Selector.TryParse(tooDeep, out _, out string? error));
        Assert.Contains("nested", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Length_IsBounded()
    {
        string text = string.Join("||", Enumerable.Repeat("has(a)", Selector.MaxLength / 8 + 1));

        Assert.False(Selector.TryParse(text, out _, out string? error));
        Assert.Contains("characters long", error, StringComparison.Ordinal);
    }
}
