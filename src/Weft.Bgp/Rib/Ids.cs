namespace Weft.Bgp.Rib;

/// <summary>Row of <see cref="AttributeTable"/>; None is 0. Enums, so that one kind of id does not compile where another is meant.</summary>
internal enum AttributeId : uint
{
    None = 0,
}

/// <summary>Row of <see cref="PrefixTable"/>.</summary>
internal enum PrefixId : uint
{
    None = 0,
}

/// <summary>Row of <see cref="PathTable"/>.</summary>
internal enum PathId : uint
{
    None = 0,
}

/// <summary>Row of <see cref="NextHopTable"/>.</summary>
internal enum NextHopId : uint
{
    None = 0,

    /// <summary>A route of our own without a next hop: always reachable.</summary>
    Self = 1,
}

/// <summary>A configured peer; given once when it is added, the same in both families' RIBs and after every restart of its session.</summary>
internal enum PeerId : ushort
{
    /// <summary>Routes of our own.</summary>
    Local = 0,

    None = ushort.MaxValue,
}
