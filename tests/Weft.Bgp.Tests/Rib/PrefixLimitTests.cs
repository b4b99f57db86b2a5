using Weft.Bgp.Rib;
using Weft.Bgp.Tests.Support;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Rib;

public sealed class PrefixLimitTests
{
    private static PrefixLimitState State(RibHarness rib) => rib.Rib.Tables.Peers[rib["a"].Id]!.LimitState;

    private static void Announce(RibHarness rib, int from, int count)
    {
        for (int i = from; i < from + count; i += 100)
        {
            rib.Receive("a", Messages.Update([], [.. Messages.Origin, .. Messages.AsPath(65010), 0x40, 3, 4, 10, 0, 0, 10],
                [.. Enumerable.Range(i, 100).SelectMany(n => RibHarness.Nlri($"10.{n >> 8}.{n & 255}.0/24"))]));
        }
    }

    [Fact]
    public void FourTimesTheLimit_IsNotTakenIn()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010, s => s with { PrefixLimit = new PrefixLimit { IPv4 = 1000 } });

        Announce(rib, 0, 4000);
        rib.Settle();

        Assert.Equal(PrefixLimitState.Ending, State(rib));
        Assert.Equal(1100, rib.Rib.Describe(rib["a"].Id)!.Received); // The limit and the batch that passed it.
        Assert.True(rib.Rib.Describe(rib["a"].Id)!.LimitExceeded);
    }

    [Fact]
    public void ActionWarn_TakesEverything_AndTellsEachThresholdOnce()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010, s => s with { PrefixLimit = new PrefixLimit { IPv4 = 1000, Action = PrefixLimitAction.Warn } });

        Announce(rib, 0, 700);
        Assert.Equal(PrefixLimitState.Below, State(rib));
        Announce(rib, 700, 100);
        Assert.Equal(PrefixLimitState.Warned, State(rib));
        Announce(rib, 800, 3200);
        Assert.Equal(PrefixLimitState.Exceeded, State(rib));
        Assert.Equal(4000, rib.Rib.Describe(rib["a"].Id)!.Received);

        rib.Receive("a", Messages.Update([.. Enumerable.Range(0, 3350).SelectMany(n => RibHarness.Nlri($"10.{n >> 8}.{n & 255}.0/24"))], [], []));
        Assert.Equal(PrefixLimitState.Below, State(rib));
    }

    [Fact]
    public void RoutesAnnouncedAgain_CountOnce()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010, s => s with { PrefixLimit = new PrefixLimit { IPv4 = 500 } });

        for (int i = 0; i < 10; i++)
        {
            Announce(rib, 0, 500);
        }

        Assert.NotEqual(PrefixLimitState.Ending, State(rib));
    }
}
