namespace Weft.Node.Router;

/// <summary>What the transport needs beside the speaker's own settings; travels in <see cref="Weft.Bgp.PeerSettings.TransportOptions"/>.</summary>
internal sealed record PeerTransportOptions
{
    /// <summary>TTL of a connection to a neighbour any number of routers away.</summary>
    public const int AnyDistance = 64;

    public static readonly PeerTransportOptions Direct = new();

    /// <summary>TCP MD5 (RFC 2385); null: none.</summary>
    public Secret? Password { get; init; }

    /// <summary>TCP-AO (RFC 5925) instead of a password; null: none.</summary>
    public AuthenticationKey? Authentication { get; init; }

    /// <summary>RFC 5082: neighbours at most this many hops away, 1..255; 0: off.</summary>
    public int TtlSecurity { get; init; }

    /// <summary>TTL of what we send, 1..255. An external neighbour on the same link gets 1.</summary>
    public int Ttl { get; init; } = AnyDistance;

    /// <summary>For operators.</summary>
    public string Description { get; init; } = string.Empty;
}
