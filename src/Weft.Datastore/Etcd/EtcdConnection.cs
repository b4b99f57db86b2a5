using Etcdserverpb;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Weft.Datastore.Etcd;

/// <summary>What a request that got no answer means.</summary>
internal enum RequestKind : byte
{
    /// <summary>Changes nothing: may be asked again anywhere.</summary>
    Read,

    /// <summary>May have been carried out: asked again only where it certainly never left this host.</summary>
    Write,
}

/// <summary>
/// All endpoints of the store behind one call: chooses the one in use, moves on when it does not serve, logs in and keeps the token. Used by any thread;
/// owned by <see cref="EtcdDatastore"/>.
/// </summary>
internal sealed class EtcdConnection : IDisposable
{
    private static readonly TimeSpan PauseBetweenRounds = TimeSpan.FromMilliseconds(100);

    private readonly DatastoreSettings _settings;
    private readonly ILogger _logger;
    private readonly EtcdEndpoint[] _endpoints;
    private readonly SemaphoreSlim _login = new(1, 1); // One login at a time; the others wait for its token.
    private int _current;
    private string? _token;

    public EtcdConnection(DatastoreSettings settings, ILogger logger, TimeProvider time)
    {
        (_settings, _logger, Time) = (settings, logger, time);
        _endpoints = [.. settings.Endpoints.Select(uri => new EtcdEndpoint(uri, settings))];
    }

    public TimeProvider Time { get; }

    public TimeSpan RequestTimeout => _settings.RequestTimeout;

    /// <summary>The endpoint that served last, or is tried next.</summary>
    public EtcdEndpoint Current => _endpoints[Volatile.Read(ref _current) % _endpoints.Length];

    /// <summary>
    /// One unary call, on every endpoint in turn, twice at most, within the request timeout.
    /// </summary>
    /// <param name="what">For messages: "get /calico/...".</param>
    /// <param name="kind">Decides what may be asked again.</param>
    /// <param name="call">The call on the stubs of one endpoint.</param>
    /// <param name="stop">Cancels the call.</param>
    /// <exception cref="DatastoreException">Nobody served the request.</exception>
    /// <exception cref="RpcException">The store itself refused, with <see cref="StatusCode.OutOfRange"/>: the revision is compacted or not there yet.</exception>
    public async ValueTask<T> CallAsync<T>(string what, RequestKind kind, Func<EtcdEndpoint, CallOptions, AsyncUnaryCall<T>> call, CancellationToken stop)
    {
        using CancellationTokenSource whole = new(_settings.RequestTimeout, Time);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stop, whole.Token);
        long started = Time.GetTimestamp();
        bool loggedInAgain = false;
        for (int attempt = 1; ; attempt++)
        {
            EtcdEndpoint endpoint = Current;
            string reason;
            try
            {
                return await TryAsync(endpoint, call, kind, started, limit.Token);
            }
            catch (RpcException e) when (!stop.IsCancellationRequested && IsTokenRefused(e) && !loggedInAgain)
            {
                (loggedInAgain, _token) = (true, null);
                continue;
            }
            catch (RpcException e) when (!stop.IsCancellationRequested && !limit.IsCancellationRequested && IsServerTrouble(e) && (kind == RequestKind.Read || NeverSent(e)))
            {
                reason = Describe(e);
            }
            catch (RpcException e) when (e.StatusCode != StatusCode.OutOfRange)
            {
                stop.ThrowIfCancellationRequested();
                reason = whole.IsCancellationRequested ? $"no answer within {_settings.RequestTimeout.TotalSeconds:0.###} s" : Describe(e);
                if (IsServerTrouble(e) || whole.IsCancellationRequested)
                {
                    MoveOn(endpoint, reason);
                }

                throw new DatastoreException($"{what} at {endpoint.Name}: {reason}", e);
            }

            MoveOn(endpoint, reason);
            if (attempt >= 2 * _endpoints.Length)
            {
                throw new DatastoreException($"{what} at {Names()}: {reason}");
            }

            if (attempt == _endpoints.Length)
            {
                await PauseAsync(limit.Token, stop);
            }
        }
    }

    /// <summary>Headers of a request: the login, and the wish to be refused by a member that has lost its cluster.</summary>
    /// <exception cref="DatastoreException">The password file cannot be read, or the login is refused.</exception>
    public async ValueTask<Metadata> HeadersAsync(EtcdEndpoint endpoint, CancellationToken stop)
    {
        Metadata headers = new() { { "hasleader", "true" } };
        if (_settings.Username is not null && await TokenAsync(endpoint, stop) is { Length: > 0 } token)
        {
            headers.Add("token", token);
        }

        return headers;
    }

    /// <summary>Called by whoever found the endpoint useless; the next call goes elsewhere.</summary>
    public void MoveOn(EtcdEndpoint from, string reason)
    {
        int current = Volatile.Read(ref _current);
        if (_endpoints.Length > 1 && _endpoints[current % _endpoints.Length] == from
            && Interlocked.CompareExchange(ref _current, (current + 1) % _endpoints.Length, current) == current)
        {
            Log.EndpointChanged(_logger, from.Name, Current.Name, reason);
        }
    }

    /// <summary>Forgets the token: the next request logs in again.</summary>
    public void ForgetToken() => _token = null;

    /// <summary>
    /// True for the two answers of a server that no longer accepts the token: Unauthenticated (expired, or the server lost it in a restart) and
    /// InvalidArgument (users or roles have changed since the login).
    /// </summary>
    public bool IsTokenRefused(RpcException e) =>
        _settings.Username is not null && e.StatusCode is StatusCode.Unauthenticated or StatusCode.InvalidArgument;

    public string Names() => string.Join(", ", _endpoints.Select(e => e.Name));

    /// <summary>The status as the server or the transport gave it: "Unavailable: Connection refused (127.0.0.1:2379)".</summary>
    public static string Describe(RpcException e)
    {
        Exception? cause = e.Status.DebugException;
        while (cause?.InnerException is { } inner)
        {
            cause = inner;
        }

        return cause is null || e.Status.Detail.Contains(cause.Message, StringComparison.Ordinal)
            ? $"{e.StatusCode}: {e.Status.Detail}"
            : $"{e.StatusCode}: {cause.Message}";
    }

    public void Dispose()
    {
        foreach (EtcdEndpoint endpoint in _endpoints)
        {
            endpoint.Dispose();
        }

        _login.Dispose();
    }

    private async Task<T> TryAsync<T>(EtcdEndpoint endpoint, Func<EtcdEndpoint, CallOptions, AsyncUnaryCall<T>> call, RequestKind kind, long started, CancellationToken limit)
    {
        // A silent endpoint must leave time to ask another one; a write is asked only once, so it may use all of it.
        TimeSpan left = _settings.RequestTimeout - Time.GetElapsedTime(started);
        TimeSpan share = kind == RequestKind.Read && _endpoints.Length > 1 ? left / 2 : left;
        using CancellationTokenSource attempt = new(share > TimeSpan.Zero ? share : TimeSpan.FromMilliseconds(1), Time);
        using CancellationTokenSource both = CancellationTokenSource.CreateLinkedTokenSource(limit, attempt.Token);
        try
        {
            Metadata headers = await HeadersAsync(endpoint, both.Token);
            using AsyncUnaryCall<T> running = call(endpoint, new CallOptions(headers, cancellationToken: both.Token));
            return await running.ResponseAsync;
        }
        catch (Exception e) when ((e is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled }) && both.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.DeadlineExceeded, $"no answer within {share.TotalSeconds:0.###} s"));
        }
    }

    private async ValueTask<string?> TokenAsync(EtcdEndpoint endpoint, CancellationToken stop)
    {
        if (Volatile.Read(ref _token) is { } token)
        {
            return token;
        }

        await _login.WaitAsync(stop);
        try
        {
            return _token ??= await LogInAsync(endpoint, stop);
        }
        finally
        {
            _login.Release();
        }
    }

    /// <summary>Empty when the server knows no authentication.</summary>
    private async Task<string> LogInAsync(EtcdEndpoint endpoint, CancellationToken stop)
    {
        string user = _settings.Username!;
        string password = await ReadPasswordAsync(stop);
        try
        {
            using AsyncUnaryCall<AuthenticateResponse> call = endpoint.Auth.AuthenticateAsync(
                new AuthenticateRequest { Name = user, Password = password }, new CallOptions(cancellationToken: stop));
            AuthenticateResponse response = await call.ResponseAsync;
            Log.LoggedIn(_logger, endpoint.Name, user);
            return response.Token;
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.FailedPrecondition)
        {
            Log.AuthenticationOff(_logger, endpoint.Name, user);
            return string.Empty;
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.InvalidArgument or StatusCode.Unauthenticated or StatusCode.PermissionDenied)
        {
            throw new DatastoreException($"log in at {endpoint.Name} as {user}: {Describe(e)}", e);
        }
    }

    private async Task<string> ReadPasswordAsync(CancellationToken stop)
    {
        try
        {
            string text = await File.ReadAllTextAsync(_settings.PasswordFile!, stop);
            int end = text.AsSpan().IndexOfAny('\r', '\n');
            return end < 0 ? text : text[..end];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DatastoreException($"[datastore] password-file {_settings.PasswordFile}: {e.Message}", e);
        }
    }

    private async Task PauseAsync(CancellationToken limit, CancellationToken stop)
    {
        try
        {
            await Task.Delay(PauseBetweenRounds, Time, limit);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            // The request timeout has passed; the next attempt says so.
        }
    }

    /// <summary>The member or the way to it is at fault, not the request: another one may serve it.</summary>
    private static bool IsServerTrouble(RpcException e) => e.StatusCode
        is StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Internal or StatusCode.Unknown or StatusCode.Cancelled or StatusCode.ResourceExhausted;

    /// <summary>The connection could not be made, so nothing of the request has left this host.</summary>
    private static bool NeverSent(RpcException e) =>
        e.Status.DebugException is HttpRequestException
        {
            HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError,
        };
}
