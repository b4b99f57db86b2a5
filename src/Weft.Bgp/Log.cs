using Microsoft.Extensions.Logging;
using Weft.Primitives.Net;

namespace Weft.Bgp;

/// <summary>Events of the speaker, 1500 to 1599.</summary>
internal static partial class Log
{
    [LoggerMessage(1500, LogLevel.Information, "peer {Peer}: established with AS {RemoteAs}, router id {RouterId}, families {Families}, hold time {HoldTime}")]
    public static partial void Established(ILogger logger, string peer, uint remoteAs, IpAddress routerId, AddressFamilies families, TimeSpan holdTime);

    [LoggerMessage(1501, LogLevel.Warning, "peer {Peer}: session ended: {Reason}")]
    public static partial void SessionEnded(ILogger logger, string peer, string reason);

    [LoggerMessage(1502, LogLevel.Debug, "peer {Peer}: attempt failed: {Reason}")]
    public static partial void AttemptFailed(ILogger logger, string peer, string reason);

    [LoggerMessage(1503, LogLevel.Warning, "connection from {Remote} refused: no such peer is configured")]
    public static partial void UnknownPeer(ILogger logger, IpAddress remote);

    [LoggerMessage(1504, LogLevel.Warning, "peer {Peer}: UPDATE {Answer} by RFC 7606: attribute {Attribute}, error {Code}/{Subcode}")]
    public static partial void UpdateError(ILogger logger, string peer, string answer, int attribute, byte code, byte subcode);

    [LoggerMessage(1505, LogLevel.Information, "peer {Peer}: {Count} stale {Family} routes dropped: the peer did not come back, or not all the way, in time")]
    public static partial void StaleRoutesDropped(ILogger logger, string peer, IpFamily family, int count);

    [LoggerMessage(1506, LogLevel.Error, "peer {Peer}: more than {Limit} {Family} prefixes; the session is ended and {Then}")]
    public static partial void PrefixLimit(ILogger logger, string peer, int limit, IpFamily family, string then);

    [LoggerMessage(1522, LogLevel.Warning, "range {Range}: {Remote} refused: there are {Maximum} neighbours already ({Count} refused so far)")]
    public static partial void RangeFull(ILogger logger, string range, IpAddress remote, int maximum, long count);

    [LoggerMessage(1523, LogLevel.Information, "peer {Peer}: forgotten: {Reason}")]
    public static partial void PeerForgotten(ILogger logger, string peer, string reason);

    [LoggerMessage(1520, LogLevel.Warning, "peer {Peer}: {Count} {Family} prefixes, the limit is {Limit}")]
    public static partial void PrefixWarning(ILogger logger, string peer, IpFamily family, int count, int limit);

    [LoggerMessage(1521, LogLevel.Error, "peer {Peer}: {Count} {Family} prefixes are more than the limit of {Limit}; the session goes on")]
    public static partial void PrefixLimitPassed(ILogger logger, string peer, IpFamily family, int count, int limit);

    [LoggerMessage(1530, LogLevel.Information, "peer {Peer}: {Count} stale {Family} routes are kept for another {Time}, least preferred (RFC 9494)")]
    public static partial void KeptLongLived(ILogger logger, string peer, IpFamily family, int count, TimeSpan time);

    [LoggerMessage(1531, LogLevel.Warning, "peer {Peer}: the end of a refresh of {Family} never came; {Count} routes that were not told again are dropped")]
    public static partial void RefreshNeverEnded(ILogger logger, string peer, IpFamily family, int count);

    [LoggerMessage(1532, LogLevel.Information, "after the restart, selection of {Family} routes begins with {Count} prefixes: {Reason}")]
    public static partial void SelectionBegins(ILogger logger, IpFamily family, int count, string reason);
}
