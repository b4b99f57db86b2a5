using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Weft.Cluster.Store.Storage;

namespace Weft.Cluster.Store.Transport;

/// <summary>What Kestrel calls for each request: one method of <see cref="GrpcRouter"/>, and its outcome as a gRPC status.</summary>
internal sealed class GrpcApplication(GrpcRouter router, TimeProvider time, ILogger logger, CancellationToken stop) : IHttpApplication<IFeatureCollection>
{
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _calls = 1; // One for the role: it leaves by DrainAsync.

    /// <summary>
    /// Waits until the calls in progress have told their outcome: a server that closes its connections earlier makes an error of the client's out of it.
    /// </summary>
    public async Task DrainAsync(CancellationToken hurry)
    {
        Leave();
        await _drained.Task.WaitAsync(hurry).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public IFeatureCollection CreateContext(IFeatureCollection contextFeatures)
    {
        Interlocked.Increment(ref _calls);
        return contextFeatures;
    }

    public async Task ProcessRequestAsync(IFeatureCollection context)
    {
        using GrpcCall call = new(context, time);
        if (!call.IsGrpc)
        {
            call.Refuse(415);
            return;
        }

        GrpcError? error = await RunAsync(call);
        if (!call.Aborted.IsCancellationRequested)
        {
            call.Finish(error);
        }
    }

    public void DisposeContext(IFeatureCollection context, Exception? exception) => Leave();

    private void Leave()
    {
        if (Interlocked.Decrement(ref _calls) == 0)
        {
            _drained.TrySetResult();
        }
    }

    private async Task<GrpcError?> RunAsync(GrpcCall call)
    {
        try
        {
            await router.RunAsync(call);
            return null;
        }
        catch (GrpcException e)
        {
            return e.Error;
        }
        catch (OperationCanceledException)
        {
            return call.IsDeadlineOver ? new GrpcError(GrpcCode.DeadlineExceeded, "context deadline exceeded")
                : stop.IsCancellationRequested ? EtcdErrors.Stopped
                : new GrpcError(GrpcCode.Cancelled, "context canceled");
        }
        catch (Exception e) when (e is SqliteException or StoreDamagedException)
        {
            Log.ReadFailed(logger, call.Method, e.Message);
            return new GrpcError(e is StoreDamagedException or SqliteException { IsDamage: true } ? GrpcCode.DataLoss : GrpcCode.Unavailable, $"weft store: {e.Message}");
        }
        catch (Exception e)
        {
            Log.CallFailed(logger, call.Method, e);
            return new GrpcError(GrpcCode.Internal, $"weft store: {e.Message}");
        }
    }
}
