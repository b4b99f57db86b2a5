using System.Globalization;
using Weft.Bgp.Policies;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>Reads a prefix with a range of lengths: 10.0.0.0/8 (exactly), 10.0.0.0/8+ (and inside), 10.0.0.0/8{16,24} (inside, 16 to 24 bits long).</summary>
internal static class PrefixText
{
    public static bool TryParse(string item, out PrefixMatch match, out string reason)
    {
        match = default;
        int suffix = item.AsSpan().IndexOfAny('+', '{');
        ReadOnlySpan<char> net = suffix < 0 ? item : item.AsSpan(0, suffix);
        if (!InterfaceAddress.TryParse(net, out InterfaceAddress parsed) || parsed.Prefix.Address != parsed.Address)
        {
            reason = net.Contains('/') ? "expected a prefix without host bits, such as 10.0.0.0/8" : "neither a keyword nor a prefix";
            return false;
        }

        (IpPrefix prefix, int low, int high) = (parsed.Prefix, parsed.Length, parsed.Length);
        reason = $"after the prefix: expected nothing, + or {{LOW,HIGH}} with {low} <= LOW <= HIGH <= {prefix.Address.BitLength}";
        ReadOnlySpan<char> range = suffix < 0 ? [] : item.AsSpan(suffix);
        if (range is "+")
        {
            high = prefix.Address.BitLength;
        }
        else if (range.Length > 0)
        {
            int comma = range.IndexOf(',');
            if (range[^1] != '}' || comma < 0
                || !int.TryParse(range[1..comma].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out low)
                || !int.TryParse(range[(comma + 1)..^1].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out high)
                || low < prefix.Length || high < low || high > prefix.Address.BitLength)
            {
                return false;
            }
        }

        match = new PrefixMatch(prefix, low, high);
        return true;
    }
}
