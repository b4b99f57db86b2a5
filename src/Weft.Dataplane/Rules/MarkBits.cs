using System.Numerics;

namespace Weft.Dataplane.Rules;

/// <summary>The bits of the packet mark that the rules use to remember what they decided. Taken from the mask, lowest bit first.</summary>
/// <param name="Accept">Some policy accepted; long-lived: from raw through mangle to filter.</param>
/// <param name="Pass">The tier handed the packet to the next one.</param>
/// <param name="Drop">The rule at hand denies.</param>
/// <param name="Scratch0">"All blocks so far match" within one rule; "came from a workload" in raw.</param>
/// <param name="Scratch1">"This block matches" within one rule.</param>
internal readonly record struct MarkBits(uint Accept, uint Pass, uint Drop, uint Scratch0, uint Scratch1)
{
    /// <summary>What is cleared at the start of a packet's way. Drop never outlives the rule that sets it.</summary>
    public uint All => Accept | Pass | Scratch0 | Scratch1;

    /// <summary>Within the rules of a policy.</summary>
    public uint AllBlocks => Scratch0;

    public uint ThisBlock => Scratch1;

    /// <returns>Null when the mask has the bits that rules need.</returns>
    public static string? ProblemOf(uint mask) =>
        BitOperations.PopCount(mask) < 5 ? $"mark mask 0x{mask:x} has {BitOperations.PopCount(mask)} bits and five are needed" : null;

    /// <exception cref="ArgumentException">The mask has too few bits.</exception>
    public static MarkBits From(uint mask)
    {
        if (ProblemOf(mask) is { } problem)
        {
            throw new ArgumentException(problem, nameof(mask));
        }

        return new MarkBits(Take(ref mask), Take(ref mask), Take(ref mask), Take(ref mask), Take(ref mask));

        static uint Take(ref uint rest)
        {
            uint bit = rest & (~rest + 1);
            rest &= ~bit;
            return bit;
        }
    }
}
