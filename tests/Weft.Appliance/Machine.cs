using System.Diagnostics;
using System.Globalization;

namespace Weft.Appliance;

/// <summary>
/// A machine with a real systemd: a throw-away overlay of the root that make-root.sh made, booted by systemd-nspawn in a network namespace of its own.
/// </summary>
internal sealed class Machine : IAsyncDisposable
{
    /// <summary>The collection of all tests with machines: these share the control groups of their host.</summary>
    public const string OneAtATime = "machines";

    /// <summary>systemd-nspawn's exit code when the machine asks to be started again.</summary>
    private const int RebootWanted = 133;

    public static readonly string Root = Path.Combine(Packages.Repository, "artifacts/roots/bookworm");

    private static readonly TimeSpan s_bootLimit = TimeSpan.FromSeconds(60);

    private readonly string _folder;
    private Process _nspawn;

    private Machine(string folder, Process nspawn) => (_folder, _nspawn) = (folder, nspawn);

    /// <summary>The first process of the machine, as this one sees it; another one after a reboot.</summary>
    public int Init { get; private set; }

    public static async Task<Machine> BootAsync()
    {
        (await Executable.RunAsync("bash", [Path.Combine(Packages.Repository, "tests/Weft.Appliance/make-root.sh"), Root], string.Empty)).MustSucceed();
        string folder = Path.Combine(Packages.Repository, "artifacts/machines", Guid.NewGuid().ToString("N"));
        foreach (string part in (string[])["up", "work", "root"])
        {
            Directory.CreateDirectory(Path.Combine(folder, part));
        }

        Machine machine = new(folder, PowerOn(Root, folder));
        await machine.UntilUpAsync();
        return machine;
    }

    private static Process PowerOn(string root, string folder)
    {
        // The overlay is mounted in a mount namespace of its own: it goes when the last process of the machine goes.
        const string Script = """
            mount -t overlay -o lowerdir="$1",upperdir="$2/up",workdir="$2/work" overlay "$2/root" || exit 1
            exec systemd-nspawn -q -D "$2/root" --boot --private-network --register=no --keep-unit --machine=appliance --link-journal=no --console=pipe </dev/null >"$2/console" 2>&1
            """;
        ProcessStartInfo start = new("unshare", ["--mount", "sh", "-c", Script, "sh", root, folder]);
        start.Environment["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY"] = "1";
        return Process.Start(start)!;
    }

    /// <summary>Runs a command inside, as root, in all namespaces of the machine.</summary>
    public Task<Outcome> RunAsync(params string[] command) => RunWithInputAsync(string.Empty, command);

    public Task<Outcome> RunWithInputAsync(string input, params string[] command) => Executable.RunAsync("nsenter", [.. Enter, .. command], input);

    /// <summary>Runs a line of shell inside; it must succeed, and the journal of weft is told when it does not.</summary>
    public async Task<string> ShAsync(string line, string input = "")
    {
        Outcome outcome = await RunWithInputAsync(input, "sh", "-c", line);
        return outcome.ExitCode == 0 ? outcome.Output : (outcome with { Error = outcome.Error + await JournalAsync() }).MustSucceed().Output;
    }

    public async Task<string> JournalAsync() => (await RunAsync("journalctl", "--no-pager", "-n", "60", "-u", "weft-*")).Output;

    public Process Start(params string[] command) => Executable.Start("nsenter", [.. Enter, .. command]);

    public async Task CopyAsync(string file, string target)
    {
        // Through the process's root: the overlay itself is only mounted inside.
        await using FileStream from = File.OpenRead(file);
        await using FileStream to = File.Create($"/proc/{Init}/root{target}");
        await from.CopyToAsync(to);
    }

    public async Task InstallAsync(string deb)
    {
        string target = $"/root/{Path.GetFileName(deb)}";
        await CopyAsync(deb, target);
        await ShAsync($"DEBIAN_FRONTEND=noninteractive dpkg --force-confold --force-downgrade -i '{target}'");
    }

    public async Task RebootAsync()
    {
        await RunAsync("systemctl", "reboot", "--no-block");
        using CancellationTokenSource patience = new(s_bootLimit);
        await _nspawn.WaitForExitAsync(patience.Token);
        Assert.Equal(RebootWanted, _nspawn.ExitCode);
        _nspawn.Dispose();
        _nspawn = PowerOn(Root, _folder);
        await UntilUpAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (Init > 0 && !_nspawn.HasExited)
        {
            await RunAsync("systemctl", "poweroff", "--no-block");
            using CancellationTokenSource patience = new(TimeSpan.FromSeconds(20));
            try
            {
                await _nspawn.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                _nspawn.Kill(entireProcessTree: true);
                await _nspawn.WaitForExitAsync();
            }
        }

        _nspawn.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private string[] Enter =>
    [
        "-t", Init.ToString(CultureInfo.InvariantCulture), "-a", "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=dumb",
        "SYSTEMD_PAGER=cat", "LANG=C.UTF-8",
    ];

    private async Task UntilUpAsync()
    {
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            Assert.True(!_nspawn.HasExited && Stopwatch.GetElapsedTime(started) < s_bootLimit, $"the machine did not come up:\n{Console()}");
            int init = FindInit();
            if (init != 0)
            {
                Init = init;
                Outcome state = await RunAsync("systemctl", "is-system-running");
                if (state.Output.Trim() is "running" or "degraded")
                {
                    return;
                }
            }

            await Task.Delay(100);
        }
    }

    private string Console() => File.Exists(Path.Combine(_folder, "console")) ? File.ReadAllText(Path.Combine(_folder, "console")) : string.Empty;

    /// <summary>The child of systemd-nspawn that is called systemd; 0 while there is none.</summary>
    private int FindInit()
    {
        try
        {
            foreach (string child in File.ReadAllText($"/proc/{_nspawn.Id}/task/{_nspawn.Id}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                if (File.ReadAllText($"/proc/{child}/comm").Trim() == "systemd")
                {
                    return int.Parse(child, CultureInfo.InvariantCulture);
                }
            }
        }
        catch (IOException)
        {
            // A process has gone between two looks.
        }

        return 0;
    }
}
