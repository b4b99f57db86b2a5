using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Weft.Cluster.Store.Mvcc;
using Weft.Cluster.Store.Storage;
using Weft.Cluster.Store.Transport;
using Weft.Cluster.Store.Watching;

namespace Weft.Cluster.Store;

/// <summary>
/// The one writer. Requests that arrive while a commit waits for the disk become the next batch: one transaction, one fsync, however many clients.
/// <code>
///   requests --> queue (bounded) --> apply each to the editor --> rows + COMMIT (fsync) --> event log --> published state --> answers, watches
///                                          |                            | failed: editor reset, all of the batch refused
///                                          +-- leases that ended -------+-- a part of a pending compaction
/// </code>
/// It has a thread of its own, since it blocks on the disk most of its time.
/// </summary>
internal sealed class WriteLoop : IAsyncDisposable
{
    private const int QueueCapacity = 4096;
    private const int MaxBatch = 1024;
    private const int CompactRowsPerBatch = 500;

    private readonly Channel<WriteRequest> _queue = Channel.CreateBounded<WriteRequest>(new BoundedChannelOptions(QueueCapacity) { SingleReader = true });
    private readonly ConcurrentQueue<FileRequest> _fileRequests = new(); // A handful: each waits for its caller's answer.
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<(long Revision, TaskCompletionSource Done)> _compactions = [];
    private readonly StoreFile _file;
    private readonly StoreEditor _editor;
    private readonly WriteContext _context;
    private readonly LeaseClock _leases;
    private readonly ILogger _logger;
    private readonly long _quota;
    private readonly Thread _thread;
    private readonly ITimer _ticks;
    private StoreState _state;
    private bool _begun;
    private int _appended;
    private bool _failing;
    private bool _full;

    public WriteLoop(StoreFile file, StoreState loaded, long quota, TimeProvider time, ILogger logger)
    {
        (_file, _state, _quota, _logger) = (file, loaded, quota, logger);
        _editor = new StoreEditor(loaded);
        _leases = new LeaseClock(time);
        _context = new WriteContext(_editor, new BatchHistory(this), _leases);
        Events = new EventLog(loaded.Revision + 1, maxEvents: 65536, maxBytes: 16 << 20);
        foreach (Lease lease in loaded.Leases.Values)
        {
            _leases.Start(lease.Id, lease.Ttl);
        }

        MeasureFile();
        _thread = new Thread(Run) { Name = "store writer", IsBackground = true };
        _thread.Start();
        _ticks = time.CreateTimer(_ => _queue.Writer.TryWrite(new Tick()), null, TimeSpan.FromMilliseconds(500), TimeSpan.FromMilliseconds(500));
    }

    /// <summary>The newest durable state.</summary>
    public StoreState State => Volatile.Read(ref _state);

    /// <summary>Recent changes; look only up to <see cref="State"/>'s revision.</summary>
    public EventLog Events { get; }

    public Wakers Wakers { get; } = new();

    /// <summary>Bytes of the file, and how many of them hold something; as of the last batch.</summary>
    public (long Size, long InUse) FileSize { get; private set; }

    /// <summary>True while the file holds more than its quota: nothing that takes space is accepted, deleting is.</summary>
    public bool IsOverQuota => FileSize.InUse > _quota;

    /// <summary>True while there is no room, by the quota or on the disk: the NOSPACE alarm.</summary>
    public bool IsOutOfSpace => IsOverQuota || Volatile.Read(ref _full);

    /// <summary>Ends when the loop ends; with the exception that ended it, if one did.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Queues a request and waits until what it did is on the disk.</summary>
    public async Task<T> RunAsync<T>(Func<WriteContext, T> apply, CancellationToken cancel)
    {
        WriteRequest<T> request = new(apply);
        try
        {
            await _queue.Writer.WriteAsync(request, cancel);
        }
        catch (ChannelClosedException)
        {
            throw new GrpcException(EtcdErrors.Stopped);
        }

        return await request.Answer.WaitAsync(cancel);
    }

    /// <summary>Runs work on the file between two batches; writes wait meanwhile, reads do not.</summary>
    public async Task RunOnFileAsync(Action<StoreFile> work, CancellationToken cancel)
    {
        FileRequest request = new(work);
        _fileRequests.Enqueue(request);
        await RunAsync(static _ => 0, cancel);
        await request.Answer.WaitAsync(cancel);
    }

    /// <summary>Gives up history before the revision.</summary>
    /// <param name="revision">The oldest revision that stays readable.</param>
    /// <param name="physically">Also wait until the rows are gone from the file.</param>
    /// <param name="cancel">Ends the wait, not the compaction.</param>
    /// <returns>The store's revision.</returns>
    public async Task<long> CompactAsync(long revision, bool physically, CancellationToken cancel)
    {
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        long current = await RunAsync(
            context =>
            {
                if (revision <= context.Store.CompactRevision)
                {
                    throw new GrpcException(EtcdErrors.Compacted);
                }

                if (revision > context.Store.Revision)
                {
                    throw new GrpcException(EtcdErrors.FutureRevision);
                }

                context.Store.Compact(revision);
                _compactions.Add((revision, done)); // On the loop's thread, like every use of that list.
                return context.Store.Revision;
            },
            cancel);
        if (physically)
        {
            await done.Task.WaitAsync(cancel);
        }

        return current;
    }

    /// <summary>Handles what is queued, then ends; afterwards the file may be closed.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ticks.DisposeAsync();
        _queue.Writer.TryComplete();
        await _ended.Task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void Run()
    {
        List<WriteRequest> batch = new(MaxBatch);
        try
        {
            while (Wait())
            {
                while (batch.Count < MaxBatch && _queue.Reader.TryRead(out WriteRequest? request))
                {
                    batch.Add(request);
                }

                Work(batch);
                batch.Clear();
                while (_fileRequests.TryDequeue(out FileRequest? request))
                {
                    request.Run(_file);
                    MeasureFile();
                }
            }

            _ended.SetResult();
        }
        catch (Exception e)
        {
            // A broken invariant: the role ends, and with it the process; nothing of this batch was acknowledged.
            Log.WriteLoopFailed(_logger, e);
            _queue.Writer.TryComplete();
            RefuseAll(batch, EtcdErrors.Stopped);
            while (_queue.Reader.TryRead(out WriteRequest? request))
            {
                request.Refuse(EtcdErrors.Stopped);
            }

            _ended.SetException(e);
        }
    }

    /// <summary>False when the loop is to end. Blocking is right here: the thread has nothing else to do.</summary>
    private bool Wait()
    {
        bool isCompacting = !_failing && _file.HasRowsToCompact(_state.CompactRevision);
        return (isCompacting && !_queue.Reader.Completion.IsCompleted) || _queue.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult();
    }

    private void Work(List<WriteRequest> batch)
    {
        List<long> expired = [];
        try
        {
            foreach (WriteRequest request in batch)
            {
                request.Apply(_context);
            }

            // After the requests: a keep-alive that waited in the queue while the disk was slow still counts.
            expired = _leases.TakeExpired();
            foreach (Lease lease in expired.Select(_editor.FindLease).OfType<Lease>())
            {
                _editor.BeginRequest();
                _editor.Revoke(lease);
            }

            if (_editor.IsDirty || _begun || _file.HasRowsToCompact(_editor.CompactRevision))
            {
                Commit();
            }
        }
        catch (SqliteException e)
        {
            Abandon(batch, expired, e);
            return;
        }

        foreach (long id in expired)
        {
            _leases.Forget(id);
            Log.LeaseExpired(_logger, id);
        }

        foreach (WriteRequest request in batch)
        {
            request.Acknowledge();
        }
    }

    private void Commit()
    {
        AppendRows();
        foreach (long id in _editor.TouchedLeases)
        {
            if (_editor.FindLease(id) is { } lease)
            {
                _file.PutLease(id, lease.Ttl);
            }
            else
            {
                _file.DeleteLease(id);
            }
        }

        if (_editor.CompactionChanged)
        {
            _file.PutCompactRevision(_editor.CompactRevision);
        }
        else if (_file.HasRowsToCompact(_editor.CompactRevision))
        {
            // Only what was published as compacted is deleted: a reader that began before finds the revision refused, never half of its rows.
            _file.CompactSome(_editor.CompactRevision, CompactRowsPerBatch);
        }

        _file.Commit();
        (_begun, _appended) = (false, 0);
        Publish();
    }

    private void Publish()
    {
        MeasureFile();
        if (_failing)
        {
            (_failing, _full) = (false, false);
            Log.WritesWorkAgain(_logger, _file.Path);
        }

        bool isNew = _editor.Changes.Count > 0 || _editor.CompactionChanged;
        Events.Append(_editor.Changes);
        Volatile.Write(ref _state, _editor.Freeze());
        if (isNew)
        {
            Wakers.WakeAll();
        }

        if (_compactions.Count > 0 && !_file.HasRowsToCompact(_state.CompactRevision))
        {
            _compactions.ForEach(c => c.Done.TrySetResult());
            _compactions.Clear();
        }
    }

    /// <summary>Writes what the batch changed so far into the open transaction.</summary>
    private void AppendRows()
    {
        if (!_begun)
        {
            _file.Begin();
            _begun = true;
        }

        for (; _appended < _editor.Changes.Count; _appended++)
        {
            _file.Append(_editor.Changes[_appended]);
        }
    }

    /// <summary>The disk did not take the batch: nothing of it happened, and whoever asked is told so. The store goes on reading, and tries again.</summary>
    private void Abandon(List<WriteRequest> batch, List<long> expired, SqliteException failure)
    {
        (_begun, _appended) = (false, 0);
        _editor.Reset();
        _file.Rollback();
        expired.ForEach(_leases.Retry);
        _compactions.RemoveAll(c => c.Revision > _state.CompactRevision);
        Volatile.Write(ref _full, failure.IsFull);
        if (!_failing)
        {
            _failing = true;
            Log.WriteFailed(_logger, failure.Message);
        }

        RefuseAll(batch, failure.IsFull ? EtcdErrors.NoSpace : new GrpcError(GrpcCode.Unavailable, $"weft store: {failure.Message}"));
    }

    private static void RefuseAll(List<WriteRequest> batch, GrpcError error) => batch.ForEach(r => r.Refuse(error));

    private void MeasureFile()
    {
        bool wasOver = IsOverQuota;
        FileSize = _file.Size();
        if (IsOverQuota && !wasOver)
        {
            Log.QuotaExceeded(_logger, FileSize.InUse, _quota);
        }
    }

    /// <summary>Lets the loop look at its leases.</summary>
    private sealed class Tick : WriteRequest
    {
        public override void Apply(WriteContext context)
        {
        }

        public override void Acknowledge()
        {
        }

        public override void Refuse(GrpcError error)
        {
        }
    }

    /// <summary>History for a range inside a transaction: it must also see what this batch wrote before.</summary>
    private sealed class BatchHistory(WriteLoop loop) : IHistory
    {
        public List<Mvccpb.KeyValue> RangeAt(in KeyRange range, long revision, long limit)
        {
            loop.AppendRows();
            return loop._file.History.RangeAt(range, revision, limit);
        }

        public long CountAt(in KeyRange range, long revision)
        {
            loop.AppendRows();
            return loop._file.History.CountAt(range, revision);
        }
    }
}
