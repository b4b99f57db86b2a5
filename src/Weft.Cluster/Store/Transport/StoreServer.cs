using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Weft.Cluster.Store.Transport;

/// <summary>
/// Kestrel without a host, a container or a pipeline (13 ms to start, 10 MB). Kestrel cannot tell HTTP/1.1 from HTTP/2 on a clear-text port, and its TLS
/// needs a container, so both are connection middleware of ours:
/// <code>
///   socket --> TlsMiddleware (when there is a certificate) --> PlainHttpMiddleware --"PRI * HTTP/2.0"--> Kestrel HTTP/2 --> GrpcApplication
///                                                                    '-- anything else: GET /health, GET /version
/// </code>
/// </summary>
internal sealed class StoreServer : IAsyncDisposable
{
    private readonly KestrelServer _server;

    public StoreServer(IReadOnlyList<IPEndPoint> endPoints, TlsMiddleware? tls, PlainHttpMiddleware plain, ILoggerFactory logs)
    {
        KestrelServerOptions options = new()
        {
            AddServerHeader = false,
            AllowAlternateSchemes = tls is not null, // TLS ends before Kestrel looks; clients rightly say https
        };
        options.Limits.MaxRequestBodySize = null; // streams have no end; messages are bounded one by one
        options.Limits.MinRequestBodyDataRate = null;
        options.Limits.MinResponseDataRate = null;
        options.Limits.Http2.MaxStreamsPerConnection = 4096;
        options.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(60); // finds watches whose client vanished
        options.Limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(20);
        foreach (IPEndPoint endPoint in endPoints)
        {
            options.Listen(endPoint, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                if (tls is not null)
                {
                    listen.Use(next => connection => tls.RunAsync(connection, next));
                }

                listen.Use(next => connection => plain.RunAsync(connection, next));
            });
        }

        WarningsOnly warnings = new(logs);
        SocketTransportFactory transport = new(Options.Create(new SocketTransportOptions()), warnings);
        _server = new KestrelServer(Options.Create(options), transport, warnings);
    }

    /// <exception cref="IOException">An address cannot be listened on.</exception>
    public Task StartAsync(IHttpApplication<IFeatureCollection> application, CancellationToken stop) => _server.StartAsync(application, stop);

    /// <summary>Lets calls end until <paramref name="hurry"/> fires, then cuts what is left.</summary>
    public Task StopAsync(CancellationToken hurry) => _server.StopAsync(hurry);

    public ValueTask DisposeAsync()
    {
        _server.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Kestrel tells at Information what clients do every day, such as leaving a watch.</summary>
    private sealed class WarningsOnly(ILoggerFactory logs) : ILoggerFactory
    {
        public ILogger CreateLogger(string categoryName) => new Filter(logs.CreateLogger(categoryName));

        public void AddProvider(ILoggerProvider provider) => logs.AddProvider(provider);

        public void Dispose()
        {
        }

        private sealed class Filter(ILogger logger) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning && logger.IsEnabled(logLevel);

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
            {
                if (IsEnabled(logLevel))
                {
                    logger.Log(logLevel, eventId, state, exception, formatter);
                }
            }
        }
    }
}
