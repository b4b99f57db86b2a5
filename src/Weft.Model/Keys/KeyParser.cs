using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Model.Keys;

/// <summary>From a path back to a key. A wrong number of segments for the kind's scope is no key.</summary>
internal static class KeyParser
{
    public static ModelKey? TryParse(string path)
    {
        if (path.StartsWith(ModelPrefix.ResourceRoot, StringComparison.Ordinal))
        {
            return Resource(path[ModelPrefix.ResourceRoot.Length..].Split('/'));
        }

        if (path.StartsWith(ModelPrefix.IpamRoot, StringComparison.Ordinal))
        {
            return Ipam(path[ModelPrefix.IpamRoot.Length..]);
        }

        if (path.StartsWith("/calico/felix/v1/host/", StringComparison.Ordinal))
        {
            return path["/calico/felix/v1/host/".Length..].Split('/') is [{ Length: > 0 } host, "endpoint", { Length: > 0 } endpoint]
                ? new HostEndpointStatusKey(host, KeyText.Unescape(endpoint))
                : null;
        }

        return path.StartsWith("/calico/felix/v2/", StringComparison.Ordinal) ? Status(path["/calico/felix/v2/".Length..].Split('/')) : null;
    }

    private static ResourceKey? Resource(string[] parts)
    {
        ResourceKind? kind = ResourceKind.FromPlural(parts[0]);
        return (kind?.Scope, parts.Length) switch
        {
            (ResourceScope.Cluster, 2) when parts[1].Length > 0 => new ResourceKey(kind, string.Empty, KeyText.Unescape(parts[1])),
            (ResourceScope.Namespaced, 3) when parts[1].Length > 0 && parts[2].Length > 0 =>
                new ResourceKey(kind, KeyText.Unescape(parts[1]), KeyText.Unescape(parts[2])),
            _ => null,
        };
    }

    private static ModelKey? Ipam(string rest)
    {
        if (rest == "config")
        {
            return new IpamConfigKey();
        }

        if (rest.StartsWith("handle/", StringComparison.Ordinal) && rest.Length > "handle/".Length)
        {
            return new HandleKey(rest["handle/".Length..]);
        }

        string[] parts = rest.Split('/');
        return parts switch
        {
            ["assignment", "ipv4" or "ipv6", "block", var text] when TryFamilyCidr(parts[1], text, out IpPrefix cidr) => new BlockKey(cidr),
            ["host" or "virtual", { Length: > 0 } host, "ipv4" or "ipv6", "block", var text] when TryFamilyCidr(parts[2], text, out IpPrefix cidr) =>
                new BlockAffinityKey(parts[0] == "virtual" ? AffinityType.Virtual : AffinityType.Host, host, cidr),
            ["host", { Length: > 0 } host] => new IpamHostKey(host),
            _ => null,
        };
    }

    private static bool TryFamilyCidr(string family, string text, out IpPrefix cidr) =>
        KeyText.TryCidr(text, out cidr) && KeyText.Family(cidr) == family;

    private static ModelKey? Status(string[] parts) => parts switch
    {
        [var region, "host", var host, "status"] => new FelixStatusKey(host, LastReported: false, region),
        [var region, "host", var host, "last_reported_status"] => new FelixStatusKey(host, LastReported: true, region),
        [var region, "host", var host, "workload", var orchestrator, var workload, "endpoint", var endpoint] =>
            new WorkloadStatusKey(host, KeyText.Unescape(orchestrator), KeyText.Unescape(workload), KeyText.Unescape(endpoint), region),
        _ => null,
    };
}
