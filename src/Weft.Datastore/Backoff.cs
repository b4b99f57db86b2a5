namespace Weft.Datastore;

/// <summary>
/// Growing delays between attempts, from 50 ms to 2 s, each between half and all of its step so that the clients of a restarted store do not come all
/// at once. Owned by one loop.
/// </summary>
internal sealed class Backoff(TimeProvider time)
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);

    private TimeSpan _step = First;

    public void Reset() => _step = First;

    /// <summary>The next delay; the one after is twice as long.</summary>
    public TimeSpan Next()
    {
        TimeSpan step = _step;
        _step = step * 2 < Longest ? step * 2 : Longest;
        return step * (0.5 + (Random.Shared.NextDouble() / 2));
    }

    public Task WaitAsync(CancellationToken stop) => Task.Delay(Next(), time, stop);
}
