using System.Collections.Concurrent;
using Mvccpb;
using Weft.Cluster.Store.Mvcc;

namespace Weft.Cluster.Store.Storage;

/// <summary>
/// History for any thread: each read borrows a connection. SQLite's write-ahead log gives every read a consistent view beside the writer. A few
/// connections stay open; how many run at once is bounded by the thread pool.
/// </summary>
internal sealed class HistoryPool(string path) : IHistory, IDisposable
{
    private const int Kept = 4;

    private readonly ConcurrentBag<(Sqlite Database, HistoryReader Reader)> _idle = [];

    public List<KeyValue> RangeAt(in KeyRange range, long revision, long limit)
    {
        (Sqlite Database, HistoryReader Reader) borrowed = Borrow();
        try
        {
            return borrowed.Reader.RangeAt(range, revision, limit);
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
            return borrowed.Reader.CountAt(range, revision);
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
