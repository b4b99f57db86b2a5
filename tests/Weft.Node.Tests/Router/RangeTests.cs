using System.Text.Json.Nodes;

namespace Weft.Node.Tests.Router;

/// <summary>Neighbours that come from a range of addresses, against BIRD 2, with keys and TTL security.</summary>
public sealed class RangeTests : BirdPair
{
    private static string Range(string keys = "", string range6 = "") => $"""
        [router]
        router-id = 10.255.0.1
        local-as = 65001
        networks = 10.1.0.0/16, fd01::/48
        connect-retry = 1s
        hold-time = 9s
        settle-time = 30s

        [neighbor:leaves]
        range = 172.16.9.0/28
        remote-as = 65002, 65010-65020
        maximum-neighbors = 8
        {keys}

        [neighbor:leaves6]
        range = fd16::/64
        remote-as = any
        {range6}
        """;

    private async Task<string[]> Names(RouterProcess weft) =>
        [.. ((await weft.AskAsync("neighbors"))["neighbors"]?.AsArray() ?? []).OfType<JsonObject>().Select(n => $"{n["name"]} {n["state"]}")];

    private static string WithKey(string text, string key) => text.Replace("connect delay time 1;", $"connect delay time 1; password \"{key}\";");

    [Fact]
    public async Task NeighboursComeAndGo_InBothFamilies()
    {
        Bird bird = StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Range());
        await weft.UntilEstablished("leaves@172.16.9.2");
        await weft.UntilEstablished("leaves6@fd16::2");
        await Learnt(Learned);
        await BirdLearnt("10.1.0.0/16 via 172.16.9.1 dev eth0 metric 32", "fd01::/48 via fd16::1 dev eth0 metric 32");

        Assert.Contains("172.16.9.0/28, 1 of at most 8 neighbours", weft.Show("neighbor", "leaves"));
        Assert.Contains("of range      leaves", weft.Show("neighbor", "leaves@172.16.9.2"));
        Assert.Contains("Listening 1/8", weft.Show("neighbors"));
        int established = (int)(await weft.NeighborAsync("leaves6@fd16::2"))!["established"]!;

        bird.Ask("disable weft");
        await Poll.UntilAsync(() => Names(weft), n => n.SequenceEqual(["leaves Listening", "leaves6 Listening", "leaves6@fd16::2 Established"]), n => string.Join(", ", n));
        await Learnt(Learned[2]);
        bird.Ask("enable weft");
        await weft.UntilEstablished("leaves@172.16.9.2");

        // The range goes away under it; the other is not touched.
        RouterProcess.Write(Path.Combine(Folder, "weft"), Range().Replace("range = 172.16.9.0/28", "range = 172.16.9.8/29"));
        weft.Signal("HUP");
        await Poll.UntilAsync(() => Names(weft), n => n.SequenceEqual(["leaves Listening", "leaves6 Listening", "leaves6@fd16::2 Established"]), n => string.Join(", ", n) + weft.Output);
        Assert.Equal(established, (int)(await weft.NeighborAsync("leaves6@fd16::2"))!["established"]!);
    }

    [Fact]
    public async Task KeyOfARange_IsAskedOfEverybodyInIt_AndChangesWithoutARestart()
    {
        Bird bird = StartBird(WithKey(BirdSettings(), "first"));
        RouterProcess weft = StartWeft(Range("password = first", "password = first"));
        await weft.UntilEstablished("leaves@172.16.9.2");
        await weft.UntilEstablished("leaves6@fd16::2");

        // The new key ends sessions with the old one; the neighbour follows.
        RouterProcess.Write(Path.Combine(Folder, "weft"), Range("password = second", "password = second"));
        weft.Signal("HUP");
        await Poll.UntilAsync(() => Names(weft), n => n.SequenceEqual(["leaves Listening", "leaves6 Listening"]), n => string.Join(", ", n) + weft.Output);
        File.WriteAllText(Path.Combine(Folder, "bird", "bird.conf"), WithKey(BirdSettings(), "second"));
        bird.Ask("configure");
        await weft.UntilEstablished("leaves@172.16.9.2");
        await weft.UntilEstablished("leaves6@fd16::2");

        // Without a key on the other side nothing comes up.
        File.WriteAllText(Path.Combine(Folder, "bird", "bird.conf"), BirdSettings());
        bird.Ask("configure");
        await Poll.UntilAsync(() => Names(weft), n => n.SequenceEqual(["leaves Listening", "leaves6 Listening"]), n => string.Join(", ", n) + weft.Output);
    }

    [Fact]
    public async Task TtlSecurityOfARange_HoldsForItsNeighbours()
    {
        Bird bird = StartBird(BirdSettings("ttl security on;"));
        RouterProcess weft = StartWeft(Range("ttl-security = 1", "ttl-security = 1"));
        await weft.UntilEstablished("leaves@172.16.9.2");
        await weft.UntilEstablished("leaves6@fd16::2");

        File.WriteAllText(Path.Combine(Folder, "bird", "bird.conf"), BirdSettings());
        bird.Ask("configure");
        await Poll.UntilAsync(() => Names(weft), n => !n.Any(s => s.EndsWith("Established")), n => string.Join(", ", n) + weft.Output, TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task ShutdownOfARange_TellsEverybody_AndEnableLetsThemIn()
    {
        Bird bird = StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Range());
        await weft.UntilEstablished("leaves@172.16.9.2");
        await weft.UntilEstablished("leaves6@fd16::2");

        await weft.AskAsync("shutdown", "name", "leaves");
        await Poll.UntilAsync(() => Names(weft), n => n.Contains("leaves Disabled") && !n.Any(s => s.StartsWith("leaves@")), n => string.Join(", ", n) + weft.Output);
        Assert.Contains("Administrative shutdown", bird.Output);
        Assert.Contains("came from a range", (await weft.AskAsync("shutdown", "name", "leaves6@fd16::2"))["error"]?.ToString());

        await weft.AskAsync("enable", "name", "leaves");
        await weft.UntilEstablished("leaves@172.16.9.2");
    }
}
