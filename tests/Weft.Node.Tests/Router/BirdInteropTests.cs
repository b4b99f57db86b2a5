using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;

namespace Weft.Node.Tests.Router;

/// <summary>weft router as a process against BIRD 2.</summary>
public sealed class BirdInteropTests : BirdPair
{
    [Fact]
    public async Task BothFamilies_RoutesReachBothKernels_WithdrawalsToo()
    {
        Bird bird = StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings());

        await weft.UntilEstablished("bird");
        await weft.UntilEstablished("bird6");
        await Learnt(Learned);
        await BirdLearnt("10.1.0.0/16 via 172.16.9.1 dev eth0 metric 32", "fd01::/48 via fd16::1 dev eth0 metric 32");

        File.WriteAllText(Path.Combine(Folder, "bird", "bird.conf"), BirdSettings(routes: "route 10.2.0.0/16 blackhole;"));
        bird.Ask("configure");
        await Learnt(Learned[0], Learned[2]);

        RouterProcess.Write(Path.Combine(Folder, "weft"), Settings().Replace("10.1.0.0/16, ", "10.9.0.0/16, "));
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

        RouterProcess.Write(Path.Combine(Folder, "weft"), Settings("password = right"));
        weft.Signal("HUP");
        await weft.UntilEstablished("bird");
        await weft.UntilEstablished("bird6");
        await Learnt(Learned);
    }

    [Fact]
    public async Task NextHopBehindALearntRoute_IsFollowed_AndItsLossTakesTheRouteAway()
    {
        static string Behind(string routes) => BirdSettings(routes: routes).Replace(
            "ipv4 { import all; export all; }", "ipv4 { import all; export filter { if net = 10.60.0.0/16 then bgp_next_hop = 10.50.0.1; accept; }; }");
        StartBird(Behind("route 10.50.0.0/16 blackhole; route 10.60.0.0/16 blackhole;"));
        RouterProcess weft = StartWeft(Settings());

        await Learnt("10.50.0.0/16 via 172.16.9.2 dev eth0 metric 1024", "10.60.0.0/16 via 172.16.9.2 dev eth0 metric 1024", Learned[2]);
        Assert.Contains("10.50.0.1", weft.Show("route", "10.60.0.0/16"));

        File.WriteAllText(Path.Combine(Folder, "bird", "bird.conf"), Behind("route 10.60.0.0/16 blackhole;"));
        ((Bird)Started[0]).Ask("configure");
        await Learnt(Learned[2]);
        Assert.Contains("next hop 10.50.0.1 unreachable", weft.Show("route", "10.60.0.0/16"));

        File.WriteAllText(Path.Combine(Folder, "bird", "bird.conf"), Behind("route 10.50.0.0/16 blackhole; route 10.60.0.0/16 blackhole;"));
        ((Bird)Started[0]).Ask("configure");
        await Learnt("10.50.0.0/16 via 172.16.9.2 dev eth0 metric 1024", "10.60.0.0/16 via 172.16.9.2 dev eth0 metric 1024", Learned[2]);
    }

    [Fact]
    public async Task NextHopInsideItsOwnRoute_HoldsNothingUp()
    {
        StartBird(BirdSettings().Replace("ipv4 { import all; export all; }", "ipv4 { import all; export filter { if net = 10.2.0.0/16 then bgp_next_hop = 10.2.0.1; accept; }; }"));
        RouterProcess weft = StartWeft(Settings());

        await Learnt(Learned[1], Learned[2]);

        Assert.Contains("next hop 10.2.0.1 unreachable", weft.Show("route", "10.2.0.0/16"));
    }

    [Fact]
    public async Task PassiveWithPassword_AcceptsBird()
    {
        StartBird(BirdSettings("password \"right\";"));
        RouterProcess weft = StartWeft(Settings("password = right\npassive = yes\nttl-security = 1").Replace("[router]", "[router]\nlisten = 172.16.9.1:179, [fd16::1]:179"));

        JsonObject? failed = await weft.Until("bird", n => n is not null);
        Assert.True((bool)failed!["passive"]!);

        // BIRD sends TTL 1 to a neighbour on its link: with GTSM on our side the handshake must not complete until it does the same.
        File.WriteAllText(Path.Combine(Folder, "bird", "bird.conf"), BirdSettings("password \"right\"; ttl security on;"));
        ((Bird)Started[0]).Ask("configure");
        await weft.UntilEstablished("bird");
        await weft.UntilEstablished("bird6");
        await Learnt(Learned);
    }

    [Fact]
    public async Task WrongAs_IsReportedInWords()
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings(remoteAs: 65009));

        JsonObject? neighbor = await weft.Until("bird", n => n?["lastError"] is not null && ((string)n["lastError"]!).Contains("AS"));

        Assert.Contains("65002", (string)neighbor!["lastError"]!);
        Assert.Empty(Left.Routes(81));
        Assert.Contains("bird: ", weft.Show("neighbors"));
    }

    [Fact]
    public async Task KilledRouter_LeavesItsRoutes_TheNextOneTakesThemOver_NothingIsEverMissing()
    {
        Bird bird = StartBird(BirdSettings());
        RouterProcess first = StartWeft(Settings());
        await first.UntilEstablished("bird");
        await Learnt(Learned);
        await BirdLearnt("10.1.0.0/16 via 172.16.9.1 dev eth0 metric 32", "fd01::/48 via fd16::1 dev eth0 metric 32");
        using SpaceMonitor monitor = new(Left);

        await first.KillAsync();
        Assert.Equal(Learned, Left.Routes(81));
        File.WriteAllText(Path.Combine(Folder, "bird", "bird.conf"), BirdSettings(routes: "route 10.2.0.0/16 blackhole;"));
        bird.Ask("configure");
        RouterProcess second = StartWeft(null);
        await second.UntilEstablished("bird");
        await second.UntilEstablished("bird6");

        // What is still announced never leaves the kernel; what is not goes when all neighbours have sent their tables.
        await Learnt(Learned[0], Learned[2]);
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
        await Learnt(Learned);
        string[] atBird = ["10.1.0.0/16 via 172.16.9.1 dev eth0 metric 32", "fd01::/48 via fd16::1 dev eth0 metric 32"];
        await BirdLearnt(atBird);

        int exit = await weft.TerminateAsync();

        Assert.Equal(0, exit);
        Assert.Equal(Learned, Left.Routes(81));
        Assert.Equal(atBird, Right.Routes(12));
    }

    [Fact]
    public async Task LinkDown_TakesRoutesAway_LinkUp_BringsThemBack()
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings());
        await weft.UntilEstablished("bird");
        await Learnt(Learned);

        Right.Ip("link set eth0 down");
        await Learnt();
        Assert.Contains("unreachable", weft.Show("route"));

        Right.Ip("link set eth0 up");
        Right.Ip("-6 address replace fd16::2/64 dev eth0 nodad"); // The kernel takes IPv6 addresses away with the link.
        await Learnt(Learned);
    }

    [Fact]
    public async Task Strangers_AreRefused_AndDisturbNobody()
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings());
        await weft.UntilEstablished("bird");
        Right.Ip("address add 172.16.9.77/24 dev eth0");

        for (int i = 0; i < 3; i++)
        {
            await SendAsync("172.16.9.77", "GET / HTTP/1.1\r\n\r\n"u8.ToArray());
        }

        JsonObject summary = await Poll.UntilAsync(() => weft.AskAsync("summary"), s => (int?)s["refusedConnections"] >= 3, s => s.ToJsonString());
        Assert.Equal(2, (int)summary["neighbors"]!);
        JsonObject neighbor = (await weft.UntilEstablished("bird"))!;
        Assert.Equal(1, (int)neighbor["established"]!);
        await Learnt(Learned);
    }

    [Fact]
    public async Task GarbageFromTheNeighboursAddress_MayEndTheSession_AndItHeals()
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings());
        await weft.UntilEstablished("bird");
        await Learnt(Learned);

        // RFC 4724 5: with graceful restart a new connection of the neighbour says that it has restarted, so the old session goes. A password or TTL
        // security keeps those out who only borrow the address.
        for (int i = 0; i < 3; i++)
        {
            await SendAsync("172.16.9.2", [.. Enumerable.Repeat((byte)0xFF, 16), 0, 19, 99]);
            await SendAsync("172.16.9.2", [.. Enumerable.Repeat((byte)0, 64)]);
        }

        await weft.UntilEstablished("bird");
        await Learnt(Learned);
    }

    /// <summary>Connects to weft from an address of the other side, sends, and waits for the end.</summary>
    private async Task SendAsync(string source, byte[] bytes)
    {
        using Socket socket = Right.Namespace.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
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
        await Learnt(Learned);

        bird.Ask("restart weft");

        await weft.Until("bird", n => (int?)n?["established"] >= 2 && (string?)n["state"] == "Established");
        await Learnt(Learned);
    }
}
