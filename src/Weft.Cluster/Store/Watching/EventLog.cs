using Weft.Cluster.Store.Mvcc;

namespace Weft.Cluster.Store.Watching;

/// <summary>
/// The newest changes, shared by all watches: each watch is but a revision up to which it has looked, so no watch has a queue that could grow. A watch
/// too slow for this window reads the file instead. Written by the write loop, read by every watch stream.
/// </summary>
internal sealed class EventLog(long firstRevision, int maxEvents, long maxBytes)
{
    private readonly Lock _gate = new(); // Guards all below; held for a copy of references, once per batch and stream.
    private Change[] _ring = new Change[256];
    private int _head;
    private int _count;
    private long _bytes;
    private long _first = firstRevision; // Every change at this revision or later is here.

    public void Append(IReadOnlyList<Change> changes)
    {
        lock (_gate)
        {
            foreach (Change change in changes)
            {
                if (_count == _ring.Length)
                {
                    Grow();
                }

                _ring[(_head + _count++) & (_ring.Length - 1)] = change;
                _bytes += change.Weight;
            }

            // Whole revisions leave, so that what is left begins with a whole one.
            while (_count > 0 && (_count > maxEvents || _bytes > maxBytes || _ring[_head].Revision < _first))
            {
                Change oldest = _ring[_head];
                _ring[_head] = null!;
                _head = (_head + 1) & (_ring.Length - 1);
                _count--;
                _bytes -= oldest.Weight;
                _first = oldest.Revision + 1;
            }
        }
    }

    /// <summary>The changes from one revision through another, whole revisions only; about <paramref name="max"/> of them.</summary>
    /// <returns>The last revision that was looked at, or null when the log no longer reaches back so far.</returns>
    public long? Read(long from, long through, int max, List<Change> into)
    {
        lock (_gate)
        {
            if (from < _first)
            {
                return null;
            }

            (int low, int high) = (0, _count);
            while (low < high)
            {
                int middle = (low + high) >>> 1;
                (low, high) = At(middle).Revision < from ? (middle + 1, high) : (low, middle);
            }

            for (int i = low; i < _count && At(i).Revision <= through; i++)
            {
                if (into.Count >= max && At(i).Revision != into[^1].Revision)
                {
                    return into[^1].Revision;
                }

                into.Add(At(i));
            }

            return through;
        }
    }

    private Change At(int index) => _ring[(_head + index) & (_ring.Length - 1)];

    private void Grow()
    {
        Change[] larger = new Change[_ring.Length * 2];
        for (int i = 0; i < _count; i++)
        {
            larger[i] = At(i);
        }

        (_ring, _head) = (larger, 0);
    }
}
