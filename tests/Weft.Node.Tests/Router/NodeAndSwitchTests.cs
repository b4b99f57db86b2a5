using System.Text.Json.Nodes;

namespace Weft.Node.Tests.Router;

/// <summary>
/// Two weft routers: a switch that knows only its file, and a node whose peers, pools and blocks stand in a real etcd.
/// <code>
///   tor1 AS 65001 --- 172.16.9.1 ===== 172.16.9.2 --- node1 AS 64512, etcd on its loopback
/// </code>
/// </summary>
public sealed class NodeAndSwitchTests : IAsyncDisposable
{
    private const string Resources = "/calico/resources/v3/projectcalico.org";

    private readonly string _folder = Directory.CreateTempSubdirectory("weft-node-").FullName;
    private readonly Space _tor = new("tor");
    private readonly Space _node = new("node");
    private readonly List<IAsyncDisposable> _processes = [];

    public NodeAndSwitchTests()
    {
        _tor.Ip($"link add eth0 type veth peer name eth0 netns {_node.Name}");
        foreach ((Space space, int host) in new[] { (_tor, 1), (_node, 2) })
        {
            space.Ip($"address add 172.16.9.{host}/24 dev eth0");
            space.Ip("link set eth0 up");
        }

        _node.Ip("link add cali1 type veth peer name pod1");
        _node.Ip("link set pod1 up");
        _node.Ip("link set cali1 up");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable process in Enumerable.Reverse(_processes))
        {
            await process.DisposeAsync();
        }

        _tor.Dispose();
        _node.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private SpaceProcess StartEtcd()
    {
        SpaceProcess etcd = new(_node, new Dictionary<string, string>(), "etcd", "--data-dir", Path.Combine(_folder, "etcd"), "--log-level", "error");
        _processes.Add(etcd);
        return etcd;
    }

    private void Put(string key, string json) => _node.Run("etcdctl", "put", key, json);

    private void PutResource(string plural, string kind, string name, string spec) =>
        Put($"{Resources}/{plural}/{name}", $$"""{"kind":"{{kind}}","apiVersion":"projectcalico.org/v3","metadata":{"name":"{{name}}","creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{{spec}}}""");

    private void PutBlock(string cidr, string state) =>
        Put($"/calico/ipam/v2/host/node1/ipv4/block/{cidr.Replace('/', '-')}", $$"""{"state":"{{state}}","deleted":false}""");

    private RouterProcess Start(Space space, string name, string? settings)
    {
        RouterProcess router = RouterProcess.Start(space, Path.Combine(_folder, name), settings);
        _processes.Add(router);
        return router;
    }

    private RouterProcess StartTor(string extra = "") => Start(_tor, "tor1", $"""
        [router]
        router-id = 10.255.0.1
        local-as = 65001
        networks = 10.255.0.1/32
        connect-retry = 1s

        [neighbor:node1]
        address = 172.16.9.2
        remote-as = 64512
        {extra}
        """);

    private RouterProcess StartNode() => Start(_node, "node1", $"""
        [datastore]
        endpoints = http://127.0.0.1:2379
        request-timeout = 1s

        [node]
        name = node1

        [router]
        connect-retry = 1s
        secrets-dir = {_folder}/secrets
        """);

    private void Fill(string peer = """{"node":"node1","peerIP":"172.16.9.1","asNumber":65001}""")
    {
        PutResource("nodes", "Node", "node1", """{"bgp":{"ipv4Address":"172.16.9.2/24"}}""");
        PutResource("ippools", "IPPool", "pods", """{"cidr":"10.244.0.0/16","ipipMode":"Never","vxlanMode":"Never","blockSize":26}""");
        PutResource("bgppeers", "BGPPeer", "tor1", peer);
        PutBlock("10.244.1.0/26", "confirmed");
        PutBlock("10.244.2.0/26", "pending");
    }

    private static Task Routes(Space space, params string[] expected) => Poll.UntilEqual(string.Join('\n', expected), () => string.Join('\n', space.Routes(81)));

    private Task WaitForEtcd() => Poll.UntilAsync(
        () => Task.FromResult(_node.Namespace.Run(() => new Weft.Linux.Processes.ProcessRunner(_node.Namespace).Run(new("etcdctl", ["endpoint", "health"])).IsSuccess)), ok => ok, _ => "etcd does not answer");

    [Fact]
    public async Task ResourcesOfTheDatastore_BecomeSessionsAndRoutes_AndTheirChangesFollow()
    {
        StartEtcd();
        await WaitForEtcd();
        RouterProcess tor = StartTor();
        RouterProcess node = StartNode();
        await Poll.UntilAsync(() => node.AskAsync("neighbors"), n => ((string?)n["waiting"])?.Contains("no Node node1") == true, n => $"{n.ToJsonString()}\n{node.Output}");

        Fill();
        await tor.UntilEstablished("node1");
        await Routes(_tor, "10.244.1.0/26 via 172.16.9.2 dev eth0 metric 1024");
        await Routes(_node, "blackhole 10.244.1.0/26 metric 1024", "10.255.0.1/32 via 172.16.9.1 dev eth0 metric 1024");

        // A block that is confirmed now, and an address that a local pod borrowed from somebody else's block.
        PutBlock("10.244.2.0/26", "confirmed");
        _node.Ip("route add 10.244.9.9/32 dev cali1 proto 80");
        _node.Ip("route add 10.244.1.5/32 dev cali1 proto 80");

        // Tunnel ends of other nodes, which only those announce.
        _node.Ip("link add vxlan.calico type vxlan id 4096 dstport 4789 local 172.16.9.2");
        _node.Ip("link set vxlan.calico up");
        _node.Ip("route add 10.244.9.8/32 dev vxlan.calico proto 80");
        _node.Ip("route add 10.244.9.7/32 via 172.16.9.1 dev eth0 proto 80");
        await Routes(_tor, "10.244.1.0/26 via 172.16.9.2 dev eth0 metric 1024", "10.244.2.0/26 via 172.16.9.2 dev eth0 metric 1024", "10.244.9.9/32 via 172.16.9.2 dev eth0 metric 1024");

        _node.Ip("route del 10.244.9.9/32 dev cali1 proto 80");
        _node.Run("etcdctl", "del", "/calico/ipam/v2/host/node1/ipv4/block/10.244.2.0-26");
        await Routes(_tor, "10.244.1.0/26 via 172.16.9.2 dev eth0 metric 1024");

        PutResource("ippools", "IPPool", "pods", """{"cidr":"10.244.0.0/16","ipipMode":"Never","vxlanMode":"Never","blockSize":26,"disableBGPExport":true}""");
        await Routes(_tor);
        Assert.Equal(1, (int)(await tor.NeighborAsync("node1"))!["established"]!);
    }

    [Fact]
    public async Task ChangesOfResources_ResetASessionOnlyWhenItMustBeMadeAgain()
    {
        StartEtcd();
        await WaitForEtcd();
        Fill();
        RouterProcess tor = StartTor();
        RouterProcess node = StartNode();
        const string Block = "10.244.1.0/26 via 172.16.9.2 dev eth0 metric 1024";
        await tor.UntilEstablished("node1");
        await Routes(_tor, Block);

        PutResource("bgpfilters", "BGPFilter", "quiet", """{"exportV4":[{"cidr":"10.244.1.0/26","matchOperator":"In","action":"Reject"}]}""");
        PutResource("bgppeers", "BGPPeer", "tor1", """{"node":"node1","peerIP":"172.16.9.1","asNumber":65001,"filters":["quiet"]}""");
        await Routes(_tor);
        PutResource("bgpfilters", "BGPFilter", "quiet", """{"exportV4":[{"cidr":"10.99.0.0/16","matchOperator":"In","action":"Reject"}]}""");
        await Routes(_tor, Block);
        PutResource("bgppeers", "BGPPeer", "tor1", """{"node":"node1","peerIP":"172.16.9.1","asNumber":65001,"nextHopMode":"Self","numAllowedLocalASNumbers":1}""");
        PutResource("bgppeers", "BGPPeer", "far", """{"node":"node1","peerIP":"172.16.9.99","asNumber":65099}""");
        PutResource("bgpconfigurations", "BGPConfiguration", "default", """{"logSeverityScreen":"Info","asNumber":64512,"nodeToNodeMeshEnabled":false,"communities":[{"name":"x","value":"64512:7"}]}""");
        await Poll.UntilAsync(() => node.AskAsync("neighbors"), n => n["neighbors"]?.AsArray().Count == 2, n => n.ToJsonString());
        await Routes(_tor, Block);
        Assert.Equal(1, (int)(await tor.NeighborAsync("node1"))!["established"]!);

        // The AS of the node is in every OPEN: this one must end the session, and the switch wants another AS then.
        PutResource("bgpconfigurations", "BGPConfiguration", "default", """{"logSeverityScreen":"Info","asNumber":64513,"nodeToNodeMeshEnabled":false}""");
        await tor.Until("node1", n => (string?)n?["state"] != "Established");
        PutResource("bgpconfigurations", "BGPConfiguration", "default", """{"logSeverityScreen":"Info","asNumber":64512,"nodeToNodeMeshEnabled":false}""");
        await tor.Until("node1", n => (string?)n?["state"] == "Established" && (int?)n?["established"] == 2);
        await Routes(_tor, Block);
    }

    [Fact]
    public async Task DatastoreLost_SessionsAndRoutesStay_AndChangesAreHeardWhenItIsBack()
    {
        SpaceProcess etcd = StartEtcd();
        await WaitForEtcd();
        Fill();
        RouterProcess tor = StartTor();
        RouterProcess node = StartNode();
        await tor.UntilEstablished("node1");
        await Routes(_tor, "10.244.1.0/26 via 172.16.9.2 dev eth0 metric 1024");

        await etcd.KillAsync();
        await Poll.UntilAsync(() => node.AskAsync("summary"), s => (string?)s["datastore"]?["status"] != "InSync", s => s.ToJsonString());
        JsonObject neighbor = (await tor.NeighborAsync("node1"))!;
        Assert.Equal(("Established", 1), ((string)neighbor["state"]!, (int)neighbor["established"]!));
        Assert.Single(_tor.Routes(81));

        StartEtcd();
        await WaitForEtcd();
        PutBlock("10.244.2.0/26", "confirmed");
        await Routes(_tor, "10.244.1.0/26 via 172.16.9.2 dev eth0 metric 1024", "10.244.2.0/26 via 172.16.9.2 dev eth0 metric 1024");
        Assert.Equal(1, (int)(await tor.NeighborAsync("node1"))!["established"]!);
    }

    [Fact]
    public async Task DatastoreAbsentAtStart_RouterWaits_KeepsWhatTheKernelHas_AndComesUp()
    {
        _node.Ip("route add 10.77.0.0/16 via 172.16.9.1 metric 1024 proto 81");
        RouterProcess tor = StartTor();
        RouterProcess node = StartNode();
        await Poll.UntilAsync(() => node.AskAsync("summary"), s => ((string?)s["waiting"])?.Contains("datastore") == true, s => $"{s.ToJsonString()}\n{node.Output}");
        Assert.Single(_node.Routes(81));

        StartEtcd();
        await WaitForEtcd();
        Fill();
        await tor.UntilEstablished("node1");
        await Routes(_node, "blackhole 10.244.1.0/26 metric 1024", "10.255.0.1/32 via 172.16.9.1 dev eth0 metric 1024");
    }

    [Fact]
    public async Task PasswordFromTheSecretsFolder_IsTakenUpWhenItAppears()
    {
        string key = Path.Combine(_folder, "tor.key");
        File.WriteAllText(key, "rack secret\n");
        File.SetUnixFileMode(key, UnixFileMode.UserRead);
        StartEtcd();
        await WaitForEtcd();
        Fill("""{"node":"node1","peerIP":"172.16.9.1","asNumber":65001,"password":{"secretKeyRef":{"name":"bgp","key":"tor1"}}}""");
        RouterProcess tor = StartTor($"password-file = {key}");
        RouterProcess node = StartNode();
        await Poll.UntilAsync(() => node.AskAsync("summary"), s => s["problems"]?.AsArray().Any(p => ((string)p!).Contains("bgp/tor1")) == true, s => s.ToJsonString());

        Directory.CreateDirectory(Path.Combine(_folder, "secrets", "bgp"));
        File.Copy(key, Path.Combine(_folder, "secrets", "bgp", "tor1"));

        await tor.UntilEstablished("node1");
        await Routes(_tor, "10.244.1.0/26 via 172.16.9.2 dev eth0 metric 1024");
        Assert.DoesNotContain("rack secret", tor.Output + node.Output + tor.Show("neighbor", "node1") + node.Show("neighbors", "-o", "json"));
    }
}
