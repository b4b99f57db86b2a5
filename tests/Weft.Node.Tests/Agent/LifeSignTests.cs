using Microsoft.Extensions.Logging.Abstractions;
using Weft.Model.Keys;
using Weft.Model.Status;
using Weft.Node.Agent;
using Weft.Node.Tests.Cni;

namespace Weft.Node.Tests.Agent;

public sealed class LifeSignTests
{
    private readonly MemoryDatastore _store = new();

    [Fact]
    public async Task TwoAgentsWithOneName_BothFindTheOther()
    {
        LifeSign first = Sign(), second = Sign();
        await first.ReportOnceAsync(CancellationToken.None);
        await second.ReportOnceAsync(CancellationToken.None);

        await first.ReportOnceAsync(CancellationToken.None);
        await second.ReportOnceAsync(CancellationToken.None);

        Assert.NotNull(first.Twin);
        Assert.NotNull(second.Twin);
    }

    [Fact]
    public async Task RestartedAgent_IsNoTwinOfItsPredecessor()
    {
        await Sign().ReportOnceAsync(CancellationToken.None);
        LifeSign restarted = Sign();

        await restarted.ReportOnceAsync(CancellationToken.None);
        await restarted.ReportOnceAsync(CancellationToken.None);

        Assert.Null(restarted.Twin);
        FelixStatusReport report = _store.Find<FelixStatusReport>(new FelixStatusKey("node-a", LastReported: false))!;
        Assert.False(report.FirstUpdate);
    }

    private LifeSign Sign() => new("node-a", TimeSpan.FromSeconds(10), _store, TimeProvider.System, NullLogger.Instance);
}
