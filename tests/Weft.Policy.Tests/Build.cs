using System.Text.Json;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Kubernetes;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Policy.Tests;

/// <summary>Short words for the objects that tests are made of.</summary>
internal static class Build
{
    public const string ThisNode = "node1";

    public static ModelUpdate Workload(
        string name, string labels, string ips, string profiles = "", string ports = "", string node = ThisNode, string ns = "default", long revision = 1,
        Action<WorkloadEndpointSpec>? edit = null)
    {
        WorkloadEndpoint endpoint = new()
        {
            Metadata = Meta(name, ns, labels),
            Spec = new WorkloadEndpointSpec
            {
                Orchestrator = "k8s",
                Node = node,
                Pod = name,
                Endpoint = "eth0",
                InterfaceName = $"cali{name}",
                IpNetworks = [.. List(ips)],
                Profiles = [.. List(profiles)],
                Ports = [.. List(ports).Select(Port)],
            },
        };
        edit?.Invoke(endpoint.Spec);
        return new ModelUpdate(new ResourceKey(ResourceKind.WorkloadEndpoint, ns, name), endpoint, revision);
    }

    public static ModelUpdate HostEndpoint(
        string name, string labels, string interfaceName = "eth0", string node = ThisNode, string ips = "", string profiles = "", string ports = "") => new(
        new ResourceKey(ResourceKind.HostEndpoint, name),
        new HostEndpoint
        {
            Metadata = Meta(name, null, labels),
            Spec = new HostEndpointSpec
            {
                Node = node, InterfaceName = interfaceName, ExpectedIPs = [.. List(ips)], Profiles = [.. List(profiles)],
                Ports = [.. List(ports).Select(Port).Select(p => new EndpointPort { Name = p.Name ?? string.Empty, Protocol = p.Protocol, Port = p.Port })],
            },
        },
        1);

    /// <param name="services">CIDRs of cluster addresses.</param>
    public static ModelUpdate Bgp(string name, string services) => new(
        new ResourceKey(ResourceKind.BGPConfiguration, name),
        new BGPConfiguration { Metadata = Meta(name, null, ""), Spec = new BGPConfigurationSpec { ServiceClusterIPs = [.. List(services).Select(c => new ServiceCidr { Cidr = c })] } },
        1);

    public static ModelUpdate GlobalPolicy(
        string name, string selector, double? order = null, string? tier = null, Rule[]? ingress = null, Rule[]? egress = null, string types = "",
        Action<GlobalNetworkPolicySpec>? edit = null)
    {
        GlobalNetworkPolicy policy = new()
        {
            Metadata = Meta(name, null, ""),
            Spec = new GlobalNetworkPolicySpec
            {
                Selector = selector, Order = order, Tier = tier, Ingress = [.. ingress ?? []], Egress = [.. egress ?? []], Types = types.Length == 0 ? null : [.. List(types)],
            },
        };
        edit?.Invoke(policy.Spec);
        return new ModelUpdate(new ResourceKey(ResourceKind.GlobalNetworkPolicy, name), policy, 1);
    }

    public static ModelUpdate NamespacedPolicy(string name, string selector, Rule[]? ingress = null, Rule[]? egress = null, string ns = "default", string types = "", double? order = null) => new(
        new ResourceKey(ResourceKind.NetworkPolicy, ns, name),
        new NetworkPolicy
        {
            Metadata = Meta(name, ns, ""),
            Spec = new NetworkPolicySpec
            {
                Selector = selector, Order = order, Ingress = [.. ingress ?? []], Egress = [.. egress ?? []], Types = types.Length == 0 ? null : [.. List(types)],
            },
        },
        1);

    public static ModelUpdate StagedPolicy(string name, string selector, string? action = null) => new(
        new ResourceKey(ResourceKind.StagedGlobalNetworkPolicy, name),
        new StagedGlobalNetworkPolicy
        {
            Metadata = Meta(name, null, ""),
            Spec = new StagedGlobalNetworkPolicySpec { Selector = selector, StagedAction = action, Ingress = [Allow(from: "role == 'staged'")] },
        },
        1);

    public static ModelUpdate StagedNamespacedPolicy(string name, string selector, Rule[]? ingress = null, string ns = "default") => new(
        new ResourceKey(ResourceKind.StagedNetworkPolicy, ns, name),
        new StagedNetworkPolicy { Metadata = Meta(name, ns, ""), Spec = new StagedNetworkPolicySpec { Selector = selector, Ingress = [.. ingress ?? []] } },
        1);

    public static ModelUpdate Profile(string name, string labels = "", Rule[]? ingress = null, Rule[]? egress = null) => new(
        new ResourceKey(ResourceKind.Profile, name),
        new Profile
        {
            Metadata = Meta(name, null, ""),
            Spec = new ProfileSpec { LabelsToApply = Labels(labels), Ingress = [.. ingress ?? []], Egress = [.. egress ?? []] },
        },
        1);

    public static ModelUpdate Tier(string name, double? order, string? action = null) => new(
        new ResourceKey(ResourceKind.Tier, name), new Tier { Metadata = Meta(name, null, ""), Spec = new TierSpec { Order = order, DefaultAction = action } }, 1);

    public static ModelUpdate NetworkSet(string name, string labels, string nets, string ns = "default") => new(
        new ResourceKey(ResourceKind.NetworkSet, ns, name),
        new NetworkSet { Metadata = Meta(name, ns, labels), Spec = new NetworkSetSpec { Nets = [.. List(nets)] } },
        1);

    public static ModelUpdate GlobalNetworkSet(string name, string labels, string nets) => new(
        new ResourceKey(ResourceKind.GlobalNetworkSet, name),
        new GlobalNetworkSet { Metadata = Meta(name, null, labels), Spec = new NetworkSetSpec { Nets = [.. List(nets)] } },
        1);

    public static ModelUpdate Pool(string cidr, string? vxlan = null, string? ipip = null, bool nat = false, string? name = null) => new(
        new ResourceKey(ResourceKind.IPPool, name ?? $"pool-{cidr.Replace('/', '-').Replace(':', '-')}"),
        new IPPool { Spec = new IPPoolSpec { Cidr = cidr, VxlanMode = vxlan, IpipMode = ipip, NatOutgoing = nat } },
        1);

    public static ModelUpdate Node(string name, string? bgp = null, string? vxlan = null, string? bgp6 = null, Action<NodeSpec>? edit = null, string labels = "")
    {
        Node node = new() { Metadata = Meta(name, null, labels), Spec = new NodeSpec { Ipv4VXLANTunnelAddr = vxlan } };
        node.Spec.Bgp = bgp is null && bgp6 is null ? null : new NodeBgpSpec { Ipv4Address = bgp, Ipv6Address = bgp6 };
        edit?.Invoke(node.Spec);
        return new ModelUpdate(new ResourceKey(ResourceKind.Node, name), node, 1);
    }

    /// <param name="borrowed">"5=node2": ordinal and node.</param>
    public static ModelUpdate Block(string cidr, string? node, params string[] borrowed)
    {
        AllocationBlock block = new() { Cidr = cidr, Affinity = node is null ? null : $"host:{node}", Allocations = [.. Enumerable.Repeat<int?>(null, 64)] };
        foreach (string[] part in borrowed.Select(b => b.Split('=')))
        {
            block.Allocations[int.Parse(part[0])] = block.Attributes.Count;
            block.Attributes.Add(new AllocationAttribute { HandleId = "h", Secondary = new Dictionary<string, string> { ["node"] = part[1] } });
        }

        return new ModelUpdate(new BlockKey(IpPrefix.Parse(cidr)), block, 1);
    }

    public static ModelUpdate Slice(string name, string service, string addresses, int port) => new(
        new ResourceKey(ResourceKind.EndpointSlice, "default", name),
        new EndpointSlice
        {
            Metadata = Meta(name, "default", $"{EndpointSlice.ServiceLabel}={service}"),
            Endpoints = [.. List(addresses).Select(a => new SliceEndpoint { Addresses = [a] })],
            Ports = [new SlicePort { Protocol = "TCP", Port = port }],
        },
        1);

    /// <param name="fields">"vxlanEnabled=true".</param>
    public static ModelUpdate Felix(string name, string fields, string created = "2026-01-01T00:00:00Z") => new(
        new ResourceKey(ResourceKind.FelixConfiguration, name),
        new FelixConfiguration
        {
            Metadata = new ObjectMeta { Name = name, CreationTimestamp = created },
            Spec = new FelixConfigurationSpec
            {
                Fields = fields.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(f => f.Split('=', 2))
                    .ToDictionary(f => f[0], f => JsonDocument.Parse(f[1] is "true" or "false" ? f[1] : $"\"{f[1]}\"").RootElement),
            },
        },
        1);

    public static ModelUpdate Gone(ModelUpdate update) => new(update.Key, null, 0);

    public static ModelUpdate Unreadable(ModelUpdate update) => new(update.Key, null, 9, "spec: not JSON");

    public static Rule Allow(string? from = null, string? to = null, Protocol? protocol = null, string ports = "", string nets = "") =>
        Rule("Allow", from, to, protocol, ports, nets);

    public static Rule Deny(string? from = null, string? to = null, Protocol? protocol = null, string ports = "", string nets = "") =>
        Rule("Deny", from, to, protocol, ports, nets);

    public static Rule Rule(string action, string? from = null, string? to = null, Protocol? protocol = null, string ports = "", string nets = "") => new()
    {
        Action = action,
        Protocol = protocol,
        Source = from is null && nets.Length == 0 ? null : new EntityRule { Selector = from, Nets = [.. List(nets)] },
        Destination = to is null && ports.Length == 0
            ? null
            : new EntityRule { Selector = to, Ports = [.. List(ports).Select(p => Model.Resources.Port.TryParse(p, out Port port) ? port : throw new FormatException(p))] },
    };

    public static Dictionary<string, string> Labels(string text) => List(text).Select(pair => pair.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);

    private static ObjectMeta Meta(string name, string? ns, string labels) => new() { Name = name, Namespace = ns, Labels = Labels(labels) };

    /// <summary>"http:tcp:8080".</summary>
    private static WorkloadEndpointPort Port(string text)
    {
        string[] parts = text.Split(':');
        return new WorkloadEndpointPort { Name = parts[0], Protocol = Protocol.FromText(parts[1].ToUpperInvariant()), Port = int.Parse(parts[2]) };
    }

    private static string[] List(string text) => text.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries);
}
