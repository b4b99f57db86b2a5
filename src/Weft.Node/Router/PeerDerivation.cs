using System.Collections.Immutable;
using Weft.Bgp;
using Weft.Bgp.Policies;
using Weft.Model.Ipam;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>
/// Resources of the datastore -> what this node's speaker shall do. Pure: the same state gives the same answer, in the same order. Called by the router's loop
/// after every batch of changes; the reconciler finds out what of it is new.
/// </summary>
internal sealed class PeerDerivation
{
    /// <summary>AS of a cluster that names none.</summary>
    public const uint DefaultAs = 64512;

    /// <summary>Kernel metric of routes when no BGPConfiguration says otherwise.</summary>
    public const uint NormalPriority = 1024;

    /// <summary>A node with this label set to true announces no service routes.</summary>
    private const string ExcludeLabel = "node.kubernetes.io/exclude-from-external-load-balancers";

    private readonly ClusterState _state;
    private readonly RouterSettings _settings;
    private readonly List<string> _problems = [];

    private PeerDerivation(ClusterState state, RouterSettings settings) => (_state, _settings) = (state, settings);

    /// <param name="state">The datastore.</param>
    /// <param name="settings">What the settings file pins.</param>
    /// <param name="secrets">Password by "name/key", or null when there is none.</param>
    public static DerivedRouting Derive(ClusterState state, RouterSettings settings, Func<string, Secret?> secrets) =>
        new PeerDerivation(state, settings).Derive(secrets);

    private DerivedRouting Derive(Func<string, Secret?> secrets)
    {
        Dictionary<string, NodeIdentity> nodes = new(StringComparer.Ordinal);
        foreach ((string name, Model.Resources.Node node) in _state.Nodes)
        {
            nodes[name] = NodeIdentity.From(name, node, _problems);
        }

        if (!nodes.TryGetValue(_settings.NodeName, out NodeIdentity? self))
        {
            return new DerivedRouting { Waiting = $"the datastore has no Node {_settings.NodeName} yet" };
        }

        BGPConfigurationSpec cluster = _state.Configurations.TryGetValue("default", out BGPConfiguration? shared) ? shared.Spec : new BGPConfigurationSpec();
        BGPConfigurationSpec own = _state.Configurations.TryGetValue($"node.{self.Name}", out BGPConfiguration? single) ? single.Spec : new BGPConfigurationSpec();
        uint localAs = _settings.LocalAs ?? self.AsNumber ?? cluster.AsNumber?.Value ?? DefaultAs;
        uint metricIPv4 = (uint?)cluster.Ipv4NormalRoutePriority ?? NormalPriority;
        uint metricIPv6 = (uint?)cluster.Ipv6NormalRoutePriority ?? NormalPriority;
        List<(IpPrefix Cidr, IPPoolSpec Spec)> pools = Pools();
        List<IpPrefix> services = ServiceRanges(cluster, out List<IpPrefix> reflected);
        bool excluded = self.Labels.TryGetValue(ExcludeLabel, out string? label) && label == "true";
        List<IpPrefix> serviceRoutes = excluded ? [] : ServiceRoutes(cluster);
        List<IpPrefix> announcedBlocks = [.. _state.Affinities.Where(a => a.Value.State is null or "" or "confirmed" && !a.Value.Deleted).Select(a => a.Key)];
        RoutePolicy export = ExportRules.Build(
            pools, announcedBlocks, metricIPv4, metricIPv6, serviceRoutes, self.ClusterId is null ? [] : reflected, Advertisements(own.PrefixAdvertisements ?? cluster.PrefixAdvertisements, cluster),
            agentProgramsIpip: cluster.ProgramClusterRoutes is not ("Enabled" or "EnabledIPIPOnly"));
        PeerBuilder peers = new(_state, _settings, self, nodes, cluster, localAs, export, secrets, _problems);
        ImmutableArray<PeerSettings> peerSettings = peers.Build();
        IpAddress? routerId = _settings.RouterId
            ?? (_settings.RouterIdFromName ? NodeIdentity.RouterIdFromName(self.Name) : self.IPv4.Address.IsIPv4 ? self.IPv4.Address : null);
        return new DerivedRouting
        {
            LocalAs = localAs,
            RouterId = routerId,
            ClusterId = _settings.ClusterId ?? self.ClusterId,
            Listen = Listen(cluster, own, self),
            Peers = peerSettings,
            Originated = Originated(announcedBlocks.Concat(serviceRoutes), metricIPv4, metricIPv6),
            Blackholes = [.. announcedBlocks.Where(b => !b.IsHost)],
            HostRoutes = peers.HostRoutes.ToImmutableSortedDictionary(),
            Kernel = KernelRules.From(cluster, pools, services, self.IPv4.Address.IsIPv4 ? self.IPv4.Prefix : default) with { Encrypted = Encrypted(nodes.Values, self) },
            Workloads = new WorkloadRoutes([.. pools.Select(p => p.Cidr)], [.. announcedBlocks], metricIPv4, metricIPv6),
            NeedsWorkloads = _state.Peers.Values.Any(p => !string.IsNullOrEmpty(p.Spec.LocalWorkloadSelector)),
            Export = export,
            MetricIPv4 = metricIPv4,
            MetricIPv6 = metricIPv6,
            Secrets = [.. peers.Secrets],
            Problems = [.. _problems],
            Waiting = routerId is null ? $"Node {self.Name} has no IPv4 address to make a router id of; set [router] router-id, or router-id = hash" : null,
        };
    }

    /// <summary>Where this node encrypts, traffic to nodes that do so too is the agent's to route.</summary>
    private static ImmutableArray<IpAddress> Encrypted(IEnumerable<NodeIdentity> nodes, NodeIdentity self) =>
    [
        .. from family in (IpFamily[])[IpFamily.IPv4, IpFamily.IPv6]
           where self.Encrypts(family)
           from node in nodes
           where node.Name != self.Name && node.Encrypts(family) && node.Address(family).Family == family
           orderby node.Name
           select node.Address(family),
    ];

    private List<(IpPrefix Cidr, IPPoolSpec Spec)> Pools()
    {
        List<(IpPrefix, IPPoolSpec)> pools = [];
        foreach ((string name, IPPool pool) in _state.Pools)
        {
            if (IpPrefix.TryParse(pool.Spec.Cidr, out IpPrefix cidr))
            {
                pools.Add((cidr, pool.Spec));
            }
            else
            {
                _problems.Add($"IPPool {name}: spec.cidr \"{pool.Spec.Cidr}\" is not a prefix");
            }
        }

        return pools;
    }

    /// <summary>All configured ranges; those of external and load-balancer addresses also apart, for route reflectors.</summary>
    private List<IpPrefix> ServiceRanges(BGPConfigurationSpec cluster, out List<IpPrefix> reflected)
    {
        List<IpPrefix> all = [];
        reflected = [];
        foreach ((List<ServiceCidr>? source, bool reflect) in new[] { (cluster.ServiceClusterIPs, false), (cluster.ServiceLoadBalancerIPs, true), (cluster.ServiceExternalIPs, true) })
        {
            foreach (ServiceCidr entry in source ?? [])
            {
                if (string.IsNullOrEmpty(entry.Cidr))
                {
                    continue;
                }

                if (!IpPrefix.TryParse(entry.Cidr, out IpPrefix cidr))
                {
                    _problems.Add($"BGPConfiguration default: \"{entry.Cidr}\" is not a prefix");
                    continue;
                }

                all.Add(cidr);
                if (reflect)
                {
                    reflected.Add(cidr);
                }
            }
        }

        return all;
    }

    /// <summary>
    /// Ranges announced as a whole: those of cluster IPs; of external and load-balancer IPs those with more than one address, of the latter only with aggregation.
    /// What is announced address by address needs the Services and EndpointSlices of Kubernetes, which the datastore does not hold.
    /// </summary>
    private List<IpPrefix> ServiceRoutes(BGPConfigurationSpec cluster)
    {
        bool aggregated = cluster.ServiceLoadBalancerAggregation != "Disabled";
        if (!aggregated && cluster.ServiceLoadBalancerIPs is { Count: > 0 })
        {
            _problems.Add("BGPConfiguration default: serviceLoadBalancerAggregation Disabled: the addresses of single services are not announced, only Kubernetes knows them");
        }

        List<IpPrefix> routes = [.. Valid(cluster.ServiceClusterIPs)];
        routes.AddRange(Valid(cluster.ServiceExternalIPs).Where(c => !c.IsHost));
        routes.AddRange(aggregated ? Valid(cluster.ServiceLoadBalancerIPs).Where(c => !c.IsHost) : []);
        return routes;
    }

    private static IEnumerable<IpPrefix> Valid(List<ServiceCidr>? source)
    {
        foreach (ServiceCidr entry in source ?? [])
        {
            if (IpPrefix.TryParse(entry.Cidr, out IpPrefix cidr))
            {
                yield return cidr;
            }
        }
    }

    private List<(IpPrefix, ImmutableArray<RouteEdit>)> Advertisements(List<PrefixAdvertisement>? source, BGPConfigurationSpec cluster)
    {
        Dictionary<string, string> named = (cluster.Communities ?? []).Where(c => c.Name is not null && c.Value is not null)
            .DistinctBy(c => c.Name).ToDictionary(c => c.Name!, c => c.Value!, StringComparer.Ordinal);
        List<(IpPrefix, ImmutableArray<RouteEdit>)> advertisements = [];
        foreach (PrefixAdvertisement advertisement in source ?? [])
        {
            if (!IpPrefix.TryParse(advertisement.Cidr, out IpPrefix cidr))
            {
                _problems.Add($"BGPConfiguration: prefixAdvertisements cidr \"{advertisement.Cidr}\" is not a prefix");
                continue;
            }

            // An unknown name is dropped, as upstream; the order is that of the text.
            SortedSet<string> values = new(StringComparer.Ordinal);
            foreach (string community in advertisement.Communities ?? [])
            {
                values.Add(named.TryGetValue(community, out string? value) ? value : community);
            }

            List<RouteEdit> edits = [];
            foreach (string value in values)
            {
                if (CommunityText.TryEdit(value, out RouteEdit edit))
                {
                    edits.Add(edit);
                }
            }

            if (edits.Count > 0)
            {
                advertisements.Add((cidr, [.. edits]));
            }
        }

        return advertisements;
    }

    private static ImmutableArray<ListenEndpoint> Listen(BGPConfigurationSpec cluster, BGPConfigurationSpec own, NodeIdentity self)
    {
        int port = own.ListenPort ?? cluster.ListenPort ?? ListenEndpoint.BgpPort;
        return cluster.BindMode == "NodeIP"
            ? [.. new[] { self.IPv4.Address, self.IPv6.Address }.Where(a => a.Family != IpFamily.None).Select(a => new ListenEndpoint(a, port))]
            : [.. ListenEndpoint.Anywhere.Select(e => e with { Port = port })];
    }

    /// <summary>LOCAL_PREF carries the route's priority between nodes of the cluster, turned around: the lower the metric, the higher the preference.</summary>
    private static ImmutableSortedDictionary<IpPrefix, RouteAttributes> Originated(IEnumerable<IpPrefix> prefixes, uint metricIPv4, uint metricIPv6)
    {
        RouteAttributes ipv4 = RouteAttributes.Default with { LocalPreference = FilterCompiler.PriorityBase - metricIPv4 };
        RouteAttributes ipv6 = RouteAttributes.Default with { LocalPreference = FilterCompiler.PriorityBase - metricIPv6 };
        return prefixes.Distinct().ToImmutableSortedDictionary(p => p, p => p.IsIPv6 ? ipv6 : ipv4);
    }
}
