using Weft.Bgp;
using Weft.Bgp.Policies;

namespace Weft.Node.Router;

/// <summary>
/// Settings of peers compared by what they say. Records compare their arrays by identity, and every derivation makes new ones: without this, every change in the
/// datastore would look like a change of every peer.
/// </summary>
internal static class PolicyComparer
{
    /// <summary><paramref name="desired"/> with every policy that says the same as before replaced by the instance that runs already.</summary>
    public static PeerSettings Reuse(PeerSettings running, PeerSettings desired) => desired with
    {
        Import = Same(running.Import, desired.Import) ? running.Import : desired.Import,
        Export = Same(running.Export, desired.Export) ? running.Export : desired.Export,
    };

    public static bool Same(RoutePolicy? a, RoutePolicy? b)
    {
        if (ReferenceEquals(a, b))
        {
            return true;
        }

        if (a is null || b is null || a.Default != b.Default || a.Rules.Length != b.Rules.Length)
        {
            return false;
        }

        for (int i = 0; i < a.Rules.Length; i++)
        {
            if (!Same(a.Rules[i], b.Rules[i]))
            {
                return false;
            }
        }

        return true;
    }

    public static bool Same(RouteAttributes a, RouteAttributes b) =>
        a with { AsPath = b.AsPath, Communities = b.Communities, LargeCommunities = b.LargeCommunities } == b
        && a.AsPath.SequenceEqual(b.AsPath) && a.Communities.SequenceEqual(b.Communities) && a.LargeCommunities.SequenceEqual(b.LargeCommunities);

    private static bool Same(PolicyRule a, PolicyRule b) =>
        a with { Prefixes = b.Prefixes, AsPathPrefix = b.AsPathPrefix, Edits = b.Edits } == b
        && a.Prefixes.SequenceEqual(b.Prefixes) && a.AsPathPrefix.SequenceEqual(b.AsPathPrefix) && a.Edits.SequenceEqual(b.Edits);
}
