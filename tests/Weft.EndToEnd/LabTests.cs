using System.Diagnostics;

namespace Weft.EndToEnd;

/// <summary>The main job, as a user runs it, and that it cleans up however it ends.</summary>
[Collection(OwnLabCollection.Name)]
public sealed class LabTests
{
    [Fact]
    public async Task DefaultRack_ProvesConnectivityAndPolicy_AndLeavesNothing()
    {
        string before = await HostStateAsync();

        Outcome lab = await Executable.RunAsync("lab");

        lab.MustSucceed();
        Assert.Contains("tor1 <-> tor2", lab.Output, StringComparison.Ordinal);
        Assert.Contains("CNI ADD on node3 gave 10.65.", lab.Output, StringComparison.Ordinal);
        Assert.Equal(3, lab.Output.Split("all 30 pairs as expected").Length - 1);
        Assert.Contains("selected by demo/backend-from-frontend: closed to ", lab.Output, StringComparison.Ordinal);
        Assert.Contains("CNI DEL on node1 returned 10.65.", lab.Output, StringComparison.Ordinal);
        Assert.Equal(before, await HostStateAsync());
    }

    [Theory]
    [InlineData("--switch", "bird")]
    [InlineData("--store", "etcd")]
    [InlineData("--overlay", "cross-subnet", "--ipv6")]
    public async Task Variant_ProvesTheSame(params string[] arguments)
    {
        Outcome lab = await Executable.RunAsync(["lab", .. arguments]);

        lab.MustSucceed();
        Assert.Contains("no file left", lab.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(300)]
    [InlineData(1500)]
    [InlineData(3000)]
    [InlineData(6000)]
    public async Task CtrlC_AtAnyMoment_LeavesNothing(int milliseconds)
    {
        string before = await HostStateAsync();
        using Process lab = Executable.Start(Executable.Path, ["lab"]);
        Task<Outcome> finish = Executable.FinishAsync(lab);
        await Task.Delay(milliseconds);

        Process.Start("kill", ["-INT", lab.Id.ToString()]).WaitForExit();
        await finish;

        Assert.Equal(before, await HostStateAsync());
    }

    [Fact]
    public async Task KilledLab_IsRefusedASecondTime_AndRemovedByDown()
    {
        string before = await HostStateAsync();
        using Process lab = Executable.Start(Executable.Path, ["lab"]);
        await Task.Delay(1500);
        Outcome second = await Executable.RunAsync("lab");
        lab.Kill();
        await lab.WaitForExitAsync();

        Outcome third = await Executable.RunAsync("lab");
        (await Executable.RunAsync("lab", "down")).MustSucceed();

        Assert.Equal(1, second.ExitCode);
        Assert.Contains($"process {lab.Id}", second.Error, StringComparison.Ordinal);
        Assert.Equal(1, third.ExitCode);
        Assert.Contains("weft lab down", third.Error, StringComparison.Ordinal);
        Assert.Equal(before, await HostStateAsync());
    }

    /// <summary>What a lab could leave on the host: namespaces, links, files, processes, rules, mounts.</summary>
    private static async Task<string> HostStateAsync() => (await Executable.RunAsync(
        "/bin/sh",
        ["-c", "ip netns list | grep weft-lab; ip -o link | cut -d: -f2 | sort; ls /run/weft-lab /run/weft 2>&1; pgrep -af 'weft (store|router|agent|lab)' | cut -d' ' -f2-; iptables-save | grep -c cali; nft list tables | grep weft-; grep -c weft-lab /proc/mounts; true"],
        string.Empty)).Output;
}
