namespace Weft.Ipam.Tests.Soak;

public sealed class SoakTests
{
    /// <summary>A short one at every change; the long one is "build.sh soak".</summary>
    [Fact]
    public async Task SixteenProcesses_KilledAtDatastoreOperations_NeitherDuplicateNorLeakUnnamed()
    {
        SoakResult result = await new SoakDriver(allocations: 400, seed: 1).RunAsync(TestContext.Current.CancellationToken);

        Assert.True(result.Failures.Count == 0, result.ToString());
        Assert.True(result.Lives > 16, result.ToString());
    }
}
