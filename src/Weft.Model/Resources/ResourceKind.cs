namespace Weft.Model.Resources;

/// <summary>Whether objects of a kind live in a namespace.</summary>
public enum ResourceScope : byte
{
    Cluster,
    Namespaced,
}

/// <summary>
/// One kind of projectcalico.org/v3: its names and its place in the datastore. Instances exist only here; compare by reference.
/// Source: the table of kinds in Calico's backend model (plural as stored under /calico/resources/v3/projectcalico.org/).
/// </summary>
public sealed class ResourceKind
{
    public const string ApiVersion = "projectcalico.org/v3";

    public static readonly ResourceKind BGPConfiguration = new("BGPConfiguration", "bgpconfigurations", ResourceScope.Cluster, "bgpconfig", "bgpconfigs");
    public static readonly ResourceKind BGPFilter = new("BGPFilter", "bgpfilters", ResourceScope.Cluster, "bgpf", "bf", "bfs");
    public static readonly ResourceKind BGPPeer = new("BGPPeer", "bgppeers", ResourceScope.Cluster, "bgpp", "bgpps", "bp", "bps");
    public static readonly ResourceKind BlockAffinity = new("BlockAffinity", "blockaffinities", ResourceScope.Cluster);
    public static readonly ResourceKind CalicoNodeStatus = new("CalicoNodeStatus", "caliconodestatuses", ResourceScope.Cluster, "nodestatus", "nodestatuses");
    public static readonly ResourceKind ClusterInformation = new("ClusterInformation", "clusterinformations", ResourceScope.Cluster, "clusterinfo", "clusterinfos");
    public static readonly ResourceKind FelixConfiguration = new("FelixConfiguration", "felixconfigurations", ResourceScope.Cluster, "felixconfig", "felixconfigs");
    public static readonly ResourceKind GlobalNetworkPolicy = new("GlobalNetworkPolicy", "globalnetworkpolicies", ResourceScope.Cluster, "gnp", "gnps", "cgnp");
    public static readonly ResourceKind GlobalNetworkSet = new("GlobalNetworkSet", "globalnetworksets", ResourceScope.Cluster, "gnetset", "gnetsets");
    public static readonly ResourceKind HostEndpoint = new("HostEndpoint", "hostendpoints", ResourceScope.Cluster, "hep", "heps");
    public static readonly ResourceKind IPAMConfiguration = new("IPAMConfiguration", "ipamconfigurations", ResourceScope.Cluster, "ipamconfig", "ipamconfigs");
    public static readonly ResourceKind IPPool = new("IPPool", "ippools", ResourceScope.Cluster, "ipp", "ipps", "pool", "pools");
    public static readonly ResourceKind IPReservation = new("IPReservation", "ipreservations", ResourceScope.Cluster, "reservation", "reservations");
    public static readonly ResourceKind KubeControllersConfiguration = new("KubeControllersConfiguration", "kubecontrollersconfigurations", ResourceScope.Cluster, "kubecontrollersconfig", "kubecontrollersconfigs");
    public static readonly ResourceKind NetworkPolicy = new("NetworkPolicy", "networkpolicies", ResourceScope.Namespaced, "policy", "policies", "np", "nps", "cnp", "pol", "pols");
    public static readonly ResourceKind NetworkSet = new("NetworkSet", "networksets", ResourceScope.Namespaced, "netset", "netsets");
    public static readonly ResourceKind Node = new("Node", "nodes", ResourceScope.Cluster, "no", "nos");
    public static readonly ResourceKind Profile = new("Profile", "profiles", ResourceScope.Cluster, "pro", "pros");
    public static readonly ResourceKind StagedGlobalNetworkPolicy = new("StagedGlobalNetworkPolicy", "stagedglobalnetworkpolicies", ResourceScope.Cluster, "sgnp", "sgnps");
    public static readonly ResourceKind StagedKubernetesNetworkPolicy = new("StagedKubernetesNetworkPolicy", "stagedkubernetesnetworkpolicies", ResourceScope.Namespaced, "stagedkubernetespolicy", "stagedkubernetespolicies", "sknp", "skpol", "skpols");
    public static readonly ResourceKind StagedNetworkPolicy = new("StagedNetworkPolicy", "stagednetworkpolicies", ResourceScope.Namespaced, "stagedpolicy", "stagedpolicies", "snp", "scnp", "spol", "spols");
    public static readonly ResourceKind Tier = new("Tier", "tiers", ResourceScope.Cluster);
    public static readonly ResourceKind WorkloadEndpoint = new("WorkloadEndpoint", "workloadendpoints", ResourceScope.Namespaced, "wep", "weps");

    /// <summary>A policy made of one of networking.k8s.io: its values are <see cref="Resources.NetworkPolicy"/>. Comes from the Kubernetes API, is never stored.</summary>
    public static readonly ResourceKind KubernetesNetworkPolicy = new("KubernetesNetworkPolicy", "kubernetesnetworkpolicies", ResourceScope.Namespaced);

    /// <summary>A policy made of a ClusterNetworkPolicy: its values are <see cref="Resources.GlobalNetworkPolicy"/>. Never stored.</summary>
    public static readonly ResourceKind KubernetesClusterNetworkPolicy = new("KubernetesClusterNetworkPolicy", "kubernetesclusternetworkpolicies", ResourceScope.Cluster);

    /// <summary>Addresses and ports behind a service, of the Kubernetes API. Never stored.</summary>
    public static readonly ResourceKind EndpointSlice = new("EndpointSlice", "endpointslices", ResourceScope.Namespaced);

    private ResourceKind(string name, string plural, ResourceScope scope, params string[] aliases)
    {
        (Name, Plural, Scope, Aliases) = (name, plural, scope, aliases);
    }

    /// <summary>Every kind that is stored, in alphabetical order.</summary>
    public static IReadOnlyList<ResourceKind> All { get; } =
    [
        BGPConfiguration, BGPFilter, BGPPeer, BlockAffinity, CalicoNodeStatus, ClusterInformation, FelixConfiguration, GlobalNetworkPolicy, GlobalNetworkSet,
        HostEndpoint, IPAMConfiguration, IPPool, IPReservation, KubeControllersConfiguration, NetworkPolicy, NetworkSet, Node, Profile, StagedGlobalNetworkPolicy,
        StagedKubernetesNetworkPolicy, StagedNetworkPolicy, Tier, WorkloadEndpoint,
    ];

    /// <summary>As in the API: "IPPool".</summary>
    public string Name { get; }

    /// <summary>Lower case: "ippools".</summary>
    public string Plural { get; }

    public ResourceScope Scope { get; }

    /// <summary>Other words the command line accepts.</summary>
    public IReadOnlyList<string> Aliases { get; }

    public bool IsNamespaced => Scope == ResourceScope.Namespaced;

    /// <summary>By the API's name, exact case.</summary>
    public static ResourceKind? FromName(string name) => All.FirstOrDefault(k => k.Name == name);

    /// <summary>By the plural that stands in the key.</summary>
    public static ResourceKind? FromPlural(ReadOnlySpan<char> plural)
    {
        foreach (ResourceKind kind in All)
        {
            if (plural.SequenceEqual(kind.Plural))
            {
                return kind;
            }
        }

        return null;
    }

    /// <summary>By name, plural or alias, any case: what an operator types.</summary>
    public static ResourceKind? FromWord(string word) =>
        All.FirstOrDefault(k => k.Name.Equals(word, StringComparison.OrdinalIgnoreCase) || k.Plural.Equals(word, StringComparison.OrdinalIgnoreCase)
            || k.Aliases.Contains(word, StringComparer.OrdinalIgnoreCase));

    public override string ToString() => Name;
}
