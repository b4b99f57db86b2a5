using System.Collections.Immutable;
using System.Globalization;
using Weft.Bgp;
using Weft.Bgp.Policies;
using Weft.Model.Resources;
using Weft.Model.Selectors;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>
/// The peers of one node: first every BGPPeer for all nodes, then those for some, then the answering side of both, then the mesh. The first peer for an address
/// and port stays. Names are those of Calico's BIRD configuration ("Mesh_10_0_0_2"), so that what operators have written down keeps its meaning.
/// </summary>
internal sealed class PeerBuilder(
    ClusterState state,
    RouterSettings settings,
    NodeIdentity self,
    IReadOnlyDictionary<string, NodeIdentity> nodes,
    BGPConfigurationSpec cluster,
    uint localAs,
    RoutePolicy export,
    Func<string, Secret?> secrets,
    ICollection<string> problems)
{
    private static readonly Dictionary<string, string> s_noLabels = [];
    private static readonly IpFamily[] s_families = [IpFamily.IPv4, IpFamily.IPv6];

    private readonly Dictionary<(IpAddress Address, int Port), PeerSettings> _global = [];
    private readonly Dictionary<(IpAddress Address, int Port), PeerSettings> _specific = [];
    private readonly Dictionary<string, Selector?> _selectors = new(StringComparer.Ordinal);

    public SortedDictionary<IpPrefix, IpAddress> HostRoutes { get; } = [];

    /// <summary>"name/key" of every secret asked for.</summary>
    public SortedSet<string> Secrets { get; } = new(StringComparer.Ordinal);

    private readonly record struct Target(IpAddress Address, int Port, uint As, IpAddress? ClusterId, bool IsNode, bool IsDirect);

    public ImmutableArray<PeerSettings> Build()
    {
        foreach (bool global in new[] { true, false })
        {
            foreach ((string name, BGPPeer peer) in Ordered())
            {
                if (IsGlobal(peer.Spec) == global && (global || Selects(peer.Spec, self, name)))
                {
                    Forward(name, peer.Spec, global);
                }
            }
        }

        foreach ((string name, BGPPeer peer) in Ordered())
        {
            if (peer.Spec.ReversePeering != "Manual" && string.IsNullOrEmpty(peer.Spec.LocalWorkloadSelector))
            {
                Reverse(name, peer.Spec);
            }
        }

        List<PeerSettings> peers = [.. _global.Values, .. _specific.Where(s => !_global.ContainsKey(s.Key)).Select(s => s.Value)];
        peers.AddRange(Mesh(peers));
        peers.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        return [.. peers];
    }

    private IEnumerable<(string Name, BGPPeer Peer)> Ordered() => state.Peers.Select(p => (p.Key, p.Value));

    private static bool IsGlobal(BGPPeerSpec spec) => string.IsNullOrEmpty(spec.Node) && string.IsNullOrEmpty(spec.NodeSelector);

    /// <summary>Whether the peer's node or nodeSelector names this node.</summary>
    private bool Selects(BGPPeerSpec spec, NodeIdentity node, string name) =>
        !string.IsNullOrEmpty(spec.NodeSelector) ? Matches(spec.NodeSelector, node, name, "nodeSelector")
        : string.IsNullOrEmpty(spec.Node) || spec.Node == node.Name;

    private bool Matches(string text, NodeIdentity node, string peer, string member) => Matches(text, node.Labels, peer, member);

    private bool Matches(string text, IReadOnlyDictionary<string, string> labels, string peer, string member)
    {
        if (!_selectors.TryGetValue(text, out Selector? selector))
        {
            if (!Selector.TryParse(text, out selector, out string? error))
            {
                problems.Add($"BGPPeer {peer}: spec.{member} \"{text}\": {error}");
            }

            _selectors[text] = selector;
        }

        return selector is not null && selector.Matches(labels);
    }

    private void Forward(string name, BGPPeerSpec spec, bool global)
    {
        if (!string.IsNullOrEmpty(spec.LocalWorkloadSelector))
        {
            Workloads(name, spec, global);
            return;
        }

        foreach (Target target in Targets(name, spec))
        {
            // The own address among a selector's matches is no peer.
            if (target.Address != self.Address(target.Address.Family))
            {
                Emit(global ? _global : _specific, name, spec, target, global);
            }
        }
    }

    /// <summary>
    /// One passive peer for each local workload that the selector names, by the first address it has of each family. Upstream's rule: AS numbers and filters are
    /// applied, and nothing else.
    /// </summary>
    private void Workloads(string name, BGPPeerSpec spec, bool global)
    {
        if (spec.AsNumber is not { Value: > 0 } remoteAs)
        {
            problems.Add($"BGPPeer {name}: localWorkloadSelector needs asNumber; the peer is left out");
            return;
        }

        foreach (WorkloadEndpoint endpoint in state.Workloads.Values.Where(w => Matches(spec.LocalWorkloadSelector!, w.Metadata.Labels ?? s_noLabels, name, "localWorkloadSelector")))
        {
            IpPrefix[] networks = [.. (endpoint.Spec.IpNetworks ?? []).Select(n => IpPrefix.TryParseNet(n, out IpPrefix parsed) ? parsed : default).Where(n => n.Family != IpFamily.None)];
            foreach (IpAddress address in s_families.Select(f => networks.FirstOrDefault(n => n.Family == f).Address).Where(a => a.Family != IpFamily.None))
            {
                Target target = new(address, 0, remoteAs.Value, null, IsNode: false, IsDirect: true);
                (global ? _global : _specific).TryAdd((address, 0), Template(target, $"Local_Workload_{Escape(address)}") with
                {
                    LocalAs = spec.LocalASNumber?.Value ?? 0,
                    Connect = ConnectMode.Passive,
                    KeepaliveTime = settings.KeepaliveTime,
                    NextHop = NextHop(spec, remoteAs.Value == (spec.LocalASNumber?.Value ?? localAs)),
                    Import = Policy(spec.Filters ?? [], FilterDirection.Import),
                    Export = Policy(spec.Filters ?? [], FilterDirection.Export),
                    TransportOptions = new PeerTransportOptions { Description = $"BGPPeer {name}, workload {endpoint.Metadata.Namespace}/{endpoint.Spec.Pod ?? endpoint.Spec.Workload ?? endpoint.Metadata.Name}" },
                });
            }
        }
    }

    private IEnumerable<Target> Targets(string name, BGPPeerSpec spec)
    {
        if (!string.IsNullOrEmpty(spec.PeerSelector))
        {
            return NodeTargets(nodes.Values.Where(n => Matches(spec.PeerSelector, n, name, "peerSelector")), s_families);
        }

        if (!ListenEndpoint.TryParse(spec.PeerIP ?? string.Empty, 0, out ListenEndpoint endpoint))
        {
            problems.Add($"BGPPeer {name}: spec.peerIP \"{spec.PeerIP}\": expected an address, address:port or [IPv6 address]:port");
            return [];
        }

        uint remoteAs = spec.AsNumber is { Value: > 0 } number ? number.Value : ClusterAs;
        NodeIdentity? node = nodes.Values.FirstOrDefault(n => n.Address(endpoint.Address.Family) == endpoint.Address);
        bool sameAs = node is not null && (node.AsNumber ?? ClusterAs) == remoteAs;
        int port = endpoint.Port != 0 || !sameAs ? endpoint.Port : ListenPort(node!.Name);
        return [new Target(endpoint.Address, port, remoteAs, null, IsNode: node is not null, IsDirect: true)];
    }

    private IEnumerable<Target> NodeTargets(IEnumerable<NodeIdentity> targets, IpFamily[] families) =>
        from node in targets
        from family in families
        where node.Address(family).Family != IpFamily.None
        select new Target(node.Address(family), ListenPort(node.Name), node.AsNumber ?? ClusterAs, node.ClusterId, IsNode: false, IsDirect: false);

    private uint ClusterAs => cluster.AsNumber?.Value ?? PeerDerivation.DefaultAs;

    /// <summary>0 when neither the node nor the cluster names one.</summary>
    private int ListenPort(string node) =>
        (state.Configurations.TryGetValue($"node.{node}", out BGPConfiguration? own) ? own.Spec.ListenPort : null) ?? cluster.ListenPort ?? 0;

    /// <summary>The other side of a BGPPeer that reaches this node: without it one of two nodes would never answer.</summary>
    private void Reverse(string name, BGPPeerSpec spec)
    {
        IpFamily[] families = s_families;
        bool reachesUs;
        if (!string.IsNullOrEmpty(spec.PeerSelector))
        {
            reachesUs = Matches(spec.PeerSelector, self, name, "peerSelector");
        }
        else if (ListenEndpoint.TryParse(spec.PeerIP ?? string.Empty, 0, out ListenEndpoint endpoint))
        {
            families = [endpoint.Address.Family];
            uint remoteAs = spec.AsNumber is { Value: > 0 } number ? number.Value : ClusterAs;
            reachesUs = self.Address(endpoint.Address.Family) == endpoint.Address && remoteAs == (self.AsNumber ?? ClusterAs) && PortIsOurs(endpoint.Port);
        }
        else
        {
            return;
        }

        if (reachesUs)
        {
            foreach (Target target in NodeTargets(nodes.Values.Where(n => n.Name != self.Name && Selects(spec, n, name)), families))
            {
                Emit(_specific, name, spec, target, global: false);
            }
        }
    }

    /// <summary>Upstream's rule: a port named by the peer must be both our own and, when there is one, the cluster's.</summary>
    private bool PortIsOurs(int port) =>
        port == 0 || (port == (ListenPort(self.Name) is var own and not 0 ? own : ListenEndpoint.BgpPort) && (cluster.ListenPort is null || cluster.ListenPort == port));

    private void Emit(Dictionary<(IpAddress, int), PeerSettings> table, string name, BGPPeerSpec spec, Target target, bool global)
    {
        (IpAddress, int) key = (target.Address, target.Port is 0 or ListenEndpoint.BgpPort ? 0 : target.Port);
        if (self.Address(target.Address.Family).Family != IpFamily.None && !table.ContainsKey(key) && TryBuild(name, spec, target, global, out PeerSettings? peer))
        {
            table.Add(key, peer!);
        }
    }

    private bool TryBuild(string name, BGPPeerSpec spec, Target target, bool global, out PeerSettings? peer)
    {
        peer = null;
        IpFamily family = target.Address.Family;
        IpAddress ownAddress = self.Address(family);
        if (spec.ReachableBy is { Length: > 0 } gatewayText)
        {
            if (!IpAddress.TryParse(gatewayText, out IpAddress gateway) || gateway.Family != family)
            {
                problems.Add($"BGPPeer {name}: spec.reachableBy \"{gatewayText}\" is not an {family} address; the peer is left out");
                return false;
            }

            HostRoutes[target.Address.ToPrefix()] = gateway;
        }

        uint peerLocalAs = target.IsDirect ? spec.LocalASNumber?.Value ?? 0 : 0;
        uint effectiveAs = peerLocalAs != 0 ? peerLocalAs : localAs;
        bool isInternal = target.As == effectiveAs;
        List<string> filters = spec.Filters ?? [];
        peer = Template(target, $"{(global ? "Global" : "Node")}_{Escape(target.Address)}{(target.Port > 0 ? $"_port_{target.Port}" : "")}") with
        {
            LocalAddress = spec.SourceAddress == "None" ? default : ownAddress,
            LocalAs = peerLocalAs,
            Connect = global && target.IsNode && IsAfterOurs(target.Address) ? ConnectMode.Passive : ConnectMode.Active,
            KeepaliveTime = Duration(name, "keepaliveTime", spec.KeepaliveTime) ?? settings.KeepaliveTime,
            RestartTime = Duration(name, "maxRestartTime", spec.MaxRestartTime),
            RouteReflectorClient = self.ClusterId is not null && isInternal && target.ClusterId != self.ClusterId,
            ClusterId = self.ClusterId ?? default,
            NextHop = NextHop(spec, isInternal),
            AllowedLocalAs = target.IsDirect ? spec.NumAllowedLocalASNumbers ?? 0 : 0,
            Import = Policy(filters, FilterDirection.Import),
            Export = Policy(filters, FilterDirection.Export),
            TransportOptions = new PeerTransportOptions
            {
                Password = Password($"BGPPeer {name}", spec.Password),
                TtlSecurity = spec.TtlSecurity ?? 0,
                Description = $"BGPPeer {name}",
            },
        };
        return true;
    }

    /// <summary>keepOriginalNextHop is the older spelling, only ever effective towards external peers.</summary>
    private static NextHopMode NextHop(BGPPeerSpec spec, bool isInternal) => spec.NextHopMode switch
    {
        "Self" => NextHopMode.Self,
        "Keep" => NextHopMode.Keep,
        null or "" when spec.KeepOriginalNextHop == true && !isInternal => NextHopMode.Keep,
        _ => NextHopMode.Auto,
    };

    private RoutePolicy? Policy(List<string> filters, FilterDirection direction)
    {
        ImmutableArray<PolicyRule>? rules = FilterCompiler.Compile(filters, state.Filters, direction, problems);
        return (rules, direction) switch
        {
            (null, _) => RoutePolicy.RejectAll,
            ({ Length: 0 }, FilterDirection.Import) => null,
            ({ } import, FilterDirection.Import) => new RoutePolicy { Rules = import, Default = PolicyVerdict.Accept },
            ({ Length: 0 }, _) => export,
            ({ } own, _) => new RoutePolicy { Rules = [.. own, .. export.Rules], Default = PolicyVerdict.Reject },
        };
    }

    /// <summary>Every node with every other, unless one of the two is a route reflector.</summary>
    private IEnumerable<PeerSettings> Mesh(List<PeerSettings> configured)
    {
        if (cluster.NodeToNodeMeshEnabled == false || self.ClusterId is not null)
        {
            yield break;
        }

        HashSet<IpAddress> taken = [.. configured.Select(p => p.Address)];
        TimeSpan? restart = Duration("(mesh)", "nodeMeshMaxRestartTime", cluster.NodeMeshMaxRestartTime);
        foreach (NodeIdentity node in nodes.Values.Where(n => n.Name != self.Name && n.ClusterId is null))
        {
            foreach (IpFamily family in s_families)
            {
                IpAddress address = node.Address(family);
                IpAddress own = self.Address(family);
                if (address.Family == IpFamily.None || own.Family == IpFamily.None || address == own)
                {
                    continue;
                }

                if (taken.Contains(address))
                {
                    // One session per pair is enough, and the BGPPeer says more about it than the mesh does.
                    continue;
                }

                // A node without an AS of its own is taken to have ours, not the cluster's: upstream's rule, and both sides must agree on it.
                Target target = new(address, ListenPort(node.Name), node.AsNumber ?? localAs, null, IsNode: true, IsDirect: false);
                yield return Template(target, $"Mesh_{Escape(address)}") with
                {
                    LocalAddress = own,
                    Connect = IsAfterOurs(address) ? ConnectMode.Passive : ConnectMode.Active,
                    KeepaliveTime = settings.KeepaliveTime,
                    RestartTime = restart,
                    Export = export,
                    TransportOptions = new PeerTransportOptions
                    {
                        Password = Password("BGPConfiguration default", cluster.NodeMeshPassword),
                        Description = $"node {node.Name}",
                    },
                };
            }
        }
    }

    private PeerSettings Template(Target target, string name) => new()
    {
        Name = name,
        Address = target.Address,
        RemoteAs = target.As,
        Port = target.Port > 0 ? target.Port : ListenEndpoint.BgpPort,
        Families = target.Address.IsIPv6 ? AddressFamilies.IPv6 : AddressFamilies.IPv4,
        HoldTime = settings.HoldTime,
        ConnectRetryTime = settings.ConnectRetryTime,
    };

    /// <summary>Which side dials is decided by comparing the addresses as text; both sides must use this very rule.</summary>
    private bool IsAfterOurs(IpAddress address) => string.CompareOrdinal(address.ToString(), self.Address(address.Family).ToString()) > 0;

    private static string Escape(IpAddress address) => address.ToString().Replace('.', '_').Replace(':', '_');

    private Secret? Password(string owner, BgpPassword? password)
    {
        if (password?.SecretKeyRef is not { Name: { Length: > 0 } name } reference)
        {
            return null;
        }

        string file = $"{name}/{reference.Key}";
        Secrets.Add(file);
        Secret? secret = secrets(file);
        if (secret is null)
        {
            problems.Add($"{owner}: password {file} cannot be read from {settings.SecretsDirectory}; the session is tried without a password");
        }

        return secret;
    }

    /// <summary>A duration as Go writes it ("1m30s"), rounded to seconds; null when absent.</summary>
    private TimeSpan? Duration(string peer, string member, string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return null;
        }

        double seconds = 0;
        ReadOnlySpan<char> rest = text;
        while (rest.Length > 0)
        {
            int digits = rest.IndexOfAnyExcept("0123456789.");
            int unit = digits < 0 ? -1 : rest[digits..].IndexOfAny("0123456789.");
            ReadOnlySpan<char> name = digits < 0 ? [] : unit < 0 ? rest[digits..] : rest.Slice(digits, unit);
            double? factor = name switch { "h" => 3600, "m" => 60, "s" => 1, "ms" => 0.001, "us" or "µs" => 1e-6, "ns" => 1e-9, _ => null };
            if (factor is null || digits <= 0 || !double.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double amount))
            {
                problems.Add($"BGPPeer {peer}: {member} \"{text}\" is not a duration such as 90s or 1m30s");
                return null;
            }

            seconds += amount * factor.Value;
            rest = rest[(digits + name.Length)..];
        }

        return TimeSpan.FromSeconds(Math.Clamp(Math.Round(seconds), 0, 4095));
    }
}
