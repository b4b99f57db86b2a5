using Weft.Bgp.Policies;
using Weft.Primitives.Collections;

namespace Weft.Bgp.Rib;

/// <summary>What is done to every path of a peer.</summary>
internal enum SweepKind : byte
{
    /// <summary>The session ended.</summary>
    Remove,

    /// <summary>RFC 4724: the peer restarted and did not announce these again.</summary>
    RemoveStale,

    /// <summary>RFC 4724: the session ended and the peer may come back.</summary>
    MarkStale,

    /// <summary>Import policy changed.</summary>
    Import,

    /// <summary>The state of some next hops changed; looks at the paths of all peers.</summary>
    NextHops,

    /// <summary>Some route origin authorizations changed; looks at the paths of all peers.</summary>
    Roas,
}

/// <summary>Work over the path table in progress.</summary>
internal struct PathSweep
{
    public SweepKind Kind;
    public PeerId Peer;

    /// <summary>Next row to look at.</summary>
    public uint Cursor;

    /// <summary>With <see cref="SweepKind.NextHops"/>: which ones changed.</summary>
    public Bitmap? NextHops;

    /// <summary>With <see cref="SweepKind.Roas"/>: those that came or went.</summary>
    public RoaTable? Roas;
}
