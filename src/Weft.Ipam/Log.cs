using Microsoft.Extensions.Logging;
using Weft.Primitives.Net;

namespace Weft.Ipam;

/// <summary>What Weft.Ipam logs: ids 1300-1399.</summary>
internal static partial class Log
{
    [LoggerMessage(1300, LogLevel.Information, "ipam: {Owner} owns block {Block}")]
    public static partial void BlockClaimed(ILogger logger, string owner, IpPrefix block);

    [LoggerMessage(1301, LogLevel.Information, "ipam: block {Block} is no longer of {Owner}")]
    public static partial void BlockGivenUp(ILogger logger, string owner, IpPrefix block);

    [LoggerMessage(1302, LogLevel.Warning, "ipam: block {Block} was left half claimed by {Owner}; completed")]
    public static partial void ClaimRepaired(ILogger logger, string owner, IpPrefix block);

    [LoggerMessage(1303, LogLevel.Debug, "ipam: {Address} of block {Block} assigned to {Handle}")]
    public static partial void Assigned(ILogger logger, IpAddress address, IpPrefix block, string handle);

    [LoggerMessage(1304, LogLevel.Debug, "ipam: {Count} addresses of block {Block} released")]
    public static partial void Released(ILogger logger, int count, IpPrefix block);

    [LoggerMessage(1305, LogLevel.Warning, "ipam: block {Block} is released but what follows failed, and is done by the next one to come by: {Reason}")]
    public static partial void AfterReleaseFailed(ILogger logger, IpPrefix block, string reason);

    [LoggerMessage(1306, LogLevel.Information, "ipam: {Node} borrows from block {Block} of {Owner}")]
    public static partial void Borrowed(ILogger logger, string node, IpPrefix block, string owner);

    [LoggerMessage(1307, LogLevel.Information, "node {Node}: {Kind} tunnel address {Address} assigned")]
    public static partial void TunnelAddressAssigned(ILogger logger, string node, string kind, IpAddress address);

    [LoggerMessage(1308, LogLevel.Information, "node {Node}: {Kind} tunnel address {Address} released, no pool needs it any more")]
    public static partial void TunnelAddressReleased(ILogger logger, string node, string kind, string address);

    [LoggerMessage(1309, LogLevel.Warning, "node {Node}: tunnel addresses just taken could not be given back, the next round does it: {Reason}")]
    public static partial void TunnelAddressNotUndone(ILogger logger, string node, string reason);
}
