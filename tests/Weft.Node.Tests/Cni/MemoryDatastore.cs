using System.Runtime.CompilerServices;
using Weft.Datastore;
using Weft.Model.Keys;

namespace Weft.Node.Tests.Cni;

/// <summary>A datastore in memory with the outcomes of the real one. <see cref="Down"/> makes every call fail.</summary>
internal sealed class MemoryDatastore : IDatastore
{
    private readonly SortedDictionary<string, KeyValue> _values = new(StringComparer.Ordinal);
    private long _revision = 100;

    public bool Down { get; set; }

    /// <summary>Called before every write; throw to fail it.</summary>
    public Action<ModelKey>? BeforeWrite { get; set; }

    public IEnumerable<KeyValue> All => _values.Values;

    public T? Find<T>(ModelKey key)
        where T : class => _values.GetValueOrDefault(key.Path)?.Value as T;

    public void Put(ModelKey key, object value) => _values[key.Path] = new KeyValue(key, value, new Revision(++_revision));

    public void Remove(ModelKey key) => _values.Remove(key.Path);

    public ValueTask<KeyValue?> GetAsync(ModelKey key, CancellationToken stop) => ValueTask.FromResult(Look(key));

    public ValueTask<ListResult> ListAsync(ModelPrefix prefix, CancellationToken stop)
    {
        Ask();
        return ValueTask.FromResult(new ListResult([.. _values.Where(v => prefix.Contains(v.Key)).Select(v => v.Value)], [], new Revision(_revision)));
    }

    public ValueTask<ListResult> ListAsync(IReadOnlyList<ModelPrefix> prefixes, CancellationToken stop)
    {
        Ask();
        return ValueTask.FromResult(new ListResult([.. _values.Where(v => prefixes.Any(p => p.Contains(v.Key))).Select(v => v.Value)], [], new Revision(_revision)));
    }

    public ValueTask<WriteResult> CreateAsync(ModelKey key, object value, CancellationToken stop) => ValueTask.FromResult(
        Look(key) is { } existing ? new WriteResult(WriteOutcome.AlreadyExists, default, existing) : Write(key, value));

    public ValueTask<WriteResult> UpdateAsync(ModelKey key, object value, Revision expected, CancellationToken stop) => ValueTask.FromResult(
        Look(key) is not { } existing ? new WriteResult(WriteOutcome.NotFound, default, null)
        : existing.Revision != expected ? new WriteResult(WriteOutcome.Conflict, default, existing)
        : Write(key, value));

    public ValueTask<WriteResult> ApplyAsync(ModelKey key, object value, TimeSpan? timeToLive, CancellationToken stop) => ValueTask.FromResult(Write(key, value));

    public ValueTask<WriteResult> DeleteAsync(ModelKey key, Revision? expected, CancellationToken stop)
    {
        if (Look(key) is not { } existing)
        {
            return ValueTask.FromResult(new WriteResult(WriteOutcome.NotFound, default, null));
        }

        if (expected is { } revision && revision != existing.Revision)
        {
            return ValueTask.FromResult(new WriteResult(WriteOutcome.Conflict, default, existing));
        }

        BeforeWrite?.Invoke(key);
        _values.Remove(key.Path);
        return ValueTask.FromResult(new WriteResult(WriteOutcome.Written, new Revision(++_revision), existing));
    }

    public IAsyncEnumerable<WatchBatch> WatchAsync(ModelPrefix prefix, Revision after, CancellationToken stop) => WatchAsync([prefix], after, stop);

    public async IAsyncEnumerable<WatchBatch> WatchAsync(IReadOnlyList<ModelPrefix> prefixes, Revision after, [EnumeratorCancellation] CancellationToken stop)
    {
        await Task.Delay(Timeout.Infinite, stop);
        yield break;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private KeyValue? Look(ModelKey key)
    {
        Ask();
        return _values.GetValueOrDefault(key.Path);
    }

    private WriteResult Write(ModelKey key, object value)
    {
        Ask();
        BeforeWrite?.Invoke(key);
        Put(key, value);
        return new WriteResult(WriteOutcome.Written, new Revision(_revision), null);
    }

    private void Ask()
    {
        if (Down)
        {
            throw new DatastoreException("get http://127.0.0.1:1: connection refused");
        }
    }
}
