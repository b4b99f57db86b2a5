using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Weft.Model.Keys;

namespace Weft.Datastore.Sync;

/// <summary>What comes out of the store: exactly one of the three.</summary>
/// <param name="Snapshot">Everything, at one revision.</param>
/// <param name="Batch">Changes since, or news of the connection.</param>
/// <param name="Trouble">Listing does not work, or starts anew; the reason.</param>
/// <param name="HistoryChanged">With a snapshot: the store is not the one the last revisions came from.</param>
internal readonly record struct SourceEvent(ListResult? Snapshot, WatchBatch? Batch, string? Trouble, bool HistoryChanged = false);

/// <summary>The endless sequence "snapshot, changes, changes, ..., snapshot" of some ranges. Never ends and never throws but for being stopped.</summary>
internal sealed class SyncSource(IDatastore store, IReadOnlyList<ModelPrefix> prefixes, ILogger logger, TimeProvider time)
{
    public async IAsyncEnumerable<SourceEvent> ReadAsync([EnumeratorCancellation] CancellationToken stop)
    {
        Backoff backoff = new(time);
        bool historyChanged = false;
        while (true)
        {
            (ListResult? snapshot, string trouble) = await ListAsync(stop);
            if (snapshot is null)
            {
                Log.ListFailed(logger, trouble);
                TimeSpan delay = backoff.Next();
                yield return new SourceEvent(null, null, $"{trouble}; trying again in {delay.TotalSeconds:0.0} s");
                await Task.Delay(delay, time, stop);
                continue;
            }

            backoff.Reset();
            yield return new SourceEvent(snapshot, null, null, historyChanged);
            historyChanged = false;
            await using IAsyncEnumerator<WatchBatch> watch = store.WatchAsync(prefixes, snapshot.Revision, stop).GetAsyncEnumerator(stop);
            while (true)
            {
                (WatchBatch? batch, DatastoreException? end) = await NextAsync(watch);
                if (batch is not null)
                {
                    yield return new SourceEvent(null, batch, null);
                    continue;
                }

                historyChanged = end is CompactedException { HistoryChanged: true };
                Log.Relist(logger, end?.Message ?? "the watch ended");
                yield return new SourceEvent(null, null, $"listing again: {end?.Message ?? "the watch ended"}");
                if (end is not CompactedException)
                {
                    await backoff.WaitAsync(stop);
                }

                break;
            }
        }
    }

    private async ValueTask<(ListResult? Result, string Trouble)> ListAsync(CancellationToken stop)
    {
        try
        {
            return (await store.ListAsync(prefixes, stop), string.Empty);
        }
        catch (DatastoreException e)
        {
            return (null, e.Message);
        }
    }

    private static async ValueTask<(WatchBatch? Batch, DatastoreException? End)> NextAsync(IAsyncEnumerator<WatchBatch> watch)
    {
        try
        {
            return await watch.MoveNextAsync() ? (watch.Current, null) : (null, null);
        }
        catch (DatastoreException e)
        {
            return (null, e);
        }
    }
}
