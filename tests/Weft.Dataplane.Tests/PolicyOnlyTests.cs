using System.Text;
using System.Text.Json.Nodes;
using Weft.Linux.Namespaces;
using Weft.Linux.Processes;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleAction = Weft.Policy.Output.RuleAction;

namespace Weft.Dataplane.Tests;

/// <summary>Policy on pods that another CNI plugin connected (Debian's containernetworking-plugins).</summary>
public sealed class PolicyOnlyTests
{
    private const string PluginFolder = "/usr/lib/cni";

    private static readonly DataplaneSettings s_settings = new() { Networking = NodeNetworking.None, Rules = new() { InterfacePrefixes = ["veth"] } };
    private static readonly DataplaneRule s_allow = new() { Action = RuleAction.Allow };
    private static readonly ActiveProfileUpdate s_open = new("open", [s_allow], [s_allow]);
    private static readonly PolicyId s_policy = new("NetworkPolicy", "default", "p");

    private static readonly ActivePolicyUpdate s_onlyPort80 = new(
        s_policy, "default", [new DataplaneRule { Action = RuleAction.Allow, Protocol = 6, DstPorts = [new PortRange(80, 80)] }], [], "all()", PolicyTraits.None);

    [Fact]
    public async Task PodsOfPtp_GetPolicy_AndNothingElseIsTouched()
    {
        await using PodNode node = new();
        node.Sh("sysctl -qw net.ipv4.ip_forward=1");
        using ForeignPod a = new(node, 1, "ptp"), b = new(node, 2, "ptp");
        b.Serve(80);
        b.Serve(81);
        Assert.True(await a.TcpAsync(b.Address, 81), "the plugin's own network works");
        string routes = node.Sh("ip route"), neighbors = node.Sh("ip neigh show nud permanent"), settings = node.Sh($"sysctl net.ipv4.conf.{a.Interface}");

        node.Start(s_settings);
        await node.SendAsync(
            s_open, s_onlyPort80, a.Endpoint("a", [], ["open"]), b.Endpoint("b", [new TierPolicies("default", false, [s_policy], [])], ["open"]), new InSync());
        await PodNode.Eventually(() => node.Progress.IsProgrammed(a.Id("a")) && node.Progress.IsProgrammed(b.Id("b")), "both endpoints");

        Assert.True(await a.TcpAsync(b.Address, 80), node.Rules("-c"));
        Assert.False(await a.TcpAsync(b.Address, 81));
        Assert.True(await node.Host.TcpAsync(b.Address, 81), "the host may always speak to its pods");
        Assert.Equal(routes, node.Sh("ip route"));
        Assert.Equal(neighbors, node.Sh("ip neigh show nud permanent"));
        Assert.Equal(settings, node.Sh($"sysctl net.ipv4.conf.{a.Interface}"));

        // A pod of the plugin that nobody knows is closed, as with weft's own.
        await node.SendAsync(new WorkloadEndpointRemove(a.Id("a")));
        await PodNode.Eventually(() => !node.Rules().Contains($"cali-fw-{a.Interface}", StringComparison.Ordinal), "the endpoint to go");
        Assert.False(await a.TcpAsync(b.Address, 80));
        Assert.Equal(routes, node.Sh("ip route"));
    }

    [Fact]
    public async Task PodsOnABridge_AreNotSaidToBeProtected_AndWhatIsRoutedPasses()
    {
        await using PodNode node = new();
        node.Sh("sysctl -qw net.ipv4.ip_forward=1");
        using ForeignPod a = new(node, 1, "bridge"), b = new(node, 2, "bridge");
        Outside outside = node.AddOutside();
        b.Serve(81);

        node.Start(s_settings);
        await node.SendAsync(s_open, s_onlyPort80, b.Endpoint("b", [new TierPolicies("default", false, [s_policy], [])], ["open"]), new InSync());
        await PodNode.Eventually(() => node.Progress.ProblemOf(b.Id("b")) is not null, "the problem to be told");

        Assert.Equal(
            $"interface {b.Interface} is a port of bridge weft-br0: packets between its pods pass no policy; use a plugin that routes (ptp)",
            node.Progress.ProblemOf(b.Id("b")));
        Assert.True(await a.TcpAsync(b.Address, 81), "bridged packets are not stopped by accident");
        Assert.True(await outside.TcpAsync(b.Address, 81), "nor routed ones");
    }

    private sealed class ForeignPod : Station
    {
        private readonly PodNode _node;
        private readonly string _name;
        private readonly string _config;

        public ForeignPod(PodNode node, int number, string plugin)
            : base(NamedNamespaces.Create($"{node.Name}-foreign{number}"))
        {
            (_node, _name) = (node, $"{node.Name}-foreign{number}");
            string bridge = plugin == "bridge" ? "\"bridge\":\"weft-br0\",\"isGateway\":true," : string.Empty;
            _config = $$"""
                {"cniVersion":"1.0.0","name":"{{node.Name}}","type":"{{plugin}}",{{bridge}}
                 "ipam":{"type":"host-local","dataDir":"/run/{{node.Name}}","ranges":[[{"subnet":"10.66.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}] } }
                """;
            JsonNode result = JsonNode.Parse(Call("ADD"))!;
            Interface = result["interfaces"]!.AsArray().Select(i => (string)i!["name"]!).First(name => name.StartsWith("veth", StringComparison.Ordinal));
            Address = IpPrefix.TryParseNet(((string)result["ips"]![0]!["address"]!).Split('/')[0], out IpPrefix prefix) ? prefix.Address : default;
            PodNode.Run(new ProcessRunner(Space), "ip link set lo up");
        }

        public string Interface { get; }

        public IpAddress Address { get; }

        public WorkloadEndpointId Id(string name) => new("k8s", $"default/{name}", "eth0");

        public WorkloadEndpointUpdate Endpoint(string name, TierPolicies[] tiers, string[] profiles) =>
            new(Id(name), $"default/{name}", Interface, null, [Address.ToPrefix()], profiles, tiers, [], 1);

        public override void Dispose()
        {
            base.Dispose();
            Call("DEL");
            Space.Dispose();
            NamedNamespaces.Delete(_name);
        }

        private string Call(string command)
        {
            ProcessResult result = _node.Tools.Run(new ProcessRequest($"{PluginFolder}/{(_config.Contains("\"ptp\"", StringComparison.Ordinal) ? "ptp" : "bridge")}")
            {
                Input = Encoding.UTF8.GetBytes(_config),
                Environment = new Dictionary<string, string?>
                {
                    ["CNI_COMMAND"] = command, ["CNI_CONTAINERID"] = _name, ["CNI_NETNS"] = $"/run/netns/{_name}", ["CNI_IFNAME"] = "eth0", ["CNI_PATH"] = PluginFolder,
                },
            });
            Assert.True(result.IsSuccess, $"CNI {command}: {result} {result.OutputText}");
            return result.OutputText;
        }
    }
}
