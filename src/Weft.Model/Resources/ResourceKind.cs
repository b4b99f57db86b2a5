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

    public static readonly ResourceKind BGPConfiguration = new("BGPConfiguration", "bgpconfigurations", ResourceScope.Cluster, "bgpconfiguration", "bgpconfig");
    public static readonly ResourceKind BGPFilter = new("BGPFilter", "bgpfilters", ResourceScope.Cluster, "bgpfilter");
    public static readonly ResourceKind BGPPeer = new("BGPPeer", "bgppeers", ResourceScope.Cluster, "bgppeer");
    public static readonly ResourceKind BlockAffinity = new("BlockAffinity", "blockaffinities", ResourceScope.Cluster, "blockaffinity");
    public static readonly ResourceKind CalicoNodeStatus = new("CalicoNodeStatus", "caliconodestatuses", ResourceScope.Cluster, "caliconodestatus");
    public static readonly ResourceKind ClusterInformation = new("ClusterInformation", "clusterinformations", ResourceScope.Cluster, "clusterinformation", "clusterinfo");
    public static readonly ResourceKind FelixConfiguration = new("FelixConfiguration", "felixconfigurations", ResourceScope.Cluster, "felixconfiguration", "felixconfig");
    public static readonly ResourceKind GlobalNetworkPolicy = new("GlobalNetworkPolicy", "globalnetworkpolicies", ResourceScope.Cluster, "globalnetworkpolicy", "gnp", "cgnp");
    public static readonly ResourceKind GlobalNetworkSet = new("GlobalNetworkSet", "globalnetworksets", ResourceScope.Cluster, "globalnetworkset");
    public static readonly ResourceKind HostEndpoint = new("HostEndpoint", "hostendpoints", ResourceScope.Cluster, "hostendpoint", "hep", "heps");
    public static readonly ResourceKind IPAMConfiguration = new("IPAMConfiguration", "ipamconfigurations", ResourceScope.Cluster, "ipamconfiguration", "ipamconfig");
    public static readonly ResourceKind IPPool = new("IPPool", "ippools", ResourceScope.Cluster, "ippool", "pool", "pools");
    public static readonly ResourceKind IPReservation = new("IPReservation", "ipreservations", ResourceScope.Cluster, "ipreservation");
    public static readonly ResourceKind KubeControllersConfiguration = new("KubeControllersConfiguration", "kubecontrollersconfigurations", ResourceScope.Cluster, "kubecontrollersconfiguration");
    public static readonly ResourceKind NetworkPolicy = new("NetworkPolicy", "networkpolicies", ResourceScope.Namespaced, "networkpolicy", "np", "cnp", "policy", "policies");
    public static readonly ResourceKind NetworkSet = new("NetworkSet", "networksets", ResourceScope.Namespaced, "networkset", "netset");
    public static readonly ResourceKind Node = new("Node", "nodes", ResourceScope.Cluster, "node", "no");
    public static readonly ResourceKind Profile = new("Profile", "profiles", ResourceScope.Cluster, "profile", "pro");
    public static readonly ResourceKind StagedGlobalNetworkPolicy = new("StagedGlobalNetworkPolicy", "stagedglobalnetworkpolicies", ResourceScope.Cluster, "stagedglobalnetworkpolicy", "sgnp");
    public static readonly ResourceKind StagedKubernetesNetworkPolicy = new("StagedKubernetesNetworkPolicy", "stagedkubernetesnetworkpolicies", ResourceScope.Namespaced, "stagedkubernetesnetworkpolicy", "sknp");
    public static readonly ResourceKind StagedNetworkPolicy = new("StagedNetworkPolicy", "stagednetworkpolicies", ResourceScope.Namespaced, "stagednetworkpolicy", "snp", "scnp");
    public static readonly ResourceKind Tier = new("Tier", "tiers", ResourceScope.Cluster, "tier");
    public static readonly ResourceKind WorkloadEndpoint = new("WorkloadEndpoint", "workloadendpoints", ResourceScope.Namespaced, "workloadendpoint", "wep", "weps");

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
