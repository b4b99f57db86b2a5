using Weft.Model.Selectors;

namespace Weft.Model.Tests.Selectors;

/// <summary>Vectors of reference 10.2.</summary>
public sealed class SelectorEvaluationTests
{
    [Theory]
    [InlineData("a in {\"'\", '\"', \"c\"}", "a=c", true)]
    [InlineData("a in {\"'\", '\"', \"c\"}", "a=\"", true)]
    [InlineData("a in {\"'\", '\"', \"c\"}", "a='", true)]
    [InlineData("a in {\"'\", '\"', \"c\"}", "", false)]
    [InlineData("a in {\"'\", '\"', \"c\"}", "a=e", false)]
    [InlineData("a not in {\"d\", \"e\"}", "a=a", true)]
    [InlineData("a not in {\"d\", \"e\"}", "", true)]
    [InlineData("a not in {\"d\", \"e\"}", "a=d", false)]
    [InlineData("a != \"a\"", "", true)]
    [InlineData("a != \"a\"", "a=a", false)]
    [InlineData("a starts with \"a\"", "a=abb", true)]
    [InlineData("a starts with \"a\"", "a=baa", false)]
    [InlineData("a starts with \"a\"", "", false)]
    [InlineData("a ends with \"a\"", "a=baa", true)]
    [InlineData("a contains \"\"", "a=", true)]
    [InlineData("a contains \"\"", "", false)]
    [InlineData("!!! has(a)", "", true)]
    [InlineData("!!! has(a)", "a=b", false)]
    [InlineData("!! ! has(a)", "a=b", false)]
    [InlineData("!(has(b) || !has(a))", "a=a", true)]
    [InlineData("!(has(b) || !has(a))", "a=a,b=b", false)]
    [InlineData("! a == 'a1' || ! b == 'b1'", "a=a1", true)]
    [InlineData("! a == 'a1' || ! b == 'b1'", "a=a1,b=b1", false)]
    [InlineData("!a == 'x' && b == 'y'", "a=y,b=y", true)]
    [InlineData("!a == 'x' && b == 'y'", "a=y", false)]
    [InlineData("a == '1' || b == '2' && c == '3'", "a=1", true)]
    [InlineData("", "", true)]
    [InlineData(" ", "a=b", true)]
    [InlineData("all()", "", true)]
    [InlineData("global()", "a=b", true)]
    [InlineData("a in {}", "a=b", false)]
    [InlineData("a not in {}", "a=b", true)]
    public void Selector_MatchesAsDocumented(string selector, string labels, bool expected)
    {
        Dictionary<string, string> own = Labels(labels);

        Assert.Equal(expected, Selector.Parse(selector).Matches(own));
    }

    [Fact]
    public void OwnLabels_WinOverProfiles_AndEarlierProfilesOverLater()
    {
        Selector selector = Selector.Parse("a == 'own' && b == 'first' && c == 'second' && !has(d)");

        bool matches = selector.Matches(Labels("a=own"), [Labels("a=first,b=first"), Labels("a=second,b=second,c=second")]);

        Assert.True(matches);
    }

    private static Dictionary<string, string> Labels(string text) => text.Split(',', StringSplitOptions.RemoveEmptyEntries)
        .Select(pair => pair.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
}
