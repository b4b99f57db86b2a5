using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>A prefix and the number of its <see cref="NextHopSet"/>; 0: no route any more.</summary>
internal readonly record struct LearnedRoute(ulong High, ulong Low, byte Length, int Set)
{
    public static LearnedRoute From(in IpPrefix prefix, int set)
    {
        UInt128 address = prefix.Address.Value;
        return new LearnedRoute((ulong)(address >> 64), (ulong)address, (byte)prefix.Length, set);
    }

    public IpPrefix Prefix(IpFamily family) =>
        new(family == IpFamily.IPv4 ? IpAddress.FromIPv4((uint)Low) : IpAddress.FromIPv6(new UInt128(High, Low)), Length);
}

/// <summary>
/// Prefix -> number of its next hops. Narrow rows without references (IPv4: 24 octets a route): a table of a million stays out of the collector's way.
/// Owned by the FIB's loop.
/// </summary>
internal sealed class LearnedRoutes
{
    private readonly Dictionary<ulong, int> _ipv4 = [];
    private readonly Dictionary<(UInt128 Address, byte Length), int> _ipv6 = [];

    public void Set(in LearnedRoute route, IpFamily family)
    {
        if (family == IpFamily.IPv4)
        {
            Set(_ipv4, route.Low << 8 | route.Length, route.Set);
        }
        else
        {
            Set(_ipv6, (new UInt128(route.High, route.Low), route.Length), route.Set);
        }
    }

    /// <summary>0 when there is none.</summary>
    public int Find(in IpPrefix prefix) => prefix.IsIPv4
        ? _ipv4.GetValueOrDefault((ulong)prefix.Address.Value << 8 | (byte)prefix.Length)
        : _ipv6.GetValueOrDefault((prefix.Address.Value, (byte)prefix.Length));

    public IEnumerable<(IpPrefix Prefix, int Set)> All =>
        _ipv4.Select(r => (new IpPrefix(IpAddress.FromIPv4((uint)(r.Key >> 8)), (byte)r.Key), r.Value))
            .Concat(_ipv6.Select(r => (new IpPrefix(IpAddress.FromIPv6(r.Key.Address), r.Key.Length), r.Value)));

    public void Clear()
    {
        _ipv4.Clear();
        _ipv6.Clear();
    }

    private static void Set<TKey>(Dictionary<TKey, int> routes, TKey key, int set)
        where TKey : notnull
    {
        if (set == 0)
        {
            routes.Remove(key);
        }
        else
        {
            routes[key] = set;
        }
    }
}
