using System.Text.Json;
using Weft.Model.Felix;
using Weft.Model.Resources;
using Weft.Policy.Indexes;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Policy.Conversion;

/// <summary>Nodes, pools and settings: objects that pass through the graph with little change.</summary>
internal static class ClusterConversion
{
    /// <summary>Null when the node has no usable address, or a BGP section that is present and empty: such a node counts as gone.</summary>
    public static HostMetadataUpdate? Host(string name, Node node)
    {
        IpAddress? v4 = null;
        IpAddress? v6 = null;
        if (node.Spec.Bgp is { } bgp)
        {
            if (string.IsNullOrEmpty(bgp.Ipv4Address) && string.IsNullOrEmpty(bgp.Ipv6Address) && bgp.AsNumber is null
                && string.IsNullOrEmpty(bgp.Ipv4IPIPTunnelAddr) && string.IsNullOrEmpty(bgp.RouteReflectorClusterID))
            {
                return null;
            }

            v4 = Address(bgp.Ipv4Address, IpFamily.IPv4);
            v6 = Address(bgp.Ipv6Address, IpFamily.IPv6);
        }

        foreach (string type in (ReadOnlySpan<string>)["InternalIP", "ExternalIP"])
        {
            foreach (NodeAddress address in node.Spec.Addresses ?? [])
            {
                if (address.Type == type)
                {
                    v4 ??= Address(address.Address, IpFamily.IPv4);
                    v6 ??= Address(address.Address, IpFamily.IPv6);
                }
            }
        }

        return v4 is null && v6 is null ? null : new HostMetadataUpdate(name, v4, v6);
    }

    /// <summary>The blocks of cluster, external and load balancer addresses, each once, in order.</summary>
    /// <param name="configuration">Null when absent.</param>
    public static IReadOnlyList<IpPrefix> ServiceCidrs(BGPConfiguration? configuration, Problems problems)
    {
        SortedSet<IpPrefix> cidrs = [];
        foreach (ServiceCidr service in (List<ServiceCidr>)[
            .. configuration?.Spec.ServiceClusterIPs ?? [], .. configuration?.Spec.ServiceExternalIPs ?? [], .. configuration?.Spec.ServiceLoadBalancerIPs ?? []])
        {
            if (IpPrefix.TryParseNet(service.Cidr, out IpPrefix cidr))
            {
                cidrs.Add(cidr);
            }
            else
            {
                problems.Add("spec", $"\"{service.Cidr}\" is no CIDR of services");
            }
        }

        return [.. cidrs];
    }

    public static IpamPoolUpdate? Pool(IPPool pool, Problems problems)
    {
        if (!IpPrefix.TryParse(pool.Spec.Cidr, out IpPrefix cidr))
        {
            problems.Add("spec.cidr", $"\"{pool.Spec.Cidr}\" is no CIDR");
            return null;
        }

        return new IpamPoolUpdate(
            cidr,
            pool.Spec.NatOutgoing == true,
            Mode(pool.Spec.IpipMode, "spec.ipipMode", problems),
            Mode(pool.Spec.VxlanMode, "spec.vxlanMode", problems),
            pool.Spec.AllowedUses is { Count: > 0 } uses ? uses : ["Workload", "Tunnel"]);
    }

    public static PoolRoute Route(IpamPoolUpdate pool) => new(
        pool.Vxlan != EncapMode.Never ? IpPoolType.Vxlan : pool.Ipip != EncapMode.Never ? IpPoolType.Ipip : IpPoolType.NoEncap,
        pool.Masquerade,
        pool.Vxlan == EncapMode.CrossSubnet || pool.Ipip == EncapMode.CrossSubnet);

    /// <summary>
    /// Values as text in the form of their parameter: strings without quotes, everything else as it stands in JSON. One that cannot be read stands for the
    /// default, so that it hides weaker sources as Calico has it. Empty ones count as absent.
    /// </summary>
    /// <param name="configuration">The object.</param>
    /// <param name="problems">Values that do not do what they say.</param>
    public static IReadOnlyDictionary<string, string> Fields(FelixConfiguration configuration, Problems problems)
    {
        Dictionary<string, string> fields = new(StringComparer.Ordinal);
        foreach ((string name, JsonElement value) in configuration.Spec.Fields)
        {
            string text = value.ValueKind switch
            {
                JsonValueKind.Null or JsonValueKind.Undefined => string.Empty,
                JsonValueKind.String => value.GetString() ?? string.Empty,
                _ => value.GetRawText(),
            };
            if (FelixParameters.OfField(name) is { } parameter)
            {
                if (parameter.Complaint(text) is { } complaint)
                {
                    problems.Add($"spec.{name}", complaint);
                }

                text = parameter.Type.TryRead(text, FelixSyntax.Api, out string read, out _) && parameter.Scope == FelixScope.Anywhere ? read : parameter.Default;
            }

            if (text.Length > 0)
            {
                fields[name] = text;
            }
        }

        return fields;
    }

    private static EncapMode Mode(string? text, string field, Problems problems)
    {
        switch (text)
        {
            case null or "" or "Never":
                return EncapMode.Never;
            case "Always":
                return EncapMode.Always;
            case "CrossSubnet":
                return EncapMode.CrossSubnet;
            default:
                problems.Add(field, $"\"{text}\" is none of Never, Always, CrossSubnet");
                return EncapMode.Never;
        }
    }

    public static IpAddress? Address(string? text, IpFamily family)
    {
        if (string.IsNullOrEmpty(text))
        {
            return null;
        }

        return (InterfaceAddress.TryParse(text, out InterfaceAddress withLength) ? withLength.Address : IpAddress.TryParse(text, out IpAddress bare) ? bare : default)
            is { } address && address.Family == family ? address : null;
    }
}
