using System.Globalization;
using System.Text.RegularExpressions;
using CsCheck;
using Weft.Bgp.Policies;
using Weft.Bgp.Tests.Support;

namespace Weft.Bgp.Tests.Policies;

public sealed class AsPathPatternTests
{
    private static byte[] Path(params uint[] ases) => ases.Length == 0 ? [] : Messages.AsPath(ases)[3..];

    [Theory]
    [InlineData("^65001 [65010-65020]+ .* 65099$", "65001 65010 65099", true)]
    [InlineData("^65001 [65010-65020]+ .* 65099$", "65001 65010 65020 7 8 65099", true)]
    [InlineData("^65001 [65010-65020]+ .* 65099$", "65001 65099", false)]
    [InlineData("^65001 [65010-65020]+ .* 65099$", "65001 65021 65099", false)]
    [InlineData("^$", "", true)]
    [InlineData("^$", "1", false)]
    [InlineData("", "1 2 3", true)]
    [InlineData("2", "1 2 3", true)]
    [InlineData("_2_", "1 22 3", false)]
    [InlineData("^1 | 9$", "3 9", true)]
    [InlineData("^1 | 9$", "9 3", false)]
    [InlineData("^(1 2 | 3){2} .?$", "1 2 3 9", true)]
    [InlineData("^(1 2 | 3){2} .?$", "1 2 9", false)]
    [InlineData("^[^1 2]*$", "3 4 5", true)]
    [InlineData("^[^1 2]*$", "3 2 5", false)]
    [InlineData("^1.10 .*$", "65546 7", true)]
    [InlineData("^.{2,3}$", "1", false)]
    [InlineData("^.{2,}$", "1 2 3 4", true)]
    [InlineData("^((((((1{0}){255}){255}){255}){255}){255}){255}$", "", true)]
    [InlineData("^((((((1{0}){0,255}){0,255}){0,255}){0,255}){0,255}){0,255} 2$", "2", true)]
    public void Pattern_SaysWhichPathsItMeans(string pattern, string path, bool matches)
    {
        uint[] ases = [.. path.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(a => uint.Parse(a, CultureInfo.InvariantCulture))];

        Assert.Equal(matches, AsPathPattern.Parse(pattern).Automaton.Matches(Path(ases)));
    }

    [Theory]
    [InlineData("* 65001", "at character 1: \"*\" has nothing to repeat; any ASes are written .*")]
    [InlineData("^65001 (65002", "at character 8: \"(\" is never closed")]
    [InlineData("65001 )", "at character 7: \")\" without \"(\"")]
    [InlineData("[65002-65001]", "at character 2: the range is empty: its end is smaller than its begin")]
    [InlineData("[]", "at character 1: nothing between \"[\" and \"]\"")]
    [InlineData("65001 abc", "at character 7: expected an AS number")]
    [InlineData("4294967296", "at character 1: expected an AS number")]
    [InlineData("65001$ 7", "at character 8: \"7\" is not expected here")]
    [InlineData("1{3,2}", "at character 2: expected {COUNT}, {LOW,HIGH} or {LOW,} with counts up to 255")]
    [InlineData("1************************************", "at character 35: more than 32 repetitions of one another")]
    [InlineData("((1{200}){200}){200}", "needs more than 512 places once its repetitions are written out")]
    public void BadPattern_IsRefusedWithThePlace(string text, string expected)
    {
        Assert.False(AsPathPattern.TryParse(text, out _, out string reason));
        Assert.Equal(expected, reason);
    }

    [Fact]
    public void SetInThePath_IsOneLetterThatIsAnyOfItsMembers()
    {
        byte[] path = [2, 1, 0, 0, 0, 1, 1, 2, 0, 0, 0, 5, 0, 0, 0, 6];

        Assert.True(AsPathPattern.Parse("^1 5$").Automaton.Matches(path));
        Assert.True(AsPathPattern.Parse("^1 6$").Automaton.Matches(path));
        Assert.False(AsPathPattern.Parse("^1 5 6$").Automaton.Matches(path));
        Assert.False(AsPathPattern.Parse("^1 7$").Automaton.Matches(path));
    }

    [Fact]
    public void MoreThan64Places_RunOnSeveralWords()
    {
        AsPathPattern pattern = AsPathPattern.Parse("^1{100} 2{1,60} .* 3$");

        Assert.True(pattern.Automaton.Matches(Path([.. Enumerable.Repeat(1u, 100), .. Enumerable.Repeat(2u, 60), 9, 9, 3])));
        Assert.False(pattern.Automaton.Matches(Path([.. Enumerable.Repeat(1u, 99), 2, 3])));
    }

    /// <summary>The automaton against the regular expressions of .NET over the same path as text, each AS followed by a blank.</summary>
    [Fact]
    public void Automaton_AgreesWithRegexOverText()
    {
        Gen<(string Ours, string Theirs)> letter = Gen.OneOf(
            Gen.UInt[1, 4].Select(n => ($"{n}", $"(?:{n} )")),
            Gen.Const((".", "(?:[0-9]+ )")),
            Gen.Select(Gen.UInt[1, 4], Gen.UInt[0, 2]).Select((low, more) => ($"{low}-{low + more}", $"(?:(?:{string.Join('|', Enumerable.Range((int)low, (int)more + 1))}) )")),
            Gen.Select(Gen.UInt[1, 4], Gen.UInt[1, 6]).Select((a, b) => ($"[{a} {b}]", $"(?:(?:{a}|{b}) )")),
            Gen.Select(Gen.UInt[1, 4], Gen.UInt[1, 4]).Select((a, b) => ($"[^{a} {b}]", $"(?:(?!(?:{a}|{b}) )[0-9]+ )")));
        Gen<(string Ours, string Theirs)> node = letter;
        for (int depth = 0; depth < 3; depth++)
        {
            Gen<(string Ours, string Theirs)> inner = node;
            node = Gen.OneOf(
                inner,
                Gen.Select(inner, inner).Select((a, b) => ($"{a.Ours} {b.Ours}", a.Theirs + b.Theirs)),
                Gen.Select(inner, inner).Select((a, b) => ($"({a.Ours}|{b.Ours})", $"(?:{a.Theirs}|{b.Theirs})")),
                Gen.Select(inner, Gen.OneOf(Gen.Const("*"), Gen.Const("+"), Gen.Const("?"), Gen.Const("{2}"), Gen.Const("{1,2}"), Gen.Const("{0,}"))).Select((a, q) => ($"({a.Ours}){q}", $"(?:{a.Theirs}){q}")));
        }

        Gen<(string Ours, string Theirs)> anchored = Gen.Select(node, Gen.Bool, Gen.Bool)
            .Select((n, begin, end) => ($"{(begin ? "^" : "")}{n.Ours}{(end ? "$" : "")}", $"{(begin ? "^" : "(?:^|(?<= ))")}{n.Theirs}{(end ? "$" : "")}"));
        Gen.Select(anchored, Gen.UInt[1, 6].Array[0, 8]).Sample(
            (pattern, path) =>
            {
                string text = string.Concat(path.Select(a => $"{a} "));
                bool expected = Regex.IsMatch(text, pattern.Theirs, RegexOptions.CultureInvariant);
                Assert.Equal(expected, AsPathPattern.Parse(pattern.Ours).Automaton.Matches(Path(path)));
            },
            iter: 20_000);
    }
}
