using Weft.Primitives.Net;

namespace Weft.Bgp;

/// <summary>What happens to a session whose peer announces more prefixes than it may.</summary>
public enum PrefixLimitAction : byte
{
    /// <summary>It is logged and shown; the session goes on and everything is kept.</summary>
    Warn,

    /// <summary>The session ends with Cease/1 and stays down until the operator resets it or changes the limit.</summary>
    Reset,

    /// <summary>The session ends with Cease/1 and comes back by itself after <see cref="PrefixLimit.RestartTime"/>.</summary>
    Restart,
}

/// <summary>
/// How many prefixes a peer may announce in each family. Counted is what is in the Adj-RIB-In, before import policy: a peer that announces what policy refuses costs
/// memory as well.
/// </summary>
public sealed record PrefixLimit
{
    /// <summary>0: no limit.</summary>
    public int IPv4 { get; init; }

    /// <inheritdoc cref="IPv4"/>
    public int IPv6 { get; init; }

    /// <summary>Percent of the limit at which a warning is logged, 1..100; 0: no warning.</summary>
    public int Warning { get; init; } = 80;

    public PrefixLimitAction Action { get; init; } = PrefixLimitAction.Restart;

    /// <summary>RFC 4271 8.1.1 IdleHoldTime of a session that <see cref="PrefixLimitAction.Restart"/> ended.</summary>
    public TimeSpan RestartTime { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>0: no limit in this family.</summary>
    public int Of(IpFamily family) => family == IpFamily.IPv6 ? IPv6 : IPv4;
}
