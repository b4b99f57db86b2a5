using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Text;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Weft.Cluster.Store.Transport;

/// <summary>
/// One gRPC call over one HTTP/2 stream. A message is
/// <code>
///   +------------+------------------+-----------------+
///   | compressed | length, 4 octets |  protobuf       |
///   | 1 octet    | big endian       |  ...            |
///   +------------+------------------+-----------------+
/// </code>
/// and the outcome stands in the trailers grpc-status and grpc-message, or in the headers when there is no message.
/// </summary>
internal sealed class GrpcCall : IDisposable
{
    /// <summary>etcd's --max-request-bytes.</summary>
    public const int MaxRequestBytes = 3 << 19;

    private const int HeaderLength = 5;
    private const int MaxMessageBytes = MaxRequestBytes + (512 << 10); // etcd lets gRPC take that much more than the request itself
    private const string ContentType = "application/grpc";

    private readonly IFeatureCollection _features;
    private readonly IHttpResponseFeature _response;
    private readonly PipeReader _reader;
    private readonly PipeWriter _writer;
    private readonly CancellationTokenSource? _deadline;
    private readonly CancellationTokenSource? _either;

    public GrpcCall(IFeatureCollection features, TimeProvider time)
    {
        _features = features;
        _response = features.GetRequiredFeature<IHttpResponseFeature>();
        _reader = features.GetRequiredFeature<IRequestBodyPipeFeature>().Reader;
        _writer = features.GetRequiredFeature<IHttpResponseBodyFeature>().Writer;
        IHttpRequestFeature request = features.GetRequiredFeature<IHttpRequestFeature>();
        Method = request.Path;
        Aborted = features.GetRequiredFeature<IHttpRequestLifetimeFeature>().RequestAborted;
        IsGrpc = request.Method == "POST" && request.Headers.ContentType.ToString().StartsWith(ContentType, StringComparison.Ordinal);
        if (request.Headers.TryGetValue("grpc-timeout", out StringValues timeout) && ParseTimeout(timeout.ToString()) is { } left)
        {
            _deadline = new CancellationTokenSource(left, time);
            _either = CancellationTokenSource.CreateLinkedTokenSource(Aborted, _deadline.Token);
            Cancel = _either.Token;
        }
        else
        {
            Cancel = Aborted;
        }
    }

    /// <summary>"/package.Service/Method".</summary>
    public string Method { get; }

    public bool IsGrpc { get; }

    /// <summary>Fires when the client is gone.</summary>
    public CancellationToken Aborted { get; }

    /// <summary>Fires when the client is gone or its deadline is over.</summary>
    public CancellationToken Cancel { get; }

    public bool IsDeadlineOver => _deadline?.IsCancellationRequested ?? false;

    /// <summary>Length of the last message read.</summary>
    public int MessageLength { get; private set; }

    private bool HasMessages { get; set; }

    /// <summary>The next message, or null when the client has sent its last.</summary>
    public async ValueTask<T?> ReadAsync<T>(MessageParser<T> parser, CancellationToken cancel)
        where T : class, IMessage<T>
    {
        while (true)
        {
            ReadResult result = await ReadSomeAsync(cancel);
            ReadOnlySequence<byte> buffer = result.Buffer;
            if (Frame(buffer) is { } payload)
            {
                T message = Parse(parser, payload);
                _reader.AdvanceTo(payload.End);
                return message;
            }

            if (result.IsCompleted)
            {
                _reader.AdvanceTo(buffer.End);
                return buffer.IsEmpty ? null : throw new GrpcException(GrpcCode.Internal, "the request ended within a message");
            }

            _reader.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    /// <summary>Writes a message; a stream must flush it, a unary answer goes out with the trailers.</summary>
    public void Write(IMessage message)
    {
        WriteHeader(message.CalculateSize());
        message.WriteTo(_writer);
    }

    /// <summary>Writes a message that is bytes already.</summary>
    public void WriteRaw(ReadOnlySpan<byte> message)
    {
        WriteHeader(message.Length);
        _writer.Write(message);
    }

    /// <summary>Waits while the client's flow-control window is full: a slow client slows its own call, nothing else.</summary>
    public async ValueTask FlushAsync(CancellationToken cancel)
    {
        FlushResult result = await _writer.FlushAsync(cancel);
        if (result.IsCompleted)
        {
            throw new OperationCanceledException("the client has closed the stream");
        }
    }

    public async ValueTask SendAsync(IMessage message, CancellationToken cancel)
    {
        Write(message);
        await FlushAsync(cancel);
    }

    /// <summary>Sets the outcome; the server sends it when the request handler returns.</summary>
    public void Finish(GrpcError? error)
    {
        IHeaderDictionary place;
        if (HasMessages)
        {
            place = _features.GetRequiredFeature<IHttpResponseTrailersFeature>().Trailers;
        }
        else
        {
            SetHeaders();
            place = _response.Headers;
        }

        place["grpc-status"] = ((int)(error?.Code ?? GrpcCode.Ok)).ToString();
        if (error is not null)
        {
            place["grpc-message"] = PercentEncode(error.Message);
        }
    }

    /// <summary>Answers what is not gRPC.</summary>
    public void Refuse(int httpStatus) => _response.StatusCode = httpStatus;

    public void Dispose()
    {
        _either?.Dispose();
        _deadline?.Dispose();
    }

    /// <summary>Digits and one of H M S m u n (gRPC over HTTP/2, "Timeout"); null when it is malformed.</summary>
    internal static TimeSpan? ParseTimeout(string text)
    {
        if (text.Length is < 2 or > 9 || !long.TryParse(text.AsSpan(0, text.Length - 1), System.Globalization.NumberStyles.None, null, out long amount))
        {
            return null;
        }

        double? milliseconds = text[^1] switch
        {
            'H' => 3_600_000.0 * amount,
            'M' => 60_000.0 * amount,
            'S' => 1000.0 * amount,
            'm' => amount,
            'u' => amount / 1000.0,
            'n' => amount / 1_000_000.0,
            _ => null,
        };

        // Longer than a timer can count is as good as no deadline.
        return milliseconds is { } ms && ms < int.MaxValue ? TimeSpan.FromMilliseconds(ms) : null;
    }

    /// <summary>Everything but printable ASCII, and the percent sign, as %XX of its UTF-8.</summary>
    internal static string PercentEncode(string text)
    {
        StringBuilder encoded = new(text.Length);
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            if (b is >= 0x20 and <= 0x7e and not (byte)'%')
            {
                encoded.Append((char)b);
            }
            else
            {
                encoded.Append('%').Append(b.ToString("X2"));
            }
        }

        return encoded.ToString();
    }

    private async ValueTask<ReadResult> ReadSomeAsync(CancellationToken cancel)
    {
        try
        {
            return await _reader.ReadAsync(cancel);
        }
        catch (IOException e)
        {
            throw new OperationCanceledException("the client has gone", e); // RST_STREAM or a broken connection: the usual end of a watch
        }
    }

    private ReadOnlySequence<byte>? Frame(ReadOnlySequence<byte> buffer)
    {
        if (buffer.Length < HeaderLength)
        {
            return null;
        }

        Span<byte> header = stackalloc byte[HeaderLength];
        buffer.Slice(0, HeaderLength).CopyTo(header);
        uint length = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        if (header[0] != 0)
        {
            throw new GrpcException(GrpcCode.Unimplemented, "compressed messages are not supported; grpc-accept-encoding is identity");
        }

        if (length > MaxMessageBytes)
        {
            throw new GrpcException(GrpcCode.ResourceExhausted, $"grpc: received message larger than max ({length} vs. {MaxMessageBytes})");
        }

        MessageLength = (int)length;
        return buffer.Length < HeaderLength + length ? null : buffer.Slice(HeaderLength, length);
    }

    private void WriteHeader(int length)
    {
        if (!HasMessages)
        {
            HasMessages = true;
            SetHeaders();
        }

        Span<byte> header = _writer.GetSpan(HeaderLength);
        header[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(header[1..], length);
        _writer.Advance(HeaderLength);
    }

    private static T Parse<T>(MessageParser<T> parser, ReadOnlySequence<byte> payload)
        where T : class, IMessage<T>
    {
        try
        {
            return parser.ParseFrom(payload);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new GrpcException(GrpcCode.Internal, $"grpc: error unmarshalling request: {e.Message}");
        }
    }

    private void SetHeaders()
    {
        _response.Headers.ContentType = ContentType;
        _response.Headers["grpc-accept-encoding"] = "identity";
    }
}
