using System.Text.Json.Nodes;

namespace Weft.Interop;

/// <summary>The published executable as a router in a namespace (or in the machine's own, for tests on loopback addresses).</summary>
internal sealed class Router : IDisposable
{
    private readonly string _netns;
    private readonly string _settings;
    private readonly string _runDirectory;

    private Router(string netns, string settings, string runDirectory)
    {
        (_netns, _settings, _runDirectory) = (netns, settings, runDirectory);
        Process = Launch();
    }

    public static string Executable { get; } = Find();

    public Daemon Process { get; private set; }

    public int OpenFiles => Directory.GetFiles($"/proc/{Process.Id}/fd").Length;

    public static Router Start(Lab lab, string settings) => lab.Own(new Router(lab.WeftNamespace, lab.Write("weft.conf", settings.Replace("RUN_DIR", lab.Folder)), lab.Folder));

    /// <summary>New settings for the running router.</summary>
    public async Task ReloadAsync(string settings)
    {
        await File.WriteAllTextAsync(_settings, settings.Replace("RUN_DIR", _runDirectory));
        await Shell.RunAsync("kill", "-HUP", Process.Id.ToString());
    }

    /// <summary>The same router again, after it was killed or stopped.</summary>
    public void StartAgain()
    {
        Process.Dispose();
        Process = Launch();
    }

    public async Task<JsonNode?> ShowAsync(params string[] words)
    {
        (int code, string output, _) = await Shell.TryAsync(Executable, ["router", "show", .. words, "--run-dir", _runDirectory, "-o", "json"]);
        return code == 0 ? JsonNode.Parse(output) : null;
    }

    /// <summary>An operator's command: reset, shutdown, enable.</summary>
    public Task OperateAsync(params string[] words) => Shell.RunAsync(Executable, ["router", .. words, "--run-dir", _runDirectory]);

    public async Task<JsonNode?> NeighborAsync(string name = "peer")
    {
        JsonArray? all = (await ShowAsync("neighbors"))?["neighbors"]?.AsArray();
        return all?.FirstOrDefault(n => (string?)n!["name"] == name);
    }

    public async Task<bool> IsEstablishedAsync(string name = "peer") => (string?)(await NeighborAsync(name))?["state"] == "Established";

    public async Task<int> EstablishedCountAsync(string name = "peer") => (int?)(await NeighborAsync(name))?["established"] ?? 0;

    /// <summary>What the router holds, as text of its JSON.</summary>
    public async Task<string> RoutesAsync() => (await ShowAsync("route"))?.ToJsonString() ?? string.Empty;

    public async Task<string> DescribeAsync() => $"{await ShowAsync("neighbors")}\n{await ShowAsync("route")}\n{Process.Log}";

    public void Dispose() => Process.Dispose();

    private Daemon Launch() => new("weft", _netns, Executable, "router", "--config", _settings);

    private static string Find()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "build.sh")))
        {
            folder = folder.Parent;
        }

        string path = Environment.GetEnvironmentVariable("WEFT_EXECUTABLE") ?? Path.Combine(folder?.FullName ?? "/", "artifacts/publish/weft");
        return File.Exists(path) ? path : throw new FileNotFoundException($"{path}: the published executable is missing; run ./build.sh publish or set WEFT_EXECUTABLE");
    }
}
