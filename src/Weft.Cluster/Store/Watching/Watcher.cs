using Etcdserverpb;
using Mvccpb;
using Weft.Cluster.Store.Mvcc;
using FilterType = Etcdserverpb.WatchCreateRequest.Types.FilterType;

namespace Weft.Cluster.Store.Watching;

/// <summary>One watch: what it wants, and how far it has looked. Owned by the sending side of its stream.</summary>
internal sealed class Watcher(long id, WatchCreateRequest request, KeyRange range, long next)
{
    private readonly bool _noPut = request.Filters.Contains(FilterType.Noput);
    private readonly bool _noDelete = request.Filters.Contains(FilterType.Nodelete);

    public long Id { get; } = id;

    public KeyRange Range { get; } = range;

    public bool WantsPrevious { get; } = request.PrevKv;

    public bool WantsProgress { get; } = request.ProgressNotify;

    public bool AllowsFragments { get; } = request.Fragment;

    /// <summary>The first revision not looked at yet; may lie in the future.</summary>
    public long Next { get; set; } = next;

    /// <summary>Something was sent since the last progress notification was due.</summary>
    public bool HasSent { get; set; }

    public bool Wants(Change change) => !(change.IsDelete ? _noDelete : _noPut) && Range.Contains(change.Kv.Key);

    public Event ToEvent(Change change) => new()
    {
        Type = change.IsDelete ? Event.Types.EventType.Delete : Event.Types.EventType.Put,
        Kv = change.Kv,
        PrevKv = WantsPrevious ? change.Previous : null,
    };
}
