namespace Weft.Node.Agent;

/// <summary>A loop that the watchdog looks at.</summary>
internal interface IBeatingLoop
{
    /// <summary>For messages.</summary>
    string Part { get; }

    /// <summary>When it last came round, as a timestamp of the agent's clock; 0 before the first time.</summary>
    long LastBeat { get; }

    /// <summary>Makes it come round even when nothing changes.</summary>
    void Beat();
}
