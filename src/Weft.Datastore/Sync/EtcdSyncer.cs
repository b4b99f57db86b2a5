using Microsoft.Extensions.Logging;
using Weft.Model.Keys;

namespace Weft.Datastore.Sync;

/// <summary>
/// One snapshot of all ranges, then their changes, coalesced per key while the sink is busy:
/// <code>
///   SyncSource (list, watch) --> SyncBuffer (newest per key, sections) --> sink
/// </code>
/// One logical thread: it waits for the store and for the sink at the same time and touches the buffer only in between, so nothing is locked.
/// </summary>
public sealed class EtcdSyncer : ISyncer
{
    private readonly SyncSource _source;
    private readonly SyncBuffer _buffer = new();
    private readonly ILogger _logger;
    private bool _everInSync;

    /// <param name="store">Where from; not disposed here.</param>
    /// <param name="prefixes">Ranges that do not overlap.</param>
    /// <param name="logs">For the category "datastore".</param>
    /// <param name="time">For the delays between attempts.</param>
    public EtcdSyncer(IDatastore store, IReadOnlyList<ModelPrefix> prefixes, ILoggerFactory logs, TimeProvider time)
    {
        _logger = logs.CreateLogger("datastore");
        _source = new SyncSource(store, prefixes, _logger, time);
    }

    public async Task RunAsync(ISyncSink sink, CancellationToken stop)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        IAsyncEnumerator<SourceEvent> source = _source.ReadAsync(end.Token).GetAsyncEnumerator(end.Token);
        Task<bool>? reading = null;
        Task? delivering = null;
        try
        {
            _buffer.Add(SyncStatus.WaitForDatastore, "connecting");
            while (true)
            {
                reading ??= source.MoveNextAsync().AsTask();
                if (delivering is null && !_buffer.IsEmpty)
                {
                    delivering = DeliverAsync(sink, _buffer.Take(), end.Token);
                }

                await (delivering is null ? (Task)reading : Task.WhenAny(reading, delivering));
                if (delivering is { IsCompleted: true })
                {
                    await delivering; // What the sink throws ends the syncer: the sink is part of weft, not of the surroundings.
                    delivering = null;
                }

                if (reading.IsCompleted)
                {
                    await reading;
                    Take(source.Current);
                    reading = null;
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Stopped: the sink keeps what it has.
        }
        finally
        {
            await end.CancelAsync();
            await SettleAsync(reading);
            await SettleAsync(delivering);
            await source.DisposeAsync();
        }
    }

    private void Take(in SourceEvent happened)
    {
        if (happened.Snapshot is { } snapshot)
        {
            // Also before the very first values: nothing is sent while the status is WaitForDatastore.
            _buffer.Add(SyncStatus.ResyncInProgress, $"snapshot at revision {snapshot.Revision}");
            int changes = _buffer.Add(snapshot, happened.HistoryChanged);
            foreach (UnreadableValue item in snapshot.Unreadable)
            {
                Log.Unreadable(_logger, item.Key.Path, item.Revision.Value, item.Reason);
            }

            _everInSync = true;
            _buffer.Add(SyncStatus.InSync, $"in sync since revision {snapshot.Revision}");
            Log.InSync(_logger, snapshot.Revision.Value, snapshot.Items.Count, changes);
            return;
        }

        if ((happened.Trouble ?? happened.Batch?.Trouble) is { } trouble)
        {
            _buffer.Add(_everInSync ? SyncStatus.ResyncInProgress : SyncStatus.WaitForDatastore, trouble);
            return;
        }

        WatchBatch batch = happened.Batch!;
        foreach (ModelUpdate update in batch.Updates)
        {
            if (update.Problem is { } problem)
            {
                Log.Unreadable(_logger, update.Key.Path, update.Revision, problem);
            }

            _buffer.Add(update);
        }

        _buffer.AddInSyncAfterTrouble($"in sync again at revision {batch.Revision}");
    }

    private static async Task DeliverAsync(ISyncSink sink, Delivery delivery, CancellationToken stop)
    {
        // Off the reading side: a sink that never waits must not keep the store from being read.
        await Task.Yield();
        if (delivery.Updates.Count > 0)
        {
            await sink.OnUpdatesAsync(delivery.Updates, stop);
        }

        if (delivery.Status is { } status)
        {
            await sink.OnStatusAsync(status, delivery.Detail, stop);
        }
    }

    private static async Task SettleAsync(Task? task)
    {
        if (task is not null)
        {
            await task.ContinueWith(static t => _ = t.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }
}
