using Microsoft.Extensions.Logging;

namespace Weft.Node.Startup;

internal static partial class Log
{
    [LoggerMessage(2000, LogLevel.Information, "node {Node}: IPv4 {IPv4}, IPv6 {IPv6}")]
    public static partial void NodeWritten(ILogger logger, string node, string ipv4, string ipv6);

    [LoggerMessage(2001, LogLevel.Error, "node {Node}: {Problem}")]
    public static partial void NodeProblem(ILogger logger, string node, string problem);

    [LoggerMessage(2002, LogLevel.Warning, "start-up of the node is not complete, trying again: {Reason}")]
    public static partial void StartupFailed(ILogger logger, string reason);

    [LoggerMessage(2003, LogLevel.Information, "IPPool {Name} {Cidr} created, since the cluster had none of its family")]
    public static partial void PoolCreated(ILogger logger, string name, string cidr);

    [LoggerMessage(2004, LogLevel.Warning, "node name was not written to {Path}: {Reason}")]
    public static partial void NameFileNotWritten(ILogger logger, string path, string reason);

    [LoggerMessage(2005, LogLevel.Information, "node {Node}: {Choice}")]
    public static partial void AddressChosen(ILogger logger, string node, string choice);
}
