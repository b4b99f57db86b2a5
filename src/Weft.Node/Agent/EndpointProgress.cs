using Weft.Dataplane;
using Weft.Datastore;
using Weft.Node.Cni;
using Weft.Policy.Output;

namespace Weft.Node.Agent;

/// <summary>Where an endpoint stands on its way into the kernel.</summary>
internal enum EndpointState
{
    /// <summary>Known, not yet written.</summary>
    Pending,

    /// <summary>Its newest state is in the kernel.</summary>
    Programmed,

    /// <summary>It cannot be programmed as stored, or the kernel refuses; it is closed.</summary>
    Error,
}

/// <param name="Update">The newest the calculation graph has said of it.</param>
/// <param name="ProgrammedRevision">The revision of the stored object that is in the kernel; 0 for none.</param>
/// <param name="State">Of the newest update.</param>
/// <param name="Problem">Why it is not programmed, or null.</param>
internal sealed record EndpointEntry(WorkloadEndpointUpdate Update, long ProgrammedRevision, EndpointState State, string? Problem);

/// <summary>
/// Knows of every endpoint of this node how far it is, and wakes the CNI calls that wait for one. Told by the policy loop (what is wanted) and by the
/// dataplane loop (what is in the kernel); asked by CNI calls and status requests, so it is one of the few places with a lock.
/// </summary>
internal sealed class EndpointProgress(TimeSpan budget, TimeProvider time) : IPolicyWait, IEndpointProgress
{
    private readonly Lock _gate = new(); // Guards both tables; held for look-ups only.
    private readonly Dictionary<WorkloadEndpointId, EndpointEntry> _entries = [];
    private readonly List<Waiter> _waiters = [];

    /// <summary>A snapshot, in the order of names.</summary>
    public IReadOnlyList<EndpointEntry> Entries
    {
        get
        {
            lock (_gate)
            {
                return [.. _entries.Values.OrderBy(e => e.Update.ResourceName, StringComparer.Ordinal)];
            }
        }
    }

    /// <summary>The graph wants this endpoint so.</summary>
    public void Wanted(WorkloadEndpointUpdate update)
    {
        lock (_gate)
        {
            long programmed = _entries.GetValueOrDefault(update.Id)?.ProgrammedRevision ?? 0;
            Set(new EndpointEntry(update, programmed, update.Problem is null ? EndpointState.Pending : EndpointState.Error, update.Problem));
        }
    }

    /// <summary>The graph wants this endpoint no longer.</summary>
    public void Removed(WorkloadEndpointId id)
    {
        lock (_gate)
        {
            _entries.Remove(id);
        }
    }

    public void Programmed(WorkloadEndpointId id, long revision)
    {
        lock (_gate)
        {
            if (_entries.TryGetValue(id, out EndpointEntry? entry))
            {
                bool newest = revision >= entry.Update.Revision;
                Set(entry with
                {
                    ProgrammedRevision = Math.Max(revision, entry.ProgrammedRevision),
                    State = newest && entry.Update.Problem is null ? EndpointState.Programmed : entry.State,
                    Problem = newest && entry.Update.Problem is null ? null : entry.Problem,
                });
            }
        }
    }

    public void Failed(WorkloadEndpointId id, string problem)
    {
        lock (_gate)
        {
            if (_entries.TryGetValue(id, out EndpointEntry? entry))
            {
                Set(entry with { State = EndpointState.Error, Problem = problem });
            }
        }
    }

    public string? Missing(WorkloadEndpointId endpoint, Revision revision)
    {
        lock (_gate)
        {
            return _entries.GetValueOrDefault(endpoint) is { State: EndpointState.Programmed } entry && entry.ProgrammedRevision >= revision.Value ? null : Describe(endpoint, revision);
        }
    }

    public async ValueTask WaitAsync(WorkloadEndpointId endpoint, Revision revision, TimeSpan? limit, CancellationToken stop)
    {
        TimeSpan patience = limit ?? budget;
        Waiter waiter = new(endpoint, revision.Value);
        lock (_gate)
        {
            if (_entries.TryGetValue(endpoint, out EndpointEntry? entry))
            {
                waiter.Look(entry);
            }

            _waiters.Add(waiter);
        }

        try
        {
            await waiter.Done.Task.WaitAsync(patience, time, stop);
        }
        catch (TimeoutException)
        {
            throw new CniException(CniErrorCode.PolicyNotProgrammed, $"routes and policy of {endpoint} were not in the kernel within {patience.TotalSeconds} s: {Describe(endpoint, revision)}");
        }
        finally
        {
            lock (_gate)
            {
                _waiters.Remove(waiter);
            }
        }
    }

    private void Set(EndpointEntry entry)
    {
        _entries[entry.Update.Id] = entry;
        foreach (Waiter waiter in _waiters)
        {
            if (waiter.Endpoint == entry.Update.Id)
            {
                waiter.Look(entry);
            }
        }
    }

    private string Describe(WorkloadEndpointId endpoint, Revision revision)
    {
        lock (_gate)
        {
            return _entries.GetValueOrDefault(endpoint) switch
            {
                null => "the agent has not seen the endpoint yet; is it in sync with the datastore?",
                { Problem: { } problem } => problem,
                { Update.Revision: long seen } when seen < revision.Value => $"the agent has seen revision {seen}, not {revision} yet",
                _ => "the kernel has not been written yet",
            };
        }
    }

    private sealed class Waiter(WorkloadEndpointId endpoint, long revision)
    {
        public WorkloadEndpointId Endpoint { get; } = endpoint;

        /// <summary>Continuations run elsewhere: the loop that reports must not run a CNI call.</summary>
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Look(EndpointEntry entry)
        {
            if (entry.ProgrammedRevision >= revision && entry.State == EndpointState.Programmed)
            {
                Done.TrySetResult();
            }
            else if (entry.Update.Revision >= revision && entry.Update.Problem is { } problem)
            {
                Done.TrySetException(new CniException(CniErrorCode.PolicyNotProgrammed, $"{Endpoint} is programmed closed: {problem}"));
            }
        }
    }
}
