using Weft.Cluster.Store.Mvcc;
using Weft.Hosting.Monitoring;

namespace Weft.Cluster.Store;

/// <summary>The store's metrics, under etcd's names where etcd has them.</summary>
internal static class StoreMetrics
{
    private static readonly Metric s_revision = new("etcd_debugging_mvcc_current_revision", MetricKind.Gauge, "The newest revision.");
    private static readonly Metric s_compacted = new("etcd_debugging_mvcc_compact_revision", MetricKind.Gauge, "The revision before which history is gone.");
    private static readonly Metric s_keys = new("etcd_debugging_mvcc_keys_total", MetricKind.Gauge, "Keys.");
    private static readonly Metric s_leases = new("weft_store_leases", MetricKind.Gauge, "Leases.");
    private static readonly Metric s_size = new("etcd_mvcc_db_total_size_in_bytes", MetricKind.Gauge, "Size of the database file.");
    private static readonly Metric s_space = new("weft_store_out_of_space", MetricKind.Gauge, "1 while the store takes no writes because its quota or its disk is full.");

    public static IReadOnlyList<Metric> All { get; } = [s_revision, s_compacted, s_keys, s_leases, s_size, s_space];

    public static string Write(StoreState state, long fileSize, bool isOutOfSpace)
    {
        MetricText text = new();
        text.Add(s_revision, state.Revision);
        text.Add(s_compacted, state.CompactRevision);
        text.Add(s_keys, state.Keys.Count);
        text.Add(s_leases, state.Leases.Count);
        text.Add(s_size, fileSize);
        text.Add(s_space, isOutOfSpace ? 1 : 0);
        ProcessMetrics.Write(text);
        return text.ToString();
    }
}
