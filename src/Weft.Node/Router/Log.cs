using Microsoft.Extensions.Logging;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

internal static partial class Log
{
    [LoggerMessage(1900, LogLevel.Information, "router {routerId}, AS {localAs}: {peers} neighbours")]
    public static partial void Started(ILogger logger, IpAddress routerId, uint localAs, int peers);

    [LoggerMessage(1901, LogLevel.Information, "waiting: {reason}")]
    public static partial void Waiting(ILogger logger, string reason);

    [LoggerMessage(1902, LogLevel.Information, "datastore: {status} {detail}")]
    public static partial void DatastoreStatus(ILogger logger, string status, string detail);

    [LoggerMessage(1903, LogLevel.Warning, "{problem}")]
    public static partial void Problem(ILogger logger, string problem);

    [LoggerMessage(1904, LogLevel.Information, "neighbour {name} ({address}, AS {remoteAs}) added")]
    public static partial void PeerAdded(ILogger logger, string name, string address, string remoteAs);

    [LoggerMessage(1905, LogLevel.Information, "neighbour {name} changed: {outcome}")]
    public static partial void PeerChanged(ILogger logger, string name, string outcome);

    [LoggerMessage(1906, LogLevel.Information, "neighbour {name} removed")]
    public static partial void PeerRemoved(ILogger logger, string name);

    [LoggerMessage(1907, LogLevel.Information, "accepting sessions on {endpoint}")]
    public static partial void Listening(ILogger logger, string endpoint);

    [LoggerMessage(1908, LogLevel.Error, "cannot accept sessions on {endpoint}: {reason}; trying again")]
    public static partial void CannotListen(ILogger logger, string endpoint, string reason);

    [LoggerMessage(1909, LogLevel.Warning, "connection from {address} refused: no such neighbour ({count} refused so far)")]
    public static partial void StrangerRefused(ILogger logger, IpAddress address, long count);

    [LoggerMessage(1912, LogLevel.Information, "settled: {swept} routes of an earlier run removed from the kernel")]
    public static partial void Settled(ILogger logger, int swept);

    [LoggerMessage(1913, LogLevel.Debug, "host: {links} links, {addresses} addresses, {routes} routes of others")]
    public static partial void HostChanged(ILogger logger, int links, int addresses, int routes);

    [LoggerMessage(1914, LogLevel.Information, "local AS, router id or another value of the whole speaker changed: sessions start anew, routes stay in the kernel")]
    public static partial void SpeakerRestarted(ILogger logger);

    [LoggerMessage(1915, LogLevel.Information, "settings read again from {path}")]
    public static partial void Reloaded(ILogger logger, string path);

    [LoggerMessage(1916, LogLevel.Error, "settings not taken over, the old ones stay in force: {problem}")]
    public static partial void ReloadRefused(ILogger logger, string problem);

    [LoggerMessage(1917, LogLevel.Error, "TCP MD5 key for {address} on {endpoint}: {reason}; its connections will not be accepted")]
    public static partial void KeyRefused(ILogger logger, IpPrefix address, string endpoint, string reason);

    [LoggerMessage(1929, LogLevel.Error, "TCP-AO key for {address} on {endpoint}: {reason}")]
    public static partial void AuthenticationRefused(ILogger logger, IpPrefix address, string endpoint, string reason);

    [LoggerMessage(1918, LogLevel.Warning, "[{section}] {key} changed: takes effect at the next start")]
    public static partial void NeedsRestart(ILogger logger, string section, string key);

    [LoggerMessage(1919, LogLevel.Debug, "connection of {address} was not taken: {reason}")]
    public static partial void AcceptFailed(ILogger logger, IpAddress address, string reason);

    [LoggerMessage(1923, LogLevel.Information, "changed: {what}")]
    public static partial void RouterChanged(ILogger logger, string what);

    [LoggerMessage(1924, LogLevel.Information, "own route {prefix} {what}")]
    public static partial void OwnRoute(ILogger logger, IpPrefix prefix, string what);

    [LoggerMessage(1921, LogLevel.Warning, "neighbour {name} shut down by the operator{message}")]
    private static partial void ShutDown(ILogger logger, string name, string message);

    public static void ShutDownByOperator(ILogger logger, string name, string message) => ShutDown(logger, name, message.Length == 0 ? string.Empty : $": {message}");

    [LoggerMessage(1922, LogLevel.Information, "neighbour {name} enabled by the operator")]
    public static partial void EnabledByOperator(ILogger logger, string name);

    [LoggerMessage(1960, LogLevel.Information, "neighbour {Name} is drained by the operator: everything is announced with GRACEFUL_SHUTDOWN")]
    public static partial void DrainedByOperator(ILogger logger, string name);

    [LoggerMessage(1926, LogLevel.Information, "{count} route origin authorizations read from {path}")]
    public static partial void RoasRead(ILogger logger, string path, int count);

    [LoggerMessage(1927, LogLevel.Information, "the neighbour on {link} is {address}")]
    public static partial void FoundOnLink(ILogger logger, string link, IpAddress address);

    [LoggerMessage(1928, LogLevel.Error, "cannot look for the neighbour on {link}: {reason}")]
    public static partial void CannotWatchLink(ILogger logger, string link, string reason);

    [LoggerMessage(1920, LogLevel.Error, "the router ends: {reason}")]
    public static partial void Failed(ILogger logger, string reason);
}
