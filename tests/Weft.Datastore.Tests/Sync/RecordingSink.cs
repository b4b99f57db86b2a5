using Weft.Datastore.Sync;
using Weft.Model.Keys;

namespace Weft.Datastore.Tests.Sync;

/// <summary>Keeps the view a consumer would have, and the order of everything it was told. Can be held up.</summary>
internal sealed class RecordingSink : ISyncSink
{
    private readonly Lock _gate = new(); // The syncer writes, the test reads.
    private readonly List<string> _statuses = [];
    private readonly Dictionary<ModelKey, ModelUpdate> _view = [];
    private int _updates;

    /// <summary>Waited for before every delivery.</summary>
    public Task Gate { get; set; } = Task.CompletedTask;

    public int Updates
    {
        get { lock (_gate) { return _updates; } }
    }

    public IReadOnlyList<string> Statuses
    {
        get { lock (_gate) { return [.. _statuses]; } }
    }

    public IReadOnlyDictionary<ModelKey, ModelUpdate> View
    {
        get { lock (_gate) { return new Dictionary<ModelKey, ModelUpdate>(_view); } }
    }

    public string LastDetail { get; private set; } = string.Empty;

    public bool IsInSync => Statuses is [.., nameof(SyncStatus.InSync)];

    public async ValueTask OnStatusAsync(SyncStatus status, string detail, CancellationToken stop)
    {
        await Gate.WaitAsync(stop);
        lock (_gate)
        {
            LastDetail = detail;
            if (_statuses is not [.., var last] || last != status.ToString())
            {
                _statuses.Add(status.ToString());
            }
        }
    }

    public async ValueTask OnUpdatesAsync(IReadOnlyList<ModelUpdate> updates, CancellationToken stop)
    {
        await Gate.WaitAsync(stop);
        lock (_gate)
        {
            Assert.True(_statuses.Count > 0 && _statuses[^1] != nameof(SyncStatus.WaitForDatastore), "values while waiting for the datastore");
            foreach (ModelUpdate update in updates)
            {
                _updates++;
                if (update.Value is null && update.Problem is null)
                {
                    Assert.True(_view.Remove(update.Key), $"{update.Key}: deletion of what the sink never had");
                }
                else
                {
                    _view[update.Key] = update;
                }
            }
        }
    }
}
