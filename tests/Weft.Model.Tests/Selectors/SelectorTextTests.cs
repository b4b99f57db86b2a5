using Weft.Model.Selectors;

namespace Weft.Model.Tests.Selectors;

/// <summary>Vectors of reference 10.3.</summary>
public sealed class SelectorTextTests
{
    [Theory]
    [InlineData("", "all()")]
    [InlineData(" all()", "all()")]
    [InlineData(" (all() )", "all()")]
    [InlineData("! (has( b)||! has(a ))", "!(has(b) || !has(a))")]
    [InlineData("! (a == \"b\"&&! c != \"d\")", "!(a == \"b\" && !c != \"d\")")]
    [InlineData("a startswith '\"'", "a starts with '\"'")]
    [InlineData("a in {\"z\", \"z\", \"x\", \"y\", \"x\", \"a\"}", "a in {\"a\", \"x\", \"y\", \"z\"}")]
    [InlineData("a!='\"'", "a != '\"'")]
    [InlineData("(a=='1' && b=='2') && c=='3'", "((a == \"1\" && b == \"2\") && c == \"3\")")]
    [InlineData("!!has(b)", "has(b)")]
    [InlineData("!(!has(b))", "!!has(b)")]
    [InlineData("!(k == 'v')", "!k == \"v\"")]
    [InlineData("a in {'\U0001F600', '\uFF5E'}", "a in {\"\uFF5E\", \"\U0001F600\"}")]
    public void CanonicalText(string input, string expected) => Assert.Equal(expected, Selector.Parse(input).Text);

    [Theory]
    [InlineData("", "s:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug")]
    [InlineData("! (has( b)||! has(a ))", "s:Iss0uCleLYv1GSv_pNm7hAO58kE9jAx1NKyG3Q")]
    [InlineData("! (a == \"b\"&&! c != \"d\")", "s:lh3haoY1ikTRkd4UZu0nWSaIBknYLPJLX16d-w")]
    [InlineData("projectcalico.org/namespace == \"default\"", "s:4g010_DunYvItGg3dv2MxnaJYxWEVRwn0exiaA")]
    [InlineData("projectcalico.org/orchestrator == \"k8s\"", "s:WP38oCqDbAT2ANRZlXRDeKIcMPtyI8UP8QIKZA")]
    public void Id_DependsOnCanonicalTextOnly(string input, string expected) => Assert.Equal(expected, Selector.Parse(input).Id);

    [Theory]
    [InlineData("svc", "default/svc", "svc:Jhwii46PCMT5NlhWsUqZmv7al8TeHFbNQMhoVg")]
    [InlineData("svcnoport", "default/svc", "svcnoport:T03S_6hogdrGKrNFBcbKTFsH_uKwDHEo8JddOg")]
    public void UniqueId_OfServices(string prefix, string content, string expected) => Assert.Equal(expected, UniqueId.Make(prefix, content));

    [Fact]
    public void UniqueId_OfNamedPort() =>
        Assert.Equal("n:cl9_Kgeu4H0OGLbhovVR3NBLUOZscKeMK1Mu4A", UniqueId.Make("n", $"{Selector.All.Id},tcp,http"));

    [Fact]
    public void Prefix_IsPutBeforeEveryLabel()
    {
        Selector selector = Selector.Parse("!(!(k == 'v' && has(t) || all()) && (a in {'b', 'c'}))");

        string text = selector.WithPrefix("visited/").Text;

        Assert.Equal("!(!((visited/k == \"v\" && has(visited/t)) || all()) && visited/a in {\"b\", \"c\"})", text);
    }

    [Theory]
    [InlineData("\u00a0 a == 'b'\n", "a == \"b\"")]
    [InlineData(" not a selector ", "not a selector")]
    public void Normalise_TrimsAndKeepsWhatIsNoSelector(string input, string expected) => Assert.Equal(expected, Selector.Normalise(input));

    [Fact]
    public void Restrictions_AreAsDocumented()
    {
        Assert.Equal(new LabelRestriction(true, false, []), Of("a == 'v1' && a == 'v2'")["a"]);
        Assert.Equal(new LabelRestriction(true, false, ["v2", "v3"]), Of("a in {'v1','v2','v3'} && a in {'v2','v3'}")["a"]);
        Assert.Equal(new LabelRestriction(true, true, null), Of("has(a) && !has(a)")["a"]);
        Assert.Equal(new LabelRestriction(true, false, null), Assert.Single(Of("a=='v2' || (has(b) && has(a))")).Value);
        Assert.Equal(new LabelRestriction(true, false, ["x", "y"]), Of("a=='y' || a=='x'")["a"]);
        Assert.Empty(Of("a == 'v1' || all()"));
        Assert.Empty(Of("!(a == 'value')"));
        Assert.Empty(Of("a != 'v' && b not in {'w'}"));
        Assert.Equal(new LabelRestriction(true, false, null), Of("!!has(a)")["a"]);
    }

    private static IReadOnlyDictionary<string, LabelRestriction> Of(string text) => Selector.Parse(text).Restrictions;
}
