using Microsoft.Extensions.Logging;

namespace Weft.Cluster.Store;

/// <summary>Events of the store, 2100-2199.</summary>
internal static partial class Log
{
    [LoggerMessage(2100, LogLevel.Information, "listening on {Endpoints}; {Path}: revision {Revision}, {Keys} keys, {Leases} leases, {Size} bytes")]
    public static partial void Listening(ILogger logger, string endpoints, string path, long revision, long keys, int leases, long size);

    [LoggerMessage(2101, LogLevel.Warning, "listening on {Endpoint} without TLS: whoever reaches it can read and write everything; set [store] cert-file, key-file and client-ca-file")]
    public static partial void OpenToAll(ILogger logger, string endpoint);

    [LoggerMessage(2102, LogLevel.Error, "data file {Path} refused: {Reason}")]
    public static partial void FileRefused(ILogger logger, string path, string reason);

    [LoggerMessage(2103, LogLevel.Error, "open data file {Path}: {Reason}")]
    public static partial void FileNotOpened(ILogger logger, string path, string reason);

    [LoggerMessage(2104, LogLevel.Error, "write failed, nothing is acknowledged until it works again: {Reason}")]
    public static partial void WriteFailed(ILogger logger, string reason);

    [LoggerMessage(2105, LogLevel.Information, "writes to {Path} work again")]
    public static partial void WritesWorkAgain(ILogger logger, string path);

    [LoggerMessage(2106, LogLevel.Critical, "the write loop failed")]
    public static partial void WriteLoopFailed(ILogger logger, Exception exception);

    [LoggerMessage(2107, LogLevel.Debug, "lease {Id:x} expired")]
    public static partial void LeaseExpired(ILogger logger, long id);

    [LoggerMessage(2108, LogLevel.Information, "history before revision {Revision} given up")]
    public static partial void Compacted(ILogger logger, long revision);

    [LoggerMessage(2109, LogLevel.Error, "listen on {Endpoint}: {Reason}")]
    public static partial void NotListening(ILogger logger, string endpoint, string reason);

    [LoggerMessage(2110, LogLevel.Error, "{Method} failed")]
    public static partial void CallFailed(ILogger logger, string method, Exception exception);

    [LoggerMessage(2111, LogLevel.Error, "{Method}: {Reason}")]
    public static partial void ReadFailed(ILogger logger, string method, string reason);

    [LoggerMessage(2112, LogLevel.Information, "stopping; revision {Revision}")]
    public static partial void Stopping(ILogger logger, long revision);

    [LoggerMessage(2113, LogLevel.Warning, "{InUse} bytes in use, more than the quota of {Quota}: only deletions are accepted until a compaction makes room")]
    public static partial void QuotaExceeded(ILogger logger, long inUse, long quota);

    [LoggerMessage(2114, LogLevel.Debug, "TLS handshake with {Peer} failed: {Reason}")]
    public static partial void HandshakeFailed(ILogger logger, string peer, string reason);
}
