using Google.Protobuf;
using Mvccpb;
using Weft.Cluster.Store.Mvcc;

namespace Weft.Cluster.Store.Watching;

/// <summary>
/// History that is young enough is the present with the last changes undone, and costs no look at the file: a list read page by page at one revision
/// while others write stays as cheap as a list of the present. Older history comes from the file.
/// </summary>
internal sealed class RecentPast(EventLog log, Func<StoreState> state, IHistory file) : IHistory
{
    private const int MaxUndone = 4096;

    public List<KeyValue> RangeAt(in KeyRange range, long revision, long limit)
    {
        StoreState now = state();
        if (Undo(range, revision, now) is not { } undone)
        {
            return file.RangeAt(range, revision, limit);
        }

        // Undone keys may fall out of what is there now: that many more are taken.
        List<KeyValue> present = [];
        now.Collect(range, limit > 0 ? limit + undone.Count : 0, present);
        if (undone.Count == 0)
        {
            return present;
        }

        List<KeyValue> past = new(present.Count);
        int next = 0;
        foreach ((ByteString key, KeyValue? then) in undone)
        {
            while (next < present.Count && KeyRange.Compare(present[next].Key, key) < 0)
            {
                past.Add(present[next++]);
            }

            next += next < present.Count && present[next].Key.Equals(key) ? 1 : 0;
            if (then is not null)
            {
                past.Add(then);
            }
        }

        past.AddRange(present[next..]);
        if (limit > 0 && past.Count > limit)
        {
            past.RemoveRange((int)limit, past.Count - (int)limit);
        }

        return past;
    }

    public long CountAt(in KeyRange range, long revision)
    {
        StoreState now = state();
        return Undo(range, revision, now) is { } undone
            ? now.CountOf(range) + undone.Sum(u => (u.Value is null ? 0 : 1) - (now.Find(u.Key) is null ? 0 : 1))
            : file.CountAt(range, revision);
    }

    /// <summary>Each key of the range that changed since, with its pair as of then; null when too much has happened to know it from memory.</summary>
    private SortedList<ByteString, KeyValue?>? Undo(KeyRange range, long revision, StoreState now)
    {
        List<Change> since = [];
        if (log.Read(revision + 1, now.Revision, MaxUndone, since) != now.Revision)
        {
            return null;
        }

        // The first change since then knows the pair before it.
        Dictionary<ByteString, KeyValue?> undone = [];
        foreach (Change change in since.Where(c => range.Contains(c.Kv.Key)))
        {
            undone.TryAdd(change.Kv.Key, change.Previous);
        }

        return new SortedList<ByteString, KeyValue?>(undone, Comparer<ByteString>.Create(KeyRange.Compare));
    }
}
