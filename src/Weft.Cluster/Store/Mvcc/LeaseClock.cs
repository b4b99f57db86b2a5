namespace Weft.Cluster.Store.Mvcc;

/// <summary>
/// When leases end, by the monotonic clock: a jump of the wall clock ends none. Owned by the write loop. Deadlines are not in the file: after a restart
/// every lease has its whole time again, as after a change of etcd's leader, so that a client that kept it alive finds it alive.
/// </summary>
internal sealed class LeaseClock(TimeProvider time)
{
    private readonly Dictionary<long, long> _deadlines = [];

    // One entry per lease; a renewed lease keeps its old entry and is put back when that comes up.
    private readonly PriorityQueue<long, long> _queue = new();

    public void Start(long id, long ttl)
    {
        bool isNew = !_deadlines.ContainsKey(id);
        _deadlines[id] = Deadline(TimeSpan.FromSeconds(ttl));
        if (isNew)
        {
            _queue.Enqueue(id, _deadlines[id]);
        }
    }

    public void Forget(long id) => _deadlines.Remove(id);

    /// <summary>Whole seconds left; -1 when the lease is over and waits for its end.</summary>
    public long Remaining(long id) => _deadlines.TryGetValue(id, out long deadline) && deadline > time.GetTimestamp()
        ? (long)time.GetElapsedTime(time.GetTimestamp(), deadline).TotalSeconds
        : -1;

    /// <summary>Leases whose time is over. Each is asked for once; <see cref="Retry"/> brings it up again.</summary>
    public List<long> TakeExpired()
    {
        List<long> expired = [];
        long now = time.GetTimestamp();
        while (_queue.TryPeek(out long id, out long due) && due <= now)
        {
            _queue.Dequeue();
            if (!_deadlines.TryGetValue(id, out long deadline))
            {
                continue;
            }

            if (deadline > now)
            {
                _queue.Enqueue(id, deadline);
            }
            else
            {
                expired.Add(id);
            }
        }

        return expired;
    }

    /// <summary>The end of the lease could not be written: try again later.</summary>
    public void Retry(long id) => _queue.Enqueue(id, Deadline(TimeSpan.FromSeconds(5)));

    private long Deadline(TimeSpan after) => time.GetTimestamp() + (long)Math.Min(after.TotalSeconds * time.TimestampFrequency, long.MaxValue / 2);
}
