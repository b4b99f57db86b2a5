using Microsoft.Extensions.Logging;

namespace Weft.Node.Agent;

/// <summary>Whether the agent's loops come round: what feeds systemd's watchdog and answers /liveness.</summary>
internal sealed class LoopHealth(IReadOnlyList<IBeatingLoop> loops, TimeProvider time, ILogger logger)
{
    /// <summary>A loop without a round for so long hangs: the longest round is a full write of the firewall.</summary>
    private static readonly TimeSpan s_stalled = TimeSpan.FromSeconds(45);

    /// <summary>Each loop, and how long it has been silent; zero before its first round.</summary>
    public IEnumerable<(string Part, TimeSpan Silent, bool IsAlive)> Look() => loops.Select(loop =>
    {
        TimeSpan silent = loop.LastBeat == 0 ? TimeSpan.Zero : time.GetElapsedTime(loop.LastBeat);
        return (loop.Part, silent, silent <= s_stalled);
    });

    /// <summary>Makes every loop come round even when nothing changes.</summary>
    public void Beat()
    {
        foreach (IBeatingLoop loop in loops)
        {
            loop.Beat();
        }
    }

    /// <summary>Complains of those that hang.</summary>
    public bool AllAlive()
    {
        bool all = true;
        foreach ((string part, TimeSpan silent, bool isAlive) in Look())
        {
            if (!isAlive)
            {
                Log.NoProgress(logger, part, (long)silent.TotalSeconds);
            }

            all &= isAlive;
        }

        return all;
    }
}
