using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Weft.Datastore;

namespace Weft.Node.Tests.Agent;

/// <summary>Debian's etcd on loopback, with a data folder of its own; can be killed and started again.</summary>
internal sealed class EtcdServer : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("weft-node-etcd-");
    private readonly int _peerPort = FreePort();
    private Process? _process;

    public EtcdServer(string host = "127.0.0.1")
    {
        Endpoint = new Uri($"http://{host}:{FreePort()}");
    }

    public Uri Endpoint { get; }

    public DatastoreSettings Settings => new() { Endpoints = [Endpoint], RequestTimeout = TimeSpan.FromSeconds(2) };

    public void Start()
    {
        string client = Endpoint.OriginalString.TrimEnd('/');
        string peer = $"http://127.0.0.1:{_peerPort}";
        ProcessStartInfo start = new(
            "etcd",
            [
                "--name", "t", "--data-dir", Path.Combine(_folder.FullName, "data"), "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", $"t={peer}", "--log-level", "error",
            ])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        _process = Process.Start(start)!;
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

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
}
