using System.Collections.Frozen;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>
/// Next hops that are not on a link of ours and are reached through a route that BGP itself taught (an internal peer's next hop behind an external peer's network).
/// The RIB's loops ask, the FIB's loop answers, because it knows the routes.
/// <code>
///   RIB: next hop? --Track--> FIB: longest learnt route over it, longer than the kernel's own --Current--> RIB decides again, FIB leads routes there
/// </code>
/// One step only: the route in between must itself lead to a next hop that the kernel's other routes reach. So two routes never hold each other up when what was below
/// them has gone.
/// </summary>
internal sealed class RecursiveHops
{
    /// <summary>More are not followed: no neighbour can make the router search for a million of them.</summary>
    private const int Most = 4096;

    /// <summary>A next hop that leads elsewhere this often within <see cref="Patience"/> depends on what depends on it, and is given up for as long.</summary>
    private const int MostFlips = 8;

    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    // Guards _tracked and _released: taken when a next hop is new or no longer named, and when the FIB takes the list.
    private readonly Lock _gate = new();
    private readonly HashSet<IpAddress> _tracked = [];
    private readonly HashSet<IpAddress> _released = [];
    private readonly Dictionary<IpAddress, int> _flips = [];
    private long _flipsSince;
    private readonly HashSet<IpPrefix> _covers = [];
    private volatile FrozenDictionary<IpAddress, ResolvedHop> _current = FrozenDictionary<IpAddress, ResolvedHop>.Empty;
    private volatile bool _isNew;

    /// <summary>Something was tracked for the first time; called on the RIB's loop, must not wait.</summary>
    public Action Asked { get; set; } = static () => { };

    /// <summary>Some answer changed; called on the FIB's loop, must not wait.</summary>
    public Action Changed { get; set; } = static () => { };

    /// <summary>Any thread.</summary>
    public bool TryResolve(IpAddress nextHop, out ResolvedHop way) => _current.TryGetValue(nextHop, out way);

    /// <summary>On a RIB's loop: this next hop is on no link of ours.</summary>
    public void Track(IpAddress nextHop)
    {
        lock (_gate)
        {
            _released.Remove(nextHop);
            if (_tracked.Count >= Most)
            {
                _tracked.ExceptWith(_released);
                _released.Clear();
            }

            if (_tracked.Count >= Most || !_tracked.Add(nextHop))
            {
                return;
            }
        }

        _isNew = true;
        Asked();
    }

    /// <summary>On a RIB's loop: no route of its family names it any more. It makes room when that is short: the other family may still want it.</summary>
    public void Release(IpAddress nextHop)
    {
        lock (_gate)
        {
            if (_tracked.Contains(nextHop))
            {
                _released.Add(nextHop);
            }
        }
    }

    /// <summary>On the FIB's loop: whether a change of this route can change an answer. One look for each route that changes, none while nothing is tracked.</summary>
    public bool Concerns(in IpPrefix route) => _covers.Count > 0 && _covers.Contains(route);

    /// <summary>On the FIB's loop: a new next hop waits for an answer.</summary>
    public bool IsAsked => _isNew;

    /// <summary>On the FIB's loop: looks for every tracked next hop again.</summary>
    /// <param name="host">The newest picture.</param>
    /// <param name="settings">Which routes are followed: those that are written as they are.</param>
    /// <param name="learned">What BGP taught.</param>
    /// <param name="sets">Their next hops.</param>
    /// <param name="time">For <see cref="Patience"/>.</param>
    /// <param name="isGivenUp">Some next hop was given up: come back after <see cref="Patience"/>.</param>
    /// <returns>True when some next hop leads elsewhere now.</returns>
    public bool Update(HostView host, FibSettings settings, LearnedRoutes learned, NextHopSets sets, TimeProvider time, out bool isGivenUp)
    {
        if (time.GetElapsedTime(_flipsSince) >= Patience)
        {
            _flips.Clear();
            _flipsSince = time.GetTimestamp();
        }

        isGivenUp = false;
        Dictionary<IpAddress, ResolvedHop> next = [];
        foreach (IpAddress nextHop in Tracked())
        {
            if (_flips.GetValueOrDefault(nextHop) >= MostFlips)
            {
                isGivenUp = true;
            }
            else if (Find(nextHop, host, settings, learned, sets) is { } way)
            {
                next.Add(nextHop, way);
            }
        }

        FrozenDictionary<IpAddress, ResolvedHop> before = _current;
        IpAddress[] changed = [.. next.Where(n => !before.TryGetValue(n.Key, out ResolvedHop old) || old != n.Value).Select(n => n.Key), .. before.Keys.Where(k => !next.ContainsKey(k))];
        foreach (IpAddress nextHop in changed)
        {
            _flips[nextHop] = _flips.GetValueOrDefault(nextHop) + 1;
        }

        if (changed.Length > 0)
        {
            _current = next.ToFrozenDictionary();
        }

        return changed.Length > 0;
    }

    private IpAddress[] Tracked()
    {
        lock (_gate)
        {
            IpAddress[] tracked = [.. _tracked];
            if (_isNew)
            {
                _isNew = false;
                _covers.Clear();
                _covers.UnionWith(tracked.SelectMany(a => Enumerable.Range(0, a.BitLength + 1).Select(length => new IpPrefix(a, length))));
            }

            return tracked;
        }
    }

    private static ResolvedHop? Find(IpAddress nextHop, HostView host, FibSettings settings, LearnedRoutes learned, NextHopSets sets)
    {
        // The longer match decides, as in the kernel, where both kinds of route stand in one table.
        int shortest = Math.Max(host.MatchLength(nextHop, settings.ResolveViaDefault) + 1, settings.ResolveViaDefault ? 0 : 1);
        for (int length = nextHop.BitLength; length >= shortest; length--)
        {
            IpPrefix cover = new(nextHop, length);
            int set = learned.Find(cover);
            if (set == 0)
            {
                continue;
            }

            foreach (Weft.Bgp.Rib.RouteNextHop hop in sets[set].Hops)
            {
                // A route over its own next hop says nothing about how that is reached.
                if (hop.Address != nextHop && settings.Rules.Decide(cover, hop.Address) == KernelAction.Install && host.Resolve(hop, settings.ResolveViaDefault) is { } way)
                {
                    return way with { IsConnected = false };
                }
            }

            return null;
        }

        return null;
    }
}
