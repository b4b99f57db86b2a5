using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Weft.Datastore;
using Weft.Model.Keys;
using Weft.Primitives.Net;

namespace Weft.Ipam.Warm;

/// <summary>
/// The short way for the common case: an address from a block the node owns already, or its release, in one round trip to the store. Block and handle are
/// written together, and requests that arrive while a transaction is under way share the next one:
/// <code>
///   callers --> waiting --(loop, one transaction at a time)--> WarmBlocks plan --> store: if nothing of it has changed, write blocks and handles
/// </code>
/// Whatever does not fit (no block yet, block full, a handle that exists) is declined and goes the long way, whose single writes are ordered for crashes;
/// this one needs no order, since it happens whole or not at all. Called from any thread.
/// </summary>
internal sealed class WarmNode(IAtomicDatastore store, string node, ILogger logger, TimeProvider time)
{
    // Each job has a condition and a write of its own; a few more belong to the blocks, of which a batch rarely touches more than two.
    private const int MostPerTransaction = 48;

    // Reading anew and failing again means that somebody else is at work on these blocks: the long way has pauses for that.
    private const int MostAttempts = 3;

    // One entry per pod of the node that was set up by this process; the bound is for releases that went another way and were never told here.
    private const int MostHandles = 8192;

    private readonly Lock _gate = new(); // Guards _waiting and _isRunning.
    private readonly Queue<WarmJob> _waiting = []; // Unbounded: each entry is a caller that waits, and the agent bounds those.
    private readonly ConcurrentDictionary<string, WarmHandle> _handles = new(StringComparer.Ordinal); // Written by the loop only.
    private bool _isRunning;
    private WarmBlocks? _blocks;
    private volatile bool _isStale;

    /// <summary>Null: go the long way, nothing was changed.</summary>
    /// <exception cref="DatastoreException">No answer: the handle must be released, as after any failed allocation.</exception>
    public async ValueTask<Allocation?> TryAllocateAsync(AllocationRequest request)
    {
        WarmJob job = WarmJob.Allocate(request);
        return await RunAsync(job) ? job.Allocation : null;
    }

    /// <summary>The handle was given out here and its release may be tried here.</summary>
    public bool Knows(string handle) => _handles.ContainsKey(handle);

    /// <summary>Null: go the long way, nothing was changed.</summary>
    public async ValueTask<int?> TryReleaseAsync(string handle)
    {
        WarmJob job = WarmJob.Release(handle);
        return await RunAsync(job) ? job.Released : null;
    }

    /// <summary>The long way has changed something: read anew before the next use instead of learning it from a refusal.</summary>
    public void Forget() => _isStale = true;

    // Not cancelled by its caller: others share the transaction, and it is bounded by the store's request timeout.
    private Task<bool> RunAsync(WarmJob job)
    {
        lock (_gate)
        {
            _waiting.Enqueue(job);
            if (_isRunning)
            {
                return job.Done;
            }

            _isRunning = true;
        }

        // Ends with the last waiting job; its failures are the jobs' failures.
        _ = DrainAsync();
        return job.Done;
    }

    private async Task DrainAsync()
    {
        while (Next() is { Count: > 0 } batch)
        {
            try
            {
                await CommitAsync(batch);
            }
            catch (Exception e)
            {
                _blocks = null;
                batch.ForEach(j => j.Fail(e)); // Those already answered keep their answer.
            }
        }
    }

    private List<WarmJob> Next()
    {
        lock (_gate)
        {
            List<WarmJob> batch = [];
            while (batch.Count < MostPerTransaction && _waiting.TryDequeue(out WarmJob? job))
            {
                batch.Add(job);
            }

            _isRunning = batch.Count > 0;
            return batch;
        }
    }

    private async ValueTask CommitAsync(List<WarmJob> batch)
    {
        List<WarmJob> left = batch;
        for (int attempt = 1; left.Count > 0 && attempt <= MostAttempts; attempt++)
        {
            if (_isStale)
            {
                (_isStale, _blocks) = (false, null);
            }

            try
            {
                _blocks ??= await WarmBlocks.LoadAsync(store, node, CancellationToken.None);
            }
            catch (IpamException)
            {
                break; // The long way meets the same obstacle and has the words for it.
            }

            List<WarmJob> planned = Plan(_blocks, left);
            if (planned.Count == 0)
            {
                return;
            }

            TransactionResult result = await store.TransactAsync(_blocks.Finish(), CancellationToken.None);
            if (result.IsWritten)
            {
                _blocks.Written(result.Revision);
                planned.ForEach(j => Answer(j, result.Revision));
                return;
            }

            _blocks = null;
            left = DeclineBroken(planned, result.Broken);
        }

        left.ForEach(j => j.Decline());
    }

    /// <summary>The jobs that are in the plan now; the others are declined.</summary>
    private List<WarmJob> Plan(WarmBlocks blocks, List<WarmJob> jobs)
    {
        List<WarmJob> planned = [];
        DateTimeOffset now = time.GetUtcNow();
        foreach (WarmJob job in jobs)
        {
            bool fits = job.Request is not null ? blocks.TryPlanAllocation(job, now)
                : _handles.TryGetValue(job.Handle, out WarmHandle? known) && blocks.TryPlanRelease(job, known, now);
            if (fits)
            {
                planned.Add(job);
            }
            else
            {
                job.Decline();
            }
        }

        return planned;
    }

    private List<WarmJob> DeclineBroken(List<WarmJob> jobs, IReadOnlyList<ModelKey> broken)
    {
        List<WarmJob> left = [];
        foreach (WarmJob job in jobs)
        {
            (job.Released, job.Allocation) = (0, null);
            job.Blocks.Clear();
            if (broken.Contains(new HandleKey(job.Handle)))
            {
                _handles.TryRemove(job.Handle, out _);
                job.Decline();
            }
            else
            {
                left.Add(job);
            }
        }

        return left;
    }

    private void Answer(WarmJob job, Revision revision)
    {
        if (job.Allocation is { } allocation)
        {
            if (_handles.Count >= MostHandles)
            {
                _handles.Clear();
            }

            _handles[job.Handle] = new WarmHandle(revision, new Dictionary<IpPrefix, int>(job.Blocks));
            foreach (AssignedAddress address in allocation.Addresses)
            {
                Log.Assigned(logger, address.Address, address.Block, job.Handle);
            }
        }
        else if (_handles.TryRemove(job.Handle, out WarmHandle? known))
        {
            Log.Released(logger, job.Released, known.Blocks.Keys.First());
        }

        job.Complete();
    }
}
