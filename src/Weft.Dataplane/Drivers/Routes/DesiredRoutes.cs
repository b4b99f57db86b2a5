using System.Runtime.InteropServices;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.Routes;

/// <summary>A route key without what its table knows anyway (the family): 32 bytes for each of a million routes.</summary>
internal readonly record struct PackedKey(UInt128 Address, uint Metric, byte Length)
{
    public bool Equals(PackedKey other) => Address == other.Address && Metric == other.Metric && Length == other.Length;

    // A multiply spreads the network bits over the word; the metric is the same for most.
    public override int GetHashCode()
    {
        ulong mixed = ((ulong)Address ^ (ulong)(Address >> 64) * 0xC2B2AE3D27D4EB4FUL ^ ((ulong)Length << 56) ^ Metric) * 0x9E3779B97F4A7C15UL;
        return (int)(mixed >> 32);
    }
}

/// <summary>How a desired route stands to the kernel.</summary>
internal enum RouteState : byte
{
    /// <summary>To be written.</summary>
    Dirty,

    /// <summary>In the kernel as desired.</summary>
    Written,

    /// <summary>Its link is not there or not up; written when it is.</summary>
    AwaitsLink,

    /// <summary>Somebody else's route has the same destination and metric; tried again after the next read.</summary>
    Conflict,
}

/// <summary>One wish for a route.</summary>
internal readonly record struct RouteWish(RouteOwner Owner, LinkId Link, RouteTarget Target);

/// <summary>The wish that won, and what became of it. No reference in it: the collector does not walk a million of them.</summary>
internal struct RouteEntry
{
    /// <summary>Of the <see cref="WishTable"/>; holds one use of it.</summary>
    public int Wish;
    public RouteState State;

    /// <summary>Some route of ours with this key is in the kernel, right or wrong: it is replaced rather than added.</summary>
    public bool InKernel;

    /// <summary>The read in which the kernel's route was last seen.</summary>
    public uint Seen;
}

/// <summary>
/// What is wanted, one winner per key. Most keys have a single wish, so the losers live apart. Owned by one <see cref="RouteTable"/>.
/// </summary>
internal sealed class DesiredRoutes(IpFamily family)
{
    private readonly Dictionary<PackedKey, RouteEntry> _entries = [];
    private readonly WishTable _wishes = new();
    private RouteTarget? _lastNamed;
    private readonly Dictionary<PackedKey, List<RouteWish>> _losers = [];
    private readonly Dictionary<(RouteOwner, LinkId), Dictionary<PackedKey, RouteTarget>> _groups = [];

    // Of wishes outside the groups. Never shrinks; bounded by the links such routes ever named.
    private readonly HashSet<string> _namedLinks = [];
    private bool _namesNoLink;

    public int Count => _entries.Count;

    /// <summary>Keys whose winner changed and keys that lost their last wish, since the last apply.</summary>
    public HashSet<PackedKey> Dirty { get; } = [];

    /// <summary>Keys that are in the kernel and no longer wanted.</summary>
    public HashSet<PackedKey> Unwanted { get; } = [];

    /// <summary>Pod addresses that changed their pod: connections of the old one must end before the new route stands.</summary>
    public HashSet<IpAddress> Moved { get; } = [];

    /// <summary>Pod addresses that are no longer here: their connections must end once the route is gone.</summary>
    public HashSet<IpAddress> Released { get; } = [];

    public IEnumerable<PackedKey> Keys => _entries.Keys;

    public PackedKey Pack(RouteKey key)
    {
        if (key.Prefix.Family != family)
        {
            throw new ArgumentException($"route to {key.Prefix} does not belong into an {family} table", nameof(key));
        }

        // The kernel stores 1024 (IP6_RT_PRIO_USER) for an IPv6 route without a metric.
        uint metric = family == IpFamily.IPv6 && key.Metric == 0 ? 1024 : key.Metric;
        return new PackedKey(key.Prefix.Address.Value, metric, (byte)key.Prefix.Length);
    }

    public RouteKey Unpack(PackedKey key)
    {
        IpAddress address = family == IpFamily.IPv4 ? IpAddress.FromIPv4((uint)key.Address) : IpAddress.FromIPv6(key.Address);
        return new RouteKey(new IpPrefix(address, key.Length), key.Metric);
    }

    public RouteWish WishOf(in RouteEntry entry) => _wishes[entry.Wish];

    /// <summary>A null reference when nobody wants the key.</summary>
    public ref RouteEntry Find(PackedKey key) => ref CollectionsMarshal.GetValueRefOrNullRef(_entries, key);

    public void SetGroup(RouteOwner owner, LinkId link, ReadOnlySpan<(RouteKey Key, RouteTarget Target)> routes)
    {
        Dictionary<PackedKey, RouteTarget> now = new(routes.Length);
        foreach ((RouteKey key, RouteTarget target) in routes)
        {
            now[Pack(key)] = target;
        }

        if (_groups.Remove((owner, link), out Dictionary<PackedKey, RouteTarget>? before))
        {
            foreach (PackedKey key in before.Keys)
            {
                if (!now.ContainsKey(key))
                {
                    Drop(key, owner, link);
                }
            }
        }

        foreach ((PackedKey key, RouteTarget target) in now)
        {
            Wish(key, new RouteWish(owner, link, target));
        }

        if (now.Count > 0)
        {
            _groups[(owner, link)] = now;
        }
    }

    /// <summary>A wish outside the groups.</summary>
    public void WishSingle(PackedKey key, RouteOwner owner, RouteTarget target)
    {
        // Routes come in runs that lead the same way.
        ReadOnlySpan<NextHop> hops = ReferenceEquals(target, _lastNamed) ? [] : target.Hops;
        _lastNamed = target;
        foreach (NextHop hop in hops)
        {
            if (hop.Link.Name is { } name)
            {
                _namedLinks.Add(name);
            }
            else
            {
                _namesNoLink = true;
            }
        }

        Wish(key, new RouteWish(owner, LinkId.None, target));
    }

    private void Wish(PackedKey key, RouteWish wish)
    {
        ref RouteEntry entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_entries, key, out bool exists);
        if (!exists)
        {
            entry = new RouteEntry { Wish = _wishes.Acquire(wish), InKernel = Unwanted.Count > 0 && Unwanted.Remove(key) };
            Dirty.Add(key);
            if (Released.Count > 0 && Released.Remove(Unpack(key).Prefix.Address))
            {
                Moved.Add(Unpack(key).Prefix.Address);
            }

            return;
        }

        RouteWish current = _wishes[entry.Wish];
        if (IsSameOwner(current, wish.Owner, wish.Link))
        {
            if (!current.Target.Equals(wish.Target))
            {
                MakeWinner(ref entry, key, wish);
            }

            return;
        }

        List<RouteWish> losers = CollectionsMarshal.GetValueRefOrAddDefault(_losers, key, out _) ??= [];
        losers.RemoveAll(loser => IsSameOwner(loser, wish.Owner, wish.Link));
        if (Precedes(wish, current))
        {
            losers.Add(current);
            MakeWinner(ref entry, key, wish);
        }
        else
        {
            losers.Add(wish);
        }
    }

    public void Drop(PackedKey key, RouteOwner owner, LinkId link)
    {
        ref RouteEntry entry = ref Find(key);
        if (System.Runtime.CompilerServices.Unsafe.IsNullRef(ref entry))
        {
            return;
        }

        List<RouteWish>? losers = null;
        bool hasLosers = _losers.Count > 0 && _losers.TryGetValue(key, out losers);
        RouteWish current = _wishes[entry.Wish];
        if (!IsSameOwner(current, owner, link))
        {
            losers?.RemoveAll(loser => IsSameOwner(loser, owner, link));
        }
        else if (losers is { Count: > 0 })
        {
            RouteWish best = losers[0];
            foreach (RouteWish loser in losers)
            {
                best = Precedes(loser, best) ? loser : best;
            }

            losers.Remove(best);
            MakeWinner(ref entry, key, best);
        }
        else
        {
            if (entry.InKernel)
            {
                Unwanted.Add(key);
                if (IsPod(key, current))
                {
                    Released.Add(Unpack(key).Prefix.Address);
                }
            }

            _wishes.Release(entry.Wish);
            _entries.Remove(key);
            Dirty.Remove(key);
        }

        if (hasLosers && losers!.Count == 0)
        {
            _losers.Remove(key);
        }
    }

    /// <summary>True when a route outside the groups may lead over the link.</summary>
    public bool MayUse(string link) => _namesNoLink || _namedLinks.Contains(link);

    /// <summary>The keys of every group of a link.</summary>
    public IEnumerable<PackedKey> KeysOf(string link) =>
        _groups.Where(group => group.Key.Item2.Name == link).SelectMany(static group => group.Value.Keys);

    private void MakeWinner(ref RouteEntry entry, PackedKey key, RouteWish wish)
    {
        RouteWish current = _wishes[entry.Wish];
        if (entry.InKernel && IsPod(key, current) && current.Link != wish.Link)
        {
            Moved.Add(Unpack(key).Prefix.Address);
        }

        int before = entry.Wish;
        entry.Wish = _wishes.Acquire(wish);
        _wishes.Release(before);
        entry.State = RouteState.Dirty;
        Dirty.Add(key);
    }

    private bool IsPod(PackedKey key, RouteWish wish) =>
        wish.Owner == RouteOwner.LocalWorkload && key.Length == (family == IpFamily.IPv4 ? 32 : 128);

    private static bool IsSameOwner(RouteWish wish, RouteOwner owner, LinkId link) => wish.Owner == owner && wish.Link == link;

    private static bool Precedes(RouteWish a, RouteWish b) =>
        a.Owner != b.Owner ? a.Owner < b.Owner : string.CompareOrdinal(a.Link.Name, b.Link.Name) < 0;
}
