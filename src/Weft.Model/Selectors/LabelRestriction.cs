namespace Weft.Model.Selectors;

/// <summary>
/// What a selector demands of one label, at least: whatever matches the selector satisfies this, but not the other way round. Indexes use it to
/// look at few candidates.
/// </summary>
/// <param name="MustBePresent">The label must exist.</param>
/// <param name="MustBeAbsent">The label must not exist.</param>
/// <param name="Values">The label must have one of these (sorted); null when any will do, empty when nothing can match.</param>
public sealed record LabelRestriction(bool MustBePresent, bool MustBeAbsent, IReadOnlyList<string>? Values)
{
    internal static readonly LabelRestriction Present = new(true, false, null);

    internal static readonly LabelRestriction Absent = new(false, true, null);

    /// <summary>Nothing can satisfy it.</summary>
    public bool IsUnsatisfiable => (MustBePresent && MustBeAbsent) || Values is { Count: 0 };

    /// <summary>Both hold.</summary>
    internal LabelRestriction And(LabelRestriction other) => new(
        MustBePresent || other.MustBePresent,
        MustBeAbsent || other.MustBeAbsent,
        Values is null ? other.Values : other.Values is null ? Values : [.. Values.Where(other.Values.Contains)]);

    /// <summary>At least one holds; null when that says nothing.</summary>
    internal LabelRestriction? Or(LabelRestriction other)
    {
        bool present = MustBePresent && other.MustBePresent;
        bool absent = MustBeAbsent && other.MustBeAbsent;
        return present || absent
            ? new LabelRestriction(present, absent, Values is null || other.Values is null ? null : SelectorText.SortedSet(Values.Concat(other.Values)))
            : null;
    }

    public bool Equals(LabelRestriction? other) =>
        other is not null && MustBePresent == other.MustBePresent && MustBeAbsent == other.MustBeAbsent
        && (Values is null ? other.Values is null : other.Values is not null && Values.SequenceEqual(other.Values));

    public override int GetHashCode() => HashCode.Combine(MustBePresent, MustBeAbsent, Values?.Count ?? -1);
}
