using System.Globalization;
using Weft.Model.Resources;

namespace Weft.Ctl.Output;

/// <summary>One column of a table of objects.</summary>
/// <param name="Heading">Upper case.</param>
/// <param name="Cell">Empty for nothing to show.</param>
internal sealed record ResourceColumn(string Heading, Func<Resource, string?> Cell);

/// <summary>The columns of every kind, plain and wide, as calicoctl has them (reference control-plane 5.3).</summary>
internal static class ResourceColumns
{
    // calicoctl cuts long lists here.
    private const int MaxList = 80;

    private static readonly ResourceColumn s_name = new("NAME", r => r.Metadata.Name);

    /// <param name="kind">The kind.</param>
    /// <param name="wide">All columns.</param>
    /// <param name="globalAs">AS number of the cluster, shown in brackets for nodes that have none of their own.</param>
    public static IReadOnlyList<ResourceColumn> Of(ResourceKind kind, bool wide, string globalAs) => kind.Name switch
    {
        nameof(BGPConfiguration) =>
        [
            s_name,
            Column<BGPConfiguration>("LOGSEVERITY", c => c.Spec.LogSeverityScreen),
            Column<BGPConfiguration>("MESHENABLED", c => Text(c.Spec.NodeToNodeMeshEnabled)),
            Column<BGPConfiguration>("ASNUMBER", c => c.Spec.AsNumber?.ToString()),
        ],
        nameof(BGPFilter) =>
        [
            s_name,
            Column<BGPFilter>("NUMEXPORTV4", f => Count(f.Spec.ExportV4)),
            Column<BGPFilter>("NUMIMPORTV4", f => Count(f.Spec.ImportV4)),
            Column<BGPFilter>("NUMEXPORTV6", f => Count(f.Spec.ExportV6)),
            Column<BGPFilter>("NUMIMPORTV6", f => Count(f.Spec.ImportV6)),
        ],
        nameof(BGPPeer) =>
        [
            s_name,
            Column<BGPPeer>("PEERIP", p => p.Spec.PeerIP),
            Column<BGPPeer>("NODE", p => First(p.Spec.Node, p.Spec.NodeSelector, "(global)")),
            Column<BGPPeer>("ASN", p => p.Spec.AsNumber?.ToString()),
        ],
        nameof(ClusterInformation) =>
        [
            s_name,
            Column<ClusterInformation>("CLUSTERGUID", c => c.Spec.ClusterGUID),
            Column<ClusterInformation>("CLUSTERTYPE", c => c.Spec.ClusterType),
            Column<ClusterInformation>("CALICOVERSION", c => c.Spec.CalicoVersion),
            Column<ClusterInformation>("DATASTOREREADY", c => Text(c.Spec.DatastoreReady)),
        ],
        nameof(GlobalNetworkPolicy) => Policy<GlobalNetworkPolicy>(wide, p => p.Spec),
        nameof(NetworkPolicy) => Policy<NetworkPolicy>(wide, p => p.Spec),
        nameof(StagedGlobalNetworkPolicy) => Policy<StagedGlobalNetworkPolicy>(wide, p => p.Spec),
        nameof(StagedNetworkPolicy) => Policy<StagedNetworkPolicy>(wide, p => p.Spec),
        nameof(StagedKubernetesNetworkPolicy) => Wide(wide, [s_name], Column<StagedKubernetesNetworkPolicy>("PODSELECTOR", p => Map(p.Spec.PodSelector?.MatchLabels))),
        nameof(GlobalNetworkSet) => Wide(wide, [s_name], Column<GlobalNetworkSet>("NETS", s => List(s.Spec.Nets))),
        nameof(NetworkSet) => Wide(wide, [s_name], Column<NetworkSet>("NETS", s => List(s.Spec.Nets))),
        nameof(HostEndpoint) => Wide(
            wide,
            [s_name, Column<HostEndpoint>("NODE", e => e.Spec.Node)],
            Column<HostEndpoint>("INTERFACE", e => e.Spec.InterfaceName),
            Column<HostEndpoint>("IPS", e => List(e.Spec.ExpectedIPs)),
            Column<HostEndpoint>("PROFILES", e => List(e.Spec.Profiles))),
        nameof(IPAMConfiguration) => Wide(
            wide,
            [
                s_name,
                Column<IPAMConfiguration>("STRICTAFFINITY", c => Text(c.Spec.StrictAffinity)),
                Column<IPAMConfiguration>("AUTOALLOCATEBLOCKS", c => Text(c.Spec.AutoAllocateBlocks)),
            ],
            Column<IPAMConfiguration>("MAXBLOCKSPERHOST", c => Text(c.Spec.MaxBlocksPerHost))),
        nameof(IPPool) => wide ? WidePool() :
        [
            s_name,
            Column<IPPool>("CIDR", p => p.Spec.Cidr),
            Column<IPPool>("SELECTOR", p => p.Spec.NodeSelector),
        ],
        nameof(IPReservation) => Wide(wide, [s_name], Column<IPReservation>("CIDRS", r => List(r.Spec.ReservedCIDRs))),
        nameof(Node) => Wide(
            wide,
            [s_name],
            Column<Node>("ASN", n => n.Spec.Bgp?.AsNumber?.ToString() ?? $"({globalAs})"),
            Column<Node>("IPV4", n => n.Spec.Bgp?.Ipv4Address),
            Column<Node>("IPV6", n => n.Spec.Bgp?.Ipv6Address)),
        nameof(CalicoNodeStatus) => Wide(wide, [s_name, Column<CalicoNodeStatus>("NODE", s => s.Spec.Node)], Column<CalicoNodeStatus>("CLASSES", s => List(s.Spec.Classes))),
        nameof(Profile) => Wide(wide, [s_name], Column<Profile>("LABELS", p => Map(p.Spec.LabelsToApply))),
        nameof(Tier) => [s_name, Column<Tier>("ORDER", t => Text(t.Spec.Order))],
        nameof(WorkloadEndpoint) => WorkloadEndpoint(wide),
        nameof(BlockAffinity) =>
        [
            s_name,
            Column<BlockAffinity>("NODE", a => a.Spec.Node),
            Column<BlockAffinity>("CIDR", a => a.Spec.Cidr),
            Column<BlockAffinity>("STATE", a => a.Spec.State),
        ],
        _ => [s_name],
    };

    /// <summary>"a,b,c", cut to the width with "..." behind.</summary>
    public static string Truncate(string text, int max) => text.Length <= max ? text : string.Concat(text.AsSpan(0, Math.Max(0, max - 3)), "...");

    private static ResourceColumn Column<T>(string heading, Func<T, string?> cell)
        where T : Resource => new(heading, r => cell((T)r));

    private static IReadOnlyList<ResourceColumn> Wide(bool wide, IReadOnlyList<ResourceColumn> columns, params ReadOnlySpan<ResourceColumn> more) => wide ? [.. columns, .. more] : columns;

    private static IReadOnlyList<ResourceColumn> Policy<T>(bool wide, Func<T, PolicySpec> spec)
        where T : Resource => Wide(
            wide,
            [s_name, Column<T>("TIER", p => First(spec(p).Tier, "default"))],
            Column<T>("ORDER", p => Text(spec(p).Order)),
            Column<T>("SELECTOR", p => spec(p).Selector));

    private static IReadOnlyList<ResourceColumn> WidePool() =>
    [
        s_name,
        Column<IPPool>("CIDR", p => p.Spec.Cidr),
        Column<IPPool>("NAT", p => Text(p.Spec.NatOutgoing ?? false)),
        Column<IPPool>("IPIPMODE", p => p.Spec.IpipMode),
        Column<IPPool>("VXLANMODE", p => p.Spec.VxlanMode),
        Column<IPPool>("DISABLED", p => Text(p.Spec.Disabled ?? false)),
        Column<IPPool>("DISABLEBGPEXPORT", p => Text(p.Spec.DisableBGPExport ?? false)),
        Column<IPPool>("SELECTOR", p => p.Spec.NodeSelector),
        Column<IPPool>("ASSIGNMENTMODE", p => p.Spec.AssignmentMode),
    ];

    private static IReadOnlyList<ResourceColumn> WorkloadEndpoint(bool wide)
    {
        IReadOnlyList<ResourceColumn> columns =
        [
            Column<WorkloadEndpoint>("WORKLOAD", e => First(e.Spec.Pod, e.Spec.Workload, e.Spec.ContainerID)),
            Column<WorkloadEndpoint>("NODE", e => e.Spec.Node),
            Column<WorkloadEndpoint>("NETWORKS", e => List(e.Spec.IpNetworks)),
            Column<WorkloadEndpoint>("INTERFACE", e => e.Spec.InterfaceName),
        ];
        return wide
            ? [s_name, .. columns, Column<WorkloadEndpoint>("PROFILES", e => List(e.Spec.Profiles)), Column<WorkloadEndpoint>("NATS", e => List(e.Spec.IpNATs?.Select(n => n.ExternalIP ?? string.Empty)))]
            : columns;
    }

    private static string? First(params ReadOnlySpan<string?> texts)
    {
        foreach (string? text in texts)
        {
            if (!string.IsNullOrEmpty(text))
            {
                return text;
            }
        }

        return null;
    }

    private static string? Text(bool? value) => value switch { true => "true", false => "false", null => null };

    private static string? Text(double? value) => value?.ToString("0.##############", CultureInfo.InvariantCulture);

    private static string Count<T>(List<T>? items) => (items?.Count ?? 0).ToString(CultureInfo.InvariantCulture);

    private static string List(IEnumerable<string>? items) => Truncate(string.Join(',', items ?? []), MaxList);

    private static string Map(Dictionary<string, string>? map) => Truncate(string.Join(',', (map ?? []).OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $"{p.Key}={p.Value}")), MaxList);
}
