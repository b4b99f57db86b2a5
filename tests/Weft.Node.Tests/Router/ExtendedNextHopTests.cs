namespace Weft.Node.Tests.Router;

/// <summary>
/// RFC 8950 on a link without IPv4 addresses: IPv4 routes over sessions between IPv6 addresses, global and link-local, with BIRD on the other side.
/// </summary>
public sealed class ExtendedNextHopTests : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("weft-8950-").FullName;
    private readonly Space[] _spaces = [new("weft"), new("bird")];
    private readonly List<IAsyncDisposable> _processes = [];

    public ExtendedNextHopTests()
    {
        _spaces[0].Ip($"link add eth0 address 02:00:00:00:00:01 type veth peer name eth0 address 02:00:00:00:00:02 netns {_spaces[1].Name}");
        for (int i = 0; i < 2; i++)
        {
            _spaces[i].Run("sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0");
            _spaces[i].Ip($"-6 address add fd16::{i + 1}/64 dev eth0 nodad");
            _spaces[i].Ip("link set eth0 up");
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

    [Theory]
    [InlineData("fd16::", "", "", "fd16::2")]
    [InlineData("fe80::ff:fe00:", "interface = eth0", " % 'eth0'", "fe80::ff:fe00:2")]
    public async Task IPv4Routes_GoBothWays_OverALinkWithoutIPv4(string address, string extra, string link, string gateway)
    {
        Bird bird = Bird.Start(_spaces[1], Path.Combine(_folder, "bird"), $$"""
            router id 10.255.0.2;
            protocol device { scan time 1; }
            protocol kernel { ipv4 { export where source = RTS_BGP; }; }
            protocol static { ipv4; route 10.2.0.0/16 blackhole; route 10.3.0.0/16 blackhole; }
            protocol bgp weft { local as 65002; neighbor {{address}}1{{link}} as 65001; connect delay time 1; connect retry time 1; error wait time 1, 2;
                ipv4 { import all; export all; extended next hop on; }; }
            """);
        _processes.Add(bird);
        RouterProcess weft = RouterProcess.Start(_spaces[0], Path.Combine(_folder, "weft"), $"""
            [router]
            router-id = 10.255.0.1
            local-as = 65001
            networks = 10.1.0.0/16
            connect-retry = 1s

            [neighbor:bird]
            address = {address}2
            remote-as = 65002
            families = ipv4
            extended-next-hop = true
            {extra}
            """);
        _processes.Add(weft);

        await weft.UntilEstablished("bird");
        await Poll.UntilEqual($"10.2.0.0/16 via {gateway} dev eth0 metric 1024\n10.3.0.0/16 via {gateway} dev eth0 metric 1024", () => Routes(0, 81));
        await Poll.UntilEqual("10.1.0.0/16 via fd16::1 dev eth0 metric 32", () => Routes(1, 12));
        Assert.Contains("IPv6 next hops (ipv4)", weft.Show("neighbor", "bird"));

        bird.Ask("disable static1");

        await Poll.UntilEqual("", () => Routes(0, 81));
    }

    private string Routes(int i, byte protocol) => string.Join('\n', _spaces[i].Routes(protocol));
}
