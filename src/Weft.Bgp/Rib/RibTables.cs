using Weft.Bgp.Policies;
using Weft.Primitives.Collections;
using Weft.Primitives.Net;

namespace Weft.Bgp.Rib;

/// <summary>The tables of one family, shared by <see cref="AdjRibIn"/>, <see cref="LocRib"/> and the update groups, all on the one loop.</summary>
internal sealed class RibTables
{
    public RibTables(IpFamily family, SpeakerOptions options, INextHopResolver resolver)
    {
        Family = family;
        var arena = new PageArena();
        NextHops = new NextHopTable(resolver, arena);
        Attributes = new AttributeTable(NextHops, options.DefaultLocalPreference, arena);
        Prefixes = new PrefixTable(family, arena);
        Paths = new PathTable(arena);
        uint routerId = RibPeer.Number(options.RouterId);
        Peers.Set(PeerId.Local, new RibPeer(PeerId.Local, new PeerSettings { Name = "local", Address = options.RouterId, RemoteAs = options.LocalAs })
        {
            RouterId = routerId,
            LocalAs = options.LocalAs,
        });
        RouterId = routerId;
        Confederation = options.Confederation;
        OriginAs = options.Confederation?.Id ?? options.LocalAs;
    }

    public IpFamily Family { get; }

    public uint RouterId { get; }

    public Confederation? Confederation { get; }

    /// <summary>The AS in which a route with an empty path originates, as the world sees it.</summary>
    public uint OriginAs { get; }

    public NextHopTable NextHops { get; }

    public AttributeTable Attributes { get; }

    public PrefixTable Prefixes { get; }

    public PathTable Paths { get; }

    public RibPeers Peers { get; } = new();

    /// <summary>Route origin authorizations; null: none were ever given.</summary>
    public RoaTable? Roas { get; set; }

    /// <summary>Where policies try their edits.</summary>
    public PolicyScratch PolicyScratch { get; } = new();

    /// <summary>Prefixes to decide at the end of the batch.</summary>
    public Bitmap Dirty { get; } = new();

    /// <summary>Anything may have changed about the paths of a prefix: the next decision looks at all of them.</summary>
    public void Reconsider(PrefixId prefix)
    {
        Dirty.Set((uint)prefix);
        Prefixes.Marks(prefix) &= ~PrefixMarks.OneAdded;
    }

    /// <summary>A path was put at the head of the prefix's chain. When that is all that happened until the decision, the newcomer need only be held against the best.</summary>
    public void ReconsiderAdded(PrefixId prefix)
    {
        ref PrefixMarks marks = ref Prefixes.Marks(prefix);
        marks = Dirty.Set((uint)prefix) ? marks | PrefixMarks.OneAdded : marks & ~PrefixMarks.OneAdded;
    }
}
