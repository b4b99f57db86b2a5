using Weft.Primitives.Net;

namespace Weft.Bgp;

/// <summary>How a next hop is reached.</summary>
/// <param name="Reachable">False: routes through it cannot win (RFC 4271 9.1.2.1).</param>
/// <param name="Metric">Interior cost, lower wins (RFC 4271 9.1.2.2 e); 0 for directly connected.</param>
public readonly record struct NextHopState(bool Reachable, uint Metric)
{
    public static readonly NextHopState Connected = new(true, 0);

    public static readonly NextHopState Unreachable = new(false, uint.MaxValue);
}

/// <summary>
/// Answers from a table already in memory: called on the RIB's loop, must not wait. Called once per distinct next hop, and again for all of them after
/// <see cref="BgpSpeaker.NextHopsChangedAsync"/>.
/// </summary>
public interface INextHopResolver
{
    NextHopState Resolve(IpAddress nextHop);

    /// <summary>Name of the link packets leave by, for policies that ask; null: unknown.</summary>
    string? LinkTo(IpAddress nextHop) => null;

    /// <summary>No route of one family names it any more; those of the other still may, and ask again when next hops change.</summary>
    void Release(IpAddress nextHop)
    {
    }
}

/// <summary>Believes in every next hop. For tests and for hosts where all peers are directly connected.</summary>
public sealed class AllNextHopsReachable : INextHopResolver
{
    public static readonly AllNextHopsReachable Instance = new();

    public NextHopState Resolve(IpAddress nextHop) => NextHopState.Connected;
}
