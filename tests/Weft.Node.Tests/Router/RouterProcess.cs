using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Weft.Hosting.Control;
using Weft.Linux.Netlink;
using Weft.Linux.Namespaces;

namespace Weft.Node.Tests.Router;

/// <summary>A process inside a namespace whose output is kept for the failure message.</summary>
internal class SpaceProcess : IAsyncDisposable
{
    private readonly StringBuilder _output = new();

    public SpaceProcess(Space space, IReadOnlyDictionary<string, string> environment, params string[] command)
    {
        ProcessStartInfo start = new("ip", ["netns", "exec", space.Name, .. command]) { RedirectStandardError = true, RedirectStandardOutput = true, RedirectStandardInput = true };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        Process = new Process { StartInfo = start };
        Process.OutputDataReceived += (_, line) => Keep(line.Data);
        Process.ErrorDataReceived += (_, line) => Keep(line.Data);
        Process.Start();
        Process.BeginOutputReadLine();
        Process.BeginErrorReadLine();
    }

    public Process Process { get; }

    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    public async Task KillAsync()
    {
        if (!Process.HasExited)
        {
            Process.Kill();
        }

        await Process.WaitForExitAsync();
    }

    /// <summary>SIGTERM, and the exit code.</summary>
    public async Task<int> TerminateAsync()
    {
        Signal("TERM");
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(15));
        await Process.WaitForExitAsync(limit.Token);
        return Process.ExitCode;
    }

    /// <summary>"ip netns exec" replaces itself by the command, so the process id is the command's.</summary>
    public void Signal(string name)
    {
        using Process kill = Process.Start("kill", [$"-{name}", Process.Id.ToString()]);
        kill.WaitForExit();
    }

    public virtual async ValueTask DisposeAsync()
    {
        await KillAsync();
        Process.Dispose();
    }

    private void Keep(string? line)
    {
        lock (_output)
        {
            _output.AppendLine(line);
        }
    }
}

/// <summary>weft router as a process of its own, in a namespace, with its settings file and run folder.</summary>
internal sealed class RouterProcess : SpaceProcess
{
    private readonly string _folder;

    private RouterProcess(Space space, string folder)
        : base(space, new Dictionary<string, string>(), Executable, "router", "--config", Path.Combine(folder, "weft.conf"), "--run-dir", folder) => _folder = folder;

    /// <summary>WEFT_EXECUTABLE, the published one, or the one a plain build leaves.</summary>
    public static string Executable { get; } = FindExecutable();

    public static RouterProcess Start(Space space, string folder, string? settings = null)
    {
        Directory.CreateDirectory(folder);
        if (settings is not null)
        {
            Write(folder, settings);
        }

        return new RouterProcess(space, folder);
    }

    public static void Write(string folder, string settings) => File.WriteAllText(Path.Combine(folder, "weft.conf"), settings);

    public async Task<JsonObject> AskAsync(string command, string? member = null, string? value = null)
    {
        JsonObject request = new() { ["command"] = command };
        if (member is not null)
        {
            request[member] = value;
        }

        try
        {
            return (await ControlClient.RequestAsync(Path.Combine(_folder, "router.sock"), request, default)).AsObject();
        }
        catch (IOException e)
        {
            return new JsonObject { ["error"] = e.Message };
        }
    }

    public async Task<JsonObject?> NeighborAsync(string name) =>
        (await AskAsync("neighbors"))["neighbors"]?.AsArray().OfType<JsonObject>().FirstOrDefault(n => (string?)n["name"] == name);

    public Task<JsonObject?> UntilEstablished(string name) => Until(name, n => (string?)n?["state"] == "Established");

    public Task<JsonObject?> Until(string name, Func<JsonObject?, bool> isGood) =>
        Poll.UntilAsync(() => NeighborAsync(name), isGood, last => $"neighbour {name}: {last?.ToJsonString()}\n{Output}", TimeSpan.FromSeconds(40));

    /// <summary>The command an operator types, and what it prints.</summary>
    public string Show(params string[] words)
    {
        using Process show = Process.Start(new ProcessStartInfo(Executable, ["router", "show", .. words, "--run-dir", _folder]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        string text = show.StandardOutput.ReadToEnd() + show.StandardError.ReadToEnd();
        show.WaitForExit();
        return text;
    }

    private static string FindExecutable()
    {
        string? root = AppContext.BaseDirectory;
        while (root is not null && !Directory.Exists(Path.Combine(root, "src", "Weft")))
        {
            root = Path.GetDirectoryName(root);
        }

        string[] candidates =
        [
            Environment.GetEnvironmentVariable("WEFT_EXECUTABLE") ?? string.Empty, Path.Combine(root ?? "/", "artifacts/publish/weft"),
            Path.Combine(root ?? "/", "src/Weft/bin/Debug/net10.0/linux-x64/weft"),
        ];
        return candidates.FirstOrDefault(File.Exists)
            ?? throw new FileNotFoundException($"no weft executable: set WEFT_EXECUTABLE, run ./build.sh publish or build src/Weft (looked at {string.Join(", ", candidates.Where(c => c.Length > 0))})");
    }
}

/// <summary>Debian's BIRD 2 in a namespace.</summary>
internal sealed class Bird : SpaceProcess
{
    private readonly string _socket;
    private readonly Space _space;

    private Bird(Space space, string folder)
        : base(space, new Dictionary<string, string>(), "bird", "-f", "-c", Path.Combine(folder, "bird.conf"), "-s", Path.Combine(folder, "bird.ctl")) =>
        (_socket, _space) = (Path.Combine(folder, "bird.ctl"), space);

    public static Bird Start(Space space, string folder, string settings)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "bird.conf"), settings);
        return new Bird(space, folder);
    }

    public string Ask(string command) => _space.Run("birdc", "-s", _socket, command);
}
