using System.Diagnostics;
using System.Net.Sockets;

namespace Weft.EndToEnd;

/// <summary>A rack whose pods reach each other through VXLAN, and a pool that changes its mind.</summary>
[Collection(OwnLabCollection.Name)]
public sealed class OverlayTests : IAsyncLifetime
{
    public async ValueTask InitializeAsync()
    {
        await Executable.RunAsync("lab", "down");
        (await Executable.RunAsync("lab", "--overlay", "vxlan", "--keep")).MustSucceed();
    }

    public async ValueTask DisposeAsync() => (await Executable.RunAsync("lab", "down")).MustSucceed();

    [Fact]
    public async Task PoolThatChangesItsModeUnderLoad_HoldsNoEstablishedFlowForASecond_AndCarriesWholePackets()
    {
        using Socket flow = await KeptLab.ConnectAsync("frontend-1", "backend-3", 5000) ?? throw new InvalidOperationException("no connection to begin with");
        Assert.Contains("dev vxlan.calico", await RouteAsync(), StringComparison.Ordinal);
        using CancellationTokenSource end = new();
        Task<TimeSpan> longest = LongestPauseAsync(flow, end.Token);

        foreach ((string mode, string expected) in ((string, string)[])[("Never", "dev eth0 proto 81"), ("CrossSubnet", "dev vxlan.calico"), ("Never", "dev eth0 proto 81"), ("Always", "dev vxlan.calico")])
        {
            await KeptLab.ApplyAsync(Pool(mode));
            await Executable.EventuallyAsync($"node1 goes by {expected} in mode {mode}", async () => (await RouteAsync()).Contains(expected, StringComparison.Ordinal));
        }

        await end.CancelAsync();
        Assert.True(await longest < TimeSpan.FromSeconds(1), $"the flow stood still for {await longest}");
        string address = await KeptLab.AddressAsync("backend-3");
        (await KeptLab.ExecAsync("frontend-1", "ping", "-c", "1", "-W", "2", "-M", "do", "-s", "1422", address)).MustSucceed();
    }

    private static string Pool(string mode) =>
        $$"""
        apiVersion: projectcalico.org/v3
        kind: IPPool
        metadata: {name: pods}
        spec: {cidr: 10.65.0.0/16, blockSize: 26, ipipMode: Never, vxlanMode: {{mode}}, natOutgoing: true}
        """;

    /// <summary>How node1 goes to the block of backend-3 (of node3, in the other rack).</summary>
    private static async Task<string> RouteAsync() => (await KeptLab.ExecAsync("node1", "ip", "route", "show", "to", "match", await KeptLab.AddressAsync("backend-3"))).MustSucceed().Output;

    private static async Task<TimeSpan> LongestPauseAsync(Socket flow, CancellationToken end)
    {
        byte[] word = [1];
        TimeSpan longest = TimeSpan.Zero;
        while (!end.IsCancellationRequested)
        {
            long sent = Stopwatch.GetTimestamp();
            await flow.SendAsync(word, SocketFlags.None, CancellationToken.None);
            Assert.Equal(1, await flow.ReceiveAsync(word, SocketFlags.None, CancellationToken.None));
            TimeSpan took = Stopwatch.GetElapsedTime(sent);
            longest = took > longest ? took : longest;
            await Task.Delay(20, CancellationToken.None);
        }

        return longest;
    }
}
