using Weft.Policy.Output;

namespace Weft.Policy;

/// <summary>A policy that is evaluated and not enforced.</summary>
/// <param name="Policy">Its identity.</param>
/// <param name="Endpoints">How many endpoints of this node its selector matches.</param>
public readonly record struct StagedPolicy(PolicyId Policy, int Endpoints);
