using System.Collections;
using CsCheck;
using Weft.Bgp.Policies;
using Weft.Hosting.Configuration;
using Weft.Node.Router;

namespace Weft.Node.Tests.Router;

public sealed class FilterSettingsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("weft-filter-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private (RouterSettings Settings, SettingsReader Reader) Read(string text)
    {
        string path = Path.Combine(_folder, "weft.conf");
        File.WriteAllText(path, "[router]\nrouter-id = 10.255.0.1\nlocal-as = 65001\n" + text);
        SettingsReader reader = SettingsReader.Load(path, new Hashtable());
        return (RouterSettings.Read(reader, usesDatastore: false), reader);
    }

    private static FilterRule Parse(string text)
    {
        Assert.True(FilterRuleParser.TryParse(text, out FilterRule rule, out string reason), reason);
        return rule;
    }

    [Fact]
    public void RuleOfTheReference_SaysWhatItMeans()
    {
        FilterRule rule = Parse("match prefix 10.0.0.0/8{16, 24} 192.168.0.0/16+, community 65000:100 65000:*, as-path \"^65001 .*\" then local-pref 200, community add 65000:1, prepend 2, accept");

        Assert.Equal(["prefix 10.0.0.0/8{16,24} 192.168.0.0/16+", "community 65000:100 65000:*", "as-path \"^65001 .*\""], rule.Conditions.Select(c => c.ToString()));
        Assert.Equal([RouteEdit.SetLocalPreference(200), RouteEdit.AddCommunity(65000u << 16 | 1), RouteEdit.PrependOwnAs(2)], rule.Edits);
        Assert.Equal(PolicyVerdict.Accept, rule.Verdict);
    }

    [Theory]
    [InlineData("match not community no-export rt:65000:1 1:2:* then reject", "not community no-export rt:65000:1 1:2:*")]
    [InlineData("match origin-as 65001 65010-65020 then accept", "origin-as 65001 65010-65020")]
    [InlineData("match first-as 1.10 then accept", "first-as 65546")]
    [InlineData("match has-as 7 then accept", "has-as 7")]
    [InlineData("match path-length <= 5 then accept", "path-length 0-5")]
    [InlineData("match path-length <5 then accept", "path-length 0-4")]
    [InlineData("match local-pref >= 200 then accept", "local-pref 200-4294967295")]
    [InlineData("match med = 7 then accept", "med 7")]
    [InlineData("match med 1-3 9 then accept", "med 1-3 9")]
    [InlineData("match weight > 0 then accept", "weight 1-4294967295")]
    [InlineData("match next-hop 10.0.0.1 10.1.0.0/16 then accept", "next-hop 10.0.0.1/32 10.1.0.0/16")]
    [InlineData("match peer Spine1 10.0.0.1 then accept", "peer Spine1 10.0.0.1/32")]
    [InlineData("match source ebgp static then accept", "source ebgp static")]
    [InlineData("match source local then accept", "source local")]
    [InlineData("match peer-type ibgp then accept", "peer-type ibgp")]
    [InlineData("match interface eth0 cali* then accept", "interface eth0 cali*")]
    [InlineData("match family ipv6 then accept", "family ipv6")]
    [InlineData("match rpki not-found then accept", "rpki not-found")]
    [InlineData("match origin incomplete then accept", "origin incomplete")]
    [InlineData("match community soo:10.0.0.1:5 ext:0x0002fde800000064 ext:0x03* then accept", "community soo:10.0.0.1:5 rt:65000:100 ext:0x03*")]
    public void EveryCondition_ReadsAsItIsWritten(string text, string expected) => Assert.Equal(expected, Assert.Single(Parse(text).Conditions).ToString());

    [Theory]
    [InlineData("med +5, continue", "med +5")]
    [InlineData("med -5, continue", "med -5")]
    [InlineData("med none, accept", "med none")]
    [InlineData("weight 10, accept", "weight 10")]
    [InlineData("origin igp, accept", "origin igp")]
    [InlineData("next-hop self, accept", "next-hop self")]
    [InlineData("next-hop peer, accept", "next-hop peer")]
    [InlineData("next-hop fd00::1, accept", "next-hop fd00::1")]
    [InlineData("community delete 65000:* rt:1:*, accept", "community delete 65000:*; community delete rt:1:*")]
    [InlineData("community replace 65000:1 1:2:3, accept", "community delete *; community delete *:*:*; community add 65000:1; community add 1:2:3")]
    [InlineData("prepend as 65001 65002, accept", "prepend as 65002; prepend as 65001")]
    public void EveryChange_ReadsAsItIsWritten(string text, string expected) => Assert.Equal(expected, string.Join("; ", Parse(text).Edits));

    [Theory]
    [InlineData("", "at character 1: expected a change, or accept, reject or continue")]
    [InlineData("local-pref 200", "at character 15: the rule must end with accept, reject or continue")]
    [InlineData("local-pref x, accept", "at character 12: expected a number")]
    [InlineData("match prefix 10.0.0.0/33 then accept", "at character 14: \"10.0.0.0/33\": expected a prefix without host bits, such as 10.0.0.0/8")]
    [InlineData("match prefix 10.0.0.0/8{4,8} then accept", "at character 14: \"10.0.0.0/8{4,8}\": after the prefix: expected nothing, + or {LOW,HIGH} with 8 <= LOW <= HIGH <= 32")]
    [InlineData("match comunity 1:1 then accept", "at character 7: expected a condition: prefix, community, as-path")]
    [InlineData("match community 70000:1 then accept", "at character 17: \"70000:1\": expected a community: ")]
    [InlineData("match as-path \"^65001 (\" then accept", "at character 15: \"^65001 (\": at character 8: \"(\" is never closed")]
    [InlineData("match as-path 65001 then accept", "at character 15: expected a pattern in quotes")]
    [InlineData("match as-path \"65001 then accept", "at character 15: the quotation is never closed")]
    [InlineData("match family ipv5 then accept", "at character 14: expected ipv4 or ipv6")]
    [InlineData("match family ipv4 accept", "at character 19: expected a comma, or \"then\" and what to do")]
    [InlineData("prefix 10.0.0.0/8 then accept", "at character 1: a condition needs \"match\" in front")]
    [InlineData("accept, local-pref 5", "at character 7: nothing may follow accept, reject or continue")]
    [InlineData("local-pref 5, reject", "at character 21: a route that is rejected cannot be changed")]
    [InlineData("community add 65000:*, accept", "at character 15: \"65000:*\" stands for many communities; add needs single ones")]
    [InlineData("prepend 65, accept", "at character 9: expected how often our own AS is put in front, or \"as\" and a list of ASes, from 1 to 64")]
    [InlineData("match med >= x then accept", "at character 14: expected a number")]
    [InlineData("match med <0 then accept", "at character 11: \"<0\": expected a number, a range such as 100-199, or a comparison such as >= 200")]
    public void EveryMistake_IsNamedWithItsPlace(string text, string expected)
    {
        Assert.False(FilterRuleParser.TryParse(text, out _, out string reason));
        Assert.StartsWith(expected, reason);
    }

    /// <summary>Whatever an operator's fingers do: a rule or a reason with a place, never an exception.</summary>
    [Fact]
    public void AnyText_GivesARuleOrAReason()
    {
        string[] words =
        [
            "match", "then", "not", ",", "prefix", "10.0.0.0/8{8,24}", "@l", "{", "}", "community", "1:1", "*", "rt:1:1", "ext:0x1*", "as-path", "\"^1 (2|3)* $\"", "\"", "'", "[", "origin-as", "1-5",
            "-", "1.10", "path-length", "<=", ">0", "=", "med", "+5", "-5", "none", "weight", "next-hop", "self", "peer", "source", "bgp", "interface", "eth*", "family", "ipv4", "rpki", "valid", "origin",
            "igp", "local-pref", "4294967296", "prepend", "as", "64", "add", "delete", "replace", "accept", "reject", "continue", "",
        ];
        Gen.Int[0, words.Length - 1].Array[0, 14].Sample(
            picks =>
            {
                string text = string.Join(' ', picks.Select(i => words[i]));
                bool ok = FilterRuleParser.TryParse(text, out FilterRule rule, out string reason);
                Assert.True(ok ? reason.Length == 0 && rule.Edits.Length < 100 : reason.StartsWith("at character ", StringComparison.Ordinal), $"{text}: {reason}");
            },
            iter: 50_000);
        Gen.String.Sample(text => Assert.True(FilterRuleParser.TryParse(text, out _, out string reason) == (reason.Length == 0)), iter: 20_000);
        Gen.String[Gen.Char["0123456789 .-^$[](){}|*+?_,"], 0, 20].Sample(text => Assert.True(AsPathPattern.TryParse(text, out _, out string reason) == (reason.Length == 0)), iter: 50_000);
    }

    [Fact]
    public void Filter_RunsItsRulesInTheOrderOfTheirNumbers_AndJoinsItsLists()
    {
        File.WriteAllText(Path.Combine(_folder, "bogons"), "# never\n10.0.0.0/8+   # private\n\n192.168.0.0/16{16,24}, 172.16.0.0/12\n");
        (RouterSettings settings, SettingsReader reader) = Read($"""
            [neighbor:a]
            address = 10.0.0.2
            remote-as = 65002
            import = filter In
            export = none
            [filter:In]
            rule-9 = match prefix @bogons 100.64.0.0/10 then reject
            rule-100 = accept
            rule-20 = local-pref 7, continue
            default = accept
            [prefix-list:bogons]
            prefixes = 0.0.0.0/0
            file = {_folder}/bogons
            """);

        reader.ReportUnknown(RouterSettings.All);
        Assert.Empty(reader.Problems);
        FilterSettings filter = Assert.Single(settings.Filters).Value;
        Assert.Equal(["filter In rule-9", "filter In rule-20", "filter In rule-100"], filter.Rules.Select(r => r.Name));
        Assert.Equal("prefix 100.64.0.0/10 0.0.0.0/0 10.0.0.0/8+ 192.168.0.0/16{16,24} 172.16.0.0/12", Assert.Single(filter.Rules[0].Conditions).ToString());
        Assert.Equal(PolicyVerdict.Accept, filter.ToPolicy(RoutePolicy.RejectAll).Default);
    }

    [Fact]
    public void SameFileReadTwice_GivesEqualPolicies()
    {
        const string Text = """
            [neighbor:a]
            address = 10.0.0.2
            remote-as = 65002
            import = filter f
            export = 10.0.0.0/8+
            [filter:f]
            rule-1 = match as-path "^1 .*", community 1:1, prefix 10.0.0.0/8+, peer a, interface eth*, next-hop 10.0.0.1, has-as 1-5 then accept
            """;
        RoutePolicy a = Read(Text).Settings.Filters["f"].ToPolicy(RoutePolicy.RejectAll);
        RoutePolicy b = Read(Text).Settings.Filters["f"].ToPolicy(RoutePolicy.RejectAll);

        Assert.NotSame(a, b);
        Assert.Equal(a, b);
        Assert.Equal(a.GetHashCode(), b.GetHashCode());
        Assert.NotEqual(a, Read(Text.Replace("1-5", "1-6")).Settings.Filters["f"].ToPolicy(RoutePolicy.RejectAll));
        Assert.NotEqual(a, a with { Default = PolicyVerdict.Accept });
    }

    [Fact]
    public void Mistakes_NameFileSectionAndKey()
    {
        (_, SettingsReader reader) = Read("""
            [neighbor:a]
            address = 10.0.0.2
            remote-as = 65002
            import = filter out
            export = filter absent
            [filter:out]
            rule-10 = next-hop self, accept
            rule-20 = match prefix @none then accept
            rule-x = accept
            rule-020 = accept
            rule-30 = match then accept
            [filter:empty]
            [filter:odd]
            rule = accept
            default = accept
            """);
        reader.ReportUnknown(RouterSettings.All);

        string path = Path.Combine(_folder, "weft.conf");
        Assert.Equal(
            new[]
            {
                $"{path}: [filter:out] rule-20: @none: no section [prefix-list:none]",
                $"{path}: [filter:out] rule-20: filter out rule-020 has the same number",
                $"{path}: [filter:out] rule-30: \"match then accept\": at character 7: expected a condition",
                $"{path}: [filter:out] rule-x: expected a number behind \"rule-\": it gives the rule its place",
                $"{path}: [neighbor:a] export: filter absent: no section [filter:absent]; there are odd, out",
                $"{path}: [filter:odd] rule: unknown key; did you mean \"rule-*\"?",
            },
            reader.Problems.Where(p => !p.Contains("next-hop self")));
        Assert.Single(reader.Problems, p => p.Contains("next-hop self works in export only"));
    }
}
