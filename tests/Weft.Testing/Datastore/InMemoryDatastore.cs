using System.Runtime.CompilerServices;
using Weft.Datastore;
using Weft.Model.Json;
using Weft.Model.Keys;
using Weft.Model.Resources;

namespace Weft.Testing.Datastore;

/// <summary>
/// The datastore as a dictionary: the same outcomes, revisions and bytes as etcd, with history for watches. Values go through the JSON codec both ways, so
/// nobody shares an object with the store. Usable from any thread.
/// </summary>
public sealed class InMemoryDatastore(TimeProvider? time = null) : IAtomicDatastore
{
    private readonly Lock _gate = new(); // Guards everything below; held for the length of one operation.
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly SortedDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly List<(long Revision, ModelKey Key, byte[]? Value)> _history = [];
    private TaskCompletionSource _changed = NewSignal();
    private long _revision = 1;
    private long _compacted;

    /// <summary>The revision of the newest write.</summary>
    public Revision Revision
    {
        get { lock (_gate) { return new Revision(_revision); } }
    }

    /// <summary>Paths and stored text of everything, in order: for comparing whole states.</summary>
    public IReadOnlyList<(string Path, string Json)> Dump()
    {
        lock (_gate)
        {
            Expire();
            return [.. _entries.Select(e => (e.Key, System.Text.Encoding.UTF8.GetString(e.Value.Value)))];
        }
    }

    /// <summary>Rewrites the key as it is, so that it has another revision: somebody else came in between.</summary>
    public void Bump(ModelKey key)
    {
        lock (_gate)
        {
            if (_entries.TryGetValue(key.Path, out Entry? entry))
            {
                Put(key, entry.Value, null);
            }
        }
    }

    /// <summary>Stores text that need not be JSON.</summary>
    public void PutRaw(ModelKey key, string text)
    {
        lock (_gate)
        {
            Put(key, System.Text.Encoding.UTF8.GetBytes(text), null);
        }
    }

    /// <summary>Forgets the history up to the present revision.</summary>
    public void Compact()
    {
        lock (_gate)
        {
            _compacted = _revision;
            _history.Clear();
        }
    }

    public ValueTask<KeyValue?> GetAsync(ModelKey key, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        lock (_gate)
        {
            Expire();
            return ValueTask.FromResult(_entries.TryGetValue(key.Path, out Entry? entry) ? Read(key, entry.Value, entry.Revision) : null);
        }
    }

    public ValueTask<ListResult> ListAsync(ModelPrefix prefix, CancellationToken stop) => ListAsync([prefix], stop);

    public ValueTask<ListResult> ListAsync(IReadOnlyList<ModelPrefix> prefixes, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        lock (_gate)
        {
            Expire();
            List<KeyValue> items = [];
            List<UnreadableValue> unreadable = [];
            foreach ((string path, Entry entry) in prefixes.SelectMany(p => _entries.Where(e => p.Contains(e.Key))))
            {
                ModelKey key = ModelKey.TryParse(path)!;
                if (TryRead(key, entry.Value, entry.Revision, out KeyValue? value, out string problem))
                {
                    items.Add(value!);
                }
                else
                {
                    unreadable.Add(new UnreadableValue(key, new Revision(entry.Revision), problem));
                }
            }

            return ValueTask.FromResult(new ListResult(items, unreadable, new Revision(_revision)));
        }
    }

    public ValueTask<WriteResult> CreateAsync(ModelKey key, object value, CancellationToken stop) => Write(key, stop, existing => existing is null
        ? Written(Put(key, ModelJson.Serialize(key, value), null))
        : new WriteResult(WriteOutcome.AlreadyExists, default, Read(key, existing.Value, existing.Revision)));

    public ValueTask<WriteResult> UpdateAsync(ModelKey key, object value, Revision expected, CancellationToken stop) => Write(key, stop, existing =>
        Refusal(key, existing, expected) ?? Written(Put(key, ModelJson.Serialize(key, value), null)));

    public ValueTask<WriteResult> ApplyAsync(ModelKey key, object value, TimeSpan? timeToLive, CancellationToken stop) => Write(key, stop, _ =>
        Written(Put(key, ModelJson.Serialize(key, value), timeToLive is { } ttl ? _time.GetUtcNow() + ttl : null)));

    public ValueTask<WriteResult> DeleteAsync(ModelKey key, Revision? expected, CancellationToken stop) => Write(key, stop, existing =>
    {
        if (Refusal(key, existing, expected) is { } refusal)
        {
            return refusal;
        }

        KeyValue? deleted = Read(key, existing!.Value, existing.Revision);
        Remove(key);
        return new WriteResult(WriteOutcome.Written, new Revision(_revision), deleted);
    });

    public ValueTask<TransactionResult> TransactAsync(StoreTransaction transaction, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        lock (_gate)
        {
            Expire();
            List<ModelKey> broken = [.. transaction.Conditions.Where(c => c.Key is { } key && (_entries.GetValueOrDefault(key.Path)?.Revision ?? 0) != c.Revision.Value).Select(c => c.Key!)];
            if (broken.Count > 0 || transaction.Conditions.Any(c => c.Key is null && _entries.Any(e => c.Range.Contains(e.Key) && e.Value.Revision > c.Revision.Value)))
            {
                return ValueTask.FromResult(new TransactionResult(IsWritten: false, new Revision(_revision), broken));
            }

            _revision++;
            foreach ((ModelKey key, object? value) in transaction.Writes.Where(w => w.Value is not null || _entries.ContainsKey(w.Key.Path)))
            {
                if (value is null)
                {
                    _entries.Remove(key.Path);
                    Record(key, null);
                }
                else
                {
                    byte[] stored = ModelJson.Serialize(key, value);
                    _entries[key.Path] = new Entry(stored, _revision, null);
                    Record(key, stored);
                }
            }

            return ValueTask.FromResult(new TransactionResult(IsWritten: true, new Revision(_revision), []));
        }
    }

    public IAsyncEnumerable<WatchBatch> WatchAsync(ModelPrefix prefix, Revision after, CancellationToken stop) => WatchAsync([prefix], after, stop);

    public async IAsyncEnumerable<WatchBatch> WatchAsync(IReadOnlyList<ModelPrefix> prefixes, Revision after, [EnumeratorCancellation] CancellationToken stop)
    {
        long position = after.Value;
        while (true)
        {
            stop.ThrowIfCancellationRequested();
            WatchBatch? batch;
            Task changed;
            lock (_gate)
            {
                Expire();
                changed = _changed.Task;
                batch = position < _compacted
                    ? throw new CompactedException($"revision {position} has been compacted away", new Revision(_compacted))
                    : Since(prefixes, position);
                position = _revision;
            }

            if (batch is not null)
            {
                yield return batch;
            }
            else
            {
                await changed.WaitAsync(stop);
            }
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private WatchBatch? Since(IReadOnlyList<ModelPrefix> prefixes, long position)
    {
        List<ModelUpdate> updates = [];
        foreach ((long revision, ModelKey key, byte[]? value) in _history.Where(h => h.Revision > position && prefixes.Any(p => p.Contains(h.Key.Path))))
        {
            updates.Add(value is null ? new ModelUpdate(key, null, revision)
                : TryRead(key, value, revision, out KeyValue? read, out string problem) ? new ModelUpdate(key, read!.Value, revision)
                : new ModelUpdate(key, null, revision, problem));
        }

        return updates.Count == 0 ? null : new WatchBatch(updates, new Revision(_revision));
    }

    private ValueTask<WriteResult> Write(ModelKey key, CancellationToken stop, Func<Entry?, WriteResult> write)
    {
        stop.ThrowIfCancellationRequested();
        lock (_gate)
        {
            Expire();
            return ValueTask.FromResult(write(_entries.GetValueOrDefault(key.Path)));
        }
    }

    private static WriteResult? Refusal(ModelKey key, Entry? existing, Revision? expected) =>
        existing is null ? new WriteResult(WriteOutcome.NotFound, default, null)
        : expected is { } revision && revision.Value != existing.Revision ? new WriteResult(WriteOutcome.Conflict, default, Read(key, existing.Value, existing.Revision))
        : null;

    private static WriteResult Written(long revision) => new(WriteOutcome.Written, new Revision(revision), null);

    private long Put(ModelKey key, byte[] value, DateTimeOffset? end)
    {
        _revision++;
        _entries[key.Path] = new Entry(value, _revision, end);
        Record(key, value);
        return _revision;
    }

    private void Remove(ModelKey key)
    {
        _revision++;
        _entries.Remove(key.Path);
        Record(key, null);
    }

    private void Record(ModelKey key, byte[]? value)
    {
        _history.Add((_revision, key, value));
        TaskCompletionSource changed = _changed;
        _changed = NewSignal();
        changed.SetResult();
    }

    private void Expire()
    {
        DateTimeOffset now = _time.GetUtcNow();
        foreach (string path in _entries.Where(e => e.Value.End <= now).Select(e => e.Key).ToArray())
        {
            Remove(ModelKey.TryParse(path)!);
        }
    }

    private static KeyValue? Read(ModelKey key, byte[] value, long revision) => TryRead(key, value, revision, out KeyValue? read, out string problem)
        ? read
        : throw new DatastoreException($"{key} at revision {revision}: {problem}");

    private static bool TryRead(ModelKey key, byte[] stored, long revision, out KeyValue? value, out string problem)
    {
        bool ok = ModelJson.TryDeserialize(key, stored, out object? parsed, out string? why);
        if (parsed is Resource resource)
        {
            resource.Metadata.ResourceVersion = new Revision(revision).ToString();
        }

        value = ok ? new KeyValue(key, parsed!, new Revision(revision)) : null;
        problem = why ?? string.Empty;
        return ok;
    }

    // Continuations run elsewhere: the one who writes holds the gate.
    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed record Entry(byte[] Value, long Revision, DateTimeOffset? End);
}
