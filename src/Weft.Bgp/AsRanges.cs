using System.Collections.Immutable;

namespace Weft.Bgp;

/// <summary>A set of AS numbers as an operator writes it. Equal when it says the same in the same order.</summary>
public sealed record AsRanges
{
    /// <summary>Every AS but 0.</summary>
    public static readonly AsRanges Any = new() { Ranges = [(1, uint.MaxValue)] };

    /// <summary>Both ends belong to a range.</summary>
    public required ImmutableArray<(uint Low, uint High)> Ranges { get; init; }

    /// <summary>The only AS there is; null: there are several.</summary>
    public uint? Single => Ranges is [var (low, high)] && low == high ? low : null;

    public bool Contains(uint number)
    {
        foreach ((uint low, uint high) in Ranges)
        {
            if (number >= low && number <= high)
            {
                return true;
            }
        }

        return false;
    }

    public bool Equals(AsRanges? other) => other is not null && Ranges.SequenceEqual(other.Ranges);

    public override int GetHashCode() => Ranges.Length == 0 ? 0 : HashCode.Combine(Ranges.Length, Ranges[0]);

    public override string ToString() =>
        Equals(Any) ? "any" : string.Join(", ", Ranges.Select(static r => r.Low == r.High ? $"{r.Low}" : $"{r.Low}-{r.High}"));
}
