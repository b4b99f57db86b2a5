using Weft.Datastore.Sync;
using Weft.Hosting.Monitoring;

namespace Weft.Node.Agent;

/// <summary>The agent's metrics: Felix' names where Felix has them (felix_*), our own else (weft_agent_*).</summary>
internal static class AgentMetrics
{
    private static readonly Metric s_endpoints = new("felix_active_local_endpoints", MetricKind.Gauge, "Workload endpoints of this node.");
    private static readonly Metric s_policies = new("felix_active_local_policies", MetricKind.Gauge, "Policies that apply to an endpoint of this node.");
    private static readonly Metric s_profiles = new("weft_agent_active_profiles", MetricKind.Gauge, "Profiles that apply to an endpoint of this node.");
    private static readonly Metric s_resync = new("felix_resync_state", MetricKind.Gauge, "Where the agent stands with the datastore: 1 waits, 2 reads, 3 in sync.");
    private static readonly Metric s_sets = new("felix_ipsets_total", MetricKind.Gauge, "Sets of addresses, networks and ports in use.");
    private static readonly Metric s_routes = new("felix_route_table_num_routes", MetricKind.Gauge, "Routes of this agent in the kernel.");
    private static readonly Metric s_rounds = new("weft_agent_dataplane_rounds_total", MetricKind.Counter, "Rounds of writing the kernel.");
    private static readonly Metric s_failures = new("felix_int_dataplane_failures", MetricKind.Counter, "Rounds after which something was not in the kernel and is tried again.");
    private static readonly Metric s_time = new("weft_agent_dataplane_apply_seconds_total", MetricKind.Counter, "Time spent in rounds of writing the kernel.");
    private static readonly Metric s_last = new("weft_agent_dataplane_last_apply_seconds", MetricKind.Gauge, "How long the last round took.");
    private static readonly Metric s_states = new("weft_agent_endpoints", MetricKind.Gauge, "Workload endpoints by what has become of them.", "state");
    private static readonly Metric s_refused = new("weft_agent_objects_not_enforced", MetricKind.Gauge, "Objects that are not enforced as written; \"weft agent status\" names them and says why.");
    private static readonly Metric s_staged = new("weft_agent_staged_policies", MetricKind.Gauge, "Staged policies with an endpoint on this node.");
    private static readonly Metric s_silent = new("weft_agent_loop_silent_seconds", MetricKind.Gauge, "Since when a loop has not come round.", "loop");

    public static IReadOnlyList<Metric> All { get; } =
        [s_endpoints, s_policies, s_profiles, s_resync, s_sets, s_routes, s_rounds, s_failures, s_time, s_last, s_states, s_refused, s_staged, s_silent];

    public static void Write(MetricText text, AgentState state, EndpointProgress progress, LoopHealth health)
    {
        IReadOnlyList<EndpointEntry> entries = progress.Entries;
        ApplyTotals totals = state.Totals;
        text.Add(s_endpoints, entries.Count);
        text.Add(s_policies, state.Apply?.Policies ?? 0);
        text.Add(s_profiles, state.Apply?.Profiles ?? 0);
        text.Add(s_resync, state.Sync.Status switch { SyncStatus.InSync => 3, SyncStatus.ResyncInProgress => 2, _ => 1 });
        text.Add(s_sets, state.Apply?.Sets ?? 0);
        text.Add(s_routes, state.Apply?.Routes ?? 0);
        text.Add(s_rounds, totals.Rounds);
        text.Add(s_failures, totals.Failures);
        text.Add(s_time, totals.Time.TotalSeconds);
        text.Add(s_last, state.Apply?.Duration.TotalSeconds ?? 0);
        foreach (EndpointState one in Enum.GetValues<EndpointState>())
        {
            text.Add(s_states, entries.Count(e => e.State == one), one.ToString().ToLowerInvariant());
        }

        text.Add(s_refused, state.Problems.Count + (state.Apply?.NotEnforced.Count ?? 0));
        text.Add(s_staged, state.Staged.Count);
        foreach ((string part, TimeSpan silent, _) in health.Look())
        {
            text.Add(s_silent, Math.Round(silent.TotalSeconds, 3), part);
        }
    }
}
