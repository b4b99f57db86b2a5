using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.IpSets;

/// <summary>A set as the kernel holds it.</summary>
/// <param name="TypeName">"hash:net".</param>
/// <param name="Members">As the kernel prints them.</param>
public sealed record KernelIpSet(string Name, string TypeName, string FamilyName, long MaxElements, List<string> Members);

/// <summary>The edit of one set, carried out in the order of the properties.</summary>
public sealed class IpSetEdit
{
    public required string Name { get; init; }

    public required IpSetType Type { get; init; }

    public required IpFamily Family { get; init; }

    public required int MaxElements { get; init; }

    public bool Create { get; init; }

    public required IReadOnlyCollection<IpSetMember> Deletions { get; init; }

    public required IReadOnlyCollection<IpSetMember> Additions { get; init; }

    /// <summary>Afterwards the content changes places with this set, in one step for every packet; null for not.</summary>
    public string? SwapWith { get; init; }
}

/// <summary>How sets are read and written: today by the ipset program, with netlink possible behind the same face. Failures are texts for people.</summary>
public interface IIpSetKernel
{
    /// <returns>Null on success.</returns>
    string? ReadAll(List<KernelIpSet> sets);

    /// <summary>Not a transaction: after a failure any part may have been carried out.</summary>
    /// <returns>Null on success.</returns>
    string? Write(IReadOnlyList<IpSetEdit> edits);

    /// <summary>Fails while a rule refers to the set.</summary>
    /// <returns>Null on success.</returns>
    string? Destroy(string name);
}
