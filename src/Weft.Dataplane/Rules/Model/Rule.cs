namespace Weft.Dataplane.Rules.Model;

/// <summary>One rule as data.</summary>
/// <param name="Match">Which packets.</param>
/// <param name="Action">What happens to them.</param>
/// <param name="Comments">For people who list the rules; never needed for the meaning, but part of what is compared.</param>
public sealed record Rule(Match Match, RuleAction Action, params string[] Comments)
{
    /// <summary>Place of the policy's rule that this one stands for; -1 for none. Not part of what is compared.</summary>
    public int PolicyRule { get; init; } = -1;

    /// <summary>Says of a packet that the policy's rule matched it: what this one counts are the hits of the policy's rule.</summary>
    public bool CountsHits => PolicyRule >= 0 && Action is MarkAction or LogAction;

    public bool Equals(Rule? other) =>
        other is not null && Match == other.Match && Action == other.Action && Comments.AsSpan().SequenceEqual(other.Comments);

    public override int GetHashCode() => HashCode.Combine(Match, Action, Comments.Length);
}

/// <summary>A chain of ours as data.</summary>
/// <param name="Name">At most 28 bytes, with one of our prefixes ("cali-").</param>
/// <param name="Rules">In order.</param>
public sealed record Chain(string Name, IReadOnlyList<Rule> Rules)
{
    /// <summary>Of a policy or profile: its kind, name and direction, for whoever reads the counters of its rules.</summary>
    public string? Owner { get; init; }
}

/// <summary>
/// From an interface to the chain that is its own: packets of an interface that is listed go to its chain and come back to whoever asked; all others
/// meet the end rules.
/// </summary>
/// <param name="Name">Of the chain that rules jump to.</param>
/// <param name="Way">Which interface of the packet is looked up.</param>
/// <param name="Chains">By name of the interface.</param>
/// <param name="EndRules">For interfaces that are not listed.</param>
public sealed record Dispatch(string Name, InterfaceWay Way, IReadOnlyDictionary<string, string> Chains, IReadOnlyList<Rule> EndRules);
