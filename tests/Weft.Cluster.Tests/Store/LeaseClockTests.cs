using Weft.Cluster.Store.Mvcc;
using Weft.Cluster.Tests.Store.Fixtures;

namespace Weft.Cluster.Tests.Store;

public class LeaseClockTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void Lease_EndsOnce_WhenItsTimeIsOver()
    {
        LeaseClock clock = new(_time);
        clock.Start(1, 10);
        clock.Start(2, 20);

        _time.Advance(TimeSpan.FromSeconds(10));

        Assert.Equal([1], clock.TakeExpired());
        Assert.Empty(clock.TakeExpired());
        Assert.Equal(-1, clock.Remaining(1));
        Assert.Equal(10, clock.Remaining(2));
    }

    [Fact]
    public void KeepAlive_StartsTheWholeTimeAgain()
    {
        LeaseClock clock = new(_time);
        clock.Start(1, 10);
        _time.Advance(TimeSpan.FromSeconds(9));

        clock.Start(1, 10);
        _time.Advance(TimeSpan.FromSeconds(9));

        Assert.Empty(clock.TakeExpired());
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal([1], clock.TakeExpired());
    }

    [Fact]
    public void EndThatCouldNotBeWritten_ComesUpAgain()
    {
        LeaseClock clock = new(_time);
        clock.Start(1, 2);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal([1], clock.TakeExpired());

        clock.Retry(1);
        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal([1], clock.TakeExpired());
    }

    [Fact]
    public void LongestLease_DoesNotOverflow()
    {
        LeaseClock clock = new(_time);

        clock.Start(1, Lease.MaxTtl);

        Assert.Empty(clock.TakeExpired());
        Assert.Equal(Lease.MaxTtl, clock.Remaining(1));
    }
}
