using Weft.Bgp.Session;

namespace Weft.Bgp.Tests.Session;

public sealed class TimerWheelTests
{
    [Fact]
    public void RandomTimers_FireOnceEach_NeverEarly_AtMostAStepLate()
    {
        Gen.Int[1, 40_000].Array[1, 60].Sample(dues =>
        {
            const int Step = 10;
            var wheel = new TimerWheel(Step, 0);
            long now = 0;
            var fired = new List<(int Due, long At)>();
            foreach (int due in dues)
            {
                wheel.Arm(new TimerWheel.Entry(() => fired.Add((due, now))), due);
            }

            while (wheel.Count != 0)
            {
                now = wheel.NextDue();
                wheel.Advance(now);
            }

            return fired.Count == dues.Length && fired.All(static f => f.At >= f.Due && f.At <= f.Due + 2 * Step);
        }, iter: 300);
    }

    [Fact]
    public void TimerThatRearmsItself_FiresAgain_DisarmedOneDoesNot()
    {
        var wheel = new TimerWheel(10, 0);
        int fired = 0;
        TimerWheel.Entry? again = null;
        again = new TimerWheel.Entry(() =>
        {
            fired++;
            wheel.Arm(again!, 10 * (fired + 1) * 10);
        });
        var never = new TimerWheel.Entry(() => Assert.Fail("disarmed"));
        wheel.Arm(again, 100);
        wheel.Arm(never, 100);

        wheel.Disarm(never);
        wheel.Advance(100);
        wheel.Advance(100_000);

        Assert.Equal(2, fired);
    }
}
