using Weft.Datastore.Sync;
using Weft.Model.Keys;
using Weft.Node.Cni;
using Weft.Policy;
using Weft.Policy.Output;

namespace Weft.Node.Agent;

/// <summary>Where the agent stands with the datastore.</summary>
/// <param name="Status">Of the syncer.</param>
/// <param name="Detail">For the operator.</param>
/// <param name="Since">When the status was entered.</param>
/// <param name="EverInSync">The kernel has been written at least once by this process.</param>
internal sealed record SyncState(SyncStatus Status, string Detail, DateTimeOffset Since, bool EverInSync);

/// <summary>What the dataplane says of its last round.</summary>
/// <param name="At">When it ended.</param>
/// <param name="Duration">How long it took.</param>
/// <param name="Problem">What could not be written and is tried again, or null.</param>
/// <param name="Policies">Active policies.</param>
/// <param name="Profiles">Active profiles.</param>
/// <param name="Sets">Sets in use.</param>
/// <param name="Routes">Routes of this agent.</param>
/// <param name="Backend">What writes the rules, and why: "NfTables (the kernel has it)".</param>
/// <param name="NotEnforced">Objects that the kernel cannot be given as they are written, each with the reason.</param>
internal sealed record ApplyState(
    DateTimeOffset At, TimeSpan Duration, string? Problem, int Policies, int Profiles, int Sets, int Routes, string Backend, IReadOnlyList<string> NotEnforced);

/// <summary>All rounds of this process together.</summary>
/// <param name="Rounds">How many.</param>
/// <param name="Failures">After how many something was left to be tried again.</param>
/// <param name="Time">How long they took.</param>
internal sealed record ApplyTotals(long Rounds, long Failures, TimeSpan Time);

/// <summary>
/// What others may know of the agent: immutable snapshots, each swapped whole by the loop it belongs to, read by status and CNI STATUS.
/// </summary>
internal sealed class AgentState(TimeProvider time) : INodeReadiness
{
    private SyncState _sync = new(SyncStatus.WaitForDatastore, "not connected yet", time.GetUtcNow(), EverInSync: false);
    private IReadOnlyDictionary<ModelKey, string> _problems = new Dictionary<ModelKey, string>();
    private ConfigUpdate _config = new(new Dictionary<string, string>(), new Dictionary<string, string>());
    private IReadOnlyList<StagedPolicy> _staged = [];
    private ApplyState? _apply;
    private ApplyTotals _totals = new(0, 0, TimeSpan.Zero);
    private bool _started;
    private IReadOnlyList<string> _addressChoices = [];
    private string? _startupProblem = "the node has not been entered into the datastore yet";

    public SyncState Sync => Volatile.Read(ref _sync);

    public IReadOnlyDictionary<ModelKey, string> Problems => Volatile.Read(ref _problems);

    /// <summary>What is configured; empty before the first in-sync.</summary>
    public ConfigUpdate Config => Volatile.Read(ref _config);

    /// <summary>Staged policies and how many endpoints of this node they are for.</summary>
    public IReadOnlyList<StagedPolicy> Staged => Volatile.Read(ref _staged);

    /// <summary>Values of Felix's environment and file that have no effect.</summary>
    public IReadOnlyList<string> LocalProblems { get; init; } = [];

    /// <summary>Null before the first round.</summary>
    public ApplyState? Apply => Volatile.Read(ref _apply);

    public ApplyTotals Totals => Volatile.Read(ref _totals);

    /// <summary>What of the start-up is missing, or null.</summary>
    public string? StartupProblem => Volatile.Read(ref _startupProblem);

    public string? NotStarted => Volatile.Read(ref _started) ? null : StartupProblem ?? "the node has not been entered into the datastore yet";

    public (CniErrorCode Code, string Reason)? Trouble
    {
        get
        {
            SyncState sync = Sync;
            return (sync, Apply) switch
            {
                ({ EverInSync: false }, _) => (CniErrorCode.NotAvailable, $"the agent is not in sync with the datastore: {sync.Detail}"),
                ({ Status: not SyncStatus.InSync }, _) => (CniErrorCode.NotAvailable, $"the agent has lost the datastore: {sync.Detail}"),
                _ when NotStarted is { } reason => (CniErrorCode.NotAvailable, reason),
                (_, { Problem: { } problem }) => (CniErrorCode.LimitedConnectivity, $"the kernel could not be written: {problem}"),
                (_, null) => (CniErrorCode.NotAvailable, "the agent has not written the kernel yet"),
                _ => null,
            };
        }
    }

    public void SetSync(SyncStatus status, string detail)
    {
        SyncState before = Sync;
        Volatile.Write(ref _sync, new SyncState(
            status, detail, before.Status == status ? before.Since : time.GetUtcNow(), before.EverInSync || status == SyncStatus.InSync));
    }

    public void SetProblems(IReadOnlyDictionary<ModelKey, string> problems) => Volatile.Write(ref _problems, problems);

    public void SetConfig(ConfigUpdate config) => Volatile.Write(ref _config, config);

    public void SetStaged(IReadOnlyList<StagedPolicy> staged) => Volatile.Write(ref _staged, staged);

    public void SetApply(ApplyState apply)
    {
        ApplyTotals before = Totals;
        Volatile.Write(ref _totals, new ApplyTotals(before.Rounds + 1, before.Failures + (apply.Problem is null ? 0 : 1), before.Time + apply.Duration));
        Volatile.Write(ref _apply, apply);
    }

    /// <summary>Where the addresses of the Node come from, one line each.</summary>
    public IReadOnlyList<string> AddressChoices => Volatile.Read(ref _addressChoices);

    public void SetAddressChoices(IReadOnlyList<string> choices) => Volatile.Write(ref _addressChoices, choices);

    public void SetStartupProblem(string? problem) => Volatile.Write(ref _startupProblem, problem);

    /// <summary>The node is in the datastore: from now on pods can be served, whatever later rounds of the start-up say.</summary>
    public void SetStarted() => Volatile.Write(ref _started, true);
}
