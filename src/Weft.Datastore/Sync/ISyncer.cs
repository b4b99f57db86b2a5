using Weft.Model.Keys;

namespace Weft.Datastore.Sync;

/// <summary>Where a syncer stands. Values are Calico's.</summary>
public enum SyncStatus : byte
{
    /// <summary>Nothing has been read yet.</summary>
    WaitForDatastore,

    /// <summary>Reading; what has been sent so far may not be all.</summary>
    ResyncInProgress,

    /// <summary>Everything that was in the store at some moment has been sent, and changes follow.</summary>
    InSync,
}

/// <summary>
/// Sends the state of several key ranges and then every change: list, watch from there, list again after a gap. Differences against what was sent
/// before are computed here, so a sink sees deletions made while the store was away. Runs until stopped; trouble with the store is retried, never thrown.
/// </summary>
public interface ISyncer
{
    /// <summary>Status and updates arrive on one logical thread, in order.</summary>
    Task RunAsync(ISyncSink sink, CancellationToken stop);
}

/// <summary>Receives what a syncer sends. Updates queued before a status change are delivered before it.</summary>
public interface ISyncSink
{
    /// <param name="status">The new status.</param>
    /// <param name="detail">For the operator: "list of nodes failed: connection refused, retrying in 2 s".</param>
    ValueTask OnStatusAsync(SyncStatus status, string detail, CancellationToken stop);

    /// <summary>A null value means absent. May wait: that slows the syncer, which coalesces per key meanwhile.</summary>
    ValueTask OnUpdatesAsync(IReadOnlyList<ModelUpdate> updates, CancellationToken stop);
}
