using System.Text;
using Weft.Dataplane.Drivers.IpTables;
using Weft.Dataplane.Rules.Model;
using Weft.Primitives.Hashing;

namespace Weft.Dataplane.Tests.Drivers.IpTables;

public class RuleHasherTests
{
    private static readonly RuleHasher s_hasher = new(new IpTablesText(new IpTablesFeatures()));
    private static readonly Rule Drop = new(Match.All, RuleAction.Drop);
    private static readonly Rule Accept = new(Match.All, RuleAction.Accept);

    // Vectors of FIPS 180-4 and its examples.
    [Theory]
    [InlineData("", "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f")]
    [InlineData("abc", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7")]
    [InlineData("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "75388b16512776cc5dba5da1fd890150b0c6455cb4f58b1952522525")]
    public void Sha224_EqualsTheStandardsExamples(string text, string expected)
    {
        byte[] hash = new byte[Sha224.Length];

        Sha224.Hash(Encoding.ASCII.GetBytes(text), hash);

        Assert.Equal(expected, Convert.ToHexStringLower(hash));
    }

    [Fact]
    public void Sha224_OfAMillionTimesA_EqualsTheStandard()
    {
        byte[] hash = new byte[Sha224.Length];

        Sha224.Hash(Enumerable.Repeat((byte)'a', 1_000_000).ToArray(), hash);

        Assert.Equal("20794655980c91d8bbb4c1ea97618a4bf03f42581948b2ee4ee7ad67", Convert.ToHexStringLower(hash));
    }

    [Theory]
    [InlineData("FORWARD", "cali-FORWARD", "wUHhoiAYhphO9Mso")]
    [InlineData("INPUT", "cali-INPUT", "Cz_u1IQiXIMmKD4c")]
    [InlineData("OUTPUT", "cali-OUTPUT", "tVnHkvAo15HuiPy0")]
    [InlineData("PREROUTING", "cali-PREROUTING", "6gwbT8clXdHdC1b1")]
    [InlineData("POSTROUTING", "cali-POSTROUTING", "O3lYWMrLQYEMJtB5")]
    [InlineData("cali-FORWARD", "cali-foobar", "WiiHgeRwfPX6Ol7d")]
    public void Jump_HasCalicosHash(string chain, string target, string expected)
    {
        Assert.Equal([expected], s_hasher.HashRules(chain, [new Rule(Match.All, RuleAction.Jump(target))]));
    }

    [Fact]
    public void EveryRule_DependsOnAllBeforeIt()
    {
        Assert.Equal(["hecdSCslEjdBPBPo", "plvr29-ZiKUwbzDV", "BMJ7gfua-eMLZ8Gu", "rmnR1gc8haxMy_0W"], s_hasher.HashRules("FORWARD", [Drop, Accept, Drop, Accept]));
        Assert.Equal(["42h7Q64_2XDzpwKe", "0sUFHicPNNqNyNx8"], s_hasher.HashRules("cali-foobar", [Accept, Drop]));
    }

    [Fact]
    public void AppendedRules_HaveASeedOfTheirOwn()
    {
        Rule jump = new(Match.All, RuleAction.Jump("cali-POSTROUTING"));
        Rule accept = new(Match.All.MarkSet(0x10000), RuleAction.Accept, "Policy explicitly accepted packet.");
        Rule mark = new(Match.All, RuleAction.SetMark(0x10000));

        Assert.Equal(["0i8pjzKKPyA34aQD"], s_hasher.HashAppends("POSTROUTING", [jump]));
        Assert.Equal(["S93hcgKJrXEqnTfs", "mp77cMpurHhyjLrM"], s_hasher.HashAppends("FORWARD", [accept, mark]));
    }

    [Fact]
    public void Comment_IsCleanedAndCut()
    {
        Assert.Equal("boz_fizz", RuleComment.Clean("boz\nfizz"));
        Assert.Equal(new string('a', 256), RuleComment.Clean(new string('a', 257)));
        Assert.Equal("a_b_c ok/x", RuleComment.Clean("a\"b`c ok/x"));
    }
}
