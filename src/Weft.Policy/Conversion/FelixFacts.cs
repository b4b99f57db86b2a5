using Weft.Policy.Output;

namespace Weft.Policy.Conversion;

/// <summary>Whether an endpoint may send from addresses that are not its own (FelixConfiguration.workloadSourceSpoofing).</summary>
internal enum SourceSpoofing : byte
{
    Disabled,
    Any,
}

/// <summary>Where routes to workloads come from (FelixConfiguration.routeSource).</summary>
internal enum RouteSource : byte
{
    /// <summary>Blocks; endpoints of this node alone one by one.</summary>
    CalicoIPAM,

    /// <summary>Every endpoint one by one: its addresses are not from Calico's blocks.</summary>
    WorkloadIPs,
}

/// <summary>What the graph itself needs of FelixConfiguration. A value that cannot be read counts as absent; the dataplane's table reports it.</summary>
/// <param name="Spoofing">workloadSourceSpoofing.</param>
/// <param name="Routes">routeSource.</param>
/// <param name="Ipip">ipipEnabled; null lets the pools decide.</param>
/// <param name="Vxlan">vxlanEnabled; null lets the pools decide.</param>
/// <param name="ProgramsNoEncapRoutes">programClusterRoutes is EnabledNoEncapOnly or Enabled.</param>
internal sealed record FelixFacts(SourceSpoofing Spoofing, RouteSource Routes, bool? Ipip, bool? Vxlan, bool ProgramsNoEncapRoutes)
{
    public static FelixFacts Default { get; } = new(SourceSpoofing.Disabled, RouteSource.CalicoIPAM, null, null, false);

    public static FelixFacts Read(ConfigUpdate config) => new(
        Is(config, "workloadSourceSpoofing", "Any") ? SourceSpoofing.Any : SourceSpoofing.Disabled,
        Is(config, "routeSource", "WorkloadIPs") ? RouteSource.WorkloadIPs : RouteSource.CalicoIPAM,
        Flag(config, "ipipEnabled"),
        Flag(config, "vxlanEnabled"),
        Is(config, "programClusterRoutes", "Enabled") || Is(config, "programClusterRoutes", "EnabledNoEncapOnly"));

    private static bool Is(ConfigUpdate config, string name, string value) => string.Equals(config.Find(name), value, StringComparison.OrdinalIgnoreCase);

    private static bool? Flag(ConfigUpdate config, string name) => bool.TryParse(config.Find(name), out bool value) ? value : null;
}
