using Weft.Dataplane.Tests.Drivers;

namespace Weft.Dataplane.Tests;

public class RoundBudgetTests
{
    private readonly ManualTime _time = new();

    [Theory]
    [InlineData(1)]
    [InlineData(30)]
    public void ChangesThatComeOneByOne_AreWrittenAtOnce(int milliseconds)
    {
        RoundBudget budget = new(_time);

        // A pod costs two rounds, and the next pod comes after as long again.
        for (int i = 0; i < 1000; i++)
        {
            Assert.Equal(TimeSpan.Zero, budget.Wait());
            Round(budget, milliseconds);
            Assert.Equal(TimeSpan.Zero, budget.Wait());
            Round(budget, milliseconds);
            _time.Advance(TimeSpan.FromMilliseconds(Math.Max(2 * milliseconds, 20)));
        }
    }

    [Theory]
    [InlineData(1, 110)]
    [InlineData(30, 18)]
    [InlineData(200, 4)]
    public void Storm_IsWrittenHalfOfTheTime_AndAtMostAHundredTimesASecond(int milliseconds, int mostRounds)
    {
        RoundBudget budget = new(_time);
        Storm(budget, milliseconds, TimeSpan.FromSeconds(5)); // What had been saved is gone then.

        int rounds = Storm(budget, milliseconds, TimeSpan.FromSeconds(1));

        Assert.InRange(rounds, mostRounds / 2, mostRounds);
    }

    [Fact]
    public void LongRound_HoldsUpNothingForLong()
    {
        RoundBudget budget = new(_time);

        Round(budget, 60_000);

        Assert.InRange(budget.Wait(), TimeSpan.Zero, TimeSpan.FromSeconds(1.1));
    }

    private int Storm(RoundBudget budget, int milliseconds, TimeSpan length)
    {
        long started = _time.GetTimestamp();
        int rounds = 0;
        while (_time.GetElapsedTime(started) < length)
        {
            _time.Advance(budget.Wait());
            Round(budget, milliseconds);
            rounds++;
        }

        return rounds;
    }

    private void Round(RoundBudget budget, int milliseconds)
    {
        _time.Advance(TimeSpan.FromMilliseconds(milliseconds));
        budget.Spend(TimeSpan.FromMilliseconds(milliseconds));
    }
}
