using Mvccpb;

namespace Weft.Cluster.Store.Mvcc;

/// <summary>One key written or deleted by one revision; immutable, shared by the file, the event log and every watch.</summary>
/// <param name="Kv">After a put: the whole pair. After a deletion: key and mod_revision only, as etcd shows it.</param>
/// <param name="Previous">The pair before; null when there was none.</param>
/// <param name="IsDelete">The key is gone.</param>
internal sealed record Change(KeyValue Kv, KeyValue? Previous, bool IsDelete)
{
    public long Revision => Kv.ModRevision;

    /// <summary>Bytes of memory this holds, roughly; keeps the event log within its bound.</summary>
    public int Weight => 200 + Kv.Key.Length + Kv.Value.Length + (Previous?.Value.Length ?? 0);
}
