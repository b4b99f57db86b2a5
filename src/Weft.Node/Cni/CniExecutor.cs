using Weft.Datastore;
using Weft.Ipam;

namespace Weft.Node.Cni;

/// <summary>
/// Runs one verb and turns whatever happens into a result or an error object. Used by the agent's CniServer and by a plugin process without an agent.
/// Any number of calls may run at once; calls for one pod take turns.
/// </summary>
internal sealed class CniExecutor(CniServices services)
{
    /// <summary>Below the two minutes a kubelet waits by default, so that the undo of ADD still has time.</summary>
    private static readonly TimeSpan s_budget = TimeSpan.FromSeconds(90);

    private readonly TurnTable _turns = new();

    public async Task<CniOutcome> RunAsync(CniRequest request, CancellationToken stop)
    {
        string version = request.Config.CniVersion;
        string verb = request.Verb.ToString().ToUpperInvariant();
        try
        {
            using CancellationTokenSource budget = new(s_budget, services.Time);
            using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(stop, budget.Token);
            return await RunVerbAsync(request, either.Token);
        }
        catch (Exception e)
        {
            CniException error = Explain(e, stop.IsCancellationRequested);
            if (error.Code == CniErrorCode.Failed && e is not CniException)
            {
                Log.Unexpected(services.Logger, e, verb, request.ContainerId);
            }
            else
            {
                Log.Failed(services.Logger, verb, request.ContainerId, (int)error.Code, error.Message);
            }

            return CniOutcome.Error(version, error);
        }
    }

    private async Task<CniOutcome> RunVerbAsync(CniRequest request, CancellationToken stop)
    {
        string node = request.Config.NodeName is { Length: > 0 } named ? named : services.Node;
        switch (request.Verb)
        {
            case CniVerb.Gc:
                await new GcCommand(services).RunAsync(request, node, stop);
                return CniOutcome.Done;
            case CniVerb.Status:
                await new StatusCommand(services).RunAsync(request, stop);
                return CniOutcome.Done;
        }

        PodIdentity pod = PodIdentity.Of(request, node);

        // A runtime that lost patience with an ADD sends DEL while that ADD still works: the second waits for the first.
        using IDisposable turn = await _turns.TakeAsync(pod.Workload, stop);
        IpamCommand ipam = new(services);
        switch (request.Verb)
        {
            case CniVerb.Add when request.IsIpam:
                return CniOutcome.Result((await ipam.AddAsync(request, pod, stop)).Write(request.Config.CniVersion));
            case CniVerb.Del when request.IsIpam:
                await ipam.DelAsync(request, pod, stop);
                return CniOutcome.Done;
            case CniVerb.Check when request.IsIpam:
                await ipam.CheckAsync(request, pod, stop);
                return CniOutcome.Done;
            case CniVerb.Add:
                return CniOutcome.Result((await new AddCommand(services).RunAsync(request, pod, stop)).Write(request.Config.CniVersion));
            case CniVerb.Del:
                await new DelCommand(services).RunAsync(request, pod, stop);
                return CniOutcome.Done;
            default:
                await new CheckCommand(services).RunAsync(request, pod, stop);
                return CniOutcome.Done;
        }
    }

    private static CniException Explain(Exception exception, bool stopping) => exception switch
    {
        CniException known => known,
        IpamException noAddress => new CniException(CniErrorCode.NoAddress, noAddress.Message),
        DatastoreException store => new CniException(CniErrorCode.TryAgainLater, store.Message),
        OperationCanceledException when stopping => new CniException(CniErrorCode.TryAgainLater, "the agent is stopping"),
        OperationCanceledException => new CniException(CniErrorCode.TryAgainLater, $"not done within {s_budget.TotalSeconds} s"),
        _ => new CniException(CniErrorCode.Failed, exception.Message, exception.GetType().Name),
    };
}
