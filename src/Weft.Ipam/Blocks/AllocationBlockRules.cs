using System.Globalization;
using Weft.Model.Ipam;
using Weft.Primitives.Net;

namespace Weft.Ipam.Blocks;

/// <summary>
/// How a block changes: pure functions over its data, byte-compatible with Calico (reference 3.7 and 3.9). The caller writes the result by
/// compare-and-swap and calls <see cref="Touch"/> before each write.
/// <code>
///   allocations [ 0  null  1  0 ]      per ordinal, an index into attributes
///   unallocated [ 1 ]                  a queue: taken from the front, returned at the end
///   attributes  [ {handle, secondary}, {releasedAt} ]
/// </code>
/// </summary>
internal static class AllocationBlockRules
{
    /// <summary>Ordinals that Windows keeps for itself; a block that holds nothing else is empty.</summary>
    private const string WindowsReservedHandle = "windows-reserved-ipam-handle";

    private static readonly TimeSpan s_almostASecond = TimeSpan.FromSeconds(1) - TimeSpan.FromTicks(1);

    public static AllocationBlock Create(IpPrefix cidr, BlockOwner? owner, DateTimeOffset now)
    {
        int size = checked((int)cidr.Size);
        return new AllocationBlock
        {
            Cidr = cidr.ToString(),
            Affinity = owner?.ToString(),
            AffinityClaimTime = owner is null ? null : Time(now),
            Allocations = [.. Enumerable.Repeat((int?)null, size)],
            Unallocated = [.. Enumerable.Range(0, size)],
            SequenceNumber = (ulong)(now - DateTimeOffset.UnixEpoch).Ticks * 100,
            SequenceNumberForAllocation = [],
        };
    }

    public static IpPrefix Cidr(AllocationBlock block) => IpPrefix.Parse(block.Cidr);

    /// <summary>Also understands the bare host name of very old blocks.</summary>
    public static BlockOwner? Owner(AllocationBlock block) =>
        BlockOwner.Parse(block.Affinity) ?? (block.HostAffinity is { Length: > 0 } host ? BlockOwner.Node(host) : null);

    /// <summary>Makes the next write different from every other one. Also rewrites a very old owner in today's form.</summary>
    public static void Touch(AllocationBlock block)
    {
        block.Affinity = Owner(block)?.ToString();
        block.HostAffinity = null;
        block.SequenceNumber++;
    }

    public static void Disown(AllocationBlock block) => (block.Affinity, block.HostAffinity, block.AffinityClaimTime) = (null, null, null);

    /// <summary>When the owner took the block; the beginning of time for blocks that do not say.</summary>
    public static DateTimeOffset ClaimTime(AllocationBlock block) => ParseTime(block.AffinityClaimTime) ?? DateTimeOffset.MinValue;

    /// <summary>Takes free addresses from the front of the queue; reserved ones stay where they are in it.</summary>
    public static List<IpAddress> Assign(
        AllocationBlock block, int count, string? handle, IReadOnlyDictionary<string, string> attributes, Predicate<IpAddress> isReserved)
    {
        IpPrefix cidr = Cidr(block);
        List<IpAddress> taken = [];
        int? attribute = null;
        for (int i = 0; i < block.Unallocated.Count && taken.Count < count;)
        {
            int ordinal = block.Unallocated[i];
            IpAddress address = cidr.Address.Add((UInt128)ordinal);
            if (isReserved(address))
            {
                i++;
                continue;
            }

            block.Unallocated.RemoveAt(i);
            Take(block, ordinal, attribute ??= AttributeIndex(block, handle, attributes));
            taken.Add(address);
        }

        return taken;
    }

    /// <summary>Takes one particular address; false when it is in use or in cooldown.</summary>
    public static bool TryAssign(AllocationBlock block, IpAddress address, string? handle, IReadOnlyDictionary<string, string> attributes)
    {
        int ordinal = Ordinal(block, address);
        if (block.Allocations[ordinal] is not null)
        {
            return false;
        }

        block.Unallocated.Remove(ordinal);
        Take(block, ordinal, AttributeIndex(block, handle, attributes));
        return true;
    }

    /// <summary>
    /// Frees addresses, all or none: one that is held by somebody else than the caller thinks refuses the whole call.
    /// </summary>
    public static BlockRelease Release(AllocationBlock block, IEnumerable<AddressRelease> requests, DateTimeOffset now, TimeSpan cooldown)
    {
        List<IpAddress> notAllocated = [];
        List<(int Ordinal, string? Handle)> held = [];
        foreach (AddressRelease request in requests.DistinctBy(r => r.Address))
        {
            int ordinal = Ordinal(block, request.Address);
            if (request.SequenceNumber is { } sequence && SequenceOf(block, ordinal) != sequence)
            {
                return BlockRelease.Refuse($"{request.Address}: sequence number {sequence} was asked for, the block has {SequenceOf(block, ordinal)?.ToString(CultureInfo.InvariantCulture) ?? "none"}");
            }

            if (AttributeOf(block, ordinal) is not { ReleasedAt: null } attribute)
            {
                notAllocated.Add(request.Address);
                continue;
            }

            if (request.HandleId is { } handle && Sanitise(handle) != Sanitise(attribute.HandleId))
            {
                return BlockRelease.Refuse($"{request.Address}: held by handle {attribute.HandleId ?? "(none)"}, not {handle}");
            }

            held.Add((ordinal, attribute.HandleId));
        }

        return Free(block, held, notAllocated, now, cooldown);
    }

    /// <summary>Frees everything the handle holds.</summary>
    public static BlockRelease ReleaseHandle(AllocationBlock block, string handle, DateTimeOffset now, TimeSpan cooldown) =>
        Free(block, [.. OrdinalsOf(block, handle).Select(o => (o, (string?)handle))], [], now, cooldown);

    /// <summary>
    /// Returns addresses whose cooldown has passed to the end of the queue and drops attributes nobody refers to. Run on every block that is read.
    /// </summary>
    /// <returns>True when something changed.</returns>
    public static bool CollectCold(AllocationBlock block, DateTimeOffset now, TimeSpan cooldown)
    {
        bool changed = false;
        for (int ordinal = 0; ordinal < block.Allocations.Count; ordinal++)
        {
            if (AttributeOf(block, ordinal)?.ReleasedAt is { } text && IsCold(ParseTime(text), now, cooldown))
            {
                block.Allocations[ordinal] = null;
                block.SequenceNumberForAllocation?.Remove(Text(ordinal));
                block.Unallocated.Add(ordinal);
                changed = true;
            }
        }

        if (changed)
        {
            DropUnusedAttributes(block);
        }

        return changed;
    }

    /// <summary>Nothing is assigned and nothing waits for its cooldown.</summary>
    public static bool IsEmpty(AllocationBlock block)
    {
        for (int ordinal = 0; ordinal < block.Allocations.Count; ordinal++)
        {
            if (AttributeOf(block, ordinal) is { } attribute && !IsWindowsReserved(attribute))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Held by Windows itself in every block.</summary>
    public static bool IsWindowsReserved(AllocationAttribute attribute) => WindowsReservedHandle.Equals(attribute.HandleId, StringComparison.OrdinalIgnoreCase);

    public static bool HasFree(AllocationBlock block, Predicate<IpAddress> isReserved)
    {
        IpPrefix cidr = Cidr(block);
        return block.Unallocated.Exists(o => !isReserved(cidr.Address.Add((UInt128)o)));
    }

    public static List<IpAddress> AddressesOf(AllocationBlock block, string handle)
    {
        IpPrefix cidr = Cidr(block);
        return [.. OrdinalsOf(block, handle).Select(o => cidr.Address.Add((UInt128)o))];
    }

    /// <summary>What is known about an address; null when it is free.</summary>
    public static AllocationAttribute? AttributeOf(AllocationBlock block, IpAddress address) => AttributeOf(block, Ordinal(block, address));

    public static ulong? SequenceOf(AllocationBlock block, IpAddress address) => SequenceOf(block, Ordinal(block, address));

    /// <summary>Old migrations left carriage returns behind handles.</summary>
    public static string? Sanitise(string? handle) => handle?.Split('\r')[0];

    /// <summary>Whole seconds, as every writer of these fields writes them.</summary>
    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static BlockRelease Free(
        AllocationBlock block, List<(int Ordinal, string? Handle)> held, List<IpAddress> notAllocated, DateTimeOffset now, TimeSpan cooldown)
    {
        IpPrefix cidr = Cidr(block);
        if (held.Count > 0)
        {
            // Whole seconds: rounded down, as upstream does, the cooldown would be up to a second short. Without one the address must be free at once.
            block.Attributes.Add(new AllocationAttribute { ReleasedAt = Time(cooldown > TimeSpan.Zero ? now + s_almostASecond : now) });
            foreach ((int ordinal, _) in held)
            {
                Take(block, ordinal, block.Attributes.Count - 1);
            }

            DropUnusedAttributes(block);
        }

        CollectCold(block, now, cooldown);
        return new BlockRelease([.. held.Select(h => (cidr.Address.Add((UInt128)h.Ordinal), h.Handle))], notAllocated, null);
    }

    private static void Take(AllocationBlock block, int ordinal, int attribute)
    {
        block.Allocations[ordinal] = attribute;
        (block.SequenceNumberForAllocation ??= [])[Text(ordinal)] = block.SequenceNumber;
    }

    private static int Ordinal(AllocationBlock block, IpAddress address)
    {
        IpPrefix cidr = Cidr(block);
        return cidr.Contains(address)
            ? (int)(address.Value - cidr.Address.Value)
            : throw new ArgumentException($"{address} is not in block {cidr}", nameof(address));
    }

    private static IEnumerable<int> OrdinalsOf(AllocationBlock block, string handle)
    {
        for (int ordinal = 0; ordinal < block.Allocations.Count; ordinal++)
        {
            if (AttributeOf(block, ordinal) is { ReleasedAt: null, HandleId: { } held } && Sanitise(held) == Sanitise(handle))
            {
                yield return ordinal;
            }
        }
    }

    private static AllocationAttribute? AttributeOf(AllocationBlock block, int ordinal) =>
        block.Allocations[ordinal] is { } index && index >= 0 && index < block.Attributes.Count ? block.Attributes[index] : null;

    private static ulong? SequenceOf(AllocationBlock block, int ordinal) =>
        block.SequenceNumberForAllocation is { } numbers && numbers.TryGetValue(Text(ordinal), out ulong number) ? number : null;

    /// <summary>Equal attributes share one entry.</summary>
    private static int AttributeIndex(AllocationBlock block, string? handle, IReadOnlyDictionary<string, string> secondary)
    {
        int found = block.Attributes.FindIndex(a => a.HandleId == handle && a.ReleasedAt is null && a.AlternateOwnerAttrs is null or { Count: 0 } && Same(a.Secondary, secondary));
        if (found >= 0)
        {
            return found;
        }

        block.Attributes.Add(new AllocationAttribute { HandleId = handle, Secondary = secondary.Count == 0 ? null : new Dictionary<string, string>(secondary) });
        return block.Attributes.Count - 1;
    }

    private static bool Same(Dictionary<string, string>? left, IReadOnlyDictionary<string, string> right) =>
        (left?.Count ?? 0) == right.Count && right.All(p => left!.TryGetValue(p.Key, out string? value) && value == p.Value);

    private static void DropUnusedAttributes(AllocationBlock block)
    {
        int[] renumbered = new int[block.Attributes.Count];
        Array.Fill(renumbered, -1);
        foreach (int index in block.Allocations.OfType<int>().Where(i => i >= 0 && i < renumbered.Length))
        {
            renumbered[index] = 0;
        }

        List<AllocationAttribute> used = [];
        for (int i = 0; i < renumbered.Length; i++)
        {
            if (renumbered[i] == 0)
            {
                renumbered[i] = used.Count;
                used.Add(block.Attributes[i]);
            }
        }

        for (int ordinal = 0; ordinal < block.Allocations.Count; ordinal++)
        {
            if (block.Allocations[ordinal] is { } index && index >= 0 && index < renumbered.Length)
            {
                block.Allocations[ordinal] = renumbered[index];
            }
        }

        block.Attributes = used;
    }

    // Upstream asks "strictly before", which with whole seconds would keep an address for a moment even without any cooldown.
    private static bool IsCold(DateTimeOffset? releasedAt, DateTimeOffset now, TimeSpan cooldown) =>
        releasedAt is null || (cooldown <= TimeSpan.Zero ? releasedAt <= now || cooldown < TimeSpan.Zero : releasedAt < now - cooldown);

    internal static DateTimeOffset? ParseTime(string? text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out DateTimeOffset time) ? time : null;

    private static string Text(int ordinal) => ordinal.ToString(CultureInfo.InvariantCulture);
}

/// <param name="Released">Addresses freed, with the handles that held them.</param>
/// <param name="NotAllocated">Addresses that were free already.</param>
/// <param name="Refusal">Why nothing at all was freed, or null.</param>
internal sealed record BlockRelease(IReadOnlyList<(IpAddress Address, string? Handle)> Released, IReadOnlyList<IpAddress> NotAllocated, string? Refusal)
{
    public static BlockRelease Refuse(string why) => new([], [], why);
}
