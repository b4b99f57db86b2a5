namespace Weft.Interop.Peers;

/// <summary>BIRD 2 or 3. Several may run in one namespace, one address each.</summary>
internal sealed class Bird(string name, string[]? program, string[]? client, string missing, string reload) : IPeer
{
    private Lab? _lab;
    private Daemon? _daemon;
    private PeerPlan _plan = new();
    private string[] _routes = [];

    public string Name => name;

    public string? Missing => program is null || client is null ? missing : null;

    public string Log => _daemon?.Log ?? string.Empty;

    public static Bird Two() => new("BIRD 2", Programs.Installed("/usr/sbin/bird"), Programs.Installed("/usr/sbin/birdc"), "Debian's bird2 is not installed", "reload in weft");

    public static Bird Three() => new("BIRD 3", Programs.Unpacked("bird3", "usr/sbin/bird"), Programs.Unpacked("bird3", "usr/sbin/birdc"), Programs.UnpackedReason, "reload bgp in weft");

    public async Task StartAsync(Lab lab, PeerPlan plan)
    {
        (_lab, _plan, _routes) = (lab, plan, [.. plan.PeerRoutes]);
        WriteSettings();
        await LaunchAsync();
    }

    public async Task KillAndStartAgainAsync()
    {
        _daemon!.Kill();
        await LaunchAsync("-R");
    }

    public Task<string> RoutesAsync() => AskAsync("show route all");

    public Task<string> RouteAsync(string prefix) => AskAsync($"show route {prefix} all");

    public IEnumerable<string> Texts(CommunityMarks marks) => [$"({marks.As},10)", $"({marks.As}, 1, 2)", $"(rt, {marks.As}, 3)"];

    public Task<string> SessionAsync() => AskAsync("show protocols all weft");

    public Task AnnounceAsync(string prefix)
    {
        _routes = [.. _routes, prefix];
        return ReconfigureAsync();
    }

    public Task WithdrawAsync(string prefix)
    {
        _routes = [.. _routes.Except([prefix])];
        return ReconfigureAsync();
    }

    public async Task<bool> AskRefreshAsync() => (await AskAsync(reload)).Contains("reloading", StringComparison.Ordinal);

    public Task ShutDownAsync(string message) => AskAsync($"disable weft \"{message}\"");

    private async Task LaunchAsync(params string[] more)
    {
        string control = File("ctl");
        System.IO.File.Delete(control);
        _daemon = _lab!.Own(new Daemon(Name, _lab.PeerNamespace, [.. program!, "-f", "-c", File("conf"), "-s", control, "-P", File("pid"), .. more]));
        await Shell.EventuallyAsync($"{Name} answers", () => Task.FromResult(System.IO.File.Exists(control)), () => Task.FromResult(_daemon.Log));
    }

    private async Task ReconfigureAsync()
    {
        WriteSettings();
        await AskAsync("configure");
    }

    private async Task<string> AskAsync(string command) =>
        (await Shell.TryAsync(client![0], [.. client[1..], "-s", File("ctl"), command])) is var (_, output, error) ? output + error : string.Empty;

    private string File(string kind) => Path.Combine(_lab!.Folder, $"bird{_plan.PeerHost}.{kind}");

    private void WriteSettings() => _lab!.Write($"bird{_plan.PeerHost}.conf", $$"""
        log stderr all;
        router id {{_plan.PeerIPv4}};
        protocol device {}
        protocol static s4 { ipv4; {{Statics(':', false)}} }
        protocol static s6 { ipv6; {{Statics(':', true)}} }
        protocol bgp weft {
          local {{_plan.PeerAddress}} port {{_plan.PeerPort}} as {{_plan.PeerAs}};
          neighbor {{_plan.WeftAddress}} as {{_plan.WeftAs}};
          hold time {{_plan.HoldTime}}; connect delay time 1; connect retry time 1; error wait time 1, 2; error forget time 1;
          {{(_plan.PeerWaits ? "passive yes;" : "")}}
          {{(_plan.Password is null ? "" : $"password \"{_plan.Password}\";")}}
          {{(_plan.TtlSecurity ? "ttl security on;" : "")}}
          {{(_plan.GracefulRestart ? "graceful restart on; graceful restart time 30;" : "")}}
          enable extended messages on;
          {{(_plan.IPv4 ? $"ipv4 {{ import all; export where source = RTS_STATIC; next hop address {_plan.PeerIPv4}; }};" : "")}}
          {{(_plan.IPv6 ? $"ipv6 {{ import all; export where source = RTS_STATIC; next hop address {_plan.PeerIPv6}; }};" : "")}}
        }
        """);

    private string Statics(char mark, bool ipv6) => string.Join(' ', _routes.Where(r => r.Contains(mark) == ipv6).Select(r =>
        $"route {r} blackhole {{ bgp_community.add(({_plan.PeerAs},10)); bgp_large_community.add(({_plan.PeerAs},1,2)); bgp_ext_community.add((rt,{_plan.PeerAs},3)); }};"));
}
