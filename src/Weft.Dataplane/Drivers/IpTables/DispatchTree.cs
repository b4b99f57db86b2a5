using Weft.Dataplane.Rules.Model;

namespace Weft.Dataplane.Drivers.IpTables;

/// <summary>
/// A dispatch as chains, without walking all interfaces: names are sorted into buckets by the character after their common prefix, and a bucket of
/// several has a chain of its own. What is on no list meets the end rules, which therefore stand in every chain.
/// <code>
///   cali-from-wl-dispatch:    cali1234 -> goto cali-fw-cali1234;  cali2+ -> goto cali-from-wl-dispatch-2;  drop
///   cali-from-wl-dispatch-2:  cali2333 -> goto ...;  cali2444 -> goto ...;  drop
/// </code>
/// </summary>
internal static class DispatchTree
{
    public static List<Chain> Of(Dispatch dispatch)
    {
        string[] names = [.. dispatch.Chains.Keys.Order(StringComparer.Ordinal)];
        List<Rule> rootRules = [];
        List<Chain> chains = [];
        int common = CommonPrefix(names);
        for (int i = 0; i < names.Length;)
        {
            int next = i + 1;
            while (next < names.Length && names[i].Length > common && names[next].Length > common && names[next][common] == names[i][common])
            {
                next++;
            }

            if (next == i + 1)
            {
                rootRules.Add(To(dispatch, names[i]));
            }
            else
            {
                string child = $"{dispatch.Name}-{names[i][common]}";
                rootRules.Add(new Rule(Match.All.Interface(dispatch.Way, $"{names[i][..(common + 1)]}+"), RuleAction.Goto(child)));
                chains.Add(new Chain(child, [.. names[i..next].Select(name => To(dispatch, name)), .. dispatch.EndRules]));
            }

            i = next;
        }

        rootRules.AddRange(dispatch.EndRules);
        chains.Add(new Chain(dispatch.Name, rootRules));
        return chains;
    }

    private static Rule To(Dispatch dispatch, string name) => new(Match.All.Interface(dispatch.Way, name), RuleAction.Goto(dispatch.Chains[name]));

    /// <summary>Of sorted names, what first and last share, all share.</summary>
    private static int CommonPrefix(string[] sorted) => sorted.Length == 0 ? 0 : sorted[0].AsSpan().CommonPrefixLength(sorted[^1]);
}
