using Weft.Bgp.Policies;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Rib;

/// <summary>What the tables know of a path, as policy sees it.</summary>
internal static class PolicyViews
{
    /// <param name="attributes">Import: as received; export: as imported.</param>
    /// <param name="source">Who announced it; <see cref="PeerId.Local"/>: ourselves.</param>
    /// <param name="peerIsInternal">The session it crosses.</param>
    public static PolicyRoute Of(RibTables tables, in PrefixKey key, AttributeId attributes, RibPeer source, bool peerIsInternal)
    {
        bool local = source.Id == PeerId.Local;
        ReadOnlySpan<byte> block = tables.Attributes.Block(attributes);
        ref readonly AttributeFacts facts = ref tables.Attributes.Facts(attributes);
        return new PolicyRoute
        {
            Prefix = key.ToPrefix(tables.Family),
            Source = !local ? source.IsInternal ? RouteSources.Internal : RouteSources.External
                : PrivateAttribute.Source(PrivateAttribute.Find(block)) == PrivateAttribute.FromKernel ? RouteSources.Kernel : RouteSources.Static,
            PeerIsInternal = peerIsInternal,
            LocalPreference = facts.LocalPreference,
            Attributes = block,
            LocalAs = tables.Confederation is null ? source.LocalAs : tables.OriginAs,
            PeerName = local ? null : source.Settings.Name,
            PeerAddress = local ? default : source.Address,
            Interface = local ? null : tables.NextHops.Link(facts.NextHop) ?? source.Settings.Interface,
            Roas = tables.Roas,
            Scratch = tables.PolicyScratch,
        };
    }
}
