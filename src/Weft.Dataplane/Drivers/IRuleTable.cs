using Weft.Dataplane.Rules.Model;

namespace Weft.Dataplane.Drivers;

/// <summary>One table (filter, nat, mangle, raw) of one family, whichever backend writes it. It records what is wanted; its backend writes it.</summary>
public interface IRuleTable
{
    /// <summary>
    /// Defines or replaces a chain of ours. It is written to the kernel only while some programmed rule refers to it.
    /// </summary>
    void SetChain(Chain chain);

    /// <summary>A chain that is still referred to drops every packet until it is defined again (in the nat table it is empty).</summary>
    void RemoveChain(string name);

    /// <summary>Defines or replaces the chain that leads from interfaces to their chains.</summary>
    void SetDispatch(Dispatch dispatch);

    /// <summary>The rules we put at the head of one of the kernel's chains (behind foreign rules in append mode); none takes them away.</summary>
    void SetInserts(string kernelChain, ReadOnlySpan<Rule> rules);

    /// <summary>The rules we put at the end of one of the kernel's chains, whatever the mode.</summary>
    void SetAppends(string kernelChain, ReadOnlySpan<Rule> rules);
}
