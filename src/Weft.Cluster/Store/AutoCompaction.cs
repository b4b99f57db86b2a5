using Microsoft.Extensions.Logging;
using Weft.Cluster.Store.Transport;

namespace Weft.Cluster.Store;

/// <summary>
/// Bounds the history: every tenth of the time to keep it notes the revision, and gives up what was noted that long ago, or what exceeds the number of
/// revisions. After a restart the notes begin anew, so history may then live up to twice as long.
/// </summary>
internal sealed class AutoCompaction(WriteLoop loop, TimeSpan keep, long keepRevisions, TimeProvider time, ILogger logger)
{
    private readonly Queue<(long At, long Revision)> _notes = new(); // a dozen at most

    public async Task RunAsync(CancellationToken stop)
    {
        TimeSpan period = keep > TimeSpan.Zero ? TimeSpan.FromTicks(Math.Clamp(keep.Ticks / 10, TimeSpan.TicksPerSecond, TimeSpan.TicksPerMinute * 5)) : TimeSpan.FromMinutes(1);
        using PeriodicTimer timer = new(period, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
            {
                await LookAsync(stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The role is stopping.
        }
    }

    private async Task LookAsync(CancellationToken stop)
    {
        long revision = loop.State.Revision;
        long target = keepRevisions > 0 ? revision - keepRevisions : 0;
        if (keep > TimeSpan.Zero)
        {
            _notes.Enqueue((time.GetTimestamp(), revision));
            while (_notes.TryPeek(out (long At, long Revision) oldest) && time.GetElapsedTime(oldest.At) >= keep)
            {
                target = Math.Max(target, oldest.Revision);
                _notes.Dequeue();
            }
        }

        if (target > loop.State.CompactRevision)
        {
            try
            {
                await loop.CompactAsync(target, physically: false, stop);
                Log.Compacted(logger, target);
            }
            catch (GrpcException e)
            {
                // A client was faster, or the disk refuses; the next look finds out.
                Log.ReadFailed(logger, "auto-compaction", e.Message);
            }
        }
    }
}
