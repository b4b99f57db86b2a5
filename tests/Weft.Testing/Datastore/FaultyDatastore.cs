using Weft.Datastore;
using Weft.Model.Keys;

namespace Weft.Testing.Datastore;

/// <summary>What one client asks of the store, counted from 1.</summary>
public readonly record struct StoreOperation(int Number, string Name, ModelKey? Key)
{
    /// <summary>True for everything but get, list and watch.</summary>
    public bool IsWrite => Name is not ("get" or "list" or "watch");
}

/// <summary>
/// One client's way to a store, with trouble on it: the hooks run before and after every operation and may throw (nothing happened, or it happened and the
/// answer was lost), write something else in between (a conflict), or wait.
/// </summary>
public sealed class FaultyDatastore(IAtomicDatastore store) : IAtomicDatastore
{
    private int _count;

    public Func<StoreOperation, ValueTask>? Before { get; set; }

    public Func<StoreOperation, ValueTask>? After { get; set; }

    /// <summary>Operations so far.</summary>
    public int Count => _count;

    /// <summary>The process of this client dies at the operation: that one and every later one throws.</summary>
    /// <param name="at">Number of the operation.</param>
    /// <param name="done">Whether it still reached the store.</param>
    public void CrashAt(int at, bool done)
    {
        Before = operation => operation.Number > at || (operation.Number == at && !done) ? throw new CrashException() : ValueTask.CompletedTask;
        After = operation => operation.Number == at ? throw new CrashException() : ValueTask.CompletedTask;
    }

    public ValueTask<KeyValue?> GetAsync(ModelKey key, CancellationToken stop) => RunAsync("get", key, () => store.GetAsync(key, stop));

    public ValueTask<ListResult> ListAsync(ModelPrefix prefix, CancellationToken stop) => RunAsync("list", null, () => store.ListAsync(prefix, stop));

    public ValueTask<ListResult> ListAsync(IReadOnlyList<ModelPrefix> prefixes, CancellationToken stop) => RunAsync("list", null, () => store.ListAsync(prefixes, stop));

    public ValueTask<WriteResult> CreateAsync(ModelKey key, object value, CancellationToken stop) => RunAsync("create", key, () => store.CreateAsync(key, value, stop));

    public ValueTask<WriteResult> UpdateAsync(ModelKey key, object value, Revision expected, CancellationToken stop) =>
        RunAsync("update", key, () => store.UpdateAsync(key, value, expected, stop));

    public ValueTask<WriteResult> ApplyAsync(ModelKey key, object value, TimeSpan? timeToLive, CancellationToken stop) =>
        RunAsync("apply", key, () => store.ApplyAsync(key, value, timeToLive, stop));

    public ValueTask<WriteResult> DeleteAsync(ModelKey key, Revision? expected, CancellationToken stop) => RunAsync("delete", key, () => store.DeleteAsync(key, expected, stop));

    public ValueTask<TransactionResult> TransactAsync(StoreTransaction transaction, CancellationToken stop) =>
        RunAsync("transaction", transaction.Writes[0].Key, () => store.TransactAsync(transaction, stop));

    public IAsyncEnumerable<WatchBatch> WatchAsync(ModelPrefix prefix, Revision after, CancellationToken stop) => store.WatchAsync(prefix, after, stop);

    public IAsyncEnumerable<WatchBatch> WatchAsync(IReadOnlyList<ModelPrefix> prefixes, Revision after, CancellationToken stop) => store.WatchAsync(prefixes, after, stop);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async ValueTask<T> RunAsync<T>(string name, ModelKey? key, Func<ValueTask<T>> run)
    {
        StoreOperation operation = new(Interlocked.Increment(ref _count), name, key);
        if (Before is { } before)
        {
            await before(operation);
        }

        T result = await run();
        if (After is { } after)
        {
            await after(operation);
        }

        return result;
    }
}

/// <summary>The end of a client's process. Not a <see cref="DatastoreException"/>: nobody is left to catch it.</summary>
public sealed class CrashException() : Exception("the process of this client ends here");
