using System.Threading.Channels;
using Weft.Datastore.Sync;
using Weft.Model.Keys;

namespace Weft.Node.Startup;

/// <summary>Tells the start-up that something it depends on has changed in the datastore; any number of changes before it looks are one.</summary>
internal sealed class ChangeSignal : ISyncSink
{
    private readonly Channel<bool> _changed = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public ValueTask OnStatusAsync(SyncStatus status, string detail, CancellationToken stop) => ValueTask.CompletedTask;

    public ValueTask OnUpdatesAsync(IReadOnlyList<ModelUpdate> updates, CancellationToken stop)
    {
        _changed.Writer.TryWrite(true);
        return ValueTask.CompletedTask;
    }

    /// <summary>True when something has changed, false when the time is over.</summary>
    public async Task<bool> WaitAsync(TimeSpan limit, TimeProvider time, CancellationToken stop)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task<bool> changed = _changed.Reader.ReadAsync(end.Token).AsTask();
        Task first = await Task.WhenAny(changed, Task.Delay(limit, time, end.Token));
        await end.CancelAsync();
        stop.ThrowIfCancellationRequested();
        return first == changed;
    }
}
