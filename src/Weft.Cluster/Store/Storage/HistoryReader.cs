using Google.Protobuf;
using Mvccpb;
using Weft.Cluster.Store.Mvcc;

namespace Weft.Cluster.Store.Storage;

/// <summary>Reads older revisions over one connection. Not thread-safe: see <see cref="HistoryPool"/>; the write loop has one on its own connection.</summary>
internal sealed class HistoryReader(Sqlite database) : IHistory, IDisposable
{
    // max() per key walks the index alone; only the rows found are read. The answer lies in key order because the index does.
    private const string NewestPerKey = "(SELECT max(seq) AS newest FROM kv INDEXED BY kv_key WHERE key >= ?1 AND (?2 IS NULL OR key < ?2) AND seq < ?3 GROUP BY key ORDER BY key)";

    private readonly SqliteStatement _range = database.Prepare(
        $"SELECT {Row.Columns} FROM {NewestPerKey} CROSS JOIN kv ON kv.seq = newest WHERE value IS NOT NULL LIMIT ?4");

    private readonly SqliteStatement _count = database.Prepare(
        $"SELECT count(*) FROM {NewestPerKey} CROSS JOIN kv ON kv.seq = newest WHERE value IS NOT NULL");

    private readonly SqliteStatement _single = database.Prepare($"SELECT {Row.Columns} FROM kv WHERE key = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 1");

    private readonly SqliteStatement _events = database.Prepare(
        $"SELECT {Row.Columns} FROM kv WHERE seq >= ?1 AND seq < ?2 AND key >= ?3 AND (?4 IS NULL OR key < ?4) ORDER BY seq");

    public List<KeyValue> RangeAt(in KeyRange range, long revision, long limit)
    {
        if (range.IsSingleKey)
        {
            return NewestBefore(range.Start, Row.FirstOf(revision + 1)) is { } found ? [found] : [];
        }

        List<KeyValue> pairs = [];
        if (!range.IsEmpty)
        {
            BindRange(_range, range, revision).Bind(4, limit > 0 ? limit : -1);
            try
            {
                while (_range.Step())
                {
                    pairs.Add(Row.Read(_range, out _));
                }
            }
            finally
            {
                _range.Reset();
            }
        }

        return pairs;
    }

    public long CountAt(in KeyRange range, long revision)
    {
        if (range.IsSingleKey || range.IsEmpty)
        {
            return RangeAt(range, revision, 0).Count;
        }

        try
        {
            return BindRange(_count, range, revision).Step() ? _count.Integer(0) : 0;
        }
        finally
        {
            _count.Reset();
        }
    }

    /// <summary>The changes of the range from one revision on, in order; whole revisions only.</summary>
    /// <param name="request">Which changes.</param>
    /// <param name="into">Where they go.</param>
    /// <returns>The last revision that was looked at: less than asked for when the changes became too many bytes.</returns>
    public long Changes(in ChangesRequest request, List<Change> into)
    {
        if (request.Range.IsEmpty)
        {
            return request.Last;
        }

        _events.Bind(1, Row.FirstOf(request.First)).Bind(2, Row.FirstOf(request.Last + 1)).Bind(3, request.Range.Start.Span);
        BindEnd(_events, 4, request.Range);
        long weight = 0;
        try
        {
            while (_events.Step())
            {
                if (weight > request.MaxBytes && Row.RevisionOf(_events.Integer(0)) != into[^1].Revision)
                {
                    return into[^1].Revision;
                }

                KeyValue kv = Row.Read(_events, out bool deleted);
                bool hasPrevious = request.WithPrevious && (deleted || kv.Version > 1) && kv.ModRevision > request.CompactRevision;
                KeyValue? previous = hasPrevious ? NewestBefore(kv.Key, _events.Integer(0)) : null;
                into.Add(new Change(deleted ? new KeyValue { Key = kv.Key, ModRevision = kv.ModRevision } : kv, previous, deleted));
                weight += into[^1].Weight;
            }
        }
        finally
        {
            _events.Reset();
        }

        return request.Last;
    }

    public void Dispose()
    {
        _range.Dispose();
        _count.Dispose();
        _single.Dispose();
        _events.Dispose();
    }

    private static SqliteStatement BindRange(SqliteStatement statement, in KeyRange range, long revision)
    {
        statement.Bind(1, range.Start.Span);
        BindEnd(statement, 2, range);
        return statement.Bind(3, Row.FirstOf(revision + 1));
    }

    private static void BindEnd(SqliteStatement statement, int index, in KeyRange range)
    {
        if (range.End is { } end)
        {
            statement.Bind(index, end.Span);
        }
        else
        {
            statement.BindNull(index);
        }
    }

    private KeyValue? NewestBefore(ByteString key, long seq)
    {
        _single.Bind(1, key.Span).Bind(2, seq);
        try
        {
            KeyValue? kv = _single.Step() ? Row.Read(_single, out bool deleted) is var read && !deleted ? read : null : null;
            return kv;
        }
        finally
        {
            _single.Reset();
        }
    }
}

/// <summary>Which changes a watch wants from history.</summary>
/// <param name="Range">Which keys.</param>
/// <param name="First">The first revision.</param>
/// <param name="Last">The last revision; nothing after it is returned.</param>
/// <param name="WithPrevious">Also read the pair before each change.</param>
/// <param name="CompactRevision">What was before this revision counts as absent, still in the file or not.</param>
/// <param name="MaxBytes">Stop after the revision that exceeds this.</param>
internal readonly record struct ChangesRequest(KeyRange Range, long First, long Last, bool WithPrevious, long CompactRevision, long MaxBytes);
