using System.Globalization;
using Weft.Bgp;
using Weft.Bgp.Policies;

namespace Weft.Node.Router;

/// <summary>Reads "aa:nn" (16 bits each, RFC 1997) and "aa:nn:mm" (32 bits each, RFC 8092).</summary>
internal static class CommunityText
{
    public static bool TryParse(string text, out uint? community, out LargeCommunity? large)
    {
        (community, large) = (null, null);
        string[] parts = text.Split(':');
        if (parts.Length == 2 && TryPart(parts[0], ushort.MaxValue, out uint high) && TryPart(parts[1], ushort.MaxValue, out uint low))
        {
            community = high << 16 | low;
        }
        else if (parts.Length == 3 && TryPart(parts[0], uint.MaxValue, out uint admin) && TryPart(parts[1], uint.MaxValue, out uint first) && TryPart(parts[2], uint.MaxValue, out uint second))
        {
            large = new LargeCommunity(admin, first, second);
        }

        return community is not null || large is not null;
    }

    public static bool TryEdit(string text, out RouteEdit edit)
    {
        bool ok = TryParse(text, out uint? community, out LargeCommunity? large);
        edit = community is { } plain ? RouteEdit.AddCommunity(plain) : large is { } wide ? RouteEdit.AddLargeCommunity(wide) : default;
        return ok;
    }

    private static bool TryPart(string text, uint max, out uint value) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value <= max;
}
