namespace Weft.Bgp.Wire;

/// <summary>Message types of RFC 4271 4.1 and RFC 2918.</summary>
internal enum MessageType : byte
{
    Open = 1,
    Update = 2,
    Notification = 3,
    Keepalive = 4,
    RouteRefresh = 5,
}

/// <summary>NOTIFICATION error codes, RFC 4271 4.5, RFC 7313 and RFC 9687.</summary>
public enum ErrorCode : byte
{
    None = 0,
    MessageHeader = 1,
    OpenMessage = 2,
    UpdateMessage = 3,
    HoldTimerExpired = 4,
    FiniteStateMachine = 5,
    Cease = 6,
    RouteRefreshMessage = 7,
    SendHoldTimerExpired = 8,
}

/// <summary>Subcodes by their error code.</summary>
internal static class Subcode
{
    public const byte ConnectionNotSynchronized = 1;
    public const byte BadMessageLength = 2;
    public const byte BadMessageType = 3;

    public const byte UnsupportedVersion = 1;
    public const byte BadPeerAs = 2;
    public const byte BadBgpIdentifier = 3;
    public const byte UnsupportedOptionalParameter = 4;
    public const byte UnacceptableHoldTime = 6;
    public const byte UnsupportedCapability = 7;

    /// <summary>RFC 9234.</summary>
    public const byte RoleMismatch = 11;

    public const byte MalformedAttributeList = 1;
    public const byte UnrecognizedWellKnown = 2;
    public const byte MissingWellKnown = 3;
    public const byte AttributeFlags = 4;
    public const byte AttributeLength = 5;
    public const byte InvalidOrigin = 6;
    public const byte InvalidNextHop = 8;
    public const byte OptionalAttribute = 9;
    public const byte InvalidNetworkField = 10;
    public const byte MalformedAsPath = 11;

    /// <summary>RFC 6608: the state in which an unexpected message came.</summary>
    public const byte UnexpectedInOpenSent = 1;
    public const byte UnexpectedInOpenConfirm = 2;
    public const byte UnexpectedInEstablished = 3;

    /// <summary>RFC 7313 5.</summary>
    public const byte InvalidRefreshLength = 1;

    /// <summary>RFC 4486 and later.</summary>
    public const byte MaximumPrefixes = 1;
    public const byte AdministrativeShutdown = 2;
    public const byte PeerDeconfigured = 3;
    public const byte AdministrativeReset = 4;
    public const byte ConnectionRejected = 5;
    public const byte OtherConfigurationChange = 6;
    public const byte CollisionResolution = 7;
    public const byte OutOfResources = 8;
    public const byte HardReset = 9;

    /// <summary>RFC 9384.</summary>
    public const byte BfdDown = 10;
}

/// <summary>An error as NOTIFICATION carries it. Allocates only on the way down of a session.</summary>
/// <param name="Data">The NOTIFICATION's data field; empty when the RFC asks for none.</param>
public sealed record BgpError(ErrorCode Code, byte Subcode, byte[] Data)
{
    public BgpError(ErrorCode code, byte subcode)
        : this(code, subcode, [])
    {
    }

    /// <summary>RFC words with the numbers: "Cease (6/2) Administrative Shutdown: "text"".</summary>
    public override string ToString() => ErrorText.Describe(this);
}
