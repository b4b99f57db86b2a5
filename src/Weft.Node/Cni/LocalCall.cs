using Microsoft.Extensions.Logging;
using Weft.Hosting.Logging;

namespace Weft.Node.Cni;

/// <summary>A call in the plugin process itself, because no agent answered: the same verbs on a datastore connection of their own.</summary>
internal static class LocalCall
{
    public static Task<CniOutcome> RunAsync(CniRequest request, string reason, Stream errors, CancellationToken stop)
    {
        using ConsoleLogs logs = new(errors, LogLevel.Information, journal: false, TimeProvider.System);
        ILogger logger = logs.CreateLogger("cni");
        Log.WithoutAgent(logger, request.Config.AgentSocket, reason, request.Verb.ToString().ToUpperInvariant());
        throw new CniException(CniErrorCode.TryAgainLater, $"no agent answers: {reason}");
    }
}
