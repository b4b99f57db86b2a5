using Weft.Cluster.Store.Mvcc;
using Weft.Cluster.Store.Storage;
using Weft.Cluster.Store.Transport;

namespace Weft.Cluster.Store;

/// <summary>Something for the write loop to do. Applied in the order of arrival, answered when the batch it fell into is on the disk.</summary>
internal abstract class WriteRequest
{
    public abstract void Apply(WriteContext context);

    /// <summary>The batch is durable and published.</summary>
    public abstract void Acknowledge();

    /// <summary>The batch is not durable: nothing of it happened.</summary>
    public abstract void Refuse(GrpcError error);
}

/// <summary>What a request works on.</summary>
internal sealed record WriteContext(StoreEditor Store, IHistory History, LeaseClock Leases);

/// <inheritdoc/>
internal sealed class WriteRequest<T>(Func<WriteContext, T> apply) : WriteRequest
{
    private readonly TaskCompletionSource<T> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T? _result;
    private GrpcError? _error;

    public Task<T> Answer => _answer.Task;

    public override void Apply(WriteContext context)
    {
        try
        {
            _result = apply(context);
        }
        catch (GrpcException e)
        {
            _error = e.Error; // Refused by its own fault, before it changed anything.
        }
    }

    public override void Acknowledge()
    {
        if (_error is { } error)
        {
            _answer.SetException(new GrpcException(error));
        }
        else
        {
            _answer.SetResult(_result!);
        }
    }

    public override void Refuse(GrpcError error) => _answer.SetException(new GrpcException(error));
}

/// <summary>Work on the file itself, between two batches.</summary>
internal sealed class FileRequest(Action<StoreFile> work)
{
    private readonly TaskCompletionSource _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Answer => _answer.Task;

    public void Run(StoreFile file)
    {
        try
        {
            work(file);
            _answer.SetResult();
        }
        catch (SqliteException e)
        {
            _answer.SetException(new GrpcException(e.IsFull ? EtcdErrors.NoSpace : new GrpcError(GrpcCode.Internal, e.Message)));
        }
    }

    public void Refuse(GrpcError error) => _answer.SetException(new GrpcException(error));
}
