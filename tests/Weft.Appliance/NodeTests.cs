namespace Weft.Appliance;

/// <summary>What the units promise, on a node with traffic and BGP up. Each test leaves the node as it found it.</summary>
[Collection(Machine.OneAtATime)]
public sealed class NodeTests(Node node) : IClassFixture<Node>
{
    [Theory]
    [InlineData("weft-store", "weft", "listening on")]
    [InlineData("weft-agent", "root", "in sync, 1 endpoints")]
    [InlineData("weft-router", "weft", "1 of 1")]
    public async Task Role_IsReady_SaysHowItIs_AndHasNoMoreRightsThanItNeeds(string unit, string user, string status)
    {
        await node.ActiveAsync(unit);

        await Executable.EventuallyAsync($"{unit} says {status}", async () => (await node.StateAsync(unit, "StatusText")).Contains(status, StringComparison.Ordinal));
        Assert.Equal(user, (await node.Machine.ShAsync($"stat -c %U /proc/$(systemctl show --value -p MainPID {unit})")).Trim());
        Assert.Equal("weft.slice", await node.StateAsync(unit, "Slice"));
    }

    [Fact]
    public async Task Agent_Restarted_LosesNoPacket() => await node.WithoutLossAsync(() => RestartAsync("weft-agent"));

    [Fact]
    public async Task Agent_Killed_IsBackAndLosesNoPacket() => await node.WithoutLossAsync(() => KillAsync("weft-agent"));

    [Fact]
    public async Task Router_Restarted_LosesNoPacket_AndTheSwitchKeepsTheRoutes() => await node.WithoutLossAsync(() => RestartAsync("weft-router"));

    [Fact]
    public async Task Router_Killed_IsBackAndLosesNoPacket() => await node.WithoutLossAsync(() => KillAsync("weft-router"));

    [Fact]
    public async Task CniCall_WaitsThroughARestartOfTheAgent()
    {
        // Stopped as a process is that hangs or starts: the socket takes the call, and the next agent answers it.
        await node.Machine.ShAsync("systemctl kill --kill-who=main -s STOP weft-agent");
        await node.Machine.ShAsync("ip netns add pod2");
        Task<Outcome> call = node.CniAsync("ADD", "pod2");
        await node.Machine.ShAsync("systemctl kill --kill-who=main -s KILL weft-agent");

        // Answered by the new agent: done, or "try again later" (CNI error 11) while it still enters its node; never refused, never lost.
        Outcome answer = await call;
        Assert.True(answer.ExitCode == 0 || answer.Output.Contains("\"code\":11", StringComparison.Ordinal), answer.Output + answer.Error);
        await Executable.EventuallyAsync("ADD, tried again", async () => answer.ExitCode == 0 || (await node.CniAsync("ADD", "pod2")).ExitCode == 0);
        (await node.CniAsync("DEL", "pod2")).MustSucceed();
        await node.Machine.ShAsync("ip netns del pod2");
        Assert.DoesNotContain("weft-agent.socket", (await node.Machine.ShAsync("systemctl --failed --plain --no-legend")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task HungRole_IsKilledByTheWatchdog_AndStartedAnew()
    {
        await node.Machine.ShAsync("mkdir -p /run/systemd/system/weft-store.service.d && printf '[Service]\\nWatchdogSec=1\\n' >/run/systemd/system/weft-store.service.d/fast.conf && systemctl daemon-reload && systemctl restart weft-store");
        string before = await node.StateAsync("weft-store", "MainPID");

        await node.Machine.ShAsync("systemctl kill --kill-who=main -s STOP weft-store");
        await Executable.EventuallyAsync("another process", async () => await node.StateAsync("weft-store", "MainPID") is var now && now != "0" && now != before);
        await node.ActiveAsync("weft-store");

        Assert.Contains("Watchdog timeout", await node.Machine.ShAsync("journalctl -u weft-store"), StringComparison.Ordinal);
        await node.Machine.ShAsync("rm -r /run/systemd/system/weft-store.service.d && systemctl daemon-reload && systemctl restart weft-store");
    }

    [Fact]
    public async Task WrongSettings_EndTheRoleOnce_AndSayWhatIsWrong()
    {
        await node.Machine.ShAsync("cp -p /etc/weft/weft.conf /root/kept && printf '[store]\\nlisten = nowhere\\n' >>/etc/weft/weft.conf && ! systemctl restart weft-store");

        string status = await node.StateAsync("weft-store", "ExecMainStatus"), state = await node.StateAsync("weft-store", "ActiveState"), restarts = await node.StateAsync("weft-store", "NRestarts");
        string log = await node.Machine.ShAsync("journalctl -u weft-store");
        await node.Machine.ShAsync("cp -p /root/kept /etc/weft/weft.conf && systemctl restart weft-store");

        Assert.Equal(("78", "failed", "0"), (status, state, restarts));
        Assert.Contains("/etc/weft/weft.conf: [store] listen", log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reload_OfTheAgent_StartsItAnewWith129_AndLosesNoPacket()
    {
        string before = await node.StateAsync("weft-agent", "MainPID");

        await node.WithoutLossAsync(async () =>
        {
            await node.Machine.ShAsync("systemctl reload weft-agent");
            await Executable.EventuallyAsync("another process", async () => await node.StateAsync("weft-agent", "MainPID") is var now && now != "0" && now != before);
            await node.ActiveAsync("weft-agent");
        });
    }

    [Fact]
    public async Task Credential_IsReadByARoleThatMayNotReadTheFile()
    {
        await node.Machine.ShAsync("""
            printf secret >/etc/weft/credentials/bgp.key && chmod 600 /etc/weft/credentials/bgp.key && cp -p /etc/weft/weft.conf /root/kept2 &&
            printf '[neighbor:spare]\naddress = 10.99.0.9\nremote-as = 65009\npassword-file = bgp.key\nimport = all\nexport = all\n' >>/etc/weft/weft.conf && systemctl restart weft-router
            """);

        await Executable.EventuallyAsync("the router has the neighbour", async () => (await node.Machine.ShAsync("weft router show neighbors")).Contains("spare", StringComparison.Ordinal));
        await node.Machine.ShAsync("rm /etc/weft/credentials/bgp.key && cp -p /root/kept2 /etc/weft/weft.conf && systemctl restart weft-router");
    }

    private async Task RestartAsync(string unit)
    {
        await node.Machine.ShAsync($"systemctl restart {unit}");
        await node.ActiveAsync(unit);
    }

    private async Task KillAsync(string unit)
    {
        string before = await node.StateAsync(unit, "MainPID");
        await node.Machine.ShAsync($"systemctl kill --kill-who=main -s KILL {unit}");
        await Executable.EventuallyAsync("another process", async () => await node.StateAsync(unit, "MainPID") is var now && now != "0" && now != before);
        await node.ActiveAsync(unit);
    }
}
