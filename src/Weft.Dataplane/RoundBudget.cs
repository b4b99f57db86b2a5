namespace Weft.Dataplane;

/// <summary>
/// Decides when the next round may begin. Rounds spend time and earn it back at half the rate of the clock: a lone change, and a few after one another,
/// are written at once; in a storm the loop writes half of the time at most and every round takes up what came meanwhile. The pace adapts to what a
/// round costs on this node with this backend. Owned by the dataplane loop.
/// </summary>
internal sealed class RoundBudget(TimeProvider time)
{
    // What was not spent is kept up to here: some fifteen rounds of iptables on a small node.
    private static readonly TimeSpan s_most = TimeSpan.FromMilliseconds(500);

    // A slow round (a full rewrite) does not keep a change waiting longer than this afterwards.
    private static readonly TimeSpan s_deepestDebt = TimeSpan.FromMilliseconds(-500);

    // So that a storm of small changes costs at most a hundred rounds a second.
    private static readonly TimeSpan s_least = TimeSpan.FromMilliseconds(5);

    private TimeSpan _left = s_most;
    private long _since = time.GetTimestamp();

    /// <summary>How long to wait before the next round; zero when it may begin.</summary>
    public TimeSpan Wait()
    {
        Earn();
        return _left > TimeSpan.Zero ? TimeSpan.Zero : _left * -2 + TimeSpan.FromMilliseconds(1);
    }

    /// <summary>A round ended.</summary>
    public void Spend(TimeSpan duration)
    {
        Earn();
        _left -= duration > s_least ? duration : s_least;
        _left = _left > s_deepestDebt ? _left : s_deepestDebt;
    }

    private void Earn()
    {
        _left += time.GetElapsedTime(_since) / 2;
        _left = _left < s_most ? _left : s_most;
        _since = time.GetTimestamp();
    }
}
