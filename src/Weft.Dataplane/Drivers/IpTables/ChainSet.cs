using Weft.Dataplane.Rules.Model;

namespace Weft.Dataplane.Drivers.IpTables;

/// <summary>
/// Our desired chains, and which of them are needed: those that the rules in the kernel's chains lead to, directly or through other chains. The
/// rest (policies no local endpoint uses) is remembered and not programmed. Owned by one <see cref="RuleTable"/>.
/// </summary>
internal sealed class ChainSet(string table, RuleHasher hasher)
{
    private readonly Dictionary<string, HashedChain> _defined = [];
    private readonly Dictionary<string, int> _references = [];
    private readonly HashSet<string> _dirty = [];

    /// <summary>Chains whose programmed form may have changed since <see cref="ClearDirty"/>.</summary>
    public IReadOnlyCollection<string> Dirty => _dirty;

    /// <summary>Names of all chains that must be in the kernel.</summary>
    public IEnumerable<string> Needed => _references.Keys;

    public bool IsNeeded(string name) => _references.ContainsKey(name);

    public bool IsDefined(string name) => _defined.ContainsKey(name);

    /// <summary>What a needed chain must hold.</summary>
    public HashedChain Get(string name) => _defined.TryGetValue(name, out HashedChain? chain) ? chain : Missing(name);

    public void Set(Chain chain)
    {
        HashedChain hashed = new(chain.Rules, hasher.HashRules(chain.Name, [.. chain.Rules])) { Owner = chain.Owner };
        if (_defined.TryGetValue(chain.Name, out HashedChain? old) && old.Hashes.AsSpan().SequenceEqual(hashed.Hashes))
        {
            _defined[chain.Name] = hashed; // The same rules, perhaps for other rules of the policy.
            return;
        }

        _defined[chain.Name] = hashed;
        Changed(chain.Name, old, hashed);
    }

    public void Remove(string name)
    {
        if (_defined.Remove(name, out HashedChain? old))
        {
            Changed(name, old, null);
        }
    }

    /// <summary>Rules outside our chains changed what they refer to.</summary>
    public void Retarget(ReadOnlySpan<Rule> from, ReadOnlySpan<Rule> to)
    {
        // First the new ones: a chain that both name must not be dropped in between.
        foreach (Rule rule in to)
        {
            AddReference(rule.Action.ReferencedChain);
        }

        foreach (Rule rule in from)
        {
            DropReference(rule.Action.ReferencedChain);
        }
    }

    public void ClearDirty() => _dirty.Clear();

    private void Changed(string name, HashedChain? old, HashedChain? now)
    {
        if (IsNeeded(name))
        {
            _dirty.Add(name);
            Retarget([.. old?.Rules ?? []], [.. now?.Rules ?? []]);
        }
    }

    private void AddReference(string? name)
    {
        if (name is null)
        {
            return;
        }

        int count = _references.GetValueOrDefault(name);
        _references[name] = count + 1;
        if (count == 0)
        {
            _dirty.Add(name);
            if (_defined.TryGetValue(name, out HashedChain? chain))
            {
                Retarget([], [.. chain.Rules]);
            }
        }
    }

    private void DropReference(string? name)
    {
        if (name is null || !_references.TryGetValue(name, out int count))
        {
            return;
        }

        if (count > 1)
        {
            _references[name] = count - 1;
            return;
        }

        _references.Remove(name);
        _dirty.Add(name);
        if (_defined.TryGetValue(name, out HashedChain? chain))
        {
            Retarget([.. chain.Rules], []);
        }
    }

    // When in doubt about policy, drop the packet. The kernel refuses DROP in the nat table, where nothing is filtered anyway.
    private HashedChain Missing(string name)
    {
        Rule[] rules = table == "nat" ? [] : [new Rule(Match.All, RuleAction.Drop, "Chain is not defined")];
        return new HashedChain(rules, hasher.HashRules(name, rules));
    }
}

/// <summary>Rules and, at the same places, their hashes.</summary>
internal sealed record HashedChain(IReadOnlyList<Rule> Rules, string[] Hashes)
{
    public static readonly HashedChain Empty = new([], []);

    /// <inheritdoc cref="Chain.Owner"/>
    public string? Owner { get; init; }
}
