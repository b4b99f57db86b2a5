using System.Collections.Immutable;

namespace Weft.Bgp.Policies;

/// <summary>What a rule decides.</summary>
public enum PolicyVerdict : byte
{
    /// <summary>Apply the edits and go on with the next rule.</summary>
    Continue = 0,
    Accept = 1,
    Reject = 2,
}

/// <summary>One rule: all conditions must hold. Equal when it says the same.</summary>
public sealed record PolicyRule
{
    /// <summary>How operators call it: "filter transit rule-10", "BGPFilter f importV4[0]". Shown by <c>weft router show route --why</c>.</summary>
    public string Name { get; init; } = string.Empty;

    /// <summary>Any of these; empty: every prefix.</summary>
    public ImmutableArray<PrefixMatch> Prefixes { get; init; } = [];

    /// <summary>What else must hold.</summary>
    public ImmutableArray<PolicyCondition> Conditions { get; init; } = [];

    public ImmutableArray<RouteEdit> Edits { get; init; } = [];

    public required PolicyVerdict Verdict { get; init; }

    public bool Equals(PolicyRule? other) =>
        ReferenceEquals(this, other)
        || (other is not null && Name == other.Name && Verdict == other.Verdict && Prefixes.SequenceEqual(other.Prefixes)
            && Conditions.SequenceEqual(other.Conditions) && Edits.SequenceEqual(other.Edits));

    public override int GetHashCode() => HashCode.Combine(Name, Verdict, Prefixes.Length, Conditions.Length, Edits.Length);
}

/// <summary>
/// Rules in order, the first that accepts or rejects decides, edits of the rules passed on the way are kept and seen by the rules behind them. A policy is a flat list
/// of instructions on purpose: it is compiled once from BGPFilter or INI by the router role and runs per route without a call back into it. Two policies that say the
/// same are equal: neither sessions nor routes notice when a file is read again.
/// </summary>
public sealed record RoutePolicy
{
    public static readonly RoutePolicy AcceptAll = new() { Rules = [], Default = PolicyVerdict.Accept };

    public static readonly RoutePolicy RejectAll = new() { Rules = [], Default = PolicyVerdict.Reject };

    // Computed on first use; a race computes it twice.
    private int _hash;

    public RoutePolicy()
    {
    }

    /// <summary>For "with": everything but the hash, which belongs to what was.</summary>
    [System.Diagnostics.CodeAnalysis.SetsRequiredMembers]
    private RoutePolicy(RoutePolicy other) => (Rules, Default) = (other.Rules, other.Default);

    public required ImmutableArray<PolicyRule> Rules { get; init; }

    /// <summary>When no rule decides: <see cref="PolicyVerdict.Accept"/> or <see cref="PolicyVerdict.Reject"/>.</summary>
    public required PolicyVerdict Default { get; init; }

    public bool Equals(RoutePolicy? other) =>
        ReferenceEquals(this, other)
        || (other is not null && Default == other.Default && Rules.Length == other.Rules.Length && GetHashCode() == other.GetHashCode() && Rules.SequenceEqual(other.Rules));

    public override int GetHashCode()
    {
        if (_hash == 0)
        {
            HashCode hash = default;
            hash.Add(Default);
            foreach (PolicyRule rule in Rules)
            {
                hash.Add(rule);
            }

            _hash = hash.ToHashCode() is not 0 and int made ? made : 1;
        }

        return _hash;
    }

    /// <summary>Why the policy cannot be run; null when it can. Asked by whoever reads policies from outside.</summary>
    public string? Problem() => PolicyProgram.Check(this);
}
