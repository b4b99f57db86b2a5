using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Weft.Node.Tests.Router;

/// <summary>The commands an operator types, against a running router and a BIRD behind it.</summary>
public sealed class OperatorTests : BirdPair
{
    private (int Exit, string Text) Type(params string[] words)
    {
        using Process process = Process.Start(new ProcessStartInfo(RouterProcess.Executable, ["router", .. words, "--run-dir", Path.Combine(Folder, "weft")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        string text = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, text);
    }

    private JsonObject Json(params string[] words) => JsonNode.Parse(Type([.. words, "-o", "json"]).Text)!.AsObject();

    private static async Task<int> Established(RouterProcess weft, string name) => (int)(await weft.NeighborAsync(name))!["established"]!;

    private static string[] Prefixes(JsonObject answer) => [.. answer["routes"]!.AsArray().Select(r => (string)r!["prefix"]!)];

    [Fact]
    public async Task ShowRoute_TakesEveryQuestion()
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings("import = 10.0.0.0/8{8,16}, ::/0+").Replace("10.0.0.0/8{8,16}, ::/0+", "10.2.0.0/15+, ::/0+"));
        await weft.UntilEstablished("bird");
        await weft.UntilEstablished("bird6");
        await Learnt(Learned);

        Assert.Equal(["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "fd01::/48", "fd02::/48"], Prefixes(Json("show", "route")));
        Assert.Equal(["10.2.0.0/16"], Prefixes(Json("show", "route", "10.2.3.4")));
        Assert.Equal(["10.2.0.0/16", "10.3.0.0/16"], Prefixes(Json("show", "route", "10.2.0.0/15")));
        Assert.Equal(["fd01::/48", "fd02::/48"], Prefixes(Json("show", "route", "--family", "ipv6")));
        Assert.Equal(["10.2.0.0/16", "10.3.0.0/16"], Prefixes(Json("show", "route", "--received", "172.16.9.2")));
        JsonObject sent = Json("show", "route", "--advertised", "bird");
        Assert.Equal(["10.1.0.0/16"], Prefixes(sent));
        Assert.Equal(("65001", "172.16.9.1"), ((string)sent["routes"]![0]!["asPath"]!, (string)sent["routes"]![0]!["nextHop"]!));
        Assert.Equal(sent.ToJsonString(), Json("show", "route", "--advertised", "to", "bird").ToJsonString());
        Assert.Null(sent["routes"]![0]!["localPref"]); // An external neighbour gets none.
        Assert.Equal(["10.2.0.0/16", "10.3.0.0/16"], Prefixes(Json("show", "route", "--received", "from", "bird")));
        Assert.Empty(Prefixes(Json("show", "route", "--rejected")));
        Assert.Equal(["10.1.0.0/16", "10.2.0.0/16"], Prefixes(Json("show", "route", "--limit", "2")));
        Assert.Contains("only the first 2 paths are shown", Type("show", "route", "--limit", "2").Text);
        Assert.Equal("no such route\n", Type("show", "route", "192.0.2.1").Text);
        Assert.Contains("AS path       65002", Type("show", "route", "10.2.0.0/16", "--why").Text.Replace("  AS path     65002", "AS path       65002"));

        (int exit, string text) = Type("show", "route", "--received", "nobody");
        Assert.Equal(1, exit);
        Assert.Contains("no neighbour \"nobody\"; there are bird, bird6", text);
        Assert.Equal(2, Type("show", "route", "--limit", "x").Exit);
        Assert.Contains("neither an address nor a prefix", Type("show", "route", "bird").Text);
    }

    [Fact]
    public async Task RejectedPaths_AreShownWithTheReason()
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings("import = 10.2.0.0/16, ::/0+"));
        await weft.UntilEstablished("bird");
        await Learnt(Learned[0], Learned[2]);

        JsonObject rejected = Json("show", "route", "--rejected");

        Assert.Equal(["10.3.0.0/16"], Prefixes(rejected));
        Assert.Equal("refused by import policy", (string)rejected["routes"]![0]!["reason"]!);
        Assert.Contains("2 received, 1 accepted", Type("show", "neighbor", "bird").Text);
    }

    [Fact]
    public async Task Shutdown_TellsTheNeighbourWhy_SurvivesReloads_AndEnableTakesItBack()
    {
        Bird bird = StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings());
        await weft.UntilEstablished("bird");
        await weft.UntilEstablished("bird6");

        int untouched = await Established(weft, "bird6");
        Assert.Equal(0, Type("shutdown", "172.16.9.2", "fibre", "work").Exit);
        await weft.Until("bird", n => (string?)n?["state"] == "Disabled");
        Assert.Contains("fibre work", Type("show", "neighbor", "bird").Text);
        await Poll.UntilAsync(() => Task.FromResult(bird.Ask("show protocols all weft")), t => t.Contains("fibre work"), t => t);

        RouterProcess.Write(Path.Combine(Folder, "weft"), Settings().Replace("10.1.0.0/16, ", "10.9.0.0/16, "));
        weft.Signal("HUP");
        await BirdLearnt("fd01::/48 via fd16::1 dev eth0 metric 32");
        Assert.Equal("Disabled", (string?)(await weft.NeighborAsync("bird"))!["state"]);

        Assert.Equal(0, Type("enable", "bird").Exit);
        await weft.UntilEstablished("bird");
        Assert.Equal(0, Type("shutdown", "bird", "--message", "once more").Exit);
        Assert.Contains("once more", Type("show", "neighbor", "bird").Text);
        Assert.Equal(0, Type("enable", "bird").Exit);
        await weft.UntilEstablished("bird");
        Assert.Equal(untouched, await Established(weft, "bird6"));
        Assert.Contains("no neighbour \"tor9\"", Type("enable", "tor9").Text);
    }

    [Fact]
    public async Task Reset_EndsTheSession_SoftResetDoesNot()
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings());
        await weft.UntilEstablished("bird");
        await weft.UntilEstablished("bird6");
        await Learnt(Learned);

        (int before, int untouched) = (await Established(weft, "bird"), await Established(weft, "bird6"));
        Assert.Equal(0, Type("reset", "all", "soft", "in").Exit);

        // What was received is still here: nobody is asked for it again.
        Assert.Equal(0, (int)(await weft.NeighborAsync("bird"))!["messagesSent"]!["routeRefreshes"]!);
        foreach (string[] soft in (string[][])[["in"], ["out"], []])
        {
            Assert.Equal(0, Type(["reset", "all", "soft", .. soft]).Exit);
        }

        await Learnt(Learned);
        Assert.Equal(before, await Established(weft, "bird"));

        Assert.Equal("reset: bird\n", Type("reset", "bird", "--message", "why not").Text);
        await weft.Until("bird", n => (int?)n?["established"] == before + 1 && (string?)n?["state"] == "Established");
        Assert.Equal(untouched, await Established(weft, "bird6"));
        await Learnt(Learned);
    }

    [Fact]
    public async Task EveryCommand_AnswersInJson()
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings());
        await weft.UntilEstablished("bird");
        await weft.UntilEstablished("bird6");
        await Learnt(Learned);

        foreach ((string command, string member) in new[]
        {
            ("show neighbors", "neighbors"), ("show neighbor bird", "neighbors"), ("show route", "routes"), ("show route 10.2.0.0/16 --why", "routes"),
            ("show route --received bird", "routes"), ("show route --advertised bird", "routes"), ("show route --best", "routes"), ("show route --rejected", "routes"),
            ("show summary", "neighbors"), ("show memory", "process"), ("reset bird soft in", "reset"), ("reset bird soft in --ask", "reset"), ("reset bird soft out", "reset"),
            ("reset all soft", "reset"), ("drain bird", "drain"), ("enable bird", "enable"), ("shutdown bird for a while", "shutdown"), ("enable all", "enable"), ("reset bird6", "reset"),
        })
        {
            Assert.True(Json(command.Split(' ')).ContainsKey(member), $"weft router {command} -o json: no \"{member}\" in {Type([.. command.Split(' '), "-o", "json"]).Text}");
        }
    }

    [Fact]
    public async Task BfdDown_IsToldTheNeighbour_AndTheSessionComesBack()
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings());
        await weft.UntilEstablished("bird");
        await Learnt(Learned);

        Assert.Equal(2, Type("reset", "bird", "soft", "in", "--bfd-down").Exit);
        Assert.Equal("reset: bird\n", Type("reset", "bird", "--bfd-down").Text);

        await weft.Until("bird", n => (int?)n?["established"] == 2 && (string?)n?["state"] == "Established");
        Assert.Contains("BFD does not reach the peer any more", (string?)(await weft.NeighborAsync("bird"))!["lastSent"]!["reason"]);
        await Learnt(Learned);
    }

    [Fact]
    public async Task Memory_AddsUp()
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings());
        await weft.UntilEstablished("bird");
        await Learnt(Learned);

        JsonObject memory = Json("show", "memory");

        Assert.InRange((long)memory["process"]!["resident"]!, 1 << 20, 1 << 30);
        Assert.Equal(3, (int)memory["tables"]![0]!["prefixes"]!);
        Assert.True((long)memory["tables"]![0]!["pathBytes"]! > 0);
        Assert.Contains("resident", Type("show", "memory").Text);
    }
}
