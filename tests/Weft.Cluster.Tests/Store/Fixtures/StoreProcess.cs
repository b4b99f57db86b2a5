using System.Diagnostics;
using System.Text;
using Grpc.Net.Client;

namespace Weft.Cluster.Tests.Store.Fixtures;

/// <summary>The store as users run it: a process of the executable.</summary>
internal sealed class StoreProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _log = new();
    private readonly TaskCompletionSource _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private StoreProcess(string data)
    {
        ProcessStartInfo start = new(Executable()) { RedirectStandardError = true, ArgumentList = { "store", "--listen", EndPoint, "--data", data } };
        _process = Process.Start(start)!;
        _process.ErrorDataReceived += (_, line) =>
        {
            lock (_log)
            {
                _log.AppendLine(line.Data);
            }

            if (line.Data?.Contains("listening on", StringComparison.Ordinal) ?? true)
            {
                _listening.TrySetResult();
            }
        };
        _process.BeginErrorReadLine();
        Channel = GrpcChannel.ForAddress($"http://{EndPoint}");
    }

    public string EndPoint { get; } = $"127.0.0.1:{Scratch.FreePort()}";

    public GrpcChannel Channel { get; }

    public static async Task<StoreProcess> StartAsync(string data)
    {
        StoreProcess store = new(data);
        await store._listening.Task.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.False(store._process.WaitForExit(0), store.Log());
        return store;
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Channel.Dispose();
        if (!_process.HasExited)
        {
            await KillAsync();
        }

        _process.Dispose();
    }

    /// <summary>WEFT_EXECUTABLE, else what was published last, else what was built last.</summary>
    private static string Executable()
    {
        if (Environment.GetEnvironmentVariable("WEFT_EXECUTABLE") is { Length: > 0 } named)
        {
            return File.Exists(named) ? named : throw new FileNotFoundException($"WEFT_EXECUTABLE={named}: no such file");
        }

        DirectoryInfo? root = new(AppContext.BaseDirectory);
        while (root is not null && !Directory.Exists(Path.Combine(root.FullName, "src", "Weft")))
        {
            root = root.Parent;
        }

        string[] candidates = root is null ? [] : [Path.Combine(root.FullName, "artifacts/publish/weft"), Path.Combine(root.FullName, "src/Weft/bin/Debug/net10.0/linux-x64/weft")];
        return candidates.FirstOrDefault(File.Exists)
            ?? throw new FileNotFoundException($"no weft executable: set WEFT_EXECUTABLE or run ./build.sh publish (looked for {string.Join(", ", candidates)})");
    }

    private string Log()
    {
        lock (_log)
        {
            return _log.ToString();
        }
    }
}
