using Microsoft.Extensions.Logging;
using Weft.Datastore;
using Weft.Ipam;
using Weft.Policy.Output;

namespace Weft.Node.Cni;

/// <summary>What the verbs work with. The agent has one for its whole life; a plugin process without an agent makes one for its call.</summary>
internal sealed class CniServices
{
    public required IDatastore Datastore { get; init; }

    public required IAddressAllocator Addresses { get; init; }

    public required IPodNetwork Network { get; init; }

    public required IPolicyWait PolicyWait { get; init; }

    /// <summary>Whether the agent can serve a pod now; without an agent nothing beyond the datastore is asked.</summary>
    public required INodeReadiness Readiness { get; init; }

    /// <summary>Name of this Node resource, unless the network configuration names another.</summary>
    public required string Node { get; init; }

    /// <summary>For pods whose network configuration has no MTU; null leaves the kernel's default.</summary>
    public Func<int?> DefaultMtu { get; init; } = static () => null;

    /// <summary>[agent] policy-wait-expired: a pod starts although its policy could not be written in time. Off by default: closed when in doubt.</summary>
    public bool PodsStartWithoutPolicy { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILogger Logger { get; init; }
}

/// <summary>Waits until the kernel has the routes and the policy of an endpoint.</summary>
internal interface IPolicyWait
{
    /// <param name="endpoint">Whose.</param>
    /// <param name="revision">The kernel must have this state of it, or a newer one.</param>
    /// <param name="budget">Null for the agent's setting.</param>
    /// <param name="stop">Cancels.</param>
    /// <exception cref="CniException">Code 102: the time is over or the endpoint cannot be programmed; the message says what was missing.</exception>
    ValueTask WaitAsync(WorkloadEndpointId endpoint, Revision revision, TimeSpan? budget, CancellationToken stop);

    /// <summary>What of the endpoint's routes and policy is not in the kernel, or null.</summary>
    string? Missing(WorkloadEndpointId endpoint, Revision revision);
}

/// <summary>The state of the agent as far as STATUS tells it.</summary>
internal interface INodeReadiness
{
    /// <summary>Null when ADD can succeed; else why not, and whether running pods may be affected.</summary>
    (CniErrorCode Code, string Reason)? Trouble { get; }

    /// <summary>Why no pod can be served yet, or null once the node is in the datastore.</summary>
    string? NotStarted { get; }
}

/// <summary>
/// For calls without an agent: nobody on this node programs policy, so there is nothing to wait for. What an agent left in the kernel drops the traffic
/// of interfaces it does not know; on a node where no agent ever ran nothing filters.
/// </summary>
internal sealed class NoAgent : IPolicyWait, INodeReadiness
{
    public static readonly NoAgent Instance = new();

    public (CniErrorCode Code, string Reason)? Trouble => null;

    public string? NotStarted => null;

    public ValueTask WaitAsync(WorkloadEndpointId endpoint, Revision revision, TimeSpan? budget, CancellationToken stop) => ValueTask.CompletedTask;

    public string? Missing(WorkloadEndpointId endpoint, Revision revision) => null;
}
