using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Weft.Linux.Namespaces;

namespace Weft.Appliance;

/// <summary>
/// A node as an administrator makes one from the package: store, agent, router, one pod; and beside it a switch (weft router in a namespace of this machine),
/// from which the pod is reached by a route that BGP taught.
/// <code>
///   switch: 10.99.0.1, AS 65001 (namespace) ---- veth ---- node: 10.99.0.2, AS 64512 (Machine) ---- pod
/// </code>
/// </summary>
public sealed partial class Node : IAsyncLifetime
{
    private const string Switch = "weft-appliance-tor";

    private const string Resources = """
        apiVersion: projectcalico.org/v3
        kind: IPPool
        metadata: {name: pods}
        spec: {cidr: 10.65.0.0/16, blockSize: 26, ipipMode: Never, vxlanMode: Never, natOutgoing: false}
        ---
        apiVersion: projectcalico.org/v3
        kind: BGPConfiguration
        metadata: {name: default}
        spec: {nodeToNodeMeshEnabled: false, asNumber: 64512}
        ---
        apiVersion: projectcalico.org/v3
        kind: BGPPeer
        metadata: {name: tor}
        spec: {peerIP: 10.99.0.1, asNumber: 65001}
        """;

    private const string NetworkConfiguration = """
        {"cniVersion":"1.0.0","name":"weft","type":"weft","nodename":"node","etcd_endpoints":"http://127.0.0.1:2379",
         "ipam":{"type":"weft-ipam","assign_ipv4":"true","assign_ipv6":"false"},"policy":{"type":""}}
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("weft-tor-").FullName;
    private Machine? _machine;
    private NetNamespace? _space;
    private Process? _router;

    internal Machine Machine => _machine!;

    public string PodAddress { get; private set; } = string.Empty;

    public async ValueTask InitializeAsync()
    {
        _machine = await Machine.BootAsync();
        await Machine.InstallAsync(await Packages.DebAsync(Packages.Older));
        await Machine.ShAsync("cat >/etc/weft/weft.conf", """
            # written by the administrator
            [datastore]
            endpoints = http://127.0.0.1:2379
            [node]
            name = node
            ipv4-address = 10.99.0.2/24

            """);
        await WireAsync();
        await StartSwitchAsync();
        await Machine.ShAsync("systemctl enable --now weft-store weft-agent weft-router");
        await Executable.EventuallyAsync("the store takes resources", async () => (await Machine.RunWithInputAsync(Resources, "weft", "apply", "-f", "-")).ExitCode == 0);
        await Executable.EventuallyAsync("the agent can take pods", async () => (await CniAsync("STATUS", "pod1", version: "1.1.0")).ExitCode == 0);
        PodAddress = await AddPodAsync("pod1");
        await Executable.EventuallyAsync("the switch reaches the pod", ReachesPodAsync);
    }

    public async ValueTask DisposeAsync()
    {
        if (_router is not null)
        {
            _router.Kill();
            await _router.WaitForExitAsync();
            _router.Dispose();
        }

        await Machine.DisposeAsync();
        _space?.Dispose();
        NamedNamespaces.Delete(Switch);
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>The cable and the addresses; again after a reboot.</summary>
    public async Task WireAsync()
    {
        if (_space is null)
        {
            NamedNamespaces.Delete(Switch);
            _space = NamedNamespaces.Create(Switch);
            await InSwitchAsync("ip", "link", "set", "lo", "up");
        }

        (await InSwitchAsync("ip", "link", "add", "down0", "type", "veth", "peer", "name", "eth0", "netns", Machine.Init.ToString(CultureInfo.InvariantCulture))).MustSucceed();
        (await InSwitchAsync("sh", "-c", "ip addr add 10.99.0.1/24 dev down0 && ip link set down0 up")).MustSucceed();
        await Machine.ShAsync("ip addr add 10.99.0.2/24 dev eth0 && ip link set eth0 up");
    }

    /// <returns>The pod's address.</returns>
    public async Task<string> AddPodAsync(string pod)
    {
        await Machine.ShAsync($"ip netns add {pod}");
        JsonNode result = JsonNode.Parse((await CniAsync("ADD", pod)).MustSucceed().Output)!;
        return ((string)result["ips"]![0]!["address"]!).Split('/')[0];
    }

    internal Task<Outcome> CniAsync(string verb, string pod, string version = "1.0.0") => Machine.RunWithInputAsync(
        NetworkConfiguration.Replace("\"cniVersion\":\"1.0.0\"", $"\"cniVersion\":\"{version}\"", StringComparison.Ordinal),
        "env", $"CNI_COMMAND={verb}", $"CNI_CONTAINERID=appliance{pod}", $"CNI_NETNS=/run/netns/{pod}", "CNI_IFNAME=eth0", "CNI_PATH=/usr/bin",
        $"CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=demo;K8S_POD_NAME={pod};K8S_POD_INFRA_CONTAINER_ID=appliance{pod}", "/usr/bin/weft");

    public async Task<bool> ReachesPodAsync() => (await InSwitchAsync("ping", "-c1", "-W1", PodAddress)).ExitCode == 0;

    /// <summary>One packet every ten milliseconds from the switch to the pod while the action runs and a second longer; fails when one is lost.</summary>
    public async Task WithoutLossAsync(Func<Task> action)
    {
        await Executable.EventuallyAsync("the switch reaches the pod", ReachesPodAsync);
        using Process ping = _space!.Start(new ProcessStartInfo("ping", ["-i0.01", "-W2", "-q", PodAddress]) { RedirectStandardOutput = true });
        Task<string> output = ping.StandardOutput.ReadToEndAsync();
        await action();
        await Task.Delay(TimeSpan.FromSeconds(1));
        (await Executable.RunAsync("kill", ["-INT", ping.Id.ToString(CultureInfo.InvariantCulture)], string.Empty)).MustSucceed();
        string report = await output;
        Match counts = PingCounts().Match(report);
        int sent = int.Parse(counts.Groups[1].Value, CultureInfo.InvariantCulture), received = int.Parse(counts.Groups[2].Value, CultureInfo.InvariantCulture);

        // The last packet may be on its way when ping ends.
        Assert.True(sent > 20 && sent - received <= 1, report);
    }

    public async Task<string> StateAsync(string unit, string property) => (await Machine.RunAsync("systemctl", "show", "--value", "-p", property, unit)).Output.Trim();

    public Task ActiveAsync(string unit) => Executable.EventuallyAsync(
        $"{unit} is active", async () => await StateAsync(unit, "ActiveState") == "active" && await StateAsync(unit, "SubState") == "running");

    private async Task StartSwitchAsync()
    {
        string file = Path.Combine(_folder, "weft.conf");
        await File.WriteAllTextAsync(file, $"[router]\nrouter-id = 10.99.0.1\nlocal-as = 65001\nlisten = 10.99.0.1:179\nrun-dir = {_folder}\n[neighbor:node]\naddress = 10.99.0.2\nremote-as = 64512\nimport = all\nexport = all\n");
        _router = _space!.Start(new ProcessStartInfo(Executable.Path, ["router", "--config", file]) { RedirectStandardError = true });
        _ = _router.StandardError.ReadToEndAsync();
    }

    internal Task<Outcome> InSwitchAsync(params string[] command)
    {
        ProcessStartInfo start = new(command[0], command[1..]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        return Executable.FinishAsync(_space!.Start(start));
    }

    [GeneratedRegex(@"(\d+) packets transmitted, (\d+) received")]
    private static partial Regex PingCounts();
}
