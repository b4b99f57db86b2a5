using Weft.Datastore;

namespace Weft.Ipam;

/// <summary>Bounds a compare-and-swap loop and spreads those who lost: each conflict is followed by a short random pause. One per loop.</summary>
internal sealed class Attempts(TimeProvider time, string what)
{
    /// <summary>Calico's bound, for every loop.</summary>
    public const int Most = 100;

    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(100);

    private int _count;

    /// <summary>Returns at once the first time.</summary>
    /// <exception cref="DatastoreException">The bound is reached.</exception>
    public async ValueTask NextAsync(CancellationToken stop)
    {
        if (_count > 0)
        {
            double milliseconds = Math.Min(LongestPause.TotalMilliseconds, 1 << Math.Min(_count, 7));
            await Task.Delay(TimeSpan.FromMilliseconds(milliseconds * Random.Shared.NextDouble()), time, stop);
        }

        if (++_count > Most)
        {
            throw new DatastoreException($"{what}: given up after {Most} attempts, others changed it each time (Max retries hit - excessive concurrent IPAM requests)");
        }
    }
}
