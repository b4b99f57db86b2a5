using Microsoft.Extensions.Logging;

namespace Weft.Dataplane;

/// <summary>1650..1699 of the dataplane's range.</summary>
internal static partial class Log
{
    [LoggerMessage(1650, LogLevel.Information, "policy is complete: writing to the kernel begins")]
    public static partial void InSync(ILogger logger);

    [LoggerMessage(1651, LogLevel.Information, "first round done in {Milliseconds} ms: {Endpoints} endpoints, {Policies} policies, {Sets} sets, {Routes} routes")]
    public static partial void FirstRound(ILogger logger, long milliseconds, int endpoints, int policies, int sets, int routes);

    [LoggerMessage(1652, LogLevel.Debug, "round done in {Milliseconds} ms")]
    public static partial void Round(ILogger logger, long milliseconds);

    [LoggerMessage(1653, LogLevel.Warning, "round incomplete, tried again in {Milliseconds} ms: {What}")]
    public static partial void RoundIncomplete(ILogger logger, long milliseconds, string what);

    [LoggerMessage(1654, LogLevel.Warning, "FelixConfiguration {Problem}")]
    public static partial void BadSetting(ILogger logger, string problem);

    [LoggerMessage(1658, LogLevel.Information, "rules are written by {Backend}: {Why}")]
    public static partial void Backend(ILogger logger, RuleBackendChoice backend, string why);

    [LoggerMessage(1659, LogLevel.Information, "{Family} rules that an earlier life wrote by {What} are gone")]
    public static partial void Swept(ILogger logger, Weft.Primitives.Net.IpFamily family, string what);

    [LoggerMessage(1660, LogLevel.Warning, "{Family} rules of an earlier life stay: {What}")]
    public static partial void NotSwept(ILogger logger, Weft.Primitives.Net.IpFamily family, string what);
}
