using System.Collections.Immutable;

namespace Weft.Bgp;

/// <summary>RFC 5065: the ASes that look like one from outside. <see cref="SpeakerOptions.LocalAs"/> is the member this speaker is in.</summary>
public sealed record Confederation
{
    /// <summary>AS Confederation Identifier: our AS for everybody outside.</summary>
    public required uint Id { get; init; }

    /// <summary>The other member ASes (our own may stand among them).</summary>
    public ImmutableArray<uint> Members { get; init; } = [];

    /// <summary>True for a member AS other than <paramref name="localAs"/>.</summary>
    public bool IsOtherMember(uint number, uint localAs) => number != localAs && Members.Contains(number);

    public bool Equals(Confederation? other) => other is not null && Id == other.Id && Members.SequenceEqual(other.Members);

    public override int GetHashCode() => HashCode.Combine(Id, Members.Length);
}
