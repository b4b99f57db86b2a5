using Weft.Bgp.Policies;

namespace Weft.Node.Router;

/// <summary>Communities as resources write them: "aa:nn" (16 bits each, RFC 1997) or "aa:nn:mm" (32 bits each, RFC 8092), nothing else.</summary>
internal static class CommunityText
{
    public static bool TryParse(string text, out CommunityPattern community)
    {
        bool plain = text.AsSpan().IndexOfAnyExcept("0123456789:") < 0;
        return CommunityPattern.TryParse(text, out community) && plain && community is { IsExact: true, Kind: CommunityKind.Standard or CommunityKind.Large };
    }

    public static bool TryEdit(string text, out RouteEdit edit)
    {
        bool ok = TryParse(text, out CommunityPattern community);
        edit = ok ? RouteEdit.Add(community) : default;
        return ok;
    }
}
