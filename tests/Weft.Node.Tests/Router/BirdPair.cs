namespace Weft.Node.Tests.Router;

/// <summary>
/// weft router as a process against BIRD 2, each in a namespace of its own:
/// <code>
///   weft AS 65001 --- eth0 172.16.9.1, fd16::1 ===== 172.16.9.2, fd16::2 eth0 --- BIRD AS 65002
/// </code>
/// </summary>
public abstract class BirdPair : IAsyncDisposable
{
    protected string Folder { get; } = Directory.CreateTempSubdirectory("weft-bird-").FullName;

    private protected Space Left { get; } = new("weft");

    private protected Space Right { get; } = new("bird");
    
    protected List<IAsyncDisposable> Started { get; } = [];

    protected BirdPair()
    {
        Left.Ip($"link add eth0 type veth peer name eth0 netns {Right.Name}");
        foreach ((Space space, int host) in new[] { (Left, 1), (Right, 2) })
        {
            space.Ip($"address add 172.16.9.{host}/24 dev eth0");
            space.Ip($"-6 address add fd16::{host}/64 dev eth0 nodad");
            space.Ip("link set eth0 up");
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable process in Started)
        {
            await process.DisposeAsync();
        }

        Left.Dispose();
        Right.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    protected static string Settings(string neighbor = "", string router = "", uint remoteAs = 65002) => $"""
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

    protected static string BirdSettings(string extra = "", uint localAs = 65002, string routes = "route 10.2.0.0/16 blackhole; route 10.3.0.0/16 blackhole;") => $$"""
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

    private protected RouterProcess StartWeft(string? settings)
    {
        RouterProcess router = RouterProcess.Start(Left, Path.Combine(Folder, "weft"), settings);
        Started.Add(router);
        return router;
    }

    private protected Bird StartBird(string settings)
    {
        Bird bird = Bird.Start(Right, Path.Combine(Folder, "bird"), settings);
        Started.Add(bird);
        return bird;
    }

    internal static readonly string[] Learned =
    [
        "10.2.0.0/16 via 172.16.9.2 dev eth0 metric 1024", "10.3.0.0/16 via 172.16.9.2 dev eth0 metric 1024", "fd02::/48 via fd16::2 dev eth0 metric 1024",
    ];

    protected Task Learnt(params string[] expected) => Poll.UntilEqual(string.Join('\n', expected), () => string.Join('\n', Left.Routes(81)));

    protected Task BirdLearnt(params string[] expected) => Poll.UntilEqual(string.Join('\n', expected), () => string.Join('\n', Right.Routes(12)));
}
