using Microsoft.Extensions.Logging;

namespace Weft.Node.Cni;

internal static partial class Log
{
    [LoggerMessage(1800, LogLevel.Warning, "undo of \"{Step}\" failed, DEL will have to clean up: {Reason}")]
    public static partial void UndoFailed(ILogger logger, string step, string reason);

    [LoggerMessage(1801, LogLevel.Information, "{Verb} {Workload} container {ContainerId}: {Addresses} on {HostInterface} in {Milliseconds} ms")]
    public static partial void Added(ILogger logger, string verb, string workload, string containerId, string addresses, string hostInterface, long milliseconds);

    [LoggerMessage(1802, LogLevel.Warning, "{Verb} container {ContainerId} failed with code {Code}: {Reason}")]
    public static partial void Failed(ILogger logger, string verb, string containerId, int code, string reason);

    [LoggerMessage(1803, LogLevel.Information, "{Verb} {Workload} container {ContainerId}: {Released} addresses released in {Milliseconds} ms")]
    public static partial void Deleted(ILogger logger, string verb, string workload, string containerId, int released, long milliseconds);

    [LoggerMessage(1804, LogLevel.Information, "GC of network {Network}: container {ContainerId} is no longer attached, {Released} addresses released")]
    public static partial void Collected(ILogger logger, string network, string containerId, int released);

    [LoggerMessage(1805, LogLevel.Warning, "no agent answers on {Socket} ({Reason}); {Verb} runs in the plugin process")]
    public static partial void WithoutAgent(ILogger logger, string socket, string reason, string verb);

    [LoggerMessage(1806, LogLevel.Warning, "sysctl {Path} = {Value} was not written: {Reason}")]
    public static partial void SysctlNotWritten(ILogger logger, string path, string value, string reason);

    [LoggerMessage(1807, LogLevel.Information, "{Workload}: endpoint belongs to the newer container {Newer}, DEL of {ContainerId} leaves it alone")]
    public static partial void NewerContainer(ILogger logger, string workload, string newer, string containerId);

    [LoggerMessage(1808, LogLevel.Error, "{Verb} container {ContainerId} ended with an unexpected error")]
    public static partial void Unexpected(ILogger logger, Exception exception, string verb, string containerId);

    [LoggerMessage(1809, LogLevel.Warning, "the lock {Path} was not had, going on without it: {Reason}")]
    public static partial void NoTurn(ILogger logger, string path, string reason);
}
