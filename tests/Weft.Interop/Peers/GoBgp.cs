namespace Weft.Interop.Peers;

/// <summary>GoBGP of Debian's package.</summary>
internal sealed class GoBgp : IPeer
{
    private Lab? _lab;
    private Daemon? _daemon;
    private PeerPlan _plan = new();

    public string Name => "GoBGP";

    public string? Missing => File.Exists("/usr/bin/gobgpd") && File.Exists("/usr/bin/gobgp") ? null : "Debian's gobgpd is not installed";

    public string Log => _daemon?.Log ?? string.Empty;

    public async Task StartAsync(Lab lab, PeerPlan plan)
    {
        (_lab, _plan) = (lab, plan);
        lab.Write("gobgpd.toml", Settings());
        await LaunchAsync();
    }

    /// <summary>It takes its routes by command: until it has them, nobody may talk to it, or it would say End-of-RIB without them.</summary>
    public async Task KillAndStartAgainAsync()
    {
        _daemon!.Kill();
        await DoorAsync("-I");
        await LaunchAsync("-r");
        await DoorAsync("-D");
    }

    public async Task<string> RoutesAsync() => await AskAsync("global", "rib", "-a", "ipv4") + await AskAsync("global", "rib", "-a", "ipv6");

    public Task<string> RouteAsync(string prefix) => AskAsync("global", "rib", prefix, "-a", Family(prefix));

    public IEnumerable<string> Texts(CommunityMarks marks) => [$"{{Communities: {marks.Standard}}}", $"{{LargeCommunity: [ {marks.Large}]}}", $"{{Extcomms: [{marks.RouteTarget}]}}"];

    public Task<string> SessionAsync() => AskAsync("neighbor", _plan.WeftAddress);

    public Task AnnounceAsync(string prefix) =>
        AskAsync(["global", "rib", "add", "-a", Family(prefix), prefix, 
        "nexthop", prefix.Contains(':') ? _plan.PeerIPv6 : _plan.PeerIPv4, "community", _plan.Marks.Standard, "large-community", _plan.Marks.Large, "rt", _plan.Marks.RouteTarget]);

    public Task WithdrawAsync(string prefix) => AskAsync("global", "rib", "del", "-a", Family(prefix), prefix);

    /// <summary>Its soft reset works on what it has kept; it answers refreshes but never asks for one.</summary>
    public Task<bool> AskRefreshAsync() => Task.FromResult(false);

    public Task ShutDownAsync(string message) => AskAsync("neighbor", _plan.WeftAddress, "shutdown", "--reason", message);

    private static string Family(string prefix) => prefix.Contains(':') ? "ipv6" : "ipv4";

    private async Task<string> AskAsync(params string[] words)
    {
        (_, string output, string error) = await Shell.TryAsync("ip", ["netns", "exec", _lab!.PeerNamespace, "gobgp", .. words]);
        return output + error;
    }

    private async Task LaunchAsync(params string[] more)
    {
        _daemon = _lab!.Own(new Daemon(
            Name, _lab.PeerNamespace, ["gobgpd", "-f", $"{_lab.Folder}/gobgpd.toml", "-t", "toml", "-p", "-l", "debug", "--pprof-disable", "--api-hosts", "127.0.0.1:50051", .. more]));
        await Shell.EventuallyAsync("gobgpd answers", async () => (await AskAsync("global")).Contains("AS:", StringComparison.Ordinal), () => Task.FromResult(_daemon.Log));
        foreach (string route in _plan.PeerRoutes)
        {
            await AnnounceAsync(route);
        }
    }

    private async Task DoorAsync(string verb)
    {
        foreach (string chain in new[] { "INPUT", "OUTPUT" })
        {
            foreach (string program in new[] { "iptables", "ip6tables" })
            {
                await Shell.RunAsync("ip", "netns", "exec", _lab!.PeerNamespace, program, verb, chain, "-p", "tcp", "--dport", "179", "-j", "DROP");
            }
        }
    }

    private string Settings()
    {
        string restart = _plan.GracefulRestart ? "[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = 30\n" : string.Empty;
        string family(string word) => $"[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"{word}-unicast\"\n"
            + (_plan.GracefulRestart ? "[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true\n" : string.Empty);
        return $"""
            [global.config]
            as = {_plan.PeerAs}
            router-id = "{_plan.PeerIPv4}"
            local-address-list = ["{_plan.PeerAddress}"]
            [[neighbors]]
            [neighbors.config]
            neighbor-address = "{_plan.WeftAddress}"
            peer-as = {_plan.WeftAs}
            {(_plan.Password is null ? "" : $"auth-password = \"{_plan.Password}\"")}
            [neighbors.transport.config]
            passive-mode = {(_plan.PeerWaits ? "true" : "false")}
            local-address = "{_plan.PeerAddress}"
            [neighbors.timers.config]
            connect-retry = 1.0
            hold-time = {_plan.HoldTime}.0
            keepalive-interval = {Math.Max(1, _plan.HoldTime / 3)}.0
            idle-hold-time-after-reset = 1.0
            {(_plan.TtlSecurity ? "[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255" : "")}
            {restart}
            {(_plan.IPv4 ? family("ipv4") : "")}
            {(_plan.IPv6 ? family("ipv6") : "")}
            """;
    }
}
