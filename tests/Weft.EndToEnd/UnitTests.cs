using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Weft.Linux.Namespaces;

namespace Weft.EndToEnd;

/// <summary>The three units as systemd sees them: readiness, status and the end, by sd_notify's protocol, with the settings an administrator would write.</summary>
public sealed class UnitTests : IDisposable
{
    private const string Namespace = "weft-unit-test";

    private readonly string _folder = Directory.CreateTempSubdirectory("weft-unit-").FullName;
    private readonly NetNamespace _space;

    public UnitTests()
    {
        NamedNamespaces.Delete(Namespace);
        _space = NamedNamespaces.Create(Namespace);
        using Process up = _space.Start(new ProcessStartInfo("ip", ["link", "set", "lo", "up"]));
        up.WaitForExit();
    }

    public void Dispose()
    {
        _space.Dispose();
        NamedNamespaces.Delete(Namespace);
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("store", "[store]\nlisten = 127.0.0.1:2379\ndata = @/store.db\n")]
    [InlineData("router", "[router]\nrouter-id = 10.255.0.1\nlocal-as = 65001\nlisten = 127.0.0.1:179\nnetworks = 10.255.0.1/32\nrun-dir = @\n")]
    [InlineData("agent", "[datastore]\nendpoints = http://127.0.0.1:2379\n[node]\nname = unit\nipv4-address = 10.9.9.9/24\n[agent]\nrun-dir = @\n")]
    public async Task Role_ReportsReady_AndStopsOnSigterm(string role, string settings)
    {
        string file = Path.Combine(_folder, "weft.conf");
        await File.WriteAllTextAsync(file, settings.Replace("@", _folder, StringComparison.Ordinal));
        using Socket manager = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        manager.Bind(new UnixDomainSocketEndPoint(Path.Combine(_folder, "notify")));
        ProcessStartInfo start = new(Executable.Path, [role, "--config", file]) { RedirectStandardError = true };
        start.Environment["NOTIFY_SOCKET"] = Path.Combine(_folder, "notify");

        using Process process = _space.Start(start);
        Task<string> log = process.StandardError.ReadToEndAsync();
        string ready = await ReceiveAsync(manager, "READY=1");
        Process.Start("kill", ["-TERM", process.Id.ToString()]).WaitForExit();
        string stopping = await ReceiveAsync(manager, "STOPPING=1");
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(15));
        await process.WaitForExitAsync(limit.Token);

        Assert.Contains("STATUS=", ready, StringComparison.Ordinal);
        Assert.Contains("STATUS=", stopping, StringComparison.Ordinal);
        Assert.True(process.ExitCode == 0, $"exit code {process.ExitCode}\n{await log}");
    }

    [Theory]
    [InlineData("store")]
    [InlineData("router")]
    [InlineData("agent")]
    public async Task Unit_PassesSystemdsOwnCheck(string role)
    {
        string unit = Path.Combine(Path.GetDirectoryName(Executable.Path)!, "../../systemd", $"weft-{role}.service");
        string copy = Path.Combine(_folder, $"weft-{role}.service");
        File.Copy(Path.Combine(Path.GetDirectoryName(unit)!, "weft-agent.socket"), Path.Combine(_folder, "weft-agent.socket"));

        // The check wants the program to exist where the unit says.
        await File.WriteAllTextAsync(copy, (await File.ReadAllTextAsync(unit)).Replace("/usr/bin/weft", Executable.Path, StringComparison.Ordinal));

        Outcome outcome = await Executable.RunAsync("systemd-analyze", ["verify", "--man=no", copy], string.Empty);

        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.DoesNotContain($"weft-{role}.service:", outcome.Error, StringComparison.Ordinal);
    }

    /// <summary>The exposure by systemd's own measure, from 0 (locked up) to 10; what is left is justified in the unit.</summary>
    [Theory]
    [InlineData("store", 30)]
    [InlineData("router", 30)]
    [InlineData("agent", 50)]
    public async Task Unit_ExposesLittle(string role, int tenths)
    {
        string unit = Path.Combine(Path.GetDirectoryName(Executable.Path)!, "../../systemd", $"weft-{role}.service");

        Outcome outcome = await Executable.RunAsync("systemd-analyze", ["security", "--offline=true", "--no-pager", $"--threshold={tenths}", unit], string.Empty);

        Assert.True(outcome.ExitCode == 0, outcome.Output + outcome.Error);
    }

    /// <summary>systemd-socket-activate stands for the manager: it opens the socket, waits for the first client, and becomes the agent.</summary>
    [Fact]
    public async Task Agent_AnswersOnTheSocketThatTheManagerHolds_AndLeavesItThere()
    {
        string file = Path.Combine(_folder, "weft.conf"), path = Path.Combine(_folder, "agent.sock");
        await File.WriteAllTextAsync(file, $"[datastore]\nendpoints = http://127.0.0.1:2379\n[node]\nname = unit\nipv4-address = 10.9.9.9/24\n[agent]\nrun-dir = {_folder}\n");
        using Process process = _space.Start(new ProcessStartInfo("systemd-socket-activate", ["-l", path, Executable.Path, "agent", "--config", file]) { RedirectStandardError = true });
        Task<string> log = process.StandardError.ReadToEndAsync();
        await Executable.EventuallyAsync("the manager listens", () => Task.FromResult(File.Exists(path)));

        Outcome status = await Executable.RunAsync("node", "status", "--run-dir", _folder);
        Process.Start("kill", ["-TERM", process.Id.ToString()]).WaitForExit();
        await process.WaitForExitAsync();

        Assert.True(status.Output.Contains("Agent of node unit", StringComparison.Ordinal), $"{status.Output}{status.Error}{await log}");
        Assert.True(File.Exists(path));
    }

    private static async Task<string> ReceiveAsync(Socket manager, string expected)
    {
        byte[] buffer = new byte[4096];
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(20));
        while (true)
        {
            string text = Encoding.UTF8.GetString(buffer, 0, await manager.ReceiveAsync(buffer, limit.Token));
            if (text.Split('\n').Contains(expected))
            {
                return text;
            }
        }
    }
}
