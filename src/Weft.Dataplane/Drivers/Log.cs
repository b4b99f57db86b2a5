using Microsoft.Extensions.Logging;
using Weft.Dataplane.Drivers.Routes;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers;

/// <summary>1600..1649 of the dataplane's range.</summary>
internal static partial class Log
{
    [LoggerMessage(1600, LogLevel.Warning, "{Family} table {Table} not written: {Failure}")]
    public static partial void TableNotWritten(ILogger logger, IpFamily family, string table, string failure);

    [LoggerMessage(1601, LogLevel.Warning, "sweep of unused backend failed: {What}")]
    public static partial void CleanupFailed(ILogger logger, string what);

    [LoggerMessage(1602, LogLevel.Debug, "{Family} table {Table} written, {Bytes} bytes")]
    public static partial void TableWritten(ILogger logger, IpFamily family, string table, int bytes);

    [LoggerMessage(1603, LogLevel.Warning, "chain {Chain} of table {Table} is referred to but not defined: it drops every packet until it is")]
    public static partial void ChainMissing(ILogger logger, string table, string chain);

    [LoggerMessage(1604, LogLevel.Debug, "refused input for table {Table}:\n{Input}")]
    public static partial void RefusedInput(ILogger logger, string table, string input);

    [LoggerMessage(1610, LogLevel.Warning, "{Family} sets not written: {Failure}")]
    public static partial void SetsNotWritten(ILogger logger, IpFamily family, string failure);

    [LoggerMessage(1611, LogLevel.Debug, "{Count} {Family} sets written")]
    public static partial void SetsWritten(ILogger logger, IpFamily family, int count);

    [LoggerMessage(1612, LogLevel.Warning, "set {Name} not deleted, tried again after the next read: {Result}")]
    public static partial void SetNotDeleted(ILogger logger, string name, NetlinkResult result);

    [LoggerMessage(1613, LogLevel.Error, "set {Name} has {Members} members, the most is {Most}: it is not written, and policies that ask it deny everything")]
    public static partial void SetTooLarge(ILogger logger, string name, int members, int most);

    [LoggerMessage(1620, LogLevel.Warning, "{Family} routes not read: {Result}")]
    public static partial void RoutesNotRead(ILogger logger, IpFamily family, NetlinkResult result);

    [LoggerMessage(1621, LogLevel.Warning, "batch of {Count} {Family} routes failed: {Result}")]
    public static partial void RouteBatchFailed(ILogger logger, IpFamily family, int count, NetlinkResult result);

    [LoggerMessage(1622, LogLevel.Warning, "route {Prefix} {Target} not written: {Result}")]
    public static partial void RouteNotWritten(ILogger logger, IpPrefix prefix, RouteTarget target, NetlinkResult result);

    [LoggerMessage(1623, LogLevel.Warning, "route {Prefix} not deleted: {Result}")]
    public static partial void RouteNotDeleted(ILogger logger, IpPrefix prefix, NetlinkResult result);

    [LoggerMessage(1624, LogLevel.Warning, "route {Prefix} {Target} not written: a route of another program has the same destination and metric")]
    public static partial void RouteConflict(ILogger logger, IpPrefix prefix, RouteTarget target);

    [LoggerMessage(1625, LogLevel.Warning, "connections of {Count} pod addresses not ended: {Result}")]
    public static partial void ConnectionsNotEnded(ILogger logger, int count, NetlinkResult result);

    [LoggerMessage(1626, LogLevel.Debug, "{Connections} connections of {Count} pod addresses ended")]
    public static partial void ConnectionsEnded(ILogger logger, int connections, int count);

    [LoggerMessage(1630, LogLevel.Warning, "{Family} neighbours not read: {Result}")]
    public static partial void NeighborsNotRead(ILogger logger, IpFamily family, NetlinkResult result);

    [LoggerMessage(1631, LogLevel.Warning, "neighbour {Address} of {Link} not written: {Result}")]
    public static partial void NeighborNotWritten(ILogger logger, IpAddress address, string link, NetlinkResult result);

    [LoggerMessage(1632, LogLevel.Warning, "setting {Path} not set to {Value}: {Failure}")]
    public static partial void SysctlNotWritten(ILogger logger, string path, string value, string failure);

    [LoggerMessage(1633, LogLevel.Warning, "{Family} routing rules not read: {Result}")]
    public static partial void RoutingRulesNotRead(ILogger logger, IpFamily family, NetlinkResult result);

    [LoggerMessage(1634, LogLevel.Warning, "routing rule of priority {Priority} to table {Table} not written: {Result}")]
    public static partial void RoutingRuleNotWritten(ILogger logger, uint priority, uint table, NetlinkResult result);

    [LoggerMessage(1640, LogLevel.Warning, "tunnel: {Problem}")]
    public static partial void TunnelNotWritten(ILogger logger, string problem);

    [LoggerMessage(1641, LogLevel.Information, "tunnel: {Device} is made otherwise than it must be; made anew")]
    public static partial void TunnelRemade(ILogger logger, string device);

    [LoggerMessage(1645, LogLevel.Warning, "{Family} rules not written: {Failure}")]
    public static partial void TablesNotWritten(ILogger logger, IpFamily family, string failure);

    [LoggerMessage(1646, LogLevel.Debug, "{Family} rules written: {Requests} requests, {Bytes} bytes")]
    public static partial void TablesWritten(ILogger logger, IpFamily family, int requests, int bytes);
}
