using Google.Protobuf;

namespace Weft.Cluster.Store.Transport;

/// <summary>Method name to handler. Filled once, before the server starts.</summary>
internal sealed class GrpcRouter
{
    private readonly Dictionary<string, Func<GrpcCall, Task>> _methods = new(StringComparer.Ordinal);

    /// <summary>One request, one answer.</summary>
    public void Unary<TRequest>(string method, MessageParser<TRequest> parser, Func<TRequest, GrpcCall, ValueTask<IMessage>> handler)
        where TRequest : class, IMessage<TRequest> =>
        _methods.Add(method, async call =>
        {
            TRequest request = await call.ReadAsync(parser, call.Cancel) ?? throw new GrpcException(GrpcCode.Internal, "the request holds no message");
            call.Write(await handler(request, call));
        });

    /// <summary>One request; the handler sends as many answers as it likes.</summary>
    public void ServerStream<TRequest>(string method, MessageParser<TRequest> parser, Func<TRequest, GrpcCall, Task> handler)
        where TRequest : class, IMessage<TRequest> =>
        _methods.Add(method, async call =>
        {
            TRequest request = await call.ReadAsync(parser, call.Cancel) ?? throw new GrpcException(GrpcCode.Internal, "the request holds no message");
            await handler(request, call);
        });

    /// <summary>The handler reads and sends.</summary>
    public void Stream(string method, Func<GrpcCall, Task> handler) => _methods.Add(method, handler);

    public Task RunAsync(GrpcCall call)
    {
        if (_methods.TryGetValue(call.Method, out Func<GrpcCall, Task>? handler))
        {
            return handler(call);
        }

        // The words of grpc-go, which tell a wrong method from a wrong service.
        int slash = call.Method.LastIndexOf('/');
        string service = slash > 0 ? call.Method[1..slash] : call.Method;
        bool known = _methods.Keys.Any(m => m.StartsWith($"/{service}/", StringComparison.Ordinal));
        return Task.FromException(new GrpcException(
            GrpcCode.Unimplemented, known ? $"unknown method {call.Method[(slash + 1)..]} for service {service}" : $"unknown service {service}"));
    }
}
