using System.Collections.Immutable;

namespace Weft.Bgp.Policies;

/// <summary>One rule as a route met it.</summary>
public sealed record PolicyStep
{
    /// <summary><see cref="PolicyRule.Name"/>.</summary>
    public required string Rule { get; init; }

    public required bool Matched { get; init; }

    /// <summary>The first condition that did not hold, as written in the settings file; null when the rule matched.</summary>
    public string? Unmet { get; init; }

    /// <summary>What the rule did to the route, in order.</summary>
    public ImmutableArray<string> Changes { get; init; } = [];

    /// <summary>Good when <see cref="Matched"/>.</summary>
    public PolicyVerdict Verdict { get; init; }
}

/// <summary>A policy's way with one route, up to the rule that decided.</summary>
/// <param name="Steps">In the order of the rules.</param>
/// <param name="DecidedBy">Name of the deciding rule; null: no rule decided, the policy's default did.</param>
public sealed record PolicyTrace(ImmutableArray<PolicyStep> Steps, bool Accepted, string? DecidedBy);

/// <summary>What became of one path: what import policy did to it, and whether a neighbour hears it.</summary>
public sealed record RouteExplanation
{
    /// <summary>The path as it is in the table, after import policy.</summary>
    public required RouteSnapshot Route { get; init; }

    /// <summary>Import policy of the neighbour it came from; null: it has none, everything is accepted (or the route is our own).</summary>
    public PolicyTrace? Import { get; init; }

    /// <summary>Only with a neighbour to export to, and only for the path that would be told (the best one).</summary>
    public ExportExplanation? Export { get; init; }
}

/// <summary>Whether a neighbour hears of a path.</summary>
public sealed record ExportExplanation
{
    public required string PeerName { get; init; }

    /// <summary>What keeps the route from the neighbour before policy is asked (its own route, NO_EXPORT, reflection rules, no session); null: nothing.</summary>
    public required string? Barred { get; init; }

    /// <summary>Export policy; null: there is none, or it was not asked.</summary>
    public PolicyTrace? Policy { get; init; }

    /// <summary>The neighbour has been told of the prefix.</summary>
    public required bool Announced { get; init; }
}
