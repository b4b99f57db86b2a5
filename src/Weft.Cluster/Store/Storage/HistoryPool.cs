using System.Collections.Concurrent;
using Mvccpb;
using Weft.Cluster.Store.Mvcc;
using Weft.Cluster.Store.Transport;

namespace Weft.Cluster.Store.Storage;

/// <summary>
/// History for any thread: each read borrows a connection. SQLite's write-ahead log gives every read a consistent view beside the writer. A few
/// connections stay open; how many run at once is bounded by the thread pool.
/// </summary>
/// <param name="path">The data file.</param>
/// <param name="compactRevision">The store's compact revision as of now.</param>
internal sealed class HistoryPool(string path, Func<long> compactRevision) : IHistory, IDisposable
{
    private const int Kept = 4;

    private readonly ConcurrentBag<(Sqlite Database, HistoryReader Reader)> _idle = [];

    public List<KeyValue> RangeAt(in KeyRange range, long revision, long limit)
    {
        (Sqlite Database, HistoryReader Reader) borrowed = Borrow();
        try
        {
            List<KeyValue> pairs = borrowed.Reader.RangeAt(range, revision, limit);
            CheckStillThere(revision);
            return pairs;
        }
        finally
        {
            Return(borrowed);
        }
    }

    public long CountAt(in KeyRange range, long revision)
    {
        (Sqlite Database, HistoryReader Reader) borrowed = Borrow();
        try
        {
            long count = borrowed.Reader.CountAt(range, revision);
            CheckStillThere(revision);
            return count;
        }
        finally
        {
            Return(borrowed);
        }
    }

    /// <inheritdoc cref="HistoryReader.Changes"/>
    public long Changes(in ChangesRequest request, List<Change> into)
    {
        (Sqlite Database, HistoryReader Reader) borrowed = Borrow();
        try
        {
            return borrowed.Reader.Changes(request, into);
        }
        finally
        {
            Return(borrowed);
        }
    }

    public void Dispose()
    {
        while (_idle.TryTake(out (Sqlite Database, HistoryReader Reader) idle))
        {
            Close(idle);
        }
    }

    /// <summary>A compaction may have passed a slow read and taken rows from under it: it is published before it takes the first.</summary>
    private void CheckStillThere(long revision)
    {
        if (revision < compactRevision())
        {
            throw new GrpcException(EtcdErrors.Compacted);
        }
    }

    private (Sqlite Database, HistoryReader Reader) Borrow()
    {
        if (_idle.TryTake(out (Sqlite Database, HistoryReader Reader) idle))
        {
            return idle;
        }

        Sqlite database = new(path, readOnly: true);
        return (database, new HistoryReader(database));
    }

    private void Return((Sqlite Database, HistoryReader Reader) borrowed)
    {
        if (_idle.Count < Kept)
        {
            _idle.Add(borrowed);
        }
        else
        {
            Close(borrowed);
        }
    }

    private static void Close((Sqlite Database, HistoryReader Reader) idle)
    {
        idle.Reader.Dispose();
        idle.Database.Dispose();
    }
}
