using System.Text.Json.Nodes;

namespace Weft.Node.Tests.Router;

/// <summary>SIGHUP on a running router with real sessions: only what changed is touched, and the log says what was done.</summary>
public sealed class ReconfigurationTests : BirdPair
{
    private async Task<RouterProcess> StartBothAsync(string settings)
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(settings);
        await weft.UntilEstablished("bird");
        await weft.UntilEstablished("bird6");
        await Learnt(Learned);
        return weft;
    }

    private static async Task<(int Established, string Since)> Session(RouterProcess weft, string name) =>
        await weft.NeighborAsync(name) is { } n ? ((int)n["established"]!, (string)n["since"]!) : default;

    private async Task ReloadAsync(RouterProcess weft, string settings, string logged)
    {
        RouterProcess.Write(Path.Combine(Folder, "weft"), settings);
        weft.Signal("HUP");
        await Poll.UntilAsync(() => Task.FromResult(weft.Output), o => o.Contains(logged, StringComparison.Ordinal), o => $"no \"{logged}\" in\n{o}");
    }

    [Fact]
    public async Task SoftChanges_LeaveBothSessionsUp()
    {
        RouterProcess weft = await StartBothAsync(Settings());
        ((int, string) bird, (int, string) bird6) = (await Session(weft, "bird"), await Session(weft, "bird6"));

        await ReloadAsync(weft, Settings("import = 10.2.0.0/16, ::/0+"), "neighbour bird changed: import policy over the routes that are here");
        await Learnt(Learned[0], Learned[2]);
        await ReloadAsync(weft, Settings(), "settings read again");
        await Learnt(Learned);
        await ReloadAsync(weft, Settings("description = the tor\nmaximum-prefixes = 1000\nallow-local-as = 2\nexport = none"), "allowed local AS over the routes that are here");
        await BirdLearnt();
        await ReloadAsync(weft, Settings(router: "multipath = 1\nrestart-time = 60s\nroute-metric = 2048"), "multipath 8 -> 1");
        await Learnt([.. Learned.Select(r => r.Replace("1024", "2048"))]);
        await BirdLearnt("10.1.0.0/16 via 172.16.9.1 dev eth0 metric 32", "fd01::/48 via fd16::1 dev eth0 metric 32");

        Assert.Equal(bird, await Session(weft, "bird"));
        Assert.Equal(bird6, await Session(weft, "bird6"));
    }

    [Fact]
    public async Task ChangeOfOneSession_LeavesTheOtherUp()
    {
        RouterProcess weft = await StartBothAsync(Settings());
        ((int Established, string) bird, (int, string) bird6) = (await Session(weft, "bird"), await Session(weft, "bird6"));

        await ReloadAsync(weft, Settings().Replace("address = 172.16.9.2", "address = 172.16.9.2\nhold-time = 30s"), "neighbour bird changed: hold time resets the session");
        await weft.Until("bird", n => (int?)n?["established"] > bird.Established && (string?)n?["state"] == "Established");
        await ReloadAsync(weft, Settings().Replace("[neighbor:bird]", "[neighbor:other]"), "neighbour bird removed");
        await weft.UntilEstablished("other");
        await Learnt(Learned);

        Assert.Equal(bird6, await Session(weft, "bird6"));
    }

    private static string OfBird(string lines) => Settings().Replace("address = 172.16.9.2", $"address = 172.16.9.2\n{lines}");

    private async Task ConfigureBirdAsync(string settings)
    {
        await File.WriteAllTextAsync(Path.Combine(Folder, "bird", "bird.conf"), settings);
        ((Bird)Started[0]).Ask("configure");
    }

    [Fact]
    public async Task LocalPreferenceOfAFilter_CountsForRoutesThatAreHere_WithoutAskingForThemAgain()
    {
        const string Filter = "\n[filter:in]\nrule-10 = match prefix 10.2.0.0/16 then local-pref 300, accept\nrule-20 = match prefix 0.0.0.0/0+ then accept\n";
        RouterProcess weft = await StartBothAsync(Settings() + Filter);
        (int, string) bird = await Session(weft, "bird");
        int updates = (int)(await weft.NeighborAsync("bird"))!["messagesReceived"]!["updates"]!;

        await ReloadAsync(weft, OfBird("import = filter in") + Filter, "neighbour bird changed: import policy over the routes that are here");
        await PreferenceAsync(weft, 300);
        await ReloadAsync(weft, OfBird("import = filter in") + Filter.Replace("300", "400"), "settings read again");
        await PreferenceAsync(weft, 400);

        JsonNode after = (await weft.NeighborAsync("bird"))!;
        Assert.Equal(bird, await Session(weft, "bird"));
        Assert.Equal((updates, 0), ((int)after["messagesReceived"]!["updates"]!, (int)after["messagesSent"]!["routeRefreshes"]!));
    }

    private static Task PreferenceAsync(RouterProcess weft, int expected) => Poll.UntilAsync(
        () => Task.FromResult(weft.Show("route", "10.2.0.0/16", "-o", "json").Replace(" ", string.Empty)), o => o.Contains($"\"localPref\":{expected}", StringComparison.Ordinal), o => o);

    [Fact]
    public async Task PasswordAndRemoteAs_ResetTheirSession_AndNoOther()
    {
        RouterProcess weft = await StartBothAsync(Settings());
        (int, string) bird6 = await Session(weft, "bird6");
        int sessions = (await Session(weft, "bird")).Established;

        await ConfigureBirdAsync(BirdSettings().Replace("neighbor 172.16.9.1 as 65001;", "neighbor 172.16.9.1 as 65001; password \"under the rack\";"));
        await ReloadAsync(weft, OfBird("password = under the rack"), "neighbour bird changed: password resets the session");
        await weft.Until("bird", n => (int?)n?["established"] > sessions && (string?)n?["state"] == "Established" && (bool?)n?["password"] == true);
        Assert.DoesNotContain("under the rack", weft.Output);

        sessions = (await Session(weft, "bird")).Established;
        await ConfigureBirdAsync(BirdSettings().Replace("local as 65002; neighbor 172.16.9.1", "local as 65003; neighbor 172.16.9.1"));
        await ReloadAsync(weft, Settings().Replace("address = 172.16.9.2\nremote-as = 65002", "address = 172.16.9.2\nremote-as = 65003"), "remote AS, password resets the session");
        await weft.Until("bird", n => (int?)n?["established"] > sessions && (int?)n?["remoteAs"] == 65003 && (string?)n?["state"] == "Established");
        await Learnt(Learned);

        Assert.Equal(bird6, await Session(weft, "bird6"));
    }

    [Fact]
    public async Task NeighbourThatComesOrGoes_TouchesNobodyElse()
    {
        RouterProcess weft = await StartBothAsync(Settings());
        ((int, string) bird, (int, string) bird6) = (await Session(weft, "bird"), await Session(weft, "bird6"));

        await ReloadAsync(weft, Settings() + "\n[neighbor:third]\naddress = 172.16.9.77\nremote-as = 65009\n", "neighbour third (172.16.9.77, AS 65009) added");
        await ReloadAsync(weft, Settings(), "neighbour third removed");

        Assert.Equal(bird, await Session(weft, "bird"));
        Assert.Equal(bird6, await Session(weft, "bird6"));
        await Learnt(Learned);
    }

    [Fact]
    public async Task BadFile_ChangesNothing_AndSaysWhatIsWrong()
    {
        RouterProcess weft = await StartBothAsync(Settings());
        ((int, string) bird, (int, string) bird6) = (await Session(weft, "bird"), await Session(weft, "bird6"));

        await ReloadAsync(weft, Settings().Replace("10.1.0.0/16", "10.9.0.0/16").Replace("remote-as = 65002", "remote-as = banana"), "the old ones stay in force");
        await ReloadAsync(weft, Settings(router: "route-protocol = 99"), "takes effect at the next start");

        Assert.Contains("remote-as", weft.Output);
        Assert.Contains("[router] route-protocol changed", weft.Output);
        await BirdLearnt("10.1.0.0/16 via 172.16.9.1 dev eth0 metric 32", "fd01::/48 via fd16::1 dev eth0 metric 32");
        await Learnt(Learned);
        Assert.Equal(bird, await Session(weft, "bird"));
        Assert.Equal(bird6, await Session(weft, "bird6"));
    }
}
