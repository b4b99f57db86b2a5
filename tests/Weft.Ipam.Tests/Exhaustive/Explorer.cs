using Weft.Testing.Datastore;

namespace Weft.Ipam.Tests.Exhaustive;

/// <summary>What one allocator process does through its way to the store.</summary>
internal delegate Task AllocatorScript(Cluster cluster, StepDatastore store);

/// <summary>
/// Every state that the interleavings of some allocators' datastore operations can reach, each visited once: at every state, each allocator that is not done takes its
/// next operation, or (while crashes are left) dies before it. An adversary that may switch for ever could let two of them spoil each other's writes for ever (random pauses
/// are against that), so switches away from an allocator that could go on are bounded. Executions are repeated from the start with another choice; a state is the store's content with its
/// revisions, what each allocator has been answered, and the choices left.
/// </summary>
/// <param name="prepare">The cluster before the allocators start.</param>
/// <param name="scripts">One for each allocator.</param>
/// <param name="crashes">How many allocators may die.</param>
/// <param name="switches">How often an allocator that could go on may have to wait for another.</param>
internal sealed class Explorer(Func<Cluster> prepare, IReadOnlyList<AllocatorScript> scripts, int crashes, int switches)
{
    private readonly HashSet<string> _seen = [];

    /// <summary>Choices still to be tried, each with the way to it.</summary>
    private readonly Stack<(int Actor, bool Dies)[]> _open = new();

    public int States => _seen.Count;

    /// <summary>How many different ends there were.</summary>
    public int Ends { get; private set; }

    /// <param name="always">Checked in every state.</param>
    /// <param name="atEnd">Checked where every allocator is done or dead; is told whether nobody died.</param>
    public void Run(Action<Cluster> always, Action<Cluster, bool> atEnd)
    {
        _open.Push([]);
        while (_open.TryPop(out (int Actor, bool Dies)[]? way))
        {
            Follow(way, always, atEnd);
        }
    }

    private void Follow((int Actor, bool Dies)[] way, Action<Cluster> always, Action<Cluster, bool> atEnd)
    {
        Cluster cluster = prepare();
        StepDatastore[] stores = [.. scripts.Select(_ => new StepDatastore(cluster.Store))];
        Task[] running = [.. scripts.Select((script, i) => script(cluster, stores[i]))];
        List<(int Actor, bool Dies)> taken = [];
        int left = switches;
        int current = -1;
        void Go(int actor, bool dies)
        {
            left -= IsSwitch(actor) ? 1 : 0;
            current = actor;
            Take(stores, taken, actor, dies);
        }

        bool IsSwitch(int actor) => current >= 0 && actor != current && stores[current].IsWaiting;

        foreach ((int actor, bool dies) in way)
        {
            Go(actor, dies);
        }

        while (true)
        {
            if (!_seen.Add($"{left} {current} {State(cluster, stores, running)}"))
            {
                return;
            }

            always(cluster);
            int[] ready = [.. Enumerable.Range(0, stores.Length).Where(i => stores[i].IsWaiting)];
            if (ready.Length == 0)
            {
                Ends++;
                foreach (Task task in running.Where(t => t.Exception?.InnerException is not CrashException))
                {
                    task.GetAwaiter().GetResult();
                }

                atEnd(cluster, taken.All(t => !t.Dies));
                return;
            }

            int next = ready.Contains(current) ? current : ready[0];
            foreach (int actor in ready.Where(a => left > 0 || !IsSwitch(a)))
            {
                if (taken.Count(t => t.Dies) < crashes)
                {
                    _open.Push([.. taken, (actor, true)]);
                }

                if (actor != next)
                {
                    _open.Push([.. taken, (actor, false)]);
                }
            }

            Go(next, dies: false);
        }
    }

    private static void Take(StepDatastore[] stores, List<(int Actor, bool Dies)> taken, int actor, bool dies)
    {
        taken.Add((actor, dies));
        if (dies)
        {
            stores[actor].Crash();
        }
        else
        {
            stores[actor].Step();
        }
    }

    private static string State(Cluster cluster, StepDatastore[] stores, Task[] running) => string.Join(
        '\n', stores.Select((s, i) => $"{s.Answers} {running[i].Status}").Append(string.Join('\n', cluster.Store.Dump().Select(d => $"{d.Path} {d.Json}"))).Append(cluster.Store.Revision.ToString()));
}
