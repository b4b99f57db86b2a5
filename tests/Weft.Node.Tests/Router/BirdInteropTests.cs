using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;

namespace Weft.Node.Tests.Router;

/// <summary>
/// weft router as a process against BIRD 2, each in a namespace of its own:
/// <code>
///   weft AS 65001 --- eth0 172.16.9.1, fd16::1 ===== 172.16.9.2, fd16::2 eth0 --- BIRD AS 65002
/// </code>
/// </summary>
public sealed class BirdInteropTests : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("weft-bird-").FullName;
    private readonly Space _left = new("weft");
    private readonly Space _right = new("bird");
    private readonly List<IAsyncDisposable> _processes = [];

    public BirdInteropTests()
    {
        _left.Ip($"link add eth0 type veth peer name eth0 netns {_right.Name}");
        foreach ((Space space, int host) in new[] { (_left, 1), (_right, 2) })
        {
            space.Ip($"address add 172.16.9.{host}/24 dev eth0");
            space.Ip($"-6 address add fd16::{host}/64 dev eth0 nodad");
            space.Ip("link set eth0 up");
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable process in _processes)
        {
            await process.DisposeAsync();
        }

        _left.Dispose();
        _right.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static string Settings(string neighbor = "", string router = "", uint remoteAs = 65002) => $"""
        [router]
        router-id = 10.255.0.1
        local-as = 65001
        networks = 10.1.0.0/16, fd01::/48
        connect-retry = 1s
        hold-time = 9s
        settle-time = 30s
        {router}

        [neighbor:bird]
        address = 172.16.9.2
        remote-as = {remoteAs}
        {neighbor}

        [neighbor:bird6]
        address = fd16::2
        remote-as = {remoteAs}
        {neighbor}
        """;

    private static string BirdSettings(string extra = "", uint localAs = 65002, string routes = "route 10.2.0.0/16 blackhole; route 10.3.0.0/16 blackhole;") => $$"""
        router id 10.255.0.2;
        log stderr all;
        protocol device { scan time 1; }
        protocol kernel { ipv4 { export where source = RTS_BGP; }; }
        protocol kernel { ipv6 { export where source = RTS_BGP; }; }
        protocol static { ipv4; {{routes}} }
        protocol static { ipv6; route fd02::/48 blackhole; }
        protocol bgp weft { local as {{localAs}}; neighbor 172.16.9.1 as 65001; connect delay time 1; connect retry time 1; error wait time 1, 2; graceful restart on;
            {{extra}} ipv4 { import all; export all; }; }
        protocol bgp weft6 { local as {{localAs}}; neighbor fd16::1 as 65001; connect delay time 1; connect retry time 1; error wait time 1, 2; graceful restart on;
            {{extra}} ipv6 { import all; export all; }; }
        """;

    private RouterProcess StartWeft(string? settings)
    {
        RouterProcess router = RouterProcess.Start(_left, Path.Combine(_folder, "weft"), settings);
        _processes.Add(router);
        return router;
    }

    private Bird StartBird(string settings)
    {
        Bird bird = Bird.Start(_right, Path.Combine(_folder, "bird"), settings);
        _processes.Add(bird);
        return bird;
    }

    private static readonly string[] s_learnt =
    [
        "10.2.0.0/16 via 172.16.9.2 dev eth0 metric 1024", "10.3.0.0/16 via 172.16.9.2 dev eth0 metric 1024", "fd02::/48 via fd16::2 dev eth0 metric 1024",
    ];

    private Task Learnt(params string[] expected) => Poll.UntilEqual(string.Join('\n', expected), () => string.Join('\n', _left.Routes(81)));

    private Task BirdLearnt(params string[] expected) => Poll.UntilEqual(string.Join('\n', expected), () => string.Join('\n', _right.Routes(12)));

    [Fact]
    public async Task BothFamilies_RoutesReachBothKernels_WithdrawalsToo()
    {
        Bird bird = StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings());

        await weft.UntilEstablished("bird");
        await weft.UntilEstablished("bird6");
        await Learnt(s_learnt);
        await BirdLearnt("10.1.0.0/16 via 172.16.9.1 dev eth0 metric 32", "fd01::/48 via fd16::1 dev eth0 metric 32");

        File.WriteAllText(Path.Combine(_folder, "bird", "bird.conf"), BirdSettings(routes: "route 10.2.0.0/16 blackhole;"));
        bird.Ask("configure");
        await Learnt(s_learnt[0], s_learnt[2]);

        RouterProcess.Write(Path.Combine(_folder, "weft"), Settings().Replace("10.1.0.0/16, ", "10.9.0.0/16, "));
        weft.Signal("HUP");
        await BirdLearnt("10.9.0.0/16 via 172.16.9.1 dev eth0 metric 32", "fd01::/48 via fd16::1 dev eth0 metric 32");

        JsonObject neighbor = (await weft.NeighborAsync("bird"))!;
        Assert.Equal(1, (int)neighbor["established"]!);
        Assert.Equal((1, 1), ((int)neighbor["receivedPrefixes"]!["ipv4"]!, (int)neighbor["advertisedPrefixes"]!["ipv4"]!));
        string shown = weft.Show("neighbors") + weft.Show("neighbor", "bird6") + weft.Show("route") + weft.Show("route", "10.2.3.4") + weft.Show("summary");
        Assert.All(shown.Split('\n'), line => Assert.True(line.Length <= 110, line));
        Assert.Contains("Established", shown);
        Assert.Matches(@"\*K +10\.2\.0\.0/16 +172\.16\.9\.2 +bird", shown);
        TestContext.Current.TestOutputHelper?.WriteLine(shown);
    }

    [Fact]
    public async Task Password_ProtectsTheSession_AWrongOneIsReported_AndARightOneHeals()
    {
        StartBird(BirdSettings("password \"right\";"));
        RouterProcess weft = StartWeft(Settings("password = wrong"));

        JsonObject? failed = await weft.Until("bird", n => ((string?)n?["lastError"])?.Contains("check the password on both sides") == true);
        Assert.NotEqual("Established", (string?)failed!["state"]);
        Assert.DoesNotContain("wrong", weft.Output.Replace("wrong signature", string.Empty));

        RouterProcess.Write(Path.Combine(_folder, "weft"), Settings("password = right"));
        weft.Signal("HUP");
        await weft.UntilEstablished("bird");
        await weft.UntilEstablished("bird6");
        await Learnt(s_learnt);
    }

    [Fact]
    public async Task PassiveWithPassword_AcceptsBird()
    {
        StartBird(BirdSettings("password \"right\";"));
        RouterProcess weft = StartWeft(Settings("password = right\npassive = yes\nttl-security = 1").Replace("[router]", "[router]\nlisten = 172.16.9.1:179, [fd16::1]:179"));

        JsonObject? failed = await weft.Until("bird", n => n is not null);
        Assert.True((bool)failed!["passive"]!);

        // BIRD sends TTL 1 to a neighbour on its link: with GTSM on our side the handshake must not complete until it does the same.
        File.WriteAllText(Path.Combine(_folder, "bird", "bird.conf"), BirdSettings("password \"right\"; ttl security on;"));
        ((Bird)_processes[0]).Ask("configure");
        await weft.UntilEstablished("bird");
        await weft.UntilEstablished("bird6");
        await Learnt(s_learnt);
    }

    [Fact]
    public async Task WrongAs_IsReportedInWords()
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings(remoteAs: 65009));

        JsonObject? neighbor = await weft.Until("bird", n => n?["lastError"] is not null && ((string)n["lastError"]!).Contains("AS"));

        Assert.Contains("65002", (string)neighbor!["lastError"]!);
        Assert.Empty(_left.Routes(81));
        Assert.Contains("bird: ", weft.Show("neighbors"));
    }

    [Fact]
    public async Task KilledRouter_LeavesItsRoutes_TheNextOneTakesThemOver_NothingIsEverMissing()
    {
        Bird bird = StartBird(BirdSettings());
        RouterProcess first = StartWeft(Settings());
        await first.UntilEstablished("bird");
        await Learnt(s_learnt);
        await BirdLearnt("10.1.0.0/16 via 172.16.9.1 dev eth0 metric 32", "fd01::/48 via fd16::1 dev eth0 metric 32");
        using SpaceMonitor monitor = new(_left);

        await first.KillAsync();
        Assert.Equal(s_learnt, _left.Routes(81));
        File.WriteAllText(Path.Combine(_folder, "bird", "bird.conf"), BirdSettings(routes: "route 10.2.0.0/16 blackhole;"));
        bird.Ask("configure");
        RouterProcess second = StartWeft(null);
        await second.UntilEstablished("bird");
        await second.UntilEstablished("bird6");

        // What is still announced never leaves the kernel; what is not goes when all neighbours have sent their tables.
        await Learnt(s_learnt[0], s_learnt[2]);
        Assert.DoesNotContain(monitor.Deleted(), d => d.Contains("10.2.0.0/16") || d.Contains("fd02::/48"));
        await Poll.UntilAsync(() => second.AskAsync("summary"), s => (bool?)s["settled"] == true, s => s.ToJsonString());
    }

    [Fact]
    public async Task Sigterm_KeepsRoutesOnBothSides_AndEndsWithZero()
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings());
        await weft.UntilEstablished("bird");
        await weft.UntilEstablished("bird6");
        await Learnt(s_learnt);
        string[] atBird = ["10.1.0.0/16 via 172.16.9.1 dev eth0 metric 32", "fd01::/48 via fd16::1 dev eth0 metric 32"];
        await BirdLearnt(atBird);

        int exit = await weft.TerminateAsync();

        Assert.Equal(0, exit);
        Assert.Equal(s_learnt, _left.Routes(81));
        Assert.Equal(atBird, _right.Routes(12));
    }

    [Fact]
    public async Task LinkDown_TakesRoutesAway_LinkUp_BringsThemBack()
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings());
        await weft.UntilEstablished("bird");
        await Learnt(s_learnt);

        _right.Ip("link set eth0 down");
        await Learnt();
        Assert.Contains("unreachable", weft.Show("route"));

        _right.Ip("link set eth0 up");
        _right.Ip("-6 address replace fd16::2/64 dev eth0 nodad"); // The kernel takes IPv6 addresses away with the link.
        await Learnt(s_learnt);
    }

    [Fact]
    public async Task Strangers_AreRefused_AndDisturbNobody()
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings());
        await weft.UntilEstablished("bird");
        _right.Ip("address add 172.16.9.77/24 dev eth0");

        for (int i = 0; i < 3; i++)
        {
            await SendAsync("172.16.9.77", "GET / HTTP/1.1\r\n\r\n"u8.ToArray());
        }

        JsonObject summary = await Poll.UntilAsync(() => weft.AskAsync("summary"), s => (int?)s["refusedConnections"] >= 3, s => s.ToJsonString());
        Assert.Equal(2, (int)summary["neighbors"]!);
        JsonObject neighbor = (await weft.UntilEstablished("bird"))!;
        Assert.Equal(1, (int)neighbor["established"]!);
        await Learnt(s_learnt);
    }

    [Fact]
    public async Task GarbageFromTheNeighboursAddress_MayEndTheSession_AndItHeals()
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings());
        await weft.UntilEstablished("bird");
        await Learnt(s_learnt);

        // RFC 4724 5: with graceful restart a new connection of the neighbour says that it has restarted, so the old session goes. A password or TTL
        // security keeps those out who only borrow the address.
        for (int i = 0; i < 3; i++)
        {
            await SendAsync("172.16.9.2", [.. Enumerable.Repeat((byte)0xFF, 16), 0, 19, 99]);
            await SendAsync("172.16.9.2", [.. Enumerable.Repeat((byte)0, 64)]);
        }

        await weft.UntilEstablished("bird");
        await Learnt(s_learnt);
    }

    /// <summary>Connects to weft from an address of the other side, sends, and waits for the end.</summary>
    private async Task SendAsync(string source, byte[] bytes)
    {
        using Socket socket = _right.Namespace.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(5));
        socket.Bind(new IPEndPoint(IPAddress.Parse(source), 0));
        try
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse("172.16.9.1"), 179), limit.Token);
            await socket.SendAsync(bytes, limit.Token);
            while (await socket.ReceiveAsync(new byte[256], limit.Token) > 0)
            {
            }
        }
        catch (SocketException)
        {
            // Reset: the strictest way to be refused.
        }
    }

    [Fact]
    public async Task NeighbourThatResets_ComesBack()
    {
        Bird bird = StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings());
        await weft.UntilEstablished("bird");
        await Learnt(s_learnt);

        bird.Ask("restart weft");

        await weft.Until("bird", n => (int?)n?["established"] >= 2 && (string?)n["state"] == "Established");
        await Learnt(s_learnt);
    }
}
