namespace Weft.Node.Tests.Router;

/// <summary>Neighbours known by their link alone, on links that have nothing but link-local addresses: weft with weft, and with BIRD.</summary>
public sealed class UnnumberedTests : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("weft-unnumbered-").FullName;
    private readonly Space[] _spaces = [new("left"), new("right")];
    private readonly List<IAsyncDisposable> _processes = [];

    public UnnumberedTests()
    {
        foreach (string link in new[] { "eth0", "eth1" })
        {
            // The same addresses on both links: only the link tells the neighbours apart.
            _spaces[0].Ip($"link add {link} address 02:00:00:00:00:01 type veth peer name {link} address 02:00:00:00:00:02 netns {_spaces[1].Name}");
            foreach (Space space in _spaces)
            {
                space.Run("sysctl", "-qw", $"net.ipv6.conf.{link}.accept_dad=0");
                space.Ip($"link set {link} up");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable process in _processes)
        {
            await process.DisposeAsync();
        }

        foreach (Space space in _spaces)
        {
            space.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private RouterProcess Start(int i, string neighbors)
    {
        RouterProcess process = RouterProcess.Start(_spaces[i], Path.Combine(_folder, $"r{i}"), $"""
            [router]
            router-id = 10.255.0.{i + 1}
            local-as = {65001 + i}
            networks = 10.{i + 1}.0.0/16, fd0{i + 1}::/48
            connect-retry = 1s

            {neighbors}
            """);
        _processes.Add(process);
        return process;
    }

    [Fact]
    public async Task TwoLinks_FindTheirNeighbours_AndCarryBothFamilies()
    {
        RouterProcess left = Start(0, "[neighbor:a]\ninterface = eth0\nremote-as = any\npassword = one\n[neighbor:b]\ninterface = eth1\nremote-as = 65002\npassword = one\nttl-security = 1");
        await left.Until("a", n => ((string?)n?["lastError"])?.StartsWith("nobody has been heard on eth0 yet", StringComparison.Ordinal) == true);
        RouterProcess right = Start(1, "[neighbor:a]\ninterface = eth0\nremote-as = 65001\npassword = one\n[neighbor:b]\ninterface = eth1\nremote-as = 65001\npassword = one\nttl-security = 1\npassive = yes");

        await left.UntilEstablished("a");
        await left.UntilEstablished("b");
        await right.UntilEstablished("a");
        string via = " via fe80::ff:fe00:2 dev eth0 via fe80::ff:fe00:2 dev eth1 metric 1024";
        await Poll.UntilEqual($"10.2.0.0/16{via}\nfd02::/48{via}", () => string.Join('\n', _spaces[0].Routes(81)));

        _spaces[1].Ip("link set eth1 down");

        via = " via fe80::ff:fe00:2 dev eth0 metric 1024";
        await Poll.UntilEqual($"10.2.0.0/16{via}\nfd02::/48{via}", () => string.Join('\n', _spaces[0].Routes(81)));
    }

    [Fact]
    public async Task OtherRouterOnTheLink_IsTakenAfterAWhile_NotWhileTheFirstIsThere()
    {
        RouterProcess left = Start(0, "[neighbor:a]\ninterface = eth0\nremote-as = 65002");
        Start(1, "[neighbor:a]\ninterface = eth0\nremote-as = 65001");
        await left.UntilEstablished("a");

        // Another address of the same link asks for a session: a neighbour that is still heard is not left for it.
        _spaces[1].Ip("-6 address add fe80::5/64 dev eth0 nodad");
        await Assert.ThrowsAnyAsync<Exception>(() => Task.Run(() => _spaces[1].Run("bash", "-c", "exec 3<>/dev/tcp/fe80::ff:fe00:1%eth0/179 && timeout 2 cat <&3 | grep -q . ")));

        Assert.Equal("fe80::ff:fe00:2", (string?)(await left.NeighborAsync("a"))?["address"]);
        Assert.Equal("Established", (string?)(await left.NeighborAsync("a"))?["state"]);
    }

    [Fact]
    public async Task BirdThatWaits_IsFoundByItsAdvertisements_OneThatCallsByItsConnection()
    {
        string Family(string name) => $"{name} {{ import all; export all; {(name == "ipv4" ? "extended next hop on;" : "")} }};";
        Bird bird = Bird.Start(_spaces[1], Path.Combine(_folder, "bird"), $$"""
            router id 10.255.0.2;
            protocol device { scan time 1; }
            protocol static { ipv4; route 10.2.0.0/16 blackhole; }
            protocol static { ipv6; route fd02::/48 blackhole; }
            protocol radv { interface "eth0" { min ra interval 3; max ra interval 4; default lifetime 0; }; }
            protocol bgp waits { local as 65002; neighbor range fe80::/10 internal; passive on; interface "eth0"; dynamic name "d"; {{Family("ipv4")}} {{Family("ipv6")}} }
            protocol bgp calls { local as 65002; neighbor fe80::ff:fe00:1 % 'eth1' as 65001; connect delay time 1; connect retry time 1; error wait time 1, 2; {{Family("ipv4")}} {{Family("ipv6")}} }
            """.Replace("range fe80::/10 internal", "range fe80::/10 as 65001", StringComparison.Ordinal));
        _processes.Add(bird);

        RouterProcess left = Start(0, "[neighbor:a]\ninterface = eth0\nremote-as = 65002\n[neighbor:b]\ninterface = eth1\nremote-as = 65002");

        await left.UntilEstablished("a");
        await left.UntilEstablished("b");
        string via = " via fe80::ff:fe00:2 dev eth0 via fe80::ff:fe00:2 dev eth1 metric 1024";
        await Poll.UntilEqual($"10.2.0.0/16{via}\nfd02::/48{via}", () => string.Join('\n', _spaces[0].Routes(81)));
        await Poll.UntilEqual("True", () => $"{bird.Ask("show route").Contains("10.1.0.0/16", StringComparison.Ordinal)}");
    }
}
