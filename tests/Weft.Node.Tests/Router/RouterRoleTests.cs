using System.Net.Sockets;
using System.Text;

namespace Weft.Node.Tests.Router;

/// <summary>The role as systemd sees it.</summary>
public sealed class RouterRoleTests : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("weft-role-").FullName;
    private readonly Space _space = new("role");
    private readonly List<IAsyncDisposable> _processes = [];

    private const string Settings = """
        [router]
        router-id = 10.255.0.1
        local-as = 65001

        [neighbor:nobody]
        address = 127.0.0.99
        remote-as = 65002
        """;

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable process in _processes)
        {
            await process.DisposeAsync();
        }

        _space.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private SpaceProcess Start(string name, string settings, string? notify = null)
    {
        string folder = Path.Combine(_folder, name);
        Directory.CreateDirectory(folder);
        RouterProcess.Write(folder, settings);
        SpaceProcess process = new(
            _space, notify is null ? new Dictionary<string, string>() : new Dictionary<string, string> { ["NOTIFY_SOCKET"] = notify, ["WATCHDOG_USEC"] = "10000000" },
            RouterProcess.Executable, "router", "--config", Path.Combine(folder, "weft.conf"), "--run-dir", folder);
        _processes.Add(process);
        return process;
    }

    private static async Task<string> UntilNotified(Socket socket, string expected)
    {
        using CancellationTokenSource limit = new(Poll.Patience);
        byte[] buffer = new byte[4096];
        StringBuilder heard = new();
        while (!heard.ToString().Contains(expected))
        {
            heard.Append(Encoding.UTF8.GetString(buffer, 0, await socket.ReceiveAsync(buffer, limit.Token))).Append('\n');
        }

        return heard.ToString();
    }

    [Fact]
    public async Task Systemd_HearsReadyWithSessions_Watchdog_Reload_AndStop()
    {
        string path = Path.Combine(_folder, "notify");
        using Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        SpaceProcess router = Start("a", Settings, path);

        Assert.Contains("STATUS=0 of 1 sessions established", await UntilNotified(socket, "READY=1"));
        await UntilNotified(socket, "WATCHDOG=1");

        File.AppendAllText(Path.Combine(_folder, "a", "weft.conf"), "\nremote-asn = 1\n");
        router.Signal("HUP");
        Assert.Contains("settings not taken over", await UntilNotified(socket, "remote-asn"));

        Assert.Equal(0, await router.TerminateAsync());
        await UntilNotified(socket, "STOPPING=1");
    }

    [Fact]
    public async Task Monitoring_TellsOfEverySession_AndWhetherTheRouterHasSettled()
    {
        SpaceProcess router = Start("a", Settings.Replace("[router]", "[router]\nmonitoring = 127.0.0.1:9179\nsettle-time = 1s", StringComparison.Ordinal));

        string metrics = await Poll.UntilAsync(() => Task.FromResult(Get("/metrics")), static text => text.Contains("\nweft_router_settled 1\n", StringComparison.Ordinal), static text => text);
        Assert.Contains("\nweft_bgp_session_up{neighbor=\"nobody\",remote_as=\"65002\"} 0\n", metrics);
        Assert.Contains("\nweft_bgp_messages_total{neighbor=\"nobody\",direction=\"sent\",type=\"update\"} 0\n", metrics);
        Assert.Contains("\nprocess_resident_memory_bytes ", metrics);
        Assert.EndsWith("\nsettled\n", Get("/readiness"));

        // Without a descriptor left the router cannot take a connection; once it has some again, it answers as before.
        _space.Run("prlimit", "--pid", $"{router.Process.Id}", "--nofile=3:");
        _space.Run("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9179 && sleep 0.5");
        _space.Run("prlimit", "--pid", $"{router.Process.Id}", "--nofile=1024:");
        Assert.Contains("\nweft_router_settled 1\n", Get("/metrics"));
        Assert.Equal(0, await router.TerminateAsync());

        string Get(string path) =>
            _space.Run("bash", "-c", $"exec 3<>/dev/tcp/127.0.0.1/9179 && printf 'GET {path} HTTP/1.1\\r\\n\\r\\n' >&3 && tr -d '\\r' <&3 || true");
    }

    [Fact]
    public async Task WrongSettings_EndWith78_AndNameEveryProblem()
    {
        SpaceProcess router = Start("a", "[router]\nrouter-id = x\nlocal-as = 0\n");

        await router.Process.WaitForExitAsync();
        router.Process.WaitForExit();

        Assert.Equal(78, router.Process.ExitCode);
        Assert.Contains("[router] router-id", router.Output);
        Assert.Contains("[router] local-as", router.Output);
    }

    [Fact]
    public async Task SecondRouterOnTheSamePort_SaysSo_AndTriesAgain_WithoutSharingIt()
    {
        SpaceProcess first = Start("a", Settings);
        await Poll.UntilAsync(() => Task.FromResult(first.Output), o => o.Contains("accepting sessions on [::]:179"), o => o);

        SpaceProcess second = Start("b", Settings);
        await Poll.UntilAsync(() => Task.FromResult(second.Output), o => o.Contains("cannot accept sessions on 0.0.0.0:179"), o => o);

        await first.KillAsync();
        await Poll.UntilAsync(() => Task.FromResult(second.Output), o => o.Contains("accepting sessions on 0.0.0.0:179"), o => o);
    }

    [Fact]
    public async Task SecondRouterInTheSameRunFolder_Ends()
    {
        SpaceProcess first = Start("a", Settings);
        await Poll.UntilAsync(() => Task.FromResult(first.Output), o => o.Contains("accepting sessions"), o => o);

        SpaceProcess second = Start("a", Settings);
        await second.Process.WaitForExitAsync();

        Assert.Equal(1, second.Process.ExitCode);
        await Poll.UntilAsync(() => Task.FromResult(second.Output), o => o.Contains("another process answers there"), o => o);
    }
}
