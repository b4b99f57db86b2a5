using Weft.Policy.Output;

namespace Weft.Dataplane;

/// <summary>Told, on the dataplane loop, how far each endpoint is. A CNI ADD waits for it, so implementations return at once.</summary>
public interface IEndpointProgress
{
    /// <summary>Routes, settings and rules of the endpoint, as of this revision of the stored object, are in the kernel.</summary>
    void Programmed(WorkloadEndpointId id, long revision);

    /// <summary>The endpoint is not programmed as wanted, and closed or without routes; tried again when something changes.</summary>
    void Failed(WorkloadEndpointId id, string problem);
}

/// <summary>What a round of the dataplane loop did.</summary>
/// <param name="Duration">From the first conversion to the last write.</param>
/// <param name="Problem">What could not be written and is tried again; null when the kernel is as wanted.</param>
/// <param name="Endpoints">Workload endpoints of this node.</param>
/// <param name="Policies">Enforced policies in use.</param>
/// <param name="Profiles">Profiles in use.</param>
/// <param name="Sets">Sets of selectors and named ports.</param>
/// <param name="Routes">Routes of workloads, both families.</param>
/// <param name="NotEnforced">Objects that are not in the kernel as they say, or deny everything because they cannot be, each with the reason.</param>
/// <param name="Backend">What writes the rules, and why.</param>
public sealed record DataplaneReport(
    DateTimeOffset At, TimeSpan Duration, string? Problem, int Endpoints, int Policies, int Profiles, int Sets, int Routes, IReadOnlyList<string> NotEnforced,
    RuleBackendDecision Backend);
