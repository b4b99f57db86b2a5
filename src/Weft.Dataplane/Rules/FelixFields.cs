using System.Diagnostics.CodeAnalysis;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Rules;

/// <summary>The fields of FelixConfiguration that change how rules are rendered. The node's own object wins over the global one; a value that cannot be read is left out and told.</summary>
internal static class FelixFields
{
    /// <param name="settings">What holds where nothing is configured.</param>
    /// <param name="config">What is configured.</param>
    /// <param name="backend">The nftables backend has fields of its own for marks and verdicts; where they say nothing those of iptables hold.</param>
    /// <param name="problems">Gets what cannot be read.</param>
    public static RuleSettings Overlay(RuleSettings settings, ConfigUpdate config, RuleBackendChoice backend, List<string> problems)
    {
        FelixReader read = new(config, problems);
        string Of(string rest) => backend == RuleBackendChoice.NfTables ? read.First($"nftables{rest}", $"iptables{rest}") : $"iptables{rest}";
        return settings with
        {
            EndpointToHost = read.Choice("defaultEndpointToHostAction", settings.EndpointToHost),
            Deny = read.Choice(Of("FilterDenyAction"), settings.Deny),
            DropInvalid = !read.Flag("disableConntrackInvalidCheck", !settings.DropInvalid),
            AllowVxlanFromWorkloads = read.Flag("allowVXLANPacketsFromWorkloads", settings.AllowVxlanFromWorkloads),
            AllowIpipFromWorkloads = read.Flag("allowIPIPPacketsFromWorkloads", settings.AllowIpipFromWorkloads),
            VxlanPort = read.Port("vxlanPort", settings.VxlanPort),
            FilterAllow = read.Choice(Of("FilterAllowAction"), settings.FilterAllow),
            MangleAllow = read.Choice(Of("MangleAllowAction"), settings.MangleAllow),
            MarkMask = read.Mask(Of("MarkMask"), settings.MarkMask),
            ServiceLoop = read.Choice("serviceLoopPrevention", settings.ServiceLoop),
            ExternalNodes = read.Nets("externalNodesList", settings.ExternalNodes),
            LogPrefix = read.Text("logPrefix", settings.LogPrefix)!,
            LogRate = read.Rate("logActionRateLimit", settings.LogRate),
            LogBurst = read.Count("logActionRateLimitBurst", settings.LogBurst),
            NatAddress = read.Address("natOutgoingAddress", IpFamily.IPv4, settings.NatAddress),
            NatInterface = read.Text("iptablesNATOutgoingInterfaceFilter", settings.NatInterface),
            MaxSetSize = read.Count("maxIpsetSize", settings.MaxSetSize),
            Tunnels = new TunnelSettings
            {
                Vni = read.Number("vxlanVNI", settings.Tunnels.Vni, 1, 0xFFFFFF),
                VxlanMtu = (int)read.Number("vxlanMTU", (uint)settings.Tunnels.VxlanMtu, 0, ushort.MaxValue),
                VxlanMtuV6 = (int)read.Number("vxlanMTUV6", (uint)settings.Tunnels.VxlanMtuV6, 0, ushort.MaxValue),
                IpipMtu = (int)read.Number("ipipMTU", (uint)settings.Tunnels.IpipMtu, 0, ushort.MaxValue),
            },
            NatPortRange = read.PortRange("natPortRange", settings.NatPortRange),
            NatExcludesHosts = read.Choice("natOutgoingExclusions", settings.NatExcludesHosts ? NatExclusions.IPPoolsAndHostIPs : NatExclusions.IPPoolsOnly)
                == NatExclusions.IPPoolsAndHostIPs,
            FailsafeInbound = read.Ports("failsafeInboundHostPorts", settings.FailsafeInbound),
            FailsafeOutbound = read.Ports("failsafeOutboundHostPorts", settings.FailsafeOutbound),
        };
    }

    /// <summary>What drivers are opened with: a change of it takes a new start.</summary>
    /// <inheritdoc cref="Overlay(RuleSettings, ConfigUpdate, RuleBackendChoice, List{string})"/>
    public static DataplaneSettings Overlay(DataplaneSettings settings, ConfigUpdate config, RuleBackendChoice backend, List<string> problems)
    {
        FelixReader read = new(config, problems);
        return settings with
        {
            InsertMode = read.Choice("chainInsertMode", settings.InsertMode),
            RulesRefresh = read.Duration(backend == RuleBackendChoice.NfTables ? read.First("nftablesRefreshInterval", "iptablesRefreshInterval") : "iptablesRefreshInterval", settings.RulesRefresh),
            SetsRefresh = read.Duration("ipsetsRefreshInterval", settings.SetsRefresh),
            RoutesRefresh = read.Duration("routeRefreshInterval", settings.RoutesRefresh),
            PostWriteCheck = read.Duration("iptablesPostWriteCheckInterval", settings.PostWriteCheck),
            RouteMetric = read.Number("ipv4NormalRoutePriority", settings.RouteMetric, 1, int.MaxValue - 1),
            RouteMetricV6 = read.Number("ipv6NormalRoutePriority", settings.RouteMetricV6, 1, int.MaxValue - 1),
            RouteSource = read.Address("deviceRouteSourceAddress", IpFamily.IPv4, settings.RouteSource),
            RouteSourceV6 = read.Address("deviceRouteSourceAddressIPv6", IpFamily.IPv6, settings.RouteSourceV6),
            ForeignRoutes = read.Flag("removeExternalRoutes", settings.ForeignRoutes == ForeignRoutes.Removed) ? ForeignRoutes.Removed : ForeignRoutes.Kept,
            Forwarding = read.Choice("ipForwarding", settings.Forwarding),
        };
    }

    /// <summary>The fields that are read here: those whose standing in felix.parameters is "rules".</summary>
    public static IReadOnlySet<string> Names()
    {
        Recorder recorder = new();
        ConfigUpdate nothing = new(recorder, recorder);
        Overlay(new RuleSettings(), nothing, RuleBackendChoice.NfTables, []);
        Overlay(new DataplaneSettings(), nothing, RuleBackendChoice.NfTables, []);
        return recorder.Asked;
    }

    /// <summary>Has nothing, and remembers what it was asked for.</summary>
    private sealed class Recorder : Dictionary<string, string>, IReadOnlyDictionary<string, string>
    {
        public HashSet<string> Asked { get; } = new(StringComparer.Ordinal);

        bool IReadOnlyDictionary<string, string>.TryGetValue(string key, [MaybeNullWhen(false)] out string value)
        {
            Asked.Add(key);
            value = null;
            return false;
        }
    }

    private enum NatExclusions
    {
        IPPoolsOnly,
        IPPoolsAndHostIPs,
    }
}
