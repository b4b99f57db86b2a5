using Weft.Dataplane.Rules.Model;
using Weft.Linux.Netfilter;

namespace Weft.Dataplane.Drivers.NfTables;

/// <summary>What a chain holds: perhaps first the question to a map of interfaces, then rules.</summary>
/// <param name="Rules">In order.</param>
/// <param name="Map">Asked before the rules; null for none.</param>
/// <param name="Hook">Where the kernel sends packets into it; null for a chain that only others lead to.</param>
internal sealed record NfChain(IReadOnlyList<Rule> Rules, Dispatch? Map = null, NfBaseChain? Hook = null)
{
    /// <inheritdoc cref="Chain.Owner"/>
    public string? Owner { get; init; }

    /// <summary>Chains that must exist for this one, once for every reference.</summary>
    public IEnumerable<string> Chains =>
        Rules.Select(static r => r.Action.ReferencedChain).OfType<string>().Concat(Map is null ? [] : Map.Chains.Values);

    /// <summary>Sets that must exist for this one, once for every reference.</summary>
    public IEnumerable<string> Sets => Rules.SelectMany(static r => r.Match.Criteria).OfType<SetCriterion>().Select(static s => s.Set);
}
