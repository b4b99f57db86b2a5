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

    [LoggerMessage(1810, LogLevel.Warning, "interfaces of pods that are gone were not deleted: {Reason}")]
    public static partial void NotReaped(ILogger logger, string reason);

    [LoggerMessage(1811, LogLevel.Warning, "{Endpoint} goes on without its policy in the kernel, as [agent] policy-wait-expired says: {Reason}")]
    public static partial void PolicyNotAwaited(ILogger logger, string endpoint, string reason);

    [LoggerMessage(1812, LogLevel.Warning, "DEL container {ContainerId} is finished when the agent is back, its traffic is cut: {Reason}")]
    public static partial void DelDeferred(ILogger logger, string containerId, string reason);

    [LoggerMessage(1813, LogLevel.Information, "deferred DEL {File} has been done")]
    public static partial void DeferredDelDone(ILogger logger, string file);

    [LoggerMessage(1814, LogLevel.Warning, "deferred DEL {File} failed and is tried again: {Reason}")]
    public static partial void DeferredDelFailed(ILogger logger, string file, string reason);

    [LoggerMessage(1815, LogLevel.Information, "GC of network {Network}: interface {HostInterface} of container {ContainerId} belonged to nobody and was removed")]
    public static partial void CollectedInterface(ILogger logger, string network, string hostInterface, string containerId);
}
