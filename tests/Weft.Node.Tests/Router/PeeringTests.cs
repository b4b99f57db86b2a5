using System.Diagnostics;

namespace Weft.Node.Tests.Router;

/// <summary>Kinds of neighbours and their limits, by the settings file, against BIRD 2.</summary>
public sealed class PeeringTests : BirdPair
{
    private string Type(params string[] words)
    {
        using Process process = Process.Start(new ProcessStartInfo(RouterProcess.Executable, ["router", .. words, "--run-dir", Path.Combine(Folder, "weft")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        string text = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
        process.WaitForExit();
        return text;
    }

    [Fact]
    public async Task MaximumPrefixes_EndsTheSession_SaysWhenItComesBack_AndTheOperatorMayBeFaster()
    {
        Bird bird = StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings("maximum-prefixes = ipv4 1, ipv6 10\nmaximum-prefixes-restart = 10m"));
        await weft.UntilEstablished("bird6");
        await weft.Until("bird", n => n?["heldDown"] is not null);

        string shown = Type("show", "neighbor", "bird");
        Assert.Contains("more than 1 IPv4 prefixes received; comes back in", shown);
        Assert.Contains("1 ipv4, 10 ipv6 prefixes, warning at 80 %, then down for 600 s", shown);
        await Poll.UntilAsync(() => Task.FromResult(bird.Output), t => t.Contains("Received: Maximum number of prefixes reached"), t => t);
        await Learnt(Learned[2]);

        Type("reset", "bird");
        await weft.Until("bird", n => (int?)n?["established"] >= 2 && n["heldDown"] is not null);

        RouterProcess.Write(Path.Combine(Folder, "weft"), Settings("maximum-prefixes = 2\nmaximum-prefixes-action = reset"));
        weft.Signal("HUP");
        await weft.UntilEstablished("bird");
        await Learnt(Learned);
    }

    [Fact]
    public async Task Role_RefusesLeaks_AndShowsWhy()
    {
        StartBird(BirdSettings(routes: "route 10.2.0.0/16 blackhole; route 10.3.0.0/16 blackhole { bgp_otc = 65099; };"));
        RouterProcess weft = StartWeft(Settings("role = provider"));
        await weft.UntilEstablished("bird");
        await Learnt(Learned[0], Learned[2]);

        string shown = Type("show", "route", "10.3.0.0/16", "--why");

        Assert.Contains("route leak: only to customers since AS 65099 (RFC 9234)", shown);
        Assert.Contains("we are its provider, external", Type("show", "neighbor", "bird"));
        Assert.Contains("10.3.0.0/16", Type("show", "route", "--rejected"));

        RouterProcess.Write(Path.Combine(Folder, "weft"), Settings("role = provider\nrole-strict = yes"));
        weft.Signal("HUP");
        await weft.Until("bird", n => ((string?)n?["lastError"])?.Contains("(2/11) Role Mismatch") == true);
    }

    [Fact]
    public async Task RequirePolicy_LetsNothingPass_UntilAFilterIsWritten()
    {
        StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings(router: "require-policy = yes"));
        await weft.UntilEstablished("bird");
        await weft.Until("bird", n => (int?)n?["receivedPrefixes"]?["ipv4"] == 2);

        Assert.Contains("refused: no import policy is configured (require-policy, RFC 8212)", Type("show", "route", "10.2.0.0/16", "--why"));
        Assert.Contains("none (missing, and required by RFC 8212)", Type("show", "neighbor", "bird"));
        await Learnt();
        await BirdLearnt();

        RouterProcess.Write(Path.Combine(Folder, "weft"), Settings("import = all\nexport = all", router: "require-policy = yes"));
        weft.Signal("HUP");
        await Learnt(Learned);
        await BirdLearnt("10.1.0.0/16 via 172.16.9.1 dev eth0 metric 32", "fd01::/48 via fd16::1 dev eth0 metric 32");
        Assert.Equal(1, (int)(await weft.NeighborAsync("bird"))!["established"]!);
    }

    /// <summary>BIRD knows nothing of TCP-AO: with it no session comes up, on either kind of kernel, and the words say why.</summary>
    [Fact]
    public async Task TcpAo_NeverRunsWithout_AndSaysWhenTheKernelHasNone()
    {
        string key = Path.Combine(Folder, "ao.key");
        File.WriteAllText(key, "secret\n");
        File.SetUnixFileMode(key, UnixFileMode.UserRead);
        StartBird(BirdSettings());

        RouterProcess weft = StartWeft(Settings($"ao-key-file = {key}"));

        bool supported = Weft.Linux.Sockets.TcpAo.IsSupported;
        await weft.Until("bird", n => ((string?)n?["lastError"])?.Contains(supported ? "no answer" : "this kernel has no TCP-AO (RFC 5925)", StringComparison.Ordinal) == true);
        Assert.Contains(supported ? "TCP-AO, key 1/1" : "TCP-AO, key 1/1 (not in this kernel)", weft.Show("neighbor", "bird"));
        Assert.Equal(0, (int)(await weft.NeighborAsync("bird"))!["established"]!);
    }

    [Fact]
    public async Task DisabledNeighbour_IsToldTheMessageOfTheSettings()
    {
        Bird bird = StartBird(BirdSettings());
        RouterProcess weft = StartWeft(Settings());
        await weft.UntilEstablished("bird");

        RouterProcess.Write(Path.Combine(Folder, "weft"), Settings("enabled = no\nshutdown-message = moved to rack 7"));
        weft.Signal("HUP");

        await Poll.UntilAsync(() => Task.FromResult(bird.Ask("show protocols all weft")), t => t.Contains("moved to rack 7"), t => t);
        bird.Ask("disable weft6 \"back at noon\"");
        Assert.Equal("Disabled", (string?)(await weft.NeighborAsync("bird"))!["state"]);
    }
}
