using Weft.Primitives.Net;

namespace Weft.Bgp.Policies;

/// <summary>
/// Prefixes of one family sorted, each with the nearest one that contains it. What contains a route is found by one binary search and a walk outwards, so a set of a
/// hundred thousand prefixes costs 17 comparisons. Immutable; 40 octets per prefix.
/// </summary>
internal sealed class PrefixIndex
{
    private readonly UInt128[] _addresses;
    private readonly byte[] _lengths;
    private readonly int[] _outer;
    private readonly IpFamily _family;

    /// <param name="sorted">All of one family, ascending; equal ones stand next to each other.</param>
    public PrefixIndex(IpFamily family, IReadOnlyList<IpPrefix> sorted)
    {
        _family = family;
        _addresses = [.. sorted.Select(static p => p.Address.Value)];
        _lengths = [.. sorted.Select(static p => (byte)p.Length)];
        _outer = new int[sorted.Count];
        for (int i = 0; i < sorted.Count; i++)
        {
            int outer = i - 1;
            while (outer >= 0 && !sorted[outer].Contains(sorted[i]))
            {
                outer = _outer[outer];
            }

            _outer[i] = outer;
        }
    }

    public int Count => _addresses.Length;

    /// <summary>The innermost entry that contains the route, the last one among equals; -1: none.</summary>
    public int Innermost(in IpPrefix route)
    {
        if (_addresses.Length == 0 || route.Family != _family)
        {
            return -1;
        }

        UInt128 address = route.Address.Value;
        int low = -1;
        int high = _addresses.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) >> 1;
            if (_addresses[middle] < address || (_addresses[middle] == address && _lengths[middle] <= route.Length))
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }

        // Whatever contains the route contains the entry found here, or is it.
        while (low >= 0 && !(_lengths[low] <= route.Length && (address & Mask(_lengths[low])) == _addresses[low]))
        {
            low = _outer[low];
        }

        return low;
    }

    private UInt128 Mask(int length)
    {
        int free = (_family == IpFamily.IPv4 ? 32 : 128) - length;
        return free == 128 ? UInt128.Zero : UInt128.MaxValue << free;
    }

    /// <summary>The next entry outwards (or an equal one); -1: none.</summary>
    public int Outer(int entry) => _outer[entry];
}

/// <summary>Any number of <see cref="PrefixMatch"/>es of both families, ready to be asked per route.</summary>
internal sealed class PrefixSet
{
    private readonly Family _ipv4;
    private readonly Family _ipv6;

    // Negated ones match nearly everything, so a set of many makes no sense: a few in a row.
    private readonly PrefixMatch[] _negated;

    public PrefixSet(IEnumerable<PrefixMatch> matches)
    {
        PrefixMatch[] all = [.. matches];
        _negated = [.. all.Where(static m => m.Negated)];
        _ipv4 = new Family(IpFamily.IPv4, all);
        _ipv6 = new Family(IpFamily.IPv6, all);
    }

    public bool Matches(in IpPrefix route)
    {
        if ((route.IsIPv4 ? _ipv4 : _ipv6).Matches(in route))
        {
            return true;
        }

        foreach (ref readonly PrefixMatch match in _negated.AsSpan())
        {
            if (match.Matches(in route))
            {
                return true;
            }
        }

        return false;
    }

    private sealed class Family
    {
        private readonly PrefixIndex _index;
        private readonly (byte Low, byte High)[] _lengths;

        public Family(IpFamily family, PrefixMatch[] all)
        {
            PrefixMatch[] sorted = [.. all.Where(m => !m.Negated && m.Prefix.Family == family).OrderBy(static m => m.Prefix)];
            _index = new PrefixIndex(family, [.. sorted.Select(static m => m.Prefix)]);
            _lengths = [.. sorted.Select(static m => ((byte)Math.Max(m.MinimumLength, 0), (byte)Math.Min(m.MaximumLength, 128)))];
        }

        public bool Matches(in IpPrefix route)
        {
            for (int entry = _index.Innermost(in route); entry >= 0; entry = _index.Outer(entry))
            {
                (byte low, byte high) = _lengths[entry];
                if (route.Length >= low && route.Length <= high)
                {
                    return true;
                }
            }

            return false;
        }
    }
}
