using Weft.Bgp;
using Weft.Bgp.Policies;

namespace Weft.Node.Router;

/// <summary>
/// Settings of peers and routes compared by what they say: every derivation makes new objects, and without this every change in the datastore would look like a change
/// of every peer.
/// </summary>
internal static class PolicyComparer
{
    /// <summary><paramref name="desired"/> with every policy that says the same as before replaced by the instance that runs already: the next comparison is short.</summary>
    public static PeerSettings Reuse(PeerSettings running, PeerSettings desired) => desired with
    {
        Import = Equals(running.Import, desired.Import) ? running.Import : desired.Import,
        Export = Equals(running.Export, desired.Export) ? running.Export : desired.Export,
    };

    public static bool Same(RouteAttributes a, RouteAttributes b) =>
        a with { AsPath = b.AsPath, Communities = b.Communities, LargeCommunities = b.LargeCommunities } == b
        && a.AsPath.SequenceEqual(b.AsPath) && a.Communities.SequenceEqual(b.Communities) && a.LargeCommunities.SequenceEqual(b.LargeCommunities);
}
