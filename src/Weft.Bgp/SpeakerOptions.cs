using Weft.Primitives.Net;

namespace Weft.Bgp;

/// <summary>What the whole speaker needs to know; fixed for its life but for <see cref="MaximumPaths"/> (<see cref="BgpSpeaker.SetMaximumPathsAsync"/>).</summary>
public sealed record SpeakerOptions
{
    /// <summary>Own autonomous system, 1..4294967295.</summary>
    public required uint LocalAs { get; init; }

    /// <summary>Null: none.</summary>
    public Confederation? Confederation { get; init; }

    /// <summary>Our AS in the OPEN to a neighbour of this AS: the member AS inside the confederation, its identifier outside (RFC 5065 4).</summary>
    public uint LocalAsTowards(uint remoteAs) =>
        Confederation is null || remoteAs == LocalAs || Confederation.IsOtherMember(remoteAs, LocalAs) ? LocalAs : Confederation.Id;

    /// <summary>BGP identifier: a non-zero IPv4 address (RFC 6286).</summary>
    public required IpAddress RouterId { get; init; }

    /// <summary>Cluster id for route reflection (RFC 4456); the router id when not set.</summary>
    public IpAddress ClusterId { get; init; }

    /// <summary>Paths per prefix handed to the listeners as a multipath set; 1 means the best path alone.</summary>
    public int MaximumPaths { get; init; } = 1;

    /// <summary>LOCAL_PREF of a route that came without one (RFC 4271 5.1.5).</summary>
    public uint DefaultLocalPreference { get; init; } = 100;

    /// <summary>RFC 4724 restart time told to peers; zero: graceful restart is not offered for our own restart.</summary>
    public TimeSpan RestartTime { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>True when this process starts anew with the forwarding state of its predecessor in place: sets the restart and forwarding bits (RFC 4724).</summary>
    public bool Restarting { get; init; }

    /// <summary>
    /// RFC 4724 4.1: with <see cref="Restarting"/>, the longest time in which nothing is selected or announced because neighbours have not told their routes; zero: routes are
    /// selected at once.
    /// </summary>
    public TimeSpan RestartDeferral { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>Session loops that share all sessions among them.</summary>
    public int SessionLoops { get; init; } = 1;
}
