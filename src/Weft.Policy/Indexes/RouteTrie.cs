using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Policy.Indexes;

/// <summary>What a pool says of the addresses in it.</summary>
internal readonly record struct PoolRoute(IpPoolType Type, bool NatOutgoing, bool CrossSubnet);

/// <summary>Who uses a single address: a workload (no tunnel), or a tunnel device of a node.</summary>
internal readonly record struct AddressUse(TunnelTypes Tunnel, string Node);

/// <summary>Everything known about one prefix. Lists may hold equal entries: each is one more reason.</summary>
internal sealed class RouteEntry
{
    public PoolRoute? Pool { get; set; }

    /// <summary>Nodes that hold this block or (another node's) address of a block.</summary>
    public List<string> Blocks { get; } = [];

    /// <summary>Nodes that have this address themselves.</summary>
    public List<string> Hosts { get; } = [];

    public List<AddressUse> Uses { get; } = [];

    public bool IsEmpty => Pool is null && Blocks.Count == 0 && Hosts.Count == 0 && Uses.Count == 0;
}

/// <summary>
/// Prefixes by containment. Pools and blocks have few different lengths, so the prefixes around one are found by asking a hash table once per length in
/// use; those inside one stand behind it in the sorted set.
/// </summary>
internal sealed class RouteTrie
{
    private const int Lengths = 129;

    private readonly Dictionary<IpPrefix, RouteEntry> _entries = [];
    private readonly SortedSet<IpPrefix> _sorted = [];
    private readonly int[] _lengths4 = new int[Lengths];
    private readonly int[] _lengths6 = new int[Lengths];

    public IEnumerable<IpPrefix> Prefixes => _sorted;

    public RouteEntry? Find(IpPrefix prefix) => _entries.GetValueOrDefault(prefix);

    /// <summary>Changes the entry of a prefix, which comes into being with its first content and goes with its last.</summary>
    public void Change(IpPrefix prefix, Action<RouteEntry> change)
    {
        if (!_entries.TryGetValue(prefix, out RouteEntry? entry))
        {
            entry = new RouteEntry();
            _entries.Add(prefix, entry);
            _sorted.Add(prefix);
            LengthsOf(prefix)[prefix.Length]++;
        }

        change(entry);
        if (entry.IsEmpty)
        {
            _entries.Remove(prefix);
            _sorted.Remove(prefix);
            LengthsOf(prefix)[prefix.Length]--;
        }
    }

    /// <summary>The entries that contain a prefix, from the widest to its own.</summary>
    public IEnumerable<(IpPrefix Prefix, RouteEntry Entry)> Around(IpPrefix prefix)
    {
        int[] lengths = LengthsOf(prefix);
        for (int length = 0; length <= prefix.Length; length++)
        {
            IpPrefix outer = new(prefix.Address, length);
            if (lengths[length] > 0 && _entries.TryGetValue(outer, out RouteEntry? entry))
            {
                yield return (outer, entry);
            }
        }
    }

    /// <summary>The prefixes that have an entry and lie inside one, itself included. Valid until the next change.</summary>
    public IEnumerable<IpPrefix> Inside(IpPrefix prefix) => _sorted.GetViewBetween(prefix, prefix.LastAddress.ToPrefix());

    private int[] LengthsOf(IpPrefix prefix) => prefix.IsIPv6 ? _lengths6 : _lengths4;
}
