namespace Weft.Node.Tests.Router;

/// <summary>Two internal sessions to one BIRD, each with a next hop of its own: what the kernel gets as shares.</summary>
public sealed class WeightedMultipathTests : BirdPair
{
    // Link bandwidth of AS 65001 in bytes per second: 1.25e9 (10 Gbit/s) and 5e9 (40 Gbit/s).
    private const string Ten = "(generic, 0x4004fde9, 0x4e9502f9)";
    private const string Forty = "(generic, 0x4004fde9, 0x4f9502f9)";

    [Fact]
    public async Task LinkBandwidth_BecomesWeightsInTheKernel_UnlessOnePathHasNone()
    {
        Bird bird = StartBird(Sessions(Ten, Forty));
        RouterProcess weft = StartWeft(WeftSettings());

        await weft.UntilEstablished("two");
        await weft.UntilEstablished("three");
        await Learnt("10.2.0.0/16 via 172.16.8.2 dev eth0 weight 4 via 172.16.9.2 dev eth0 metric 1024");
        Assert.Contains("bandwidth:65001:10G", weft.Show("route", "10.2.0.0/16", "-o", "json"));

        await ConfigureAsync(bird, Sessions(Forty, Forty));
        await Learnt("10.2.0.0/16 via 172.16.8.2 dev eth0 via 172.16.9.2 dev eth0 metric 1024");

        await ConfigureAsync(bird, Sessions(Ten, null));
        await Learnt("10.2.0.0/16 via 172.16.8.2 dev eth0 via 172.16.9.2 dev eth0 metric 1024");

        RouterProcess.Write(Path.Combine(Folder, "weft"), WeftSettings("multipath-weight = 3"));
        weft.Signal("HUP");
        await Learnt("10.2.0.0/16 via 172.16.8.2 dev eth0 via 172.16.9.2 dev eth0 weight 3 metric 1024");
        Assert.Equal(1, (int?)(await weft.NeighborAsync("two"))!["established"]);
    }

    private async Task ConfigureAsync(Bird bird, string settings)
    {
        await File.WriteAllTextAsync(Path.Combine(Folder, "bird", "bird.conf"), settings);
        bird.Ask("configure");
    }

    private static string WeftSettings(string two = "") => $"""
        [router]
        router-id = 10.255.0.1
        local-as = 65001
        connect-retry = 1s
        multipath = 4

        [neighbor:two]
        address = 172.16.9.2
        remote-as = 65001
        {two}

        [neighbor:three]
        address = 172.16.8.2
        remote-as = 65001
        """;

    private string Sessions(string? two, string? three)
    {
        if (!Right.Ip("address show dev eth0").Contains("172.16.8.2", StringComparison.Ordinal))
        {
            Right.Ip("address add 172.16.8.2/24 dev eth0");
            Left.Ip("address add 172.16.8.1/24 dev eth0");
        }

        return "router id 10.255.0.2; log stderr all; protocol device { scan time 1; } protocol static { ipv4; route 10.2.0.0/16 blackhole; }\n"
            + Session("two", "172.16.9.2", two) + Session("three", "172.16.8.2", three);
    }

    private static string Session(string name, string address, string? bandwidth) => $$"""
        protocol bgp {{name}} { local {{address}} as 65001; neighbor {{address[..^1]}}1 as 65001; direct; connect delay time 1; error wait time 1, 2;
            ipv4 { import none; next hop self; export filter { {{(bandwidth is null ? "" : $"bgp_ext_community.add({bandwidth});")}} accept; }; }; }

        """;
}
