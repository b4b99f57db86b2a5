using Weft.Dataplane.Rules.Model;

namespace Weft.Dataplane.Rules;

/// <summary>From the interfaces of workloads to their chains. A packet of an interface that nobody knows is denied.</summary>
internal sealed class DispatchRenderer(RuleSettings settings)
{
    private readonly Rule[] _end = [new(Match.All, settings.DenyTarget, "Unknown interface")];

    public Dispatch FromWorkloads(IEnumerable<string> interfaces) =>
        new(ChainNames.FromWorkloadDispatch, InterfaceWay.In, interfaces.ToDictionary(static name => name, ChainNames.FromWorkload), _end);

    public Dispatch ToWorkloads(IEnumerable<string> interfaces) =>
        new(ChainNames.ToWorkloadDispatch, InterfaceWay.Out, interfaces.ToDictionary(static name => name, ChainNames.ToWorkload), _end);
}
