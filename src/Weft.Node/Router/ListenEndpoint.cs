using System.Collections.Immutable;
using System.Globalization;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>An address and port to accept sessions on.</summary>
internal readonly record struct ListenEndpoint(IpAddress Address, int Port)
{
    public const int BgpPort = 179;

    public static readonly ImmutableArray<ListenEndpoint> Anywhere = [new(IpAddress.FromIPv4(0), BgpPort), new(IpAddress.FromIPv6(0), BgpPort)];

    public override string ToString() => Address.IsIPv6 ? $"[{Address}]:{Port}" : $"{Address}:{Port}";

    /// <summary>"none", or a list of "address", "v4:port" and "[v6]:port".</summary>
    public static bool TryParseList(string text, out ImmutableArray<ListenEndpoint> value, out string reason)
    {
        value = [];
        reason = string.Empty;
        if (text.Equals("none", StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        foreach (string item in text.Split([',', ' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
        {
            if (!TryParse(item, BgpPort, out ListenEndpoint endpoint))
            {
                reason = $"\"{item}\": expected address:port, [IPv6 address]:port or none";
                return false;
            }

            value = value.Add(endpoint);
        }

        reason = "expected address:port, [IPv6 address]:port or none";
        return value.Length > 0;
    }

    /// <summary>"ip", "v4:port" or "[v6]:port"; without a port, <paramref name="defaultPort"/>.</summary>
    public static bool TryParse(string text, int defaultPort, out ListenEndpoint endpoint)
    {
        endpoint = default;
        if (IpAddress.TryParse(text, out IpAddress bare))
        {
            endpoint = new ListenEndpoint(bare, defaultPort);
            return true;
        }

        int colon = text.LastIndexOf(':');
        if (colon < 0 || !int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port) || port is < 1 or > 65535)
        {
            return false;
        }

        ReadOnlySpan<char> host = text.AsSpan(0, colon);
        bool bracketed = host is ['[', .., ']'];
        bool ok = IpAddress.TryParse(bracketed ? host[1..^1] : host, out IpAddress address) && bracketed == address.IsIPv6;
        endpoint = new ListenEndpoint(address, port);
        return ok;
    }
}
