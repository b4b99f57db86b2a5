using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Datastore;
using Weft.Datastore.Etcd;

namespace Weft.Testing.Datastore;

/// <summary>A real server on ephemeral loopback ports with a data folder of its own; it can be killed, stopped, started again and emptied.</summary>
public sealed class TestServer : IAsyncDisposable
{
    private readonly ServerKind _kind;
    private readonly TestCertificates? _certificates;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("weft-store-");
    private readonly int _port = FreePort();
    private readonly int _peerPort = FreePort();
    private Process? _process;

    private TestServer(ServerKind kind, TestCertificates? certificates) => (_kind, _certificates) = (kind, certificates);

    public Uri Endpoint => new($"{(_certificates is null ? "http" : "https")}://127.0.0.1:{_port}");

    public DatastoreSettings Settings => new()
    {
        Endpoints = [Endpoint],
        CaFile = _certificates?.CaFile,
        CertFile = _certificates?.ClientCertFile,
        KeyFile = _certificates?.ClientKeyFile,
        RequestTimeout = TimeSpan.FromSeconds(5),
    };

    private string Data => Path.Combine(_folder.FullName, "data");

    public static async Task<TestServer> StartAsync(ServerKind kind, TestCertificates? certificates = null)
    {
        TestServer server = new(kind, certificates);
        await server.StartAgainAsync();
        return server;
    }

    public EtcdDatastore Connect() => EtcdDatastore.Connect(Settings, NullLoggerFactory.Instance, TimeProvider.System);

    public async Task StartAgainAsync()
    {
        Directory.CreateDirectory(Data, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _process = Process.Start(Command())!;
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        await Until.TrueAsync(
            async () => (await TryControlAsync("endpoint", "health")).ExitCode == 0 || (await TryControlAsync("get", "x")).ExitCode == 0 || await RefusesStrangersAsync(),
            "the server serves");
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    /// <summary>The process lives and its sockets are open, and it does nothing.</summary>
    public Task PauseAsync() => SignalAsync("-STOP");

    public Task ResumeAsync() => SignalAsync("-CONT");

    /// <summary>Only while killed: the next start makes a new cluster under the old address.</summary>
    public void Wipe()
    {
        foreach (DirectoryInfo folder in _folder.GetDirectories())
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>etcdctl with the arguments; fails when it fails.</summary>
    public async Task<string> ControlAsync(params string[] arguments)
    {
        (int code, string output) = await TryControlAsync(arguments);
        return code == 0 ? output : throw new InvalidOperationException($"etcdctl {string.Join(' ', arguments)}: {output}");
    }

    public Task CompactAsync(Revision revision) => ControlAsync("compact", revision.ToString());

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await KillAsync();
        }

        _folder.Delete(recursive: true);
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private ProcessStartInfo Command()
    {
        (string program, List<string> arguments) = _kind == ServerKind.Etcd ? ("etcd", EtcdArguments()) : (WeftExecutable.Path, StoreArguments());
        ProcessStartInfo start = new(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true };
        return start;
    }

    private List<string> EtcdArguments()
    {
        string peer = $"http://127.0.0.1:{_peerPort}";
        List<string> arguments =
        [
            "--name", "t", "--data-dir", Data, "--listen-client-urls", Endpoint.OriginalString, "--advertise-client-urls", Endpoint.OriginalString,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", $"t={peer}", "--log-level", "error",
        ];
        if (_certificates is { } files)
        {
            arguments.AddRange(["--cert-file", files.ServerCertFile, "--key-file", files.ServerKeyFile, "--trusted-ca-file", files.CaFile, "--client-cert-auth"]);
        }

        return arguments;
    }

    private List<string> StoreArguments()
    {
        List<string> arguments = ["store", "--set", $"store.listen=127.0.0.1:{_port}", "--set", $"store.data={Path.Combine(Data, "store.db")}"];
        if (_certificates is { } files)
        {
            arguments.AddRange(["--set", $"store.cert-file={files.ServerCertFile}", "--set", $"store.key-file={files.ServerKeyFile}", "--set", $"store.client-ca-file={files.CaFile}"]);
        }

        return arguments;
    }

    private async Task<bool> RefusesStrangersAsync() =>
        (await TryControlAsync("get", "x")).Output.Contains("user name is empty", StringComparison.Ordinal);

    private async Task<(int ExitCode, string Output)> TryControlAsync(params string[] arguments)
    {
        List<string> all = ["--endpoints", Endpoint.OriginalString.TrimEnd('/'), "--dial-timeout", "1s", "--command-timeout", "2s"];
        if (_certificates is { } files)
        {
            all.AddRange(["--cacert", files.CaFile, "--cert", files.ClientCertFile, "--key", files.ClientKeyFile]);
        }

        all.AddRange(arguments);
        ProcessStartInfo start = new("etcdctl", all) { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["ETCDCTL_API"] = "3";
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + await error);
    }

    private async Task SignalAsync(string signal)
    {
        using Process kill = Process.Start("kill", [signal, _process!.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }
}
