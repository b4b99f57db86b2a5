using Weft.Dataplane.Drivers;
using Weft.Dataplane.Drivers.IpTables;
using Weft.Dataplane.Rules.Model;
using Weft.Dataplane.Tests.Drivers.IpTables;

namespace Weft.Dataplane.Tests.Rules;

/// <summary>A table that only remembers.</summary>
internal sealed class Recorder : IRuleTable
{
    public Dictionary<string, Chain> Chains { get; } = [];

    public Dictionary<string, Rule[]> Appends { get; } = [];

    public string[] Text(string chain) => [.. Chains[chain].Rules.Select(r => r.Text)];

    public void SetChain(Chain chain) => Chains[chain.Name] = chain;

    public void RemoveChain(string name) => Chains.Remove(name);

    public void SetDispatch(Dispatch dispatch)
    {
        foreach (Chain chain in DispatchTree.Of(dispatch))
        {
            Chains[chain.Name] = chain;
        }
    }

    public void SetInserts(string kernelChain, ReadOnlySpan<Rule> rules)
    {
    }

    public void SetAppends(string kernelChain, ReadOnlySpan<Rule> rules) => Appends[kernelChain] = rules.ToArray();

    public void QueueResync()
    {
    }

    public ApplyStatus Apply() => ApplyStatus.Done;
}
