using Weft.Dataplane.Drivers.IpTables;

namespace Weft.Dataplane.Rules;

/// <summary>
/// From an interface to its chain, without walking all interfaces: names are sorted into buckets by the character after their common prefix, and a
/// bucket of several has a chain of its own. What is on no list meets the end rules, which therefore stand in every chain.
/// <code>
///   cali-from-wl-dispatch:    cali1234 -> goto cali-fw-cali1234;  cali2+ -> goto cali-from-wl-dispatch-2;  drop
///   cali-from-wl-dispatch-2:  cali2333 -> goto ...;  cali2444 -> goto ...;  drop
/// </code>
/// </summary>
internal sealed class DispatchRenderer(RuleSettings settings)
{
    public IEnumerable<Chain> FromWorkloads(IEnumerable<string> interfaces) =>
        Render(ChainNames.FromWorkloadDispatch, interfaces, static name => Match.All.InInterface(name), ChainNames.FromWorkload);

    public IEnumerable<Chain> ToWorkloads(IEnumerable<string> interfaces) =>
        Render(ChainNames.ToWorkloadDispatch, interfaces, static name => Match.All.OutInterface(name), ChainNames.ToWorkload);

    private List<Chain> Render(string root, IEnumerable<string> interfaces, Func<string, Match> match, Func<string, string> chainOf)
    {
        string[] names = [.. interfaces.Order(StringComparer.Ordinal)];
        Rule end = new(Match.All, settings.DenyTarget, "Unknown interface");
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
                rootRules.Add(new Rule(match(names[i]), RuleAction.Goto(chainOf(names[i]))));
            }
            else
            {
                string child = $"{root}-{names[i][common]}";
                rootRules.Add(new Rule(match($"{names[i][..(common + 1)]}+"), RuleAction.Goto(child)));
                chains.Add(new Chain(child, [.. names[i..next].Select(name => new Rule(match(name), RuleAction.Goto(chainOf(name)))), end]));
            }

            i = next;
        }

        rootRules.Add(end);
        chains.Add(new Chain(root, rootRules));
        return chains;
    }

    /// <summary>Of sorted names, what first and last share, all share.</summary>
    private static int CommonPrefix(string[] sorted) => sorted.Length == 0 ? 0 : sorted[0].AsSpan().CommonPrefixLength(sorted[^1]);
}
