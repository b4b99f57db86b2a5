using Weft.Dataplane.Rules.Model;

namespace Weft.Dataplane.Drivers.NfTables;

/// <summary>
/// The desired chains of one table, and which of them are needed: those that the kernel's hooks lead to, directly or through other chains. The rest
/// (policies no local endpoint uses) is remembered and not programmed; so are sets that no needed chain names.
/// </summary>
internal sealed class NfTable(string name) : IRuleTable
{
    private readonly Dictionary<string, NfChain> _defined = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Rule[]> _inserts = [];
    private readonly Dictionary<string, Rule[]> _appends = [];
    private readonly Dictionary<string, NfChain> _needed = new(StringComparer.Ordinal); // what is programmed, or will be
    private readonly Dictionary<string, int> _references = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Dictionary<string, int>> _setUsers = new(StringComparer.Ordinal); // set -> chain -> references
    private readonly HashSet<string> _dirty = new(StringComparer.Ordinal);
    private readonly HashSet<string> _dirtySets = new(StringComparer.Ordinal);

    /// <summary>"filter": what rules are made for.</summary>
    public string Name => name;

    /// <summary>"weft-filter": what makes the table ours.</summary>
    public string KernelName => KernelNameOf(name);

    /// <summary>Chains that must be in the kernel, and what they hold.</summary>
    public IReadOnlyDictionary<string, NfChain> Needed => _needed;

    /// <summary>Sets that must be in the kernel.</summary>
    public IEnumerable<string> NeededSets => _setUsers.Keys;

    /// <summary>Chains whose programmed form may have changed since <see cref="ClearDirty"/>.</summary>
    public IReadOnlyCollection<string> Dirty => _dirty;

    /// <summary>Sets that became needed or are needed no more since <see cref="ClearDirty"/>.</summary>
    public IReadOnlyCollection<string> DirtySets => _dirtySets;

    public static string KernelNameOf(string table) => $"weft-{table}";

    public bool NeedsSet(string set) => _setUsers.ContainsKey(set);

    public void SetChain(Chain chain) => Define(chain.Name, new NfChain(chain.Rules) { Owner = chain.Owner });

    public void RemoveChain(string chain)
    {
        if (_defined.Remove(chain))
        {
            Refresh(chain);
        }
    }

    public void SetDispatch(Dispatch dispatch) => Define(dispatch.Name, new NfChain(dispatch.EndRules, dispatch));

    public void SetInserts(string kernelChain, ReadOnlySpan<Rule> rules) => SetHooks(_inserts, kernelChain, rules);

    public void SetAppends(string kernelChain, ReadOnlySpan<Rule> rules) => SetHooks(_appends, kernelChain, rules);

    /// <summary>The set has other parts than before: the rules that name it are other rules now.</summary>
    public void OnSetShapeChanged(string set)
    {
        if (_setUsers.TryGetValue(set, out Dictionary<string, int>? users))
        {
            _dirty.UnionWith(users.Keys);
        }
    }

    public void ClearDirty()
    {
        _dirty.Clear();
        _dirtySets.Clear();
    }

    private void Define(string chain, NfChain content)
    {
        _defined[chain] = content;
        Refresh(chain);
    }

    private void SetHooks(Dictionary<string, Rule[]> hooks, string kernelChain, ReadOnlySpan<Rule> rules)
    {
        hooks[kernelChain] = rules.ToArray();
        Rule[] all = [.. _inserts.GetValueOrDefault(kernelChain, []), .. _appends.GetValueOrDefault(kernelChain, [])];
        Program(kernelChain, all.Length == 0 ? null : new NfChain(all, Hook: NfHooks.Of(name, kernelChain)));
    }

    private void Refresh(string chain)
    {
        if (_references.ContainsKey(chain))
        {
            Program(chain, Content(chain));
        }
    }

    // When in doubt about policy, drop the packet. Nothing is filtered where addresses are translated.
    private NfChain Content(string chain) =>
        _defined.TryGetValue(chain, out NfChain? content) ? content : new NfChain(name == "nat" ? [] : [new Rule(Match.All, RuleAction.Drop, "Chain is not defined")]);

    private void Program(string chain, NfChain? content)
    {
        NfChain? old = _needed.GetValueOrDefault(chain);
        if (content is null)
        {
            _needed.Remove(chain);
        }
        else
        {
            _needed[chain] = content;
        }

        _dirty.Add(chain);

        // First what is new: a chain that both name must not be dropped in between.
        foreach (string target in content?.Chains ?? [])
        {
            AddReference(target);
        }

        foreach (string set in content?.Sets ?? [])
        {
            CountSet(set, chain, +1);
        }

        foreach (string target in old?.Chains ?? [])
        {
            DropReference(target);
        }

        foreach (string set in old?.Sets ?? [])
        {
            CountSet(set, chain, -1);
        }
    }

    private void AddReference(string chain)
    {
        int count = _references.GetValueOrDefault(chain);
        _references[chain] = count + 1;
        if (count == 0)
        {
            Program(chain, Content(chain));
        }
    }

    private void DropReference(string chain)
    {
        int count = _references[chain] - 1;
        if (count > 0)
        {
            _references[chain] = count;
            return;
        }

        _references.Remove(chain);
        Program(chain, null);
    }

    private void CountSet(string set, string chain, int change)
    {
        if (!_setUsers.TryGetValue(set, out Dictionary<string, int>? users))
        {
            _setUsers[set] = users = new Dictionary<string, int>(StringComparer.Ordinal);
            _dirtySets.Add(set);
        }

        int count = users.GetValueOrDefault(chain) + change;
        if (count > 0)
        {
            users[chain] = count;
        }
        else
        {
            users.Remove(chain);
        }

        if (users.Count == 0)
        {
            _setUsers.Remove(set);
            _dirtySets.Add(set);
        }
    }
}
