using System.Collections.Immutable;

namespace Weft.Cluster.Store.Watching;

/// <summary>Tells every watch stream that a new state was published.</summary>
internal sealed class Wakers
{
    private ImmutableHashSet<AsyncSignal> _signals = [];

    public void Add(AsyncSignal signal) => ImmutableInterlocked.Update(ref _signals, static (all, one) => all.Add(one), signal);

    public void Remove(AsyncSignal signal) => ImmutableInterlocked.Update(ref _signals, static (all, one) => all.Remove(one), signal);

    public void WakeAll()
    {
        foreach (AsyncSignal signal in Volatile.Read(ref _signals))
        {
            signal.Set();
        }
    }
}

/// <summary>A flag that one reader waits for. Set twice before the reader looks, it counts once.</summary>
internal sealed class AsyncSignal
{
    private readonly SemaphoreSlim _flag = new(0);
    private int _set;

    public void Set()
    {
        if (Interlocked.Exchange(ref _set, 1) == 0)
        {
            _flag.Release();
        }
    }

    public async Task WaitAsync(CancellationToken stop)
    {
        await _flag.WaitAsync(stop);
        Interlocked.Exchange(ref _set, 0); // A full fence: what the reader looks at next must not have been read before.
    }
}
