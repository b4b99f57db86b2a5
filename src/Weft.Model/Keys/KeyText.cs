using Weft.Primitives.Net;

namespace Weft.Model.Keys;

/// <summary>How values are written inside a key.</summary>
internal static class KeyText
{
    public static string Family(IpPrefix cidr) => Family(cidr.Family);

    public static string Family(IpFamily family) => family == IpFamily.IPv6 ? "ipv6" : "ipv4";

    public static string Affinity(AffinityType type) => type == AffinityType.Virtual ? "virtual" : "host";

    /// <summary>The canonical prefix with "-" for "/"; IPv6 keeps its colons.</summary>
    public static string Cidr(IpPrefix cidr) => cidr.ToString().Replace('/', '-');

    public static bool TryCidr(string text, out IpPrefix cidr)
    {
        cidr = default;
        int dash = text.LastIndexOf('-');
        return dash > 0 && IpPrefix.TryParse($"{text.AsSpan(0, dash)}/{text.AsSpan(dash + 1)}", out cidr);
    }

    /// <summary>"%" first, then "/", so that unescaping gives the same text back.</summary>
    public static string Escape(string text) => text.Replace("%", "%25", StringComparison.Ordinal).Replace("/", "%2f", StringComparison.Ordinal);

    public static string Unescape(string text) =>
        text.Replace("%2f", "/", StringComparison.OrdinalIgnoreCase).Replace("%25", "%", StringComparison.Ordinal);
}
