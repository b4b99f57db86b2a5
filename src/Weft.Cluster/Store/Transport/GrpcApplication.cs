using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Weft.Cluster.Store.Storage;

namespace Weft.Cluster.Store.Transport;

/// <summary>What Kestrel calls for each request: one method of <see cref="GrpcRouter"/>, and its outcome as a gRPC status.</summary>
internal sealed class GrpcApplication(GrpcRouter router, TimeProvider time, ILogger logger, CancellationToken stop) : IHttpApplication<IFeatureCollection>
{
    public IFeatureCollection CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

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

    public void DisposeContext(IFeatureCollection context, Exception? exception)
    {
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
