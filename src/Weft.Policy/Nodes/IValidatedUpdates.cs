using Weft.Model.Keys;
using Weft.Policy.Conversion;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Policy.Nodes;

/// <summary>Takes objects that have been read and checked; null means absent.</summary>
internal interface IValidatedUpdates
{
    void OnPolicy(PolicyId id, PolicyValue? policy);

    void OnProfile(string name, ProfileValue? profile, IReadOnlyDictionary<string, string>? labels);

    void OnTier(string name, TierValue? tier);

    /// <summary>A value with a problem is on this node and must be closed.</summary>
    void OnWorkload(ResourceKey key, WorkloadValue? workload);

    void OnHostEndpoint(ResourceKey key, HostEndpointValue? endpoint);

    /// <summary>Addresses of services that are advertised as blocks, in order; none when nothing is.</summary>
    void OnServiceCidrs(IReadOnlyList<IpPrefix> cidrs);

    void OnServiceSlice(ResourceKey key, ServiceSlice? slice);

    void OnNetworkSet(ResourceKey key, SetSource? source);

    /// <param name="name">The node.</param>
    /// <param name="host">Null when it is gone or has no address.</param>
    /// <param name="node">Null when it is gone.</param>
    void OnNode(string name, HostMetadataUpdate? host, NodeValue? node);

    void OnPool(IpPrefix cidr, IpamPoolUpdate? pool);

    /// <summary>All pools there are.</summary>
    void OnPools(IReadOnlyCollection<IpamPoolUpdate> pools);

    /// <param name="cidr">The block.</param>
    /// <param name="routes">Empty when it is gone.</param>
    void OnBlock(IpPrefix cidr, IReadOnlyList<BlockRoute> routes);

    void OnConfig(ConfigUpdate config, FelixFacts facts);
}
