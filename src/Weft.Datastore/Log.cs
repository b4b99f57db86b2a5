using Microsoft.Extensions.Logging;

namespace Weft.Datastore;

/// <summary>What Weft.Datastore logs: ids 1200-1299.</summary>
internal static partial class Log
{
    [LoggerMessage(1200, LogLevel.Warning, "datastore: {Endpoint} does not serve requests ({Reason}); using {Next}")]
    public static partial void EndpointChanged(ILogger logger, string endpoint, string next, string reason);

    [LoggerMessage(1201, LogLevel.Debug, "datastore: logged in at {Endpoint} as {User}")]
    public static partial void LoggedIn(ILogger logger, string endpoint, string user);

    [LoggerMessage(1202, LogLevel.Information, "datastore: {Endpoint} has authentication switched off; the user name {User} is not used")]
    public static partial void AuthenticationOff(ILogger logger, string endpoint, string user);

    [LoggerMessage(1203, LogLevel.Warning, "datastore: watch of {Prefixes} lost after revision {Revision}: {Reason}; trying again")]
    public static partial void WatchLost(ILogger logger, string prefixes, long revision, string reason);

    [LoggerMessage(1204, LogLevel.Information, "datastore: watch of {Prefixes} goes on after revision {Revision} at {Endpoint}")]
    public static partial void WatchResumed(ILogger logger, string prefixes, long revision, string endpoint);

    [LoggerMessage(1205, LogLevel.Warning, "datastore: list failed: {Reason}; trying again")]
    public static partial void ListFailed(ILogger logger, string reason);

    [LoggerMessage(1206, LogLevel.Information, "datastore: in sync at revision {Revision}: {Items} values, {Changes} changes")]
    public static partial void InSync(ILogger logger, long revision, int items, int changes);

    [LoggerMessage(1207, LogLevel.Warning, "datastore: listing everything again: {Reason}")]
    public static partial void Relist(ILogger logger, string reason);

    [LoggerMessage(1208, LogLevel.Warning, "datastore: {Key} at revision {Revision} cannot be used: {Problem}")]
    public static partial void Unreadable(ILogger logger, string key, long revision, string problem);
}
