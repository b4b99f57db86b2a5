using Weft.Datastore;
using Weft.Ipam.Blocks;
using Weft.Ipam.Pools;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ipam.Views;

/// <summary>How full something is.</summary>
/// <param name="Capacity">All its addresses; 0 stands for 2^128.</param>
/// <param name="InUse">Assigned, or waiting for their cooldown.</param>
/// <param name="Reserved">Covered by an IPReservation, in use or not.</param>
/// <param name="Free">Neither in use nor reserved.</param>
public readonly record struct Utilisation(UInt128 Capacity, UInt128 InUse, UInt128 Reserved, UInt128 Free);

/// <summary>One block.</summary>
/// <param name="Cidr">The block.</param>
/// <param name="Owner">Name of the node or purpose; null for a block whose owner is gone.</param>
/// <param name="Affinity">As the block says it: "host:node-a".</param>
/// <param name="Use">How full it is.</param>
/// <param name="Borrowed">Its addresses that other nodes use, with the nodes.</param>
public sealed record BlockView(IpPrefix Cidr, string? Owner, string? Affinity, Utilisation Use, IReadOnlyList<(IpAddress Address, string Node)> Borrowed);

/// <summary>One pool, or (without a CIDR) the blocks that are in none.</summary>
public sealed record PoolView(string Name, IpPrefix? Cidr, int BlockSize, bool IsEnabled, Utilisation Use, IReadOnlyList<BlockView> Blocks);

/// <summary>Who holds one address.</summary>
/// <param name="Block">The block it is in; null when there is none.</param>
/// <param name="Pool">The pool it is in; null when there is none.</param>
/// <param name="HandleId">Who holds it.</param>
/// <param name="Attributes">Pod, namespace, node and so on, as stored.</param>
/// <param name="ReleasedAt">Set while it waits for its cooldown.</param>
public sealed record AddressView(IpAddress Address, BlockView? Block, string? Pool, bool IsAssigned, string? HandleId, IReadOnlyDictionary<string, string> Attributes, string? ReleasedAt);

/// <summary>The state of address management at one revision, for people: `weft ipam show`.</summary>
public sealed class IpamView
{
    /// <summary>The name upstream gives to what no pool covers.</summary>
    public const string Orphans = "orphaned allocation blocks";

    private readonly List<(AllocationBlock Block, BlockView View)> _blocks;

    private IpamView(ListResult list)
    {
        Config = list.Items.Select(i => i.Value).OfType<IpamConfig>().FirstOrDefault() ?? IpamConfig.Default;
        Reservations reservations = new(list.Items.Select(i => i.Value).OfType<IPReservation>());
        _blocks = [.. list.Items.Where(i => i.Key is BlockKey).Select(i => (i.As<AllocationBlock>(), View(((BlockKey)i.Key).Cidr, i.As<AllocationBlock>(), reservations)))];
        Unreadable = list.Unreadable;
        AddressPool[] pools = [.. list.Items.Select(i => i.Value).OfType<IPPool>().Select(AddressPool.From).OfType<AddressPool>().OrderBy(p => p.Cidr)];
        List<PoolView> views = [.. pools.Select(p => View(p, reservations))];
        BlockView[] orphans = [.. _blocks.Select(b => b.View).Where(b => !Array.Exists(pools, p => p.HoldsBlock(b.Cidr)))];
        if (orphans.Length > 0)
        {
            views.Add(new PoolView(Orphans, null, 0, IsEnabled: false, Sum(orphans), orphans));
        }

        Pools = views;
    }

    public IpamConfig Config { get; }

    /// <summary>In the order of their CIDRs, orphans last.</summary>
    public IReadOnlyList<PoolView> Pools { get; }

    /// <summary>Blocks and pools whose stored values cannot be read: they are in no sum.</summary>
    public IReadOnlyList<UnreadableValue> Unreadable { get; }

    public static async ValueTask<IpamView> LoadAsync(IDatastore store, CancellationToken stop) => new(await store.ListAsync(
        [ModelPrefix.Of(ResourceKind.IPPool), ModelPrefix.Of(ResourceKind.IPReservation), ModelPrefix.Of(new IpamConfigKey()), ModelPrefix.AllBlocks], stop));

    /// <summary>What is known about one address.</summary>
    public AddressView Find(IpAddress address)
    {
        string? pool = Pools.FirstOrDefault(p => p.Cidr?.Contains(address) == true)?.Name;
        (AllocationBlock? block, BlockView? view) = _blocks.FirstOrDefault(b => b.View.Cidr.Contains(address));
        AllocationAttribute? attribute = block is null ? null : AllocationBlockRules.AttributeOf(block, address);
        return new AddressView(
            address, view, pool, attribute is { ReleasedAt: null }, attribute?.HandleId, attribute?.Secondary ?? [], attribute?.ReleasedAt);
    }

    private PoolView View(AddressPool pool, Reservations reservations)
    {
        BlockView[] blocks = [.. _blocks.Select(b => b.View).Where(b => pool.HoldsBlock(b.Cidr))];
        Utilisation inBlocks = Sum(blocks);
        UInt128 reserved = reservations.CountIn(pool.Cidr);

        // Outside the blocks everything is free but what is reserved there.
        UInt128 reservedOutside = reserved - inBlocks.Reserved;
        UInt128 free = pool.Cidr.Size - inBlocks.Capacity - reservedOutside + inBlocks.Free;
        return new PoolView(pool.Name, pool.Cidr, pool.BlockSize, pool.IsEnabled, new Utilisation(pool.Cidr.Size, inBlocks.InUse, reserved, free), blocks);
    }

    private static BlockView View(IpPrefix cidr, AllocationBlock block, Reservations reservations)
    {
        UInt128 free = (UInt128)block.Unallocated.Count(o => !reservations.Contains(cidr.Address.Add((UInt128)o)));
        Utilisation use = new(cidr.Size, cidr.Size - (UInt128)block.Unallocated.Count, reservations.CountIn(cidr), free);
        BlockOwner? owner = AllocationBlockRules.Owner(block);
        return new BlockView(cidr, owner?.Name, owner?.ToString(), use, [.. Borrowed(cidr, block, owner)]);
    }

    private static IEnumerable<(IpAddress Address, string Node)> Borrowed(IpPrefix cidr, AllocationBlock block, BlockOwner? owner)
    {
        for (int ordinal = 0; ordinal < block.Allocations.Count; ordinal++)
        {
            IpAddress address = cidr.Address.Add((UInt128)ordinal);
            if (AllocationBlockRules.AttributeOf(block, address)?.Secondary?.GetValueOrDefault("node") is { } node && owner is { Type: AffinityType.Host } host && host.Name != node)
            {
                yield return (address, node);
            }
        }
    }

    private static Utilisation Sum(IEnumerable<BlockView> blocks)
    {
        Utilisation sum = default;
        foreach (BlockView block in blocks)
        {
            sum = new Utilisation(sum.Capacity + block.Use.Capacity, sum.InUse + block.Use.InUse, sum.Reserved + block.Use.Reserved, sum.Free + block.Use.Free);
        }

        return sum;
    }
}
