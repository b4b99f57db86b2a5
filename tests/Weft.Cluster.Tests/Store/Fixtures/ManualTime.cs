namespace Weft.Cluster.Tests.Store.Fixtures;

/// <summary>A clock that moves when the test says so; its timers never fire.</summary>
internal sealed class ManualTime : TimeProvider
{
    private long _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public void Advance(TimeSpan by) => _now += by.Ticks;

    public override long GetTimestamp() => _now;
}
