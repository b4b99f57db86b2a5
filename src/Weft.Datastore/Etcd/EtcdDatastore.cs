using System.Runtime.CompilerServices;
using Etcdserverpb;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Weft.Model.Keys;
using CompareResult = Etcdserverpb.Compare.Types.CompareResult;
using CompareTarget = Etcdserverpb.Compare.Types.CompareTarget;
using StoredKeyValue = Mvccpb.KeyValue;

namespace Weft.Datastore.Etcd;

/// <summary>
/// The datastore over etcd's v3 API (etcd itself, or `weft store`). Every conditional write is one transaction "if unchanged then write else read", so
/// its outcome and the value in the way arrive together. Usable from any thread; nothing is sent before the first request.
/// </summary>
public sealed class EtcdDatastore : IAtomicDatastore
{
    // Large enough that a cluster of hundreds of nodes lists in a few requests, small enough that no answer is tens of megabytes.
    private const int PageSize = 2000;

    // etcd's --max-txn-ops is 128.
    private const int MaxRanges = 100;

    private readonly EtcdConnection _connection;
    private readonly ILogger _logger;
    private readonly int _pageSize;

    private EtcdDatastore(EtcdConnection connection, ILogger logger, int pageSize) => (_connection, _logger, _pageSize) = (connection, logger, pageSize);

    /// <summary>Does not wait: trouble shows at the first request, and requests go on trying.</summary>
    public static EtcdDatastore Connect(DatastoreSettings settings, ILoggerFactory logs, TimeProvider time) => Connect(settings, logs, time, PageSize);

    internal static EtcdDatastore Connect(DatastoreSettings settings, ILoggerFactory logs, TimeProvider time, int pageSize)
    {
        ILogger logger = logs.CreateLogger("datastore");
        return new EtcdDatastore(new EtcdConnection(settings, logger, time), logger, pageSize);
    }

    public async ValueTask<KeyValue?> GetAsync(ModelKey key, CancellationToken stop)
    {
        string what = $"get {key}";
        RangeRequest request = new() { Key = StoredValue.KeyOf(key) };
        RangeResponse response = await _connection.CallAsync(what, RequestKind.Read, (e, o) => e.Kv.RangeAsync(request, o), stop);
        if (response.Kvs.Count == 0)
        {
            return null;
        }

        return StoredValue.TryRead(key, response.Kvs[0], out KeyValue value, out string problem)
            ? value
            : throw new DatastoreException($"{what} at revision {response.Kvs[0].ModRevision}: {problem}");
    }

    public ValueTask<ListResult> ListAsync(ModelPrefix prefix, CancellationToken stop) => ListAsync([prefix], stop);

    public async ValueTask<ListResult> ListAsync(IReadOnlyList<ModelPrefix> prefixes, CancellationToken stop)
    {
        // Pages are read at the revision of the first one. A compaction in between makes that revision vanish: then from the beginning.
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return await ListOnceAsync(prefixes, stop);
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.OutOfRange)
            {
                if (attempt == 3)
                {
                    throw new DatastoreException($"list {string.Join(", ", prefixes)} at {_connection.Current.Name}: compacted while reading, {attempt} times", e);
                }
            }
        }
    }

    public async ValueTask<WriteResult> CreateAsync(ModelKey key, object value, CancellationToken stop)
    {
        ByteString path = StoredValue.KeyOf(key);
        Compare absent = new() { Key = path, Target = CompareTarget.Version, Result = CompareResult.Equal, Version = 0 };
        TxnResponse response = await TransactAsync($"create {key}", absent, Put(path, key, value, lease: 0), path, stop);
        return response.Succeeded ? Written(response) : new WriteResult(WriteOutcome.AlreadyExists, default, Existing(key, response));
    }

    public async ValueTask<WriteResult> UpdateAsync(ModelKey key, object value, Revision expected, CancellationToken stop)
    {
        ByteString path = StoredValue.KeyOf(key);
        TxnResponse response = await TransactAsync($"update {key}", Unchanged(path, expected), Put(path, key, value, lease: 0), path, stop);
        return response.Succeeded ? Written(response) : InTheWay(key, response);
    }

    public async ValueTask<WriteResult> ApplyAsync(ModelKey key, object value, TimeSpan? timeToLive, CancellationToken stop)
    {
        ByteString path = StoredValue.KeyOf(key);
        string what = $"apply {key}";
        long lease = 0;
        if (timeToLive is { } ttl)
        {
            // Whole seconds, one lease per write, never renewed: the writer writes again before the end (reference 1.8).
            LeaseGrantRequest grant = new() { TTL = Math.Max(1, (long)ttl.TotalSeconds) };
            lease = (await _connection.CallAsync($"{what}: lease", RequestKind.Read, (e, o) => e.Lease.LeaseGrantAsync(grant, o), stop)).ID;
        }

        PutRequest put = Put(path, key, value, lease).RequestPut;

        // A plain put may be repeated: the second writes what the first has written.
        PutResponse response = await _connection.CallAsync(what, RequestKind.Read, (e, o) => e.Kv.PutAsync(put, o), stop);
        return new WriteResult(WriteOutcome.Written, new Revision(response.Header.Revision), null);
    }

    public async ValueTask<WriteResult> DeleteAsync(ModelKey key, Revision? expected, CancellationToken stop)
    {
        ByteString path = StoredValue.KeyOf(key);
        RequestOp delete = new() { RequestDeleteRange = new DeleteRangeRequest { Key = path, PrevKv = true } };
        TxnResponse response = await TransactAsync($"delete {key}", expected is { } revision ? Unchanged(path, revision) : null, delete, path, stop);
        if (!response.Succeeded)
        {
            return InTheWay(key, response);
        }

        DeleteRangeResponse deleted = response.Responses[0].ResponseDeleteRange;
        return deleted.Deleted == 0
            ? new WriteResult(WriteOutcome.NotFound, default, null)
            : new WriteResult(WriteOutcome.Written, new Revision(response.Header.Revision), Read(key, deleted.PrevKvs));
    }

    public async ValueTask<TransactionResult> TransactAsync(StoreTransaction transaction, CancellationToken stop)
    {
        TxnRequest request = new();
        foreach (StoreCondition condition in transaction.Conditions)
        {
            KeyRange range = KeyRange.Of(condition.Range);
            request.Compare.Add(condition.Key is null
                ? new Compare { Key = range.Key, RangeEnd = range.End, Target = CompareTarget.Mod, Result = CompareResult.Less, ModRevision = condition.Revision.Value + 1 }
                : Unchanged(range.Key, condition.Revision)); // An absent key has revision 0.
            request.Failure.Add(new RequestOp { RequestRange = new RangeRequest { Key = range.Key, RangeEnd = range.End, KeysOnly = true, CountOnly = condition.Key is null } });
        }

        foreach ((ModelKey key, object? value) in transaction.Writes)
        {
            ByteString path = StoredValue.KeyOf(key);
            request.Success.Add(value is null ? new RequestOp { RequestDeleteRange = new DeleteRangeRequest { Key = path } } : Put(path, key, value, lease: 0));
        }

        string what = $"transaction of {transaction.Writes.Count} writes from {transaction.Writes[0].Key} on";
        TxnResponse response = await _connection.CallAsync(what, RequestKind.Write, (e, o) => e.Kv.TxnAsync(request, o), stop);
        List<ModelKey> broken = [];
        for (int i = 0; !response.Succeeded && i < transaction.Conditions.Count; i++)
        {
            StoreCondition condition = transaction.Conditions[i];
            long found = response.Responses[i].ResponseRange.Kvs is [var stored] ? stored.ModRevision : 0;
            if (condition.Key is { } key && found != condition.Revision.Value)
            {
                broken.Add(key);
            }
        }

        return new TransactionResult(response.Succeeded, new Revision(response.Header.Revision), broken);
    }

    public IAsyncEnumerable<WatchBatch> WatchAsync(ModelPrefix prefix, Revision after, CancellationToken stop) => WatchAsync([prefix], after, stop);

    public async IAsyncEnumerable<WatchBatch> WatchAsync(IReadOnlyList<ModelPrefix> prefixes, Revision after, [EnumeratorCancellation] CancellationToken stop)
    {
        await using EtcdWatch watch = new(_connection, prefixes, after, _logger);
        while (true)
        {
            yield return await watch.NextAsync(stop);
        }
    }

    public ValueTask DisposeAsync()
    {
        _connection.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>The first page of every range in one transaction, which also fixes the revision; the pages that follow at that revision.</summary>
    private async ValueTask<ListResult> ListOnceAsync(IReadOnlyList<ModelPrefix> prefixes, CancellationToken stop)
    {
        if (prefixes.Count > MaxRanges)
        {
            throw new ArgumentException($"{prefixes.Count} ranges; a transaction of etcd takes {MaxRanges}", nameof(prefixes));
        }

        string what = $"list {string.Join(", ", prefixes)}";
        KeyRange[] ranges = [.. prefixes.Select(KeyRange.Of)];
        TxnRequest request = new();
        foreach (KeyRange range in ranges)
        {
            request.Success.Add(new RequestOp { RequestRange = new RangeRequest { Key = range.Key, RangeEnd = range.End, Limit = _pageSize } });
        }

        TxnResponse response = await _connection.CallAsync(what, RequestKind.Read, (e, o) => e.Kv.TxnAsync(request, o), stop);
        long revision = response.Header.Revision;
        List<KeyValue> items = [];
        List<UnreadableValue> unreadable = [];
        for (int i = 0; i < ranges.Length; i++)
        {
            RangeResponse page = response.Responses[i].ResponseRange;
            Add(page, items, unreadable);
            while (page.More && page.Kvs.Count > 0)
            {
                KeyRange rest = ranges[i].Behind(page.Kvs[^1].Key);
                RangeRequest next = new() { Key = rest.Key, RangeEnd = rest.End, Limit = _pageSize, Revision = revision };
                page = await _connection.CallAsync(what, RequestKind.Read, (e, o) => e.Kv.RangeAsync(next, o), stop);
                Add(page, items, unreadable);
            }
        }

        return new ListResult(items, unreadable, new Revision(revision));
    }

    private static void Add(RangeResponse page, List<KeyValue> items, List<UnreadableValue> unreadable)
    {
        foreach (StoredKeyValue stored in page.Kvs)
        {
            Add(stored, items, unreadable);
        }
    }

    private static void Add(StoredKeyValue stored, List<KeyValue> items, List<UnreadableValue> unreadable)
    {
        if (ModelKey.TryParse(stored.Key.ToStringUtf8()) is not { } key)
        {
            return;
        }

        if (StoredValue.TryRead(key, stored, out KeyValue value, out string problem))
        {
            items.Add(value);
        }
        else
        {
            unreadable.Add(new UnreadableValue(key, new Revision(stored.ModRevision), problem));
        }
    }

    private ValueTask<TxnResponse> TransactAsync(string what, Compare? condition, RequestOp then, ByteString key, CancellationToken stop)
    {
        TxnRequest request = new();
        request.Success.Add(then);
        if (condition is not null)
        {
            request.Compare.Add(condition);
            request.Failure.Add(new RequestOp { RequestRange = new RangeRequest { Key = key } });
        }

        return _connection.CallAsync(what, RequestKind.Write, (e, o) => e.Kv.TxnAsync(request, o), stop);
    }

    private static RequestOp Put(ByteString path, ModelKey key, object value, long lease) =>
        new() { RequestPut = new PutRequest { Key = path, Value = StoredValue.Bytes(key, value), Lease = lease } };

    private static Compare Unchanged(ByteString path, Revision expected) =>
        new() { Key = path, Target = CompareTarget.Mod, Result = CompareResult.Equal, ModRevision = expected.Value };

    private static WriteResult Written(TxnResponse response) => new(WriteOutcome.Written, new Revision(response.Header.Revision), null);

    private static WriteResult InTheWay(ModelKey key, TxnResponse response) => response.Responses[0].ResponseRange.Kvs.Count == 0
        ? new WriteResult(WriteOutcome.NotFound, default, null)
        : new WriteResult(WriteOutcome.Conflict, default, Existing(key, response));

    private static KeyValue? Existing(ModelKey key, TxnResponse response) => Read(key, response.Responses[0].ResponseRange.Kvs);

    /// <summary>Null also for a value that cannot be read: who needs it asks with a get and is told the problem.</summary>
    private static KeyValue? Read(ModelKey key, IList<StoredKeyValue> stored) =>
        stored.Count > 0 && StoredValue.TryRead(key, stored[0], out KeyValue value, out _) ? value : null;
}
