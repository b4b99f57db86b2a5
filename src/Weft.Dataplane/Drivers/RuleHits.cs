namespace Weft.Dataplane.Drivers;

/// <summary>What one rule of a policy or profile has matched since it was written to the kernel.</summary>
/// <param name="Owner">Kind, name and direction: "NetworkPolicy demo/allow ingress".</param>
/// <param name="Rule">Its place among the rules of the direction, from 0.</param>
/// <param name="Packets">Of one connection usually the first: the others belong to an established connection, which policy is not asked about.</param>
/// <param name="Bytes">Of these packets.</param>
public sealed record RuleHits(string Owner, int Rule, long Packets, long Bytes)
{
    /// <summary>One for each rule of every owner, over families and tables; in the order of owners and rules.</summary>
    internal static IReadOnlyList<RuleHits> Sum(IEnumerable<RuleHits> parts) =>
    [
        .. parts.GroupBy(static h => (h.Owner, h.Rule)).Select(static g => new RuleHits(g.Key.Owner, g.Key.Rule, g.Sum(static h => h.Packets), g.Sum(static h => h.Bytes)))
            .OrderBy(static h => h.Owner, StringComparer.Ordinal).ThenBy(static h => h.Rule),
    ];
}
