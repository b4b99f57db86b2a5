using Weft.Bgp;
using Weft.Model.Ipam;
using Weft.Model.Resources;
using Weft.Node.Router;
using Weft.Primitives.Net;
using NodeResource = Weft.Model.Resources.Node;

namespace Weft.Node.Tests.Router;

/// <summary>Writes a cluster in few words; node "kube-master" is this node, as in the vectors of the reference.</summary>
internal sealed class Cluster
{
    public const string Self = "kube-master";

    public ClusterState State { get; } = new(Self);

    public Dictionary<string, Secret> Secrets { get; } = [];

    public RouterSettings Settings { get; set; } = new() { NodeName = Self, UsesDatastore = true };

    /// <summary>kube-master 10.192.0.2, kube-node-1 .3, kube-node-2 .4, all in AS 64512.</summary>
    public static Cluster OfThree() => new Cluster().Node(Self, "10.192.0.2/16").Node("kube-node-1", "10.192.0.3/16").Node("kube-node-2", "10.192.0.4/16");

    public Cluster Node(string name, string? ipv4, string? ipv6 = null, uint? asNumber = null, string? clusterId = null, params (string, string)[] labels)
    {
        State.Nodes[name] = new NodeResource
        {
            Metadata = new ObjectMeta { Name = name, Labels = labels.ToDictionary(l => l.Item1, l => l.Item2) },
            Spec = new NodeSpec
            {
                Bgp = new NodeBgpSpec { Ipv4Address = ipv4, Ipv6Address = ipv6, AsNumber = asNumber is { } a ? new AsNumber(a) : null, RouteReflectorClusterID = clusterId },
            },
        };
        return this;
    }

    public Cluster Configuration(string name, Action<BGPConfigurationSpec> edit)
    {
        if (!State.Configurations.TryGetValue(name, out BGPConfiguration? configuration))
        {
            State.Configurations[name] = configuration = new BGPConfiguration();
        }

        edit(configuration.Spec);
        return this;
    }

    public Cluster Peer(string name, Action<BGPPeerSpec> edit)
    {
        BGPPeer peer = new();
        edit(peer.Spec);
        State.Peers[name] = peer;
        return this;
    }

    public Cluster Filter(string name, Action<BGPFilterSpec> edit)
    {
        BGPFilter filter = new();
        edit(filter.Spec);
        State.Filters[name] = filter;
        return this;
    }

    public Cluster Pool(string cidr, string? ipip = null, string? vxlan = null, bool? disableExport = null)
    {
        State.Pools[cidr] = new IPPool { Spec = new IPPoolSpec { Cidr = cidr, IpipMode = ipip, VxlanMode = vxlan, DisableBGPExport = disableExport } };
        return this;
    }

    public Cluster Block(string cidr, string state)
    {
        State.Affinities[IpPrefix.Parse(cidr)] = new BlockAffinityValue { State = state };
        return this;
    }

    public Cluster Workload(string name, string node, string[] networks, params (string, string)[] labels)
    {
        State.Apply(new Weft.Model.Keys.ModelUpdate(new Weft.Model.Keys.ResourceKey(ResourceKind.WorkloadEndpoint, "default", name), new WorkloadEndpoint
        {
            Metadata = new ObjectMeta { Name = name, Namespace = "default", Labels = labels.ToDictionary(l => l.Item1, l => l.Item2) },
            Spec = new WorkloadEndpointSpec { Node = node, IpNetworks = [.. networks], Pod = name },
        }, 1));
        return this;
    }

    public DerivedRouting Derive() => PeerDerivation.Derive(State, Settings, name => Secrets.GetValueOrDefault(name));

    public static string Describe(PeerSettings peer) => string.Join(' ', new[]
    {
        peer.Name,
        peer.Connect == ConnectMode.Passive ? "passive" : null,
        peer.LocalAddress.Family == IpFamily.None ? "nosource" : null,
        peer.LocalAs != 0 ? $"local {peer.LocalAs}" : null,
        peer.RouteReflectorClient ? $"rr {peer.ClusterId}" : null,
        peer.NextHop switch { NextHopMode.Self => "self", NextHopMode.Keep => "keep", _ => null },
        peer.Port != 179 ? $"port {peer.Port}" : null,
        peer.AllowedLocalAs > 0 ? $"allow {peer.AllowedLocalAs}" : null,
        ((PeerTransportOptions)peer.TransportOptions!).TtlSecurity is > 0 and int hops ? $"ttl {hops}" : null,
        peer.RestartTime is { } restart ? $"restart {restart.TotalSeconds}" : null,
    }.Where(t => t is not null));
}
