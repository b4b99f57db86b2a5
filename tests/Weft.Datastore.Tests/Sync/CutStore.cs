using System.Runtime.CompilerServices;
using Weft.Model.Keys;

namespace Weft.Datastore.Tests.Sync;

/// <summary>A store whose first watch begins only when the test says so, as if the way to it had been cut right after the list.</summary>
internal sealed class CutStore(IDatastore store, Task mended) : IDatastore
{
    public ValueTask<KeyValue?> GetAsync(ModelKey key, CancellationToken stop) => store.GetAsync(key, stop);

    public ValueTask<ListResult> ListAsync(ModelPrefix prefix, CancellationToken stop) => store.ListAsync(prefix, stop);

    public ValueTask<ListResult> ListAsync(IReadOnlyList<ModelPrefix> prefixes, CancellationToken stop) => store.ListAsync(prefixes, stop);

    public ValueTask<WriteResult> CreateAsync(ModelKey key, object value, CancellationToken stop) => store.CreateAsync(key, value, stop);

    public ValueTask<WriteResult> UpdateAsync(ModelKey key, object value, Revision expected, CancellationToken stop) => store.UpdateAsync(key, value, expected, stop);

    public ValueTask<WriteResult> ApplyAsync(ModelKey key, object value, TimeSpan? timeToLive, CancellationToken stop) => store.ApplyAsync(key, value, timeToLive, stop);

    public ValueTask<WriteResult> DeleteAsync(ModelKey key, Revision? expected, CancellationToken stop) => store.DeleteAsync(key, expected, stop);

    public IAsyncEnumerable<WatchBatch> WatchAsync(ModelPrefix prefix, Revision after, CancellationToken stop) => WatchAsync([prefix], after, stop);

    public async IAsyncEnumerable<WatchBatch> WatchAsync(IReadOnlyList<ModelPrefix> prefixes, Revision after, [EnumeratorCancellation] CancellationToken stop)
    {
        await mended.WaitAsync(stop);
        await foreach (WatchBatch batch in store.WatchAsync(prefixes, after, stop))
        {
            yield return batch;
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
