namespace Weft.Cluster.Store.Transport;

/// <summary>Status codes of gRPC (grpc/doc/statuscodes.md), those the store answers with.</summary>
internal enum GrpcCode
{
    Ok = 0,
    Cancelled = 1,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
}

/// <summary>How a call ended when it did not end well.</summary>
/// <param name="Code">The status code.</param>
/// <param name="Message">The text that clients show, and that some compare.</param>
internal sealed record GrpcError(GrpcCode Code, string Message);

/// <summary>Ends a call with a status. Thrown by handlers of requests, caught where the call is answered and nowhere else.</summary>
internal sealed class GrpcException(GrpcError error) : Exception(error.Message)
{
    public GrpcException(GrpcCode code, string message)
        : this(new GrpcError(code, message))
    {
    }

    public GrpcError Error { get; } = error;
}
