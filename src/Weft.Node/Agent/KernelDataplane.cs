using Weft.Dataplane;
using Weft.Dataplane.Drivers;
using Weft.Dataplane.Rules;
using Weft.Hosting;
using Weft.Linux.Namespaces;
using Weft.Policy.Output;

namespace Weft.Node.Agent;

/// <summary>The dataplane loop as the agent runs it: its reports become the agent's state.</summary>
internal sealed class KernelDataplane : IDataplane
{
    private readonly DataplaneLoop _loop;

    /// <param name="settings">What writes the rules.</param>
    /// <param name="node">The name of this node.</param>
    /// <param name="progress">Told how far endpoints are.</param>
    /// <param name="state">Told of every round.</param>
    /// <param name="context">Logs and clock.</param>
    /// <param name="space">Null for the namespace of the process.</param>
    public KernelDataplane(AgentSettings settings, string node, EndpointProgress progress, AgentState state, RoleContext context, NetNamespace? space = null)
    {
        RuleBackendChoice backend = settings.DataplaneBackend switch
        {
            "nftables" => RuleBackendChoice.NfTables,
            "iptables" => RuleBackendChoice.IpTables,
            "iptables-nft" => RuleBackendChoice.IpTablesNft,
            "iptables-legacy" => RuleBackendChoice.IpTablesLegacy,
            _ => RuleBackendChoice.Auto,
        };
        _loop = new DataplaneLoop(
            new DataplaneSettings
            {
                Backend = backend,
                NodeName = node,
                Networking = settings.PolicyOnly ? NodeNetworking.None : NodeNetworking.Routed,
                Rules = new RuleSettings { InterfacePrefixes = settings.InterfacePrefixes, LogsDenied = settings.LogsDrops },
            },
            progress,
            context.Logs,
            context.Time,
            report => state.SetApply(new ApplyState(
                report.At, report.Duration, report.Problem, report.Policies, report.Profiles, report.Sets, report.Routes, $"{report.Backend.Choice} ({report.Backend.Why})", report.NotEnforced)),
            space);
    }

    public string Part => "dataplane loop";

    public long LastBeat => _loop.LastBeat;

    public ValueTask PostAsync(DataplaneUpdate update, CancellationToken stop) => _loop.PostAsync(update, stop);

    public Task RunAsync(CancellationToken stop) => _loop.RunAsync(stop);

    public Task<IReadOnlyList<RuleHits>> ReadHitsAsync(CancellationToken stop) => _loop.ReadHitsAsync(stop);

    public void Beat() => _loop.Beat();

    public void Dispose() => _loop.Dispose();
}
