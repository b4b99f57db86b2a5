using System.Text.Json.Nodes;

namespace Weft.Node.Tests.Router;

/// <summary>Filters of the settings file between two weft routers: what they let through, what they change, and that a reload touches no session.</summary>
public sealed class FilterEndToEndTests : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("weft-filters-").FullName;
    private readonly Space[] _spaces = [new("left"), new("right")];
    private readonly List<RouterProcess> _processes = [];

    public FilterEndToEndTests()
    {
        _spaces[0].Ip($"link add eth0 type veth peer name eth0 netns {_spaces[1].Name}");
        for (int i = 0; i < 2; i++)
        {
            _spaces[i].Ip($"address add 172.16.9.{i + 1}/24 dev eth0");
            _spaces[i].Ip("link set eth0 up");
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (RouterProcess process in _processes)
        {
            await process.DisposeAsync();
        }

        foreach (Space space in _spaces)
        {
            space.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private const string Left = """
        [router]
        router-id = 10.255.0.1
        local-as = 65001
        networks = 10.1.0.0/16, 10.2.0.0/24, 10.3.0.0/16, 192.168.0.0/24
        connect-retry = 1s
        [neighbor:right]
        address = 172.16.9.2
        remote-as = 65002
        export = filter out
        [filter:out]
        rule-10 = match prefix 10.1.0.0/16 then community add 65001:1 65001:1:1 rt:65001:1, med 7, prepend as 65001 65099, accept
        rule-20 = match prefix @more then accept
        [prefix-list:more]
        prefixes = 10.2.0.0/16{24,24}, 10.3.0.0/16
        """;

    private string Right(string rules) => $"""
        [router]
        router-id = 10.255.0.2
        local-as = 65002
        connect-retry = 1s
        rpki-file = {_folder}/roas.json
        [neighbor:left]
        address = 172.16.9.1
        remote-as = 65001
        import = filter in
        [filter:in]
        {rules}
        """;

    private const string Rules = """
        rule-10 = match rpki invalid then reject
        rule-20 = match as-path "^65001 65001 .* 65099$", community 65001:*, peer left, interface eth*, next-hop 172.16.9.0/24 then local-pref 200, weight 5, community delete rt:65001:*, continue
        rule-30 = match local-pref 200, not community rt:65001:1 then community add 65002:2, accept
        rule-40 = match source ebgp, path-length 1 then accept
        """;

    private void Roas(params (string Prefix, uint As)[] roas)
    {
        string path = Path.Combine(_folder, "roas.json");
        File.WriteAllText(path + ".new", $"{{\"roas\":[{string.Join(',', roas.Select(r => $"{{\"asn\":\"AS{r.As}\",\"prefix\":\"{r.Prefix}\"}}"))}]}}");
        File.Move(path + ".new", path, overwrite: true);
    }

    private Task UntilRoutes(string expected) => Poll.UntilEqual(expected, () => string.Join('\n', _spaces[1].Routes(81).Select(r => r.Split(' ')[0])));

    [Fact]
    public async Task Filters_SelectAndChange_AndARollOfAuthorizationsIsFollowed_WithoutResettingTheSession()
    {
        Roas(("10.3.0.0/16", 65001));
        _processes.Add(RouterProcess.Start(_spaces[0], Path.Combine(_folder, "left"), Left));
        _processes.Add(RouterProcess.Start(_spaces[1], Path.Combine(_folder, "right"), Right(Rules)));
        RouterProcess right = _processes[1];
        await right.UntilEstablished("left");

        await UntilRoutes("10.1.0.0/16\n10.2.0.0/24\n10.3.0.0/16");
        JsonObject route = (await right.AskAsync("routes", "prefix", "10.1.0.0/16"))["routes"]!.AsArray()[0]!.AsObject();
        Assert.Equal("65001 65001 65099", (string?)route["asPath"]);
        Assert.Equal((200u, 7u), ((uint)route["localPref"]!, (uint)route["med"]!));
        Assert.Equal("65001:1,65002:2,65001:1:1", string.Join(',', route["communities"]!.AsArray().Select(c => (string?)c)));

        string why = right.Show("route", "10.1.0.0/16", "--why");
        Assert.Contains("filter in rule-10: no: rpki invalid", why);
        Assert.Contains("filter in rule-20: matches: local-pref 200, weight 5, community delete", why);
        Assert.Contains("import: accepted by filter in rule-30", why);
        string export = _processes[0].Show("route", "192.168.0.0/24", "--advertised", "right", "--why");
        Assert.Contains("export to right: rejected because no rule decided", export);
        Assert.Contains("export to right: not told", export);
        Assert.Contains("export to right: told", _processes[0].Show("route", "10.1.0.0/16", "--advertised", "right", "--why"));

        // Another origin is authorized now: the route goes; a broken file changes nothing and is named; the next good one brings it back.
        Roas(("10.3.0.0/16", 65077));
        await UntilRoutes("10.1.0.0/16\n10.2.0.0/24");
        File.WriteAllText(Path.Combine(_folder, "roas.json"), "{\"roas\":[{\"asn\":\"AS1\"}]}");
        await Poll.UntilAsync(() => right.AskAsync("summary"), s => s["problems"]!.ToJsonString().Contains("roas[0]: prefix"), s => s.ToJsonString());
        await UntilRoutes("10.1.0.0/16\n10.2.0.0/24");
        Roas(("10.3.0.0/16", 65001), ("10.2.0.0/16", 1));
        await UntilRoutes("10.1.0.0/16\n10.3.0.0/16");

        // Another filter by reload: routes follow, the session stays.
        RouterProcess.Write(Path.Combine(_folder, "right"), Right("rule-10 = match prefix 10.2.0.0/24 then accept"));
        right.Signal("HUP");
        await UntilRoutes("10.2.0.0/24");
        Assert.Equal(1, (int)(await right.NeighborAsync("left"))!["established"]!);
    }
}
