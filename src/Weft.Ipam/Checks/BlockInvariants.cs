using System.Globalization;
using Weft.Ipam.Blocks;
using Weft.Model.Ipam;
using Weft.Primitives.Net;

namespace Weft.Ipam.Checks;

/// <summary>What must hold inside every block, whoever wrote it.</summary>
internal static class BlockInvariants
{
    /// <summary>One sentence for each rule that is broken.</summary>
    public static IEnumerable<string> Broken(IpPrefix cidr, AllocationBlock block, DateTimeOffset now)
    {
        if (block.Cidr != cidr.ToString())
        {
            yield return $"its key says {cidr}, its value \"{block.Cidr}\"";
        }

        int size = (int)UInt128.Min(cidr.Size, int.MaxValue);
        if (block.Allocations.Count != size)
        {
            yield return $"{block.Allocations.Count} allocations for {size} addresses";
        }

        if (block.Allocations.OfType<int>().Any(i => i < 0 || i >= block.Attributes.Count))
        {
            yield return $"an allocation refers to an attribute that is not there ({block.Attributes.Count} attributes)";
        }

        int[] unused = [.. Enumerable.Range(0, block.Attributes.Count).Except(block.Allocations.OfType<int>())];
        if (unused.Length > 0)
        {
            yield return $"nothing refers to attribute {string.Join(", ", unused)}";
        }

        int[] outside = [.. block.Unallocated.Where(o => o < 0 || o >= size)];
        if (outside.Length > 0)
        {
            yield return $"the free list names ordinals outside the block: {string.Join(", ", outside)}";
        }

        int[] twice = [.. block.Unallocated.GroupBy(o => o).Where(g => g.Count() > 1).Select(g => g.Key)];
        if (twice.Length > 0)
        {
            yield return $"the free list names ordinals twice: {string.Join(", ", twice)}; the address may be handed out twice";
        }

        int[] both = [.. block.Unallocated.Where(o => o >= 0 && o < block.Allocations.Count && block.Allocations[o] is not null)];
        if (both.Length > 0)
        {
            yield return $"ordinals both allocated and in the free list: {string.Join(", ", both)}; the address may be handed out twice";
        }

        int[] neither = [.. Enumerable.Range(0, block.Allocations.Count).Where(o => block.Allocations[o] is null).Except(block.Unallocated)];
        if (neither.Length > 0)
        {
            yield return $"ordinals neither allocated nor in the free list: {string.Join(", ", neither)}; the address can never be handed out";
        }

        foreach (string text in block.Attributes.Select(a => a.ReleasedAt).OfType<string>())
        {
            if (AllocationBlockRules.ParseTime(text) is not { } at)
            {
                yield return $"releasedAt \"{text}\" is no time";
            }
            else if (at > now + TimeSpan.FromMinutes(1))
            {
                yield return $"releasedAt {text} is in the future of this machine's clock ({now.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture)}): the cooldown lasts that much longer";
            }
        }
    }
}
