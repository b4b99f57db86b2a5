using Weft.Datastore;
using Weft.Model.Json;
using Weft.Model.Keys;
using Weft.Model.Resources;

namespace Weft.Ctl.Tests;

/// <summary>A twin of the etcd store in memory: bytes under paths, one revision per write, the same outcomes. Watching is not part of it.</summary>
internal sealed class MemoryDatastore : IDatastore
{
    private readonly SortedDictionary<string, (byte[] Json, long Revision)> _values = new(StringComparer.Ordinal);
    private long _revision = 1;

    /// <summary>Runs before every conditional write: a test puts another writer here.</summary>
    public Action? BeforeWrite { get; set; }

    public IEnumerable<string> Paths => _values.Keys;

    public int Writes { get; private set; }

    public void Put(ModelKey key, object value) => _values[key.Path] = (ModelJson.Serialize(key, value), ++_revision);

    public void PutRaw(string path, string json) => _values[path] = (System.Text.Encoding.UTF8.GetBytes(json), ++_revision);

    public string Raw(string path) => System.Text.Encoding.UTF8.GetString(_values[path].Json);

    public ValueTask<KeyValue?> GetAsync(ModelKey key, CancellationToken stop) => new(Find(key));

    public ValueTask<ListResult> ListAsync(ModelPrefix prefix, CancellationToken stop)
    {
        List<KeyValue> items = [];
        List<UnreadableValue> unreadable = [];
        foreach ((string path, (byte[] json, long revision)) in _values.Where(v => prefix.Contains(v.Key)))
        {
            if (ModelKey.TryParse(path) is not { } key)
            {
                continue;
            }

            if (ModelJson.TryDeserialize(key, json, out object? value, out string? problem))
            {
                items.Add(Filled(key, value, revision));
            }
            else
            {
                unreadable.Add(new UnreadableValue(key, new Revision(revision), problem));
            }
        }

        return new(new ListResult(items, unreadable, new Revision(_revision)));
    }

    public async ValueTask<ListResult> ListAsync(IReadOnlyList<ModelPrefix> prefixes, CancellationToken stop)
    {
        List<KeyValue> items = [];
        foreach (ModelPrefix prefix in prefixes)
        {
            items.AddRange((await ListAsync(prefix, stop)).Items);
        }

        return new ListResult(items, [], new Revision(_revision));
    }

    public ValueTask<WriteResult> CreateAsync(ModelKey key, object value, CancellationToken stop)
    {
        BeforeWrite?.Invoke();
        return new(Find(key) is { } existing ? new WriteResult(WriteOutcome.AlreadyExists, default, existing) : Write(key, value));
    }

    public ValueTask<WriteResult> UpdateAsync(ModelKey key, object value, Revision expected, CancellationToken stop)
    {
        BeforeWrite?.Invoke();
        KeyValue? existing = Find(key);
        return new(existing is null ? new WriteResult(WriteOutcome.NotFound, default, null)
            : existing.Revision != expected ? new WriteResult(WriteOutcome.Conflict, default, existing)
            : Write(key, value));
    }

    public ValueTask<WriteResult> ApplyAsync(ModelKey key, object value, TimeSpan? timeToLive, CancellationToken stop) => new(Write(key, value));

    public ValueTask<WriteResult> DeleteAsync(ModelKey key, Revision? expected, CancellationToken stop)
    {
        BeforeWrite?.Invoke();
        KeyValue? existing = Find(key);
        if (existing is null || (expected is { } revision && existing.Revision != revision))
        {
            return new(new WriteResult(existing is null ? WriteOutcome.NotFound : WriteOutcome.Conflict, default, existing));
        }

        _values.Remove(key.Path);
        Writes++;
        return new(new WriteResult(WriteOutcome.Written, new Revision(++_revision), existing));
    }

    public IAsyncEnumerable<WatchBatch> WatchAsync(ModelPrefix prefix, Revision after, CancellationToken stop) => throw new NotSupportedException();

    public IAsyncEnumerable<WatchBatch> WatchAsync(IReadOnlyList<ModelPrefix> prefixes, Revision after, CancellationToken stop) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => default;

    private WriteResult Write(ModelKey key, object value)
    {
        Put(key, value);
        Writes++;
        return new WriteResult(WriteOutcome.Written, new Revision(_revision), null);
    }

    public KeyValue? Find(ModelKey key)
    {
        if (!_values.TryGetValue(key.Path, out (byte[] Json, long Revision) stored))
        {
            return null;
        }

        return ModelJson.TryDeserialize(key, stored.Json, out object? value, out string? problem) ? Filled(key, value, stored.Revision) : throw new DatastoreException($"{key}: {problem}");
    }

    private static KeyValue Filled(ModelKey key, object value, long revision)
    {
        if (value is Resource resource)
        {
            resource.Metadata.ResourceVersion = revision.ToString();
        }

        return new KeyValue(key, value, new Revision(revision));
    }
}
