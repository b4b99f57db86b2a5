using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Weft.Hosting.Monitoring;

/// <param name="Status">The HTTP status code.</param>
/// <param name="ContentType">Of the body.</param>
/// <param name="Body">The whole body.</param>
public sealed record MonitoringAnswer(int Status, string ContentType, string Body)
{
    public static MonitoringAnswer NotFound { get; } = Plain(404, "not found\n");

    public static MonitoringAnswer Plain(int status, string body) => new(status, "text/plain; charset=utf-8", body);

    /// <summary>As HTTP/1.1 has it; the connection ends with it.</summary>
    /// <param name="method">To HEAD the body is left out.</param>
    public byte[] Encode(string method)
    {
        byte[] body = Encoding.UTF8.GetBytes(Body);
        byte[] head = Encoding.ASCII.GetBytes($"HTTP/1.1 {Status} {Reason(Status)}\r\nContent-Type: {ContentType}\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n");
        return method == "HEAD" ? head : [.. head, .. body];
    }

    private static string Reason(int status) => status switch
    {
        200 => "OK",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "Service Unavailable",
    };
}

/// <summary>Answers a path (without its query).</summary>
public delegate ValueTask<MonitoringAnswer> MonitoringHandler(string path, CancellationToken stop);

/// <summary>
/// HTTP/1.1 for those who watch: GET and HEAD of a few paths, one request per connection, no state. Bounded in size, time and number, because anybody who reaches the
/// port may ask; Kestrel would cost a role 10 MB for this.
/// </summary>
public sealed class MonitoringServer : IDisposable
{
    private const int MaxRequestBytes = 8192;
    private const int MaxConnections = 16;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    private readonly Socket _listener;
    private readonly MonitoringHandler _handler;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _slots = new(MaxConnections);
    private volatile bool _isClosed;

    private MonitoringServer(Socket listener, MonitoringHandler handler, TimeProvider time) => (_listener, _handler, _time) = (listener, handler, time);

    /// <summary>Where it listens: the port the kernel chose, when 0 was asked for.</summary>
    public IPEndPoint EndPoint => (IPEndPoint)_listener.LocalEndPoint!;

    /// <exception cref="IOException">The address cannot be bound; the text names it.</exception>
    public static MonitoringServer Listen(IPEndPoint endPoint, MonitoringHandler handler, TimeProvider time)
    {
        Socket listener = new(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.Bind(endPoint);
            listener.Listen(64);
        }
        catch (SocketException e)
        {
            listener.Dispose();
            throw new IOException($"cannot listen on {endPoint}: {e.Message}", e);
        }

        return new MonitoringServer(listener, handler, time);
    }

    /// <summary>Accepts until stopped or disposed. A connection that cannot be taken (it is gone again, the process has no descriptor left) costs a pause, not the port.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (!_isClosed)
        {
            try
            {
                await _slots.WaitAsync(stop);
                _ = ServeAsync(await AcceptAsync(stop), stop);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(s_pause, _time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    public void Dispose()
    {
        _isClosed = true;
        _listener.Dispose();
    }

    /// <summary>Gives the slot back when there is nobody to serve.</summary>
    private async Task<Socket> AcceptAsync(CancellationToken stop)
    {
        try
        {
            return await _listener.AcceptAsync(stop);
        }
        catch
        {
            _slots.Release();
            throw;
        }
    }

    private async Task ServeAsync(Socket connection, CancellationToken stop)
    {
        using Socket open = connection;
        using CancellationTokenSource late = new(s_limit, _time);
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(late.Token, stop);
        try
        {
            byte[] request = new byte[MaxRequestBytes];
            int length = 0;
            while (request.AsSpan(0, length).IndexOf("\r\n\r\n"u8) < 0)
            {
                int read = length < request.Length ? await open.ReceiveAsync(request.AsMemory(length), end.Token) : 0;
                if (read == 0)
                {
                    return;
                }

                length += read;
            }

            await AnswerAsync(open, request.AsMemory(0, length), end.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            // Too slow, or gone.
        }
        finally
        {
            _slots.Release();
        }
    }

    private async Task AnswerAsync(Socket connection, ReadOnlyMemory<byte> request, CancellationToken end)
    {
        string[] words = Encoding.ASCII.GetString(request.Span[..request.Span.IndexOf("\r\n"u8)]).Split(' ');
        MonitoringAnswer answer = words is ["GET" or "HEAD", var target, ..]
            ? await _handler(target.Split('?')[0], end)
            : MonitoringAnswer.Plain(405, "only GET and HEAD\n");
        ReadOnlyMemory<byte> rest = answer.Encode(words[0]);
        while (rest.Length > 0)
        {
            rest = rest[await connection.SendAsync(rest, end)..];
        }

        connection.Shutdown(SocketShutdown.Send);
    }
}
