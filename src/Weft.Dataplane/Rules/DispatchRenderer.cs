using Weft.Dataplane.Rules.Model;

namespace Weft.Dataplane.Rules;

/// <summary>From interfaces to their chains. A packet of a workload's interface that nobody knows is denied; one of a host's interface is nobody's affair.</summary>
internal sealed class DispatchRenderer(RuleSettings settings)
{
    private readonly Rule[] _end = [new(Match.All, settings.DenyTarget, "Unknown interface")];

    public Dispatch FromWorkloads(IEnumerable<string> interfaces) =>
        new(ChainNames.FromWorkloadDispatch, InterfaceWay.In, interfaces.ToDictionary(static name => name, ChainNames.FromWorkload), _end);

    public Dispatch ToWorkloads(IEnumerable<string> interfaces) =>
        new(ChainNames.ToWorkloadDispatch, InterfaceWay.Out, interfaces.ToDictionary(static name => name, ChainNames.ToWorkload), _end);

    /// <summary>Packets that come in by interfaces of host endpoints.</summary>
    /// <param name="name">Of the chain.</param>
    /// <param name="interfaces">Those with an endpoint of their own.</param>
    /// <param name="hasAny">Whether there is an endpoint for all others.</param>
    /// <param name="chainOf">From an interface to its chain.</param>
    public static Dispatch FromHosts(string name, IEnumerable<string> interfaces, bool hasAny, Func<string, string> chainOf) =>
        new(name, InterfaceWay.In, interfaces.ToDictionary(static i => i, chainOf), hasAny ? [new Rule(Match.All, RuleAction.Goto(chainOf(ChainNames.AnyInterface)))] : []);

    /// <summary>Packets that leave by interfaces of host endpoints.</summary>
    /// <inheritdoc cref="FromHosts"/>
    public Dispatch ToHosts(string name, IEnumerable<string> interfaces, bool hasAny, Func<string, string> chainOf)
    {
        List<Rule> end = [];
        if (hasAny)
        {
            // The host may always speak to its own workloads, except by endpoints that name their interfaces; what is forwarded is asked there too.
            if (name == ChainNames.ToHostEndpoint)
            {
                end.AddRange(settings.InterfacePrefixes.Select(static p =>
                    new Rule(Match.All.OutInterface($"{p}+"), RuleAction.Return, "Skip egress WHEP policy for traffic to local workload")));
            }

            end.Add(new Rule(Match.All, RuleAction.Goto(chainOf(ChainNames.AnyInterface))));
        }

        return new Dispatch(name, InterfaceWay.Out, interfaces.ToDictionary(static i => i, chainOf), end);
    }
}
