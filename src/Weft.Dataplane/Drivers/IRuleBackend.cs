namespace Weft.Dataplane.Drivers;

/// <summary>
/// Rules and sets of one family, by one of the kernel's packet filters. The tables and sets record what is wanted; <see cref="ApplyUpdates"/> writes it.
/// </summary>
public interface IRuleBackend
{
    IRuleTable Raw { get; }

    IRuleTable Mangle { get; }

    IRuleTable Nat { get; }

    IRuleTable Filter { get; }

    IIpSetFamily Sets { get; }

    void QueueResync();

    /// <summary>Writes everything that differs, so that no rule ever names a set that is not there.</summary>
    /// <exception cref="DataplaneException">Writes kept failing.</exception>
    ApplyStatus ApplyUpdates();

    /// <summary>Reads the counters of the rules of policies and profiles that are in the kernel; one for each table.</summary>
    /// <exception cref="DataplaneException">The kernel cannot be read.</exception>
    IEnumerable<RuleHits> ReadHits();

    /// <summary>Destroys what nothing needs any more. To be called when the rules of all families have been written.</summary>
    ApplyStatus ApplyDeletions();
}
