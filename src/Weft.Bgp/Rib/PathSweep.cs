using Weft.Bgp.Policies;
using Weft.Primitives.Collections;

namespace Weft.Bgp.Rib;

/// <summary>What is done to many rows of a table.</summary>
internal enum SweepKind : byte
{
    /// <summary>Paths of epochs that their peers no longer stand for; one sweep for all peers.</summary>
    Remove,

    /// <summary>RFC 9494: the restart time of a peer is over.</summary>
    LongLived,

    /// <summary>Import policy changed.</summary>
    Import,

    /// <summary>The state of some next hops changed; looks at the paths of all peers.</summary>
    NextHops,

    /// <summary>Some route origin authorizations changed; looks at the paths of all peers.</summary>
    Roas,

    /// <summary>Prefixes: each is decided again.</summary>
    Decide,

    /// <summary>Prefixes: those whose best path came from the peer are exported again.</summary>
    Export,
}

/// <summary>Work over the path table, or that of prefixes, in progress.</summary>
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
