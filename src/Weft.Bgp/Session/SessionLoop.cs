using Weft.Hosting.Loops;

namespace Weft.Bgp.Session;

/// <summary>Something to do on a session loop. Only rare things come this way (handshakes, ends, questions): never one per UPDATE or KEEPALIVE received.</summary>
internal readonly record struct SessionMessage(Action? Call);

/// <summary>
/// The one writer of the state of its sessions, with one timer wheel for all of them. It never touches a RIB, so keepalives leave on time whatever the RIBs do.
/// </summary>
internal sealed class SessionLoop : ILoopBody<SessionMessage>
{
    private const int ChannelCapacity = 4096;
    private const int MessagesPerBatch = 64;

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(20);

    private readonly TimeProvider _time;
    private readonly Loop<SessionMessage> _loop;
    private readonly ITimer _timer;

    public SessionLoop(TimeProvider time)
    {
        _time = time;
        _loop = new Loop<SessionMessage>(this, ChannelCapacity, MessagesPerBatch);
        Wheel = new TimerWheel((long)(Step.TotalSeconds * time.TimestampFrequency), time.GetTimestamp());
        _timer = time.CreateTimer(static loop => ((SessionLoop)loop!)._loop.TryPost(default), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public TimerWheel Wheel { get; }

    public long Now => _time.GetTimestamp();

    public async Task RunAsync(CancellationToken stop)
    {
        await using ITimer timer = _timer;
        await _loop.RunAsync(stop);
    }

    public ValueTask PostAsync(Action call, CancellationToken stop) => _loop.PostAsync(new SessionMessage(call), stop);

    /// <summary>For callers that must not wait; false when the loop is hopelessly behind.</summary>
    public bool TryPost(Action call) => _loop.TryPost(new SessionMessage(call));

    public long Ticks(TimeSpan span) => (long)(span.TotalSeconds * _time.TimestampFrequency);

    public void OnMessage(in SessionMessage message) => message.Call?.Invoke();

    public ValueTask OnBatchEndAsync(CancellationToken stop)
    {
        Wheel.Advance(_time.GetTimestamp());
        long next = Wheel.NextDue();
        if (next != long.MaxValue)
        {
            // Always set anew: the timer may have fired a moment early, and would not come again by itself.
            _timer.Change(TimeSpan.FromSeconds(Math.Max(0, next - _time.GetTimestamp()) / (double)_time.TimestampFrequency), Timeout.InfiniteTimeSpan);
        }

        return ValueTask.CompletedTask;
    }
}
