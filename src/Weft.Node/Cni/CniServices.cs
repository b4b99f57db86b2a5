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
    public int? DefaultMtu { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILogger Logger { get; init; }
}

/// <summary>Waits until the kernel has the routes and the policy of an endpoint.</summary>
internal interface IPolicyWait
{
    /// <exception cref="CniException">Code 102: the time is over or the endpoint cannot be programmed; the message says what was missing.</exception>
    ValueTask WaitAsync(WorkloadEndpointId endpoint, Revision revision, CancellationToken stop);
}

/// <summary>The state of the agent as far as STATUS tells it.</summary>
internal interface INodeReadiness
{
    /// <summary>Null when ADD can succeed; else why not, and whether running pods may be affected.</summary>
    (CniErrorCode Code, string Reason)? Trouble { get; }
}

/// <summary>
/// For calls without an agent: nobody on this node programs policy, so there is nothing to wait for. What an agent left in the kernel drops the traffic
/// of interfaces it does not know; on a node where no agent ever ran nothing filters.
/// </summary>
internal sealed class NoAgent : IPolicyWait, INodeReadiness
{
    public static readonly NoAgent Instance = new();

    public (CniErrorCode Code, string Reason)? Trouble => null;

    public ValueTask WaitAsync(WorkloadEndpointId endpoint, Revision revision, CancellationToken stop) => ValueTask.CompletedTask;
}
