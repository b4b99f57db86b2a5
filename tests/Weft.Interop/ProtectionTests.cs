using Weft.Interop.Peers;

namespace Weft.Interop;

/// <summary>Sessions that strangers cannot touch: TCP MD5 (RFC 2385) and TTL security (RFC 5082).</summary>
public abstract class ProtectionTests : PeerTests
{
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public async Task Md5_SessionComesUpInEitherRole_WrongKeyStaysOut(bool weftWaits, bool overIPv6)
    {
        await using Lab lab = await Lab.CreateAsync();
        PeerPlan plan = new() { Password = "between-us", WeftWaits = weftWaits, PeerWaits = !weftWaits, OverIPv6 = overIPv6 };
        (IPeer peer, Router weft) = await StartAsync(lab, plan);
        await SettledAsync(peer, weft, plan);

        await weft.ReloadAsync((plan with { Password = "another" }).WeftSettings());
        long before = await lab.Md5FailuresAsync();
        await Eventually("segments with the wrong key are dropped", async () => await lab.Md5FailuresAsync() >= before + 3, peer, weft, 30);

        Assert.False(await weft.IsEstablishedAsync());
        Assert.Equal(1, await weft.EstablishedCountAsync());

        await weft.ReloadAsync(plan.WeftSettings());
        await Eventually("the right key again", () => weft.IsEstablishedAsync(), peer, weft, 40);
    }

    [Fact]
    public async Task TtlSecurity_SessionComesUp_OnBothSides()
    {
        await using Lab lab = await Lab.CreateAsync();
        PeerPlan plan = new() { TtlSecurity = true, PeerWaits = true };
        (IPeer peer, Router weft) = await StartAsync(lab, plan);

        await SettledAsync(peer, weft, plan);
    }
}
