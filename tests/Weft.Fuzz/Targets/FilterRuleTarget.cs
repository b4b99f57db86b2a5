using System.Text;
using Weft.Bgp.Policies;
using Weft.Node.Router;

namespace Weft.Fuzz.Targets;

/// <summary>A rule of a filter: refused with the character where it stops making sense, or a rule with words for an operator that compiles.</summary>
internal sealed class FilterRuleTarget : FuzzTarget
{
    public override string Name => "filter-rule";

    public override IEnumerable<byte[]> Seeds => new[]
    {
        "match prefix 10.0.0.0/8{16, 24} 192.168.0.0/16+ @list, community 65000:100 65000:* no-export, as-path \"^65001 .*\" then local-pref 200, community add 65000:1, prepend 2, accept",
        "match not origin-as 65001 65010-65020, path-length <= 5, med 1-3 9, weight > 0, next-hop 10.0.0.1 fd00::/8, peer Spine1 10.0.0.1 then reject",
        "match source ebgp static, peer-type ibgp, interface eth0 cali*, family ipv6, rpki not-found, origin incomplete then med +5, weight 10, origin igp, next-hop self, continue",
        "community replace 65000:1 1:2:3 rt:65000:9, prepend as 65001 1.10, med none, next-hop fd00::1, accept",
    }.Select(Encoding.UTF8.GetBytes);

    public override IReadOnlyList<byte[]> Words => new[]
    {
        "match ", "then ", ",", "not ", "prefix ", "community ", "as-path \"", "origin-as ", "path-length ", "med ", "next-hop ", "peer ", "source ", "rpki ", "accept", "reject", "continue",
        "add ", "delete ", "replace ", "prepend ", "as ", "{0,32}", "+", "::/0", "\"", "'", "@", "*", ">=", "<", "4294967295", "soo:10.0.0.1:5", "ext:0x03*", "lb:65001:100M",
    }.Select(Encoding.UTF8.GetBytes).ToArray();

    public override ulong Run(byte[] input)
    {
        string text = Encoding.UTF8.GetString(input);
        if (!FilterRuleParser.TryParse(text, out FilterRule rule, out string reason))
        {
            Require(reason.StartsWith("at character ", StringComparison.Ordinal), $"refused without a place: {reason}");
            return Mix(1, Magnitude(reason.Length));
        }

        Require(rule.Conditions.All(static c => c.ToString()!.Length > 0), "a condition without words");
        _ = PolicyProgram.Compile(new RoutePolicy { Rules = [new PolicyRule { Conditions = rule.Conditions, Edits = rule.Edits, Verdict = rule.Verdict }], Default = PolicyVerdict.Reject });
        return Mix(Mix(2, (ulong)rule.Verdict), (ulong)(rule.Conditions.Length << 8 | rule.Edits.Length));
    }
}
