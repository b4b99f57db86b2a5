using System.Diagnostics;
using Grpc.Net.Client;

namespace Weft.Cluster.Tests.Store.Fixtures;

/// <summary>Debian's etcd on ports of its own: the judge of what an answer should be.</summary>
internal sealed class RealEtcd : IAsyncDisposable
{
    private readonly Scratch _scratch = new();
    private readonly Process _process;

    private RealEtcd()
    {
        string peer = $"http://127.0.0.1:{Scratch.FreePort()}";
        EndPoint = $"127.0.0.1:{Scratch.FreePort()}";
        ProcessStartInfo start = new("etcd")
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            ArgumentList =
            {
                "--data-dir", _scratch.File("data"), "--listen-client-urls", $"http://{EndPoint}", "--advertise-client-urls", $"http://{EndPoint}",
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", $"default={peer}",
            },
        };
        _process = Process.Start(start)!;
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        Channel = GrpcChannel.ForAddress($"http://{EndPoint}", new GrpcChannelOptions { MaxReceiveMessageSize = null, MaxSendMessageSize = null });
    }

    public string EndPoint { get; }

    public GrpcChannel Channel { get; }

    public static async Task<RealEtcd> StartAsync()
    {
        RealEtcd etcd = new();
        for (Stopwatch waited = Stopwatch.StartNew(); waited.Elapsed < TimeSpan.FromSeconds(60); await Task.Delay(100))
        {
            EtcdctlResult health = await Etcdctl.RunAsync(etcd.EndPoint, "get", "x");
            if (health.ExitCode == 0)
            {
                return etcd;
            }
        }

        throw new TimeoutException("etcd did not come up");
    }

    public async ValueTask DisposeAsync()
    {
        Channel.Dispose();
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _scratch.Dispose();
    }
}
