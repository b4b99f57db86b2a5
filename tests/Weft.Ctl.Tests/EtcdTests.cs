using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Datastore;
using Weft.Datastore.Etcd;
using Weft.Hosting;

namespace Weft.Ctl.Tests;

/// <summary>The same commands against Debian's etcd; what they leave there is read with etcdctl.</summary>
public sealed class EtcdTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private readonly string _endpoint = $"http://127.0.0.1:{FreePort()}";
    private Process? _etcd;

    public async ValueTask InitializeAsync()
    {
        string peer = $"http://127.0.0.1:{FreePort()}";
        _etcd = Process.Start(new ProcessStartInfo(
            "etcd",
            ["--data-dir", Path.Combine(_folder.Path, "data"), "--listen-client-urls", _endpoint, "--advertise-client-urls", _endpoint, "--listen-peer-urls", peer,
                "--initial-advertise-peer-urls", peer, "--initial-cluster", $"default={peer}", "--log-level", "error"])
        { RedirectStandardError = true, RedirectStandardOutput = true })!;
        for (Stopwatch waited = Stopwatch.StartNew(); await ControlAsync("endpoint", "health") is not (0, _);)
        {
            Assert.True(waited.Elapsed < TimeSpan.FromSeconds(30), "etcd did not come up within 30 s");
            await Task.Delay(100);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _etcd?.Kill();
        await (_etcd?.WaitForExitAsync() ?? Task.CompletedTask);
        _folder.Dispose();
    }

    [Fact]
    public async Task ApplyGetDelete_OnARealEtcd_LeaveCalicosKeysAndValues()
    {
        await using EtcdDatastore store = EtcdDatastore.Connect(new DatastoreSettings { Endpoints = [new Uri(_endpoint)] }, NullLoggerFactory.Instance, TimeProvider.System);
        Cli cli = new(store);
        const string Yaml = """
            apiVersion: projectcalico.org/v3
            kind: IPPool
            metadata: {name: pool-a}
            spec: {cidr: 10.1.0.0/16}
            ---
            apiVersion: projectcalico.org/v3
            kind: NetworkPolicy
            metadata: {name: allow-web, namespace: demo}
            spec: {selector: "app == 'web' && has(x)", ingress: [{action: Allow, protocol: TCP, destination: {ports: [80, "8000:8010"]}}]}
            """;

        CliResult created = await cli.RunAsync("apply -f -", Yaml);
        CliResult unchanged = await cli.RunAsync("apply -f -", Yaml);
        CliResult shown = await cli.RunAsync("get networkpolicy allow-web -n demo -o yaml");
        CliResult edited = await cli.RunAsync("replace -f -", shown.Out.Replace("action: Allow", "action: Deny"));
        CliResult stale = await cli.RunAsync("replace -f -", shown.Out.Replace("action: Allow", "action: Log"));
        (_, string stored) = await ControlAsync("get", "--print-value-only", "/calico/resources/v3/projectcalico.org/networkpolicies/demo/allow-web");
        CliResult deleted = await cli.RunAsync("delete -f -", Yaml);
        (_, string left) = await ControlAsync("get", "--prefix", "--keys-only", "/calico/resources/v3/projectcalico.org/networkpolicies/");

        Assert.Equal("IPPool pool-a created\nNetworkPolicy demo/allow-web created\n", created.Out);
        Assert.Equal("IPPool pool-a unchanged\nNetworkPolicy demo/allow-web unchanged\n", unchanged.Out);
        Assert.Equal("NetworkPolicy demo/allow-web replaced\n", edited.Out);
        Assert.Contains("update conflict: resource version", stale.Error);
        Assert.Contains("""{"action":"Deny","protocol":"TCP","destination":{"ports":[80,"8000:8010"]}}""", stored);
        Assert.Contains("""projectcalico.org/metadata":"{\"name\":\"allow-web\"}""", stored);
        Assert.Contains(@"app == 'web' \u0026\u0026 has(x)", stored);
        Assert.DoesNotContain("resourceVersion", stored);
        Assert.Equal("IPPool pool-a deleted\nNetworkPolicy demo/allow-web deleted\n", deleted.Out);
        Assert.Empty(left.Trim());
    }

    [Fact]
    public async Task StoreThatDoesNotAnswer_IsNamed_AndExitsWithOne()
    {
        await using EtcdDatastore store = EtcdDatastore.Connect(
            new DatastoreSettings { Endpoints = [new Uri($"http://127.0.0.1:{FreePort()}")], RequestTimeout = TimeSpan.FromMilliseconds(500) }, NullLoggerFactory.Instance, TimeProvider.System);

        CliResult result = await new Cli(store).RunAsync("get nodes");

        Assert.Equal(ExitStatus.Failed, result.Status);
        Assert.Contains("http://127.0.0.1:", result.Error);
    }

    private async Task<(int ExitCode, string Output)> ControlAsync(params string[] arguments)
    {
        ProcessStartInfo start = new("etcdctl", ["--endpoints", _endpoint, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["ETCDCTL_API"] = "3";
        using Process process = Process.Start(start)!;
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output);
    }

    private static string FreePort()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port.ToString(CultureInfo.InvariantCulture);
    }
}
