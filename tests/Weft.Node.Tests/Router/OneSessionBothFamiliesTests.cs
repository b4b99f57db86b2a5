namespace Weft.Node.Tests.Router;

/// <summary>Two weft routers that carry both families over one session: over IPv4, and over link-local addresses.</summary>
public sealed class OneSessionBothFamiliesTests : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("weft-both-").FullName;
    private readonly Space[] _spaces = [new("left"), new("right")];
    private readonly List<RouterProcess> _processes = [];

    public OneSessionBothFamiliesTests()
    {
        _spaces[0].Ip($"link add eth0 address 02:00:00:00:00:01 type veth peer name eth0 address 02:00:00:00:00:02 netns {_spaces[1].Name}");
        for (int i = 0; i < 2; i++)
        {
            _spaces[i].Run("sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0");
            _spaces[i].Ip($"address add 172.16.9.{i + 1}/24 dev eth0");
            _spaces[i].Ip($"-6 address add fd16::{i + 1}/64 dev eth0 nodad");
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

    private RouterProcess Start(int i, string address, string extra) => RouterProcess.Start(_spaces[i], Path.Combine(_folder, $"r{i}"), $"""
        [router]
        router-id = 10.255.0.{i + 1}
        local-as = {65001 + i}
        networks = 10.{i + 1}.0.0/16, fd0{i + 1}::/48
        connect-retry = 1s

        [neighbor:other]
        address = {address}
        remote-as = {65002 - i}
        families = ipv4, ipv6
        password = key
        {extra}
        """);

    [Theory]
    [InlineData("172.16.9.", "", "172.16.9.2", "fd16::2")]
    [InlineData("fe80::ff:fe00:", "interface = eth0", "172.16.9.2", "fd16::2")]
    public async Task BothFamilies_LeadToTheNeighboursOwnAddresses(string address, string extra, string ipv4, string ipv6)
    {
        _processes.Add(Start(0, address + "2", extra));
        _processes.Add(Start(1, address + "1", extra));

        await _processes[0].UntilEstablished("other");
        await Poll.UntilEqual(
            $"10.2.0.0/16 via {ipv4} dev eth0 metric 1024\nfd02::/48 via {ipv6} dev eth0 metric 1024", () => string.Join('\n', _spaces[0].Routes(81)));
    }
}
