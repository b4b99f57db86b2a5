using System.IO.Pipelines;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Weft.Cluster.Store.Transport;

/// <summary>TLS 1.2 or 1.3 around a connection, with client certificates when an authority for them is given.</summary>
internal sealed class TlsMiddleware
{
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    private readonly SslServerAuthenticationOptions _options;
    private readonly X509Certificate2Collection? _clientAuthorities;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <exception cref="CryptographicException">A file does not hold what it should.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public TlsMiddleware(StoreSettings settings, TimeProvider time, ILogger logger)
    {
        (_time, _logger) = (time, logger);
        X509Certificate2 certificate = X509Certificate2.CreateFromPemFile(settings.CertFile, settings.KeyFile);
        X509Certificate2Collection chain = [];
        chain.ImportFromPemFile(settings.CertFile);
        _options = new SslServerAuthenticationOptions
        {
            ServerCertificateContext = SslStreamCertificateContext.Create(certificate, chain, offline: true),
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
        };
        if (settings.ClientCaFile.Length > 0)
        {
            _clientAuthorities = [];
            _clientAuthorities.ImportFromPemFile(settings.ClientCaFile);
            _options.ClientCertificateRequired = true;
            _options.RemoteCertificateValidationCallback = (_, shown, _, _) => IsTrusted(shown);
        }
    }

    public async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        await using SslStream tls = new(new PipeStream(connection.Transport), leaveInnerStreamOpen: false);
        try
        {
            using CancellationTokenSource slow = new(HandshakeTimeout, _time);
            using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(slow.Token, connection.ConnectionClosed);
            await tls.AuthenticateAsServerAsync(_options, end.Token);
        }
        catch (Exception e) when (e is AuthenticationException or IOException or OperationCanceledException)
        {
            Log.HandshakeFailed(_logger, connection.RemoteEndPoint?.ToString() ?? "?", (e.InnerException ?? e).Message);
            return;
        }

        IDuplexPipe socket = connection.Transport;
        PipeReader input = PipeReader.Create(tls, new StreamPipeReaderOptions(bufferSize: 16384, leaveOpen: true));
        PipeWriter output = PipeWriter.Create(tls, new StreamPipeWriterOptions(leaveOpen: true));
        connection.Transport = new DuplexPipe(input, output);
        try
        {
            await next(connection);
        }
        finally
        {
            await input.CompleteAsync();
            await output.CompleteAsync();
            connection.Transport = socket;
        }
    }

    private bool IsTrusted(X509Certificate? shown)
    {
        if (shown is not X509Certificate2 certificate)
        {
            return false;
        }

        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(_clientAuthorities!);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        return chain.Build(certificate);
    }

    private sealed record DuplexPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    /// <summary>The two pipes of a connection as the one stream that SslStream wants.</summary>
    private sealed class PipeStream(IDuplexPipe pipe) : Stream
    {
        private readonly Stream _input = pipe.Input.AsStream(leaveOpen: true);
        private readonly Stream _output = pipe.Output.AsStream(leaveOpen: true);

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => _input.Read(buffer, offset, count);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => _input.ReadAsync(buffer, cancellationToken);

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Write(byte[] buffer, int offset, int count) => _output.Write(buffer, offset, count);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => _output.WriteAsync(buffer, cancellationToken);

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Flush() => _output.Flush();

        public override Task FlushAsync(CancellationToken cancellationToken) => _output.FlushAsync(cancellationToken);

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
