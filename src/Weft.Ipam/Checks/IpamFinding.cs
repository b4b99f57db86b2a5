using Weft.Primitives.Net;

namespace Weft.Ipam.Checks;

/// <summary>What can be wrong with the addresses of a cluster.</summary>
public enum FindingKind : byte
{
    /// <summary>Allocated, and nobody uses it.</summary>
    Leaked,

    /// <summary>Used by more than one.</summary>
    Duplicate,

    /// <summary>Used, inside a pool, and not allocated: it may be given to somebody else.</summary>
    NotAllocated,

    /// <summary>Used, and in no pool.</summary>
    OutsidePools,

    /// <summary>Allocated to another holder than the one that uses it.</summary>
    ForeignHolder,

    /// <summary>A handle that holds nothing.</summary>
    EmptyHandle,

    /// <summary>An address whose handle does not exist or does not name its block: a release by handle would miss it.</summary>
    MissingHandle,

    /// <summary>A block whose data contradict themselves.</summary>
    InvalidBlock,

    /// <summary>An affinity and its block that do not agree.</summary>
    Affinity,

    /// <summary>A block that belongs to a node that does not exist, or lies in no pool.</summary>
    StrayBlock,

    /// <summary>A stored value that cannot be read.</summary>
    Unreadable,
}

/// <summary>One thing that is wrong.</summary>
/// <param name="Kind">What.</param>
/// <param name="Subject">The address, block, handle or key.</param>
/// <param name="Explanation">How it is known, in one sentence.</param>
/// <param name="Remedy">What to do about it, or what repairs it by itself.</param>
public sealed record IpamFinding(FindingKind Kind, string Subject, string Explanation, string Remedy)
{
    /// <summary>False for what is harmless and goes away by itself.</summary>
    public bool IsProblem { get; init; } = true;

    /// <summary>Of a leaked address: the allocation that is meant, so that a later one of the same address is never released in its place.</summary>
    public ulong? SequenceNumber { get; init; }
}

/// <summary>An address as a block holds it.</summary>
/// <param name="Owner">Of the block: node or purpose; null for none.</param>
/// <param name="HandleId">Null in data of very old releases.</param>
public sealed record HeldAddress(
    IpAddress Address, IpPrefix Block, string? Owner, string? HandleId, IReadOnlyDictionary<string, string> Attributes, ulong? SequenceNumber)
{
    /// <summary>Who uses it: "pod ns/name on node-a", "VXLAN tunnel of node-a"; empty for nobody.</summary>
    public IReadOnlyList<string> Users { get; init; } = [];

    /// <summary>Nobody uses it, and that can be judged.</summary>
    public bool IsLeaked { get; init; }
}
