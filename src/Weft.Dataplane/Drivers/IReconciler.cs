namespace Weft.Dataplane.Drivers;

/// <summary>
/// Owns one subsystem of the kernel: holds the desired state, reads the actual one, writes the difference. Called by one loop only.
/// What is ours is recognisable in the kernel itself, so that a restart without memory changes nothing.
/// </summary>
public interface IReconciler
{
    /// <summary>The kernel may have changed behind our back: read it again in the next <see cref="Apply"/>.</summary>
    void QueueResync();

    /// <summary>Writes what differs; nothing at all when nothing differs.</summary>
    /// <exception cref="DataplaneException">The kernel kept refusing: the process should end and be started again.</exception>
    ApplyStatus Apply();
}

public enum ApplyOutcome
{
    /// <summary>The kernel equals the desired state.</summary>
    Done,

    /// <summary>Something could not be written or awaits something; it stays dirty.</summary>
    RetryLater,
}

/// <summary>How an apply ended and when to come back although nothing changed.</summary>
/// <param name="Next">Null: only when something changes.</param>
public readonly record struct ApplyStatus(ApplyOutcome Outcome, TimeSpan? Next)
{
    public static readonly ApplyStatus Done = new(ApplyOutcome.Done, null);

    public bool IsDone => Outcome == ApplyOutcome.Done;

    public static ApplyStatus DoneUntil(TimeSpan? next) => new(ApplyOutcome.Done, next);

    public static ApplyStatus RetryLater(TimeSpan next) => new(ApplyOutcome.RetryLater, next);

    /// <summary>The status of two drivers together: the worse outcome, the earlier return.</summary>
    public ApplyStatus And(ApplyStatus other) => new(
        Outcome == ApplyOutcome.Done ? other.Outcome : Outcome,
        Next is { } mine && other.Next is { } theirs ? (mine < theirs ? mine : theirs) : Next ?? other.Next);
}

/// <summary>A driver gave up: its writes failed again and again.</summary>
public sealed class DataplaneException(string message) : Exception(message);
