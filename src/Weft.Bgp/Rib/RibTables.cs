using Weft.Primitives.Collections;
using Weft.Primitives.Net;

namespace Weft.Bgp.Rib;

/// <summary>The tables of one family, shared by <see cref="AdjRibIn"/>, <see cref="LocRib"/> and the update groups, all on the one loop.</summary>
internal sealed class RibTables
{
    public RibTables(IpFamily family, SpeakerOptions options, INextHopResolver resolver)
    {
        Family = family;
        NextHops = new NextHopTable(resolver);
        Attributes = new AttributeTable(NextHops, options.DefaultLocalPreference);
        Prefixes = new PrefixTable(family);
        uint routerId = RibPeer.Number(options.RouterId);
        Peers.Set(PeerId.Local, new RibPeer(PeerId.Local, new PeerSettings { Name = "local", Address = options.RouterId, RemoteAs = options.LocalAs })
        {
            RouterId = routerId,
            LocalAs = options.LocalAs,
        });
        RouterId = routerId;
    }

    public IpFamily Family { get; }

    public uint RouterId { get; }

    public NextHopTable NextHops { get; }

    public AttributeTable Attributes { get; }

    public PrefixTable Prefixes { get; }

    public PathTable Paths { get; } = new();

    public RibPeers Peers { get; } = new();

    /// <summary>Prefixes to decide at the end of the batch.</summary>
    public Bitmap Dirty { get; } = new();
}
