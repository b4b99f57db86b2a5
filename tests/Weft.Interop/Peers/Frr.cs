namespace Weft.Interop.Peers;

/// <summary>FRR: zebra and bgpd of Debian's package, with sockets of their own.</summary>
internal sealed class Frr : IPeer
{
    private const string Home = "/usr/lib/frr";

    private Lab? _lab;
    private Daemon? _bgpd;
    private PeerPlan _plan = new();

    public string Name => "FRR";

    public string? Missing => File.Exists($"{Home}/bgpd") ? null : "Debian's frr is not installed";

    public string Log => _bgpd?.Log ?? string.Empty;

    public async Task StartAsync(Lab lab, PeerPlan plan)
    {
        (_lab, _plan) = (lab, plan);
        lab.Write("zebra.conf", "hostname peer\n");
        lab.Write("bgpd.conf", Settings());
        await Shell.RunAsync("chown", "-R", "frr:frr", lab.Folder);
        lab.Own(new Daemon("zebra", lab.PeerNamespace, [$"{Home}/zebra", .. Common("zebra"), "-u", "frr", "-g", "frr"]));
        await Shell.EventuallyAsync("zebra answers", () => Task.FromResult(File.Exists($"{lab.Folder}/zserv.api")), () => Task.FromResult(string.Empty));
        await LaunchAsync();
    }

    public async Task KillAndStartAgainAsync()
    {
        _bgpd!.Kill();
        await LaunchAsync();
    }

    public async Task<string> RoutesAsync() => await AskAsync("show bgp ipv4 unicast json") + await AskAsync("show bgp ipv6 unicast json");

    public Task<string> RouteAsync(string prefix) => AskAsync($"show bgp {Family(prefix)} unicast {prefix}");

    public IEnumerable<string> Texts(CommunityMarks marks) => [$"Community: {marks.Standard}", $"Large Community: {marks.Large}", $"Extended Community: RT:{marks.RouteTarget}"];

    public Task<string> SessionAsync() => AskAsync($"show bgp neighbors {Peer}");

    public Task AnnounceAsync(string prefix) => ConfigureAsync($"address-family {Family(prefix)} unicast", $"network {prefix} route-map MARK");

    public Task WithdrawAsync(string prefix) => ConfigureAsync($"address-family {Family(prefix)} unicast", $"no network {prefix}");

    public async Task<bool> AskRefreshAsync()
    {
        await AskAsync($"clear bgp {Peer} soft in");
        return true;
    }

    public Task ShutDownAsync(string message) => ConfigureAsync($"neighbor {Peer} shutdown message {message}");

    public async Task<string> AskAsync(params string[] commands) =>
        (await Shell.TryAsync("vtysh", ["--vty_socket", _lab!.Folder, "-d", "bgpd", .. commands.SelectMany(static c => new[] { "-c", c })])) is var (_, output, error) ? output + error : string.Empty;

    private Task ConfigureAsync(params string[] lines) => AskAsync(["configure terminal", $"router bgp {_plan.PeerAs}", .. lines]);

    private async Task LaunchAsync()
    {
        File.Delete($"{_lab!.Folder}/bgpd.vty");
        _bgpd = _lab.Own(new Daemon(Name, _lab.PeerNamespace, [$"{Home}/bgpd", .. Common("bgpd"), "-S"]));
        await Shell.EventuallyAsync("bgpd answers", async () => (await AskAsync("show version")).Contains("FRRouting", StringComparison.Ordinal), () => Task.FromResult(_bgpd.Log));
    }

    private string[] Common(string name) =>
    [
        "-A", "127.0.0.1", "-P", "0", "--vty_socket", _lab!.Folder, "--log", "stdout", "--log-level", "informational", "-z", $"{_lab.Folder}/zserv.api",
        "-f", $"{_lab.Folder}/{name}.conf", "-i", $"{_lab.Folder}/{name}.pid",
    ];

    private string Peer => _plan.Unnumbered ? "eth0" : _plan.WeftAddress;

    private static string Family(string prefix) => prefix.Contains(':') ? "ipv6" : "ipv4";

    private string Settings()
    {
        string peer = $"neighbor {Peer}";
        List<string> lines =
        [
            "frr defaults traditional", "hostname peer",
            "route-map MARK permit 10", $"set community {_plan.Marks.Standard}", $"set large-community {_plan.Marks.Large}", $"set extcommunity rt {_plan.Marks.RouteTarget}", "exit",
            $"router bgp {_plan.PeerAs}", $"bgp router-id {_plan.PeerIPv4}", "no bgp ebgp-requires-policy", "bgp log-neighbor-changes",
            "no bgp default ipv4-unicast", "no bgp network import-check", "coalesce-time 10",
            // Without update-delay FRR on a busy machine sends End-of-RIB before its own routes, and RFC 4724 4.2 has them swept at once.
            .. _plan.GracefulRestart ? ["update-delay 5", "bgp graceful-restart", "bgp graceful-restart preserve-fw-state", "bgp graceful-restart restart-time 30"] : (string[])[],
            _plan.Unnumbered ? $"{peer} interface remote-as external" : $"{peer} remote-as {_plan.WeftAs}", $"{peer} timers {Math.Max(1, _plan.HoldTime / 3)} {_plan.HoldTime}", $"{peer} timers connect 1",
            .. _plan.Unnumbered ? [] : (string[])[$"{peer} update-source {_plan.PeerAddress}"],
            .. _plan.Password is null ? [] : (string[])[$"{peer} password {_plan.Password}"],
            .. _plan.PeerWaits ? (string[])[$"{peer} passive"] : [],
            .. _plan.TtlSecurity ? (string[])[$"{peer} ttl-security hops 1"] : [],
        ];
        foreach ((string family, bool used, string network) in new[] { ("ipv4", _plan.IPv4, _plan.PeerIPv4Route), ("ipv6", _plan.IPv6, _plan.PeerIPv6Route) })
        {
            if (used)
            {
                lines.AddRange([$"address-family {family} unicast", $"network {network} route-map MARK", $"{peer} activate", "exit-address-family"]);
            }
        }

        return string.Join('\n', lines.Append("exit")) + "\n";
    }
}
