using Microsoft.Extensions.Logging;

namespace Weft.Node.Agent;

internal static partial class Log
{
    [LoggerMessage(1700, LogLevel.Information, "agent of node {Node} listens on {Socket}")]
    public static partial void Listening(ILogger logger, string node, string socket);

    [LoggerMessage(1701, LogLevel.Error, "another agent runs with the node name {Node}: {Twin}. Each removes what the other writes; stop one of them or give it another name")]
    public static partial void TwinFound(ILogger logger, string node, string twin);

    [LoggerMessage(1702, LogLevel.Debug, "sign of life was not written: {Reason}")]
    public static partial void LifeSignNotWritten(ILogger logger, string reason);

    [LoggerMessage(1703, LogLevel.Information, "datastore: {Status} ({Detail})")]
    public static partial void SyncStatusChanged(ILogger logger, string status, string detail);

    [LoggerMessage(1704, LogLevel.Warning, "{Key} is not enforced as written: {Reason}")]
    public static partial void InvalidObject(ILogger logger, string key, string reason);

    [LoggerMessage(1705, LogLevel.Information, "{Key} has no problem any more, or is gone")]
    public static partial void ValidAgain(ILogger logger, string key);

    [LoggerMessage(1706, LogLevel.Critical, "{Part} ended: the agent stops and is started again by its service manager")]
    public static partial void PartEnded(ILogger logger, Exception exception, string part);

    [LoggerMessage(1707, LogLevel.Error, "no progress in {Part} for {Seconds} s: the watchdog is not fed")]
    public static partial void NoProgress(ILogger logger, string part, long seconds);

    [LoggerMessage(1708, LogLevel.Information, "agent stopped; routes and policy stay in the kernel")]
    public static partial void Stopped(ILogger logger);

    [LoggerMessage(1709, LogLevel.Error, "the agent cannot listen: {Reason}")]
    public static partial void CannotListen(ILogger logger, string reason);

    [LoggerMessage(1710, LogLevel.Error, "settings are not taken up: {Problem}")]
    public static partial void SettingsRefused(ILogger logger, string problem);

    [LoggerMessage(1711, LogLevel.Error, "the kernel cannot be programmed: {Reason}")]
    public static partial void NoDataplane(ILogger logger, string reason);

    [LoggerMessage(1712, LogLevel.Warning, "{Problem}")]
    public static partial void NotInEffect(ILogger logger, string problem);

    [LoggerMessage(1713, LogLevel.Information, "{Purpose}: answers on {EndPoint}")]
    public static partial void MonitoringOpened(ILogger logger, string purpose, string endPoint);

    [LoggerMessage(1714, LogLevel.Error, "{Purpose}: {Reason}; it is tried again every second")]
    public static partial void MonitoringFailed(ILogger logger, string purpose, string reason);
}
