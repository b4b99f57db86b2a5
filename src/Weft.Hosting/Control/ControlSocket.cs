using System.Buffers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Weft.Hosting.Control;

/// <summary>Answers one request; null ends the connection without an answer.</summary>
public delegate Task<JsonNode?> ControlHandler(JsonObject request, CancellationToken stop);

/// <summary>Answers one request with any number of lines; <paramref name="answer"/> writes one and completes when the client has room for the next.</summary>
public delegate Task ControlLinesHandler(JsonObject request, Func<JsonNode, ValueTask> answer, CancellationToken stop);

/// <summary>
/// The local control socket of a role: a unix stream socket that only its owner may open. One request per connection, one JSON object per line each
/// way. What a request means is the role's business; <c>{"error":"..."}</c> is the answer to what it cannot do.
/// </summary>
public sealed class ControlServer : IAsyncDisposable
{
    /// <summary>A request is a CNI configuration at most; more is refused.</summary>
    public const int MaxRequestBytes = 1 << 20;

    private static readonly TimeSpan s_requestTimeout = TimeSpan.FromSeconds(10);

    /// <summary>How long a client may leave one line of an answer unread.</summary>
    private static readonly TimeSpan s_answerTimeout = TimeSpan.FromSeconds(60);

    private readonly Socket _listener;
    private readonly ControlLinesHandler _handler;
    private readonly SemaphoreSlim _slots;
    private readonly TimeProvider _time;
    private readonly bool _ownsFile;
    private int _open;

    private ControlServer(Socket listener, string path, bool ownsFile, ControlLinesHandler handler, int maxConnections, TimeProvider time)
    {
        (_listener, Path, _ownsFile, _handler, _time) = (listener, path, ownsFile, handler, time);
        _slots = new SemaphoreSlim(maxConnections);
    }

    public string Path { get; }

    /// <summary>
    /// Binds the path with mode 0600. A socket file left by a dead process is replaced; one that answers is not.
    /// </summary>
    /// <param name="path">Of the socket file.</param>
    /// <param name="handler">Answers one request.</param>
    /// <param name="time">The clock.</param>
    /// <param name="maxConnections">How many requests are answered at once; more wait.</param>
    /// <param name="inherited">A socket that listens on the path already and outlives this process: its file is neither made nor removed here.</param>
    /// <exception cref="IOException">Another process answers on the path, or it cannot be created; the text says which.</exception>
    public static ControlServer Listen(string path, ControlHandler handler, TimeProvider time, int maxConnections = 64, Socket? inherited = null) => ListenForLines(
        path,
        async (request, answer, stop) =>
        {
            if (await handler(request, stop) is { } line)
            {
                await answer(line);
            }
        },
        time,
        maxConnections,
        inherited);

    /// <inheritdoc cref="Listen"/>
    public static ControlServer ListenForLines(string path, ControlLinesHandler handler, TimeProvider time, int maxConnections = 64, Socket? inherited = null)
    {
        if (inherited is not null)
        {
            return new ControlServer(inherited, path, ownsFile: false, handler, maxConnections, time);
        }

        string? folder = System.IO.Path.GetDirectoryName(path);
        if (folder is { Length: > 0 })
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        if (File.Exists(path))
        {
            RemoveStale(path);
        }

        Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            listener.Bind(new UnixDomainSocketEndPoint(path));
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            listener.Listen(128);
        }
        catch (SocketException e)
        {
            listener.Dispose();
            throw new IOException($"cannot listen on {path}: {e.Message}", e);
        }

        return new ControlServer(listener, path, ownsFile: true, handler, maxConnections, time);
    }

    /// <summary>Accepts until stopped, then waits for requests that are being answered.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            while (!stop.IsCancellationRequested)
            {
                await _slots.WaitAsync(stop);
                Socket connection = await _listener.AcceptAsync(stop);
                Interlocked.Increment(ref _open);
                _ = ServeAsync(connection, stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Stopping is the only way out.
        }

        while (Volatile.Read(ref _open) > 0)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), _time, CancellationToken.None);
        }
    }

    public ValueTask DisposeAsync()
    {
        _listener.Dispose();
        if (_ownsFile)
        {
            File.Delete(Path);
        }

        _slots.Dispose();
        return ValueTask.CompletedTask;
    }

    private static void RemoveStale(string path)
    {
        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException)
        {
            File.Delete(path);
            return;
        }

        throw new IOException($"cannot listen on {path}: another process answers there");
    }

    private async Task ServeAsync(Socket connection, CancellationToken stop)
    {
        try
        {
            using NetworkStream stream = new(connection, ownsSocket: true);
            async ValueTask Answer(JsonNode line)
            {
                using CancellationTokenSource patience = new(s_answerTimeout);
                await ControlLine.WriteAsync(stream, line, patience.Token);
            }

            try
            {
                using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
                limit.CancelAfter(s_requestTimeout);
                if (await ControlLine.ReadAsync(stream, MaxRequestBytes, limit.Token) is JsonObject request)
                {
                    await _handler(request, Answer, stop);
                }
                else
                {
                    await Answer(Error("expected one JSON object on one line"));
                }
            }
            catch (JsonException e)
            {
                await Answer(Error($"not JSON: {e.Message}"));
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or InvalidDataException)
        {
            // The client has gone, sent nothing in time, or sent too much: there is nobody to tell.
        }
        finally
        {
            Interlocked.Decrement(ref _open);
            _slots.Release();
        }
    }

    public static JsonObject Error(string message) => new() { ["error"] = message };
}

/// <summary>The other side of <see cref="ControlServer"/>.</summary>
public static class ControlClient
{
    private const int MaxAnswerBytes = 256 << 20;

    /// <summary>Sends one request and reads the answer.</summary>
    /// <exception cref="IOException">Nobody listens on the path, or the answer did not arrive; the text names the path.</exception>
    public static async Task<JsonNode> RequestAsync(string path, JsonNode request, CancellationToken stop)
    {
        if (!File.Exists(path))
        {
            // The framework reports a missing socket file as "Cannot assign requested address".
            throw new IOException($"{path}: there is no such socket; is the role running?");
        }

        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), stop);
            using NetworkStream stream = new(socket, ownsSocket: false);
            await ControlLine.WriteAsync(stream, request, stop);
            return await ControlLine.ReadAsync(stream, MaxAnswerBytes, stop) ?? throw new IOException($"{path}: the connection ended without an answer");
        }
        catch (SocketException e)
        {
            throw new IOException($"{path}: {e.Message}", e);
        }
    }
}

/// <summary>One JSON value per line, many lines.</summary>
public static class ControlLines
{
    /// <summary>Sends one request and hands on every line of the answer as it comes.</summary>
    /// <exception cref="IOException">Nobody listens on the path, or the answer broke off; the text names the path.</exception>
    public static async IAsyncEnumerable<JsonNode> RequestAsync(string path, JsonNode request, [EnumeratorCancellation] CancellationToken stop)
    {
        if (!File.Exists(path))
        {
            throw new IOException($"{path}: there is no such socket; is the role running?");
        }

        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), stop);
        }
        catch (SocketException e)
        {
            throw new IOException($"{path}: {e.Message}", e);
        }

        using NetworkStream stream = new(socket, ownsSocket: false);
        await ControlLine.WriteAsync(stream, request, stop);
        using StreamReader reader = new(stream, bufferSize: 64 * 1024);
        while (await reader.ReadLineAsync(stop) is { } line)
        {
            yield return JsonNode.Parse(line) ?? throw new IOException($"{path}: an empty line in the answer");
        }
    }
}

/// <summary>One JSON value per line.</summary>
internal static class ControlLine
{
    public static async Task WriteAsync(Stream stream, JsonNode value, CancellationToken stop)
    {
        ArrayBufferWriter<byte> buffer = new(4096);
        using (Utf8JsonWriter writer = new(buffer))
        {
            value.WriteTo(writer);
        }

        buffer.Write("\n"u8);
        await stream.WriteAsync(buffer.WrittenMemory, stop);
    }

    /// <summary>Null when the stream ends before a line does.</summary>
    public static async Task<JsonNode?> ReadAsync(Stream stream, int limit, CancellationToken stop)
    {
        byte[] buffer = new byte[4096];
        int length = 0;
        while (true)
        {
            int read = await stream.ReadAsync(buffer.AsMemory(length), stop);
            if (read == 0)
            {
                return null;
            }

            int end = buffer.AsSpan(length, read).IndexOf((byte)'\n');
            length += read;
            if (end >= 0)
            {
                return JsonNode.Parse(buffer.AsSpan(0, length - read + end));
            }

            if (length == buffer.Length)
            {
                if (length >= limit)
                {
                    throw new InvalidDataException($"a line is longer than {limit} bytes");
                }

                Array.Resize(ref buffer, buffer.Length * 2);
            }
        }
    }
}
