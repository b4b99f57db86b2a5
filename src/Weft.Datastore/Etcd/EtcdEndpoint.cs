using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Etcdserverpb;
using Grpc.Core;
using Grpc.Net.Client;

namespace Weft.Datastore.Etcd;

/// <summary>
/// One member of the cluster: an HTTP/2 connection that is made on first use, and the generated stubs on top of it. Owned by
/// <see cref="EtcdConnection"/>; safe to use from any thread.
/// </summary>
internal sealed class EtcdEndpoint : IDisposable
{
    // etcd refuses clients that ping more often than every 5 s (--grpc-keepalive-min-time). A server that is stopped, or behind a cut cable, is
    // noticed after the sum of both.
    private static readonly TimeSpan KeepAliveDelay = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan KeepAliveTimeout = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(3);

    private readonly DatastoreSettings _settings;
    private readonly Lock _gate = new(); // Guards the making of the channel: the first callers may come at once.
    private Stubs? _stubs;

    public EtcdEndpoint(Uri address, DatastoreSettings settings)
    {
        _settings = settings;
        Address = address;
        Name = address.GetLeftPart(UriPartial.Authority);
    }

    public Uri Address { get; }

    /// <summary>As it stands in messages: "https://etcd-1:2379".</summary>
    public string Name { get; }

    public KV.KVClient Kv => Get().Kv;

    public Watch.WatchClient Watch => Get().Watch;

    public Lease.LeaseClient Lease => Get().Lease;

    public Auth.AuthClient Auth => Get().Auth;

    public void Dispose()
    {
        lock (_gate)
        {
            _stubs?.Channel.Dispose();
            _stubs = null;
        }
    }

    /// <exception cref="DatastoreException">A certificate file cannot be read.</exception>
    private Stubs Get()
    {
        if (Volatile.Read(ref _stubs) is { } made)
        {
            return made;
        }

        lock (_gate)
        {
            return _stubs ??= Make();
        }
    }

    private Stubs Make()
    {
        SocketsHttpHandler handler = new()
        {
            UseProxy = false, // A proxy for the web says nothing about the way to the datastore.
            UseCookies = false,
            ActivityHeadersPropagator = null,
            EnableMultipleHttp2Connections = true,
            KeepAlivePingDelay = KeepAliveDelay,
            KeepAlivePingTimeout = KeepAliveTimeout,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            ConnectTimeout = ConnectTimeout,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            InitialHttp2StreamWindowSize = 1 << 20,
            // A callback of our own also keeps Grpc.Net.Client from putting its reconnect delays (1 s to 2 min) on top of ours.
            ConnectCallback = ConnectAsync,
        };
        if (Address.Scheme == Uri.UriSchemeHttps)
        {
            handler.SslOptions = MakeTls();
        }

        GrpcChannel channel = GrpcChannel.ForAddress(Address, new GrpcChannelOptions
        {
            HttpHandler = handler,
            DisposeHttpClient = true,
            // Pages of a list are bounded by their number of keys and etcd bounds a value, not by gRPC's 4 MB.
            MaxReceiveMessageSize = null,
            MaxSendMessageSize = null,
            MaxRetryAttempts = null,
        });
        CallInvoker invoker = channel.CreateCallInvoker();
        return new Stubs(channel, new KV.KVClient(invoker), new Watch.WatchClient(invoker), new Lease.LeaseClient(invoker), new Auth.AuthClient(invoker));
    }

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken stop)
    {
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, stop);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private SslClientAuthenticationOptions MakeTls()
    {
        SslClientAuthenticationOptions tls = new() { EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13 };
        if (_settings.CaFile is { } ca)
        {
            X509Certificate2Collection roots = [];
            ReadFile(ca, "ca-file", () => roots.ImportFromPemFile(ca));
            tls.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                DisableCertificateDownloads = true,
            };
            tls.CertificateChainPolicy.CustomTrustStore.AddRange(roots);
        }

        if (_settings.CertFile is { } cert && _settings.KeyFile is { } key)
        {
            // Read for every new TLS session: a renewed certificate is used from the next connection on.
            tls.LocalCertificateSelectionCallback = (_, _, _, _, _) => X509Certificate2.CreateFromPemFile(cert, key);
            ReadFile(cert, "cert-file or key-file", () => X509Certificate2.CreateFromPemFile(cert, key).Dispose());
        }

        return tls;
    }

    private static void ReadFile(string path, string setting, Action read)
    {
        try
        {
            read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new DatastoreException($"[datastore] {setting} {path}: {e.Message}", e);
        }
    }

    private sealed record Stubs(GrpcChannel Channel, KV.KVClient Kv, Watch.WatchClient Watch, Lease.LeaseClient Lease, Auth.AuthClient Auth);
}
