namespace Weft.Node.Agent;

/// <summary>When a loop last came round. Written by the loop, read by the watchdog.</summary>
internal sealed class Heartbeat(string part)
{
    private long _last;

    public string Part { get; } = part;

    /// <summary>0 before the first round.</summary>
    public long Last => Volatile.Read(ref _last);

    public void Beat(long timestamp) => Volatile.Write(ref _last, timestamp);
}
