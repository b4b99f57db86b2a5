using Microsoft.Extensions.Logging;

namespace Weft.Node.Cni;

/// <summary>What ADD has done so far, newest last; run in reverse when a later step fails. Owned by one call.</summary>
internal sealed class UndoList(ILogger logger, TimeProvider time)
{
    /// <summary>The caller's own time may be over when undoing begins, so undoing has a budget of its own.</summary>
    private static readonly TimeSpan s_budget = TimeSpan.FromSeconds(30);

    private readonly List<(string Step, Func<CancellationToken, ValueTask> Undo)> _done = [];

    public void Add(string step, Func<CancellationToken, ValueTask> undo) => _done.Add((step, undo));

    /// <summary>Every step is tried; one that fails is logged and left to the DEL that the runtime sends after a failed ADD.</summary>
    public async ValueTask RunAsync()
    {
        using CancellationTokenSource limit = new(s_budget, time);
        foreach ((string step, Func<CancellationToken, ValueTask> undo) in Enumerable.Reverse(_done))
        {
            try
            {
                await undo(limit.Token);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                Log.UndoFailed(logger, step, e.Message);
            }
        }
    }
}
