using System.Diagnostics.CodeAnalysis;
using Weft.Datastore.Sync;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;
using NodeResource = Weft.Model.Resources.Node;

namespace Weft.Node.Router;

/// <summary>
/// What the datastore says that concerns routing, as last heard. Owned by the router's loop; <see cref="PeerDerivation"/> only reads it. A value that exists
/// but cannot be used counts as absent and is named in <see cref="Problems"/>.
/// </summary>
internal sealed class ClusterState(string nodeName)
{
    /// <summary>What the router asks the syncer for.</summary>
    /// <param name="nodeName">Only this node's block affinities matter.</param>
    public static IReadOnlyList<ModelPrefix> Prefixes(string nodeName) =>
    [
        ModelPrefix.Of(ResourceKind.Node),
        ModelPrefix.Of(ResourceKind.BGPConfiguration),
        ModelPrefix.Of(ResourceKind.BGPPeer),
        ModelPrefix.Of(ResourceKind.BGPFilter),
        ModelPrefix.Of(ResourceKind.IPPool),
        ModelPrefix.Affinities(AffinityType.Host, nodeName, IpFamily.IPv4),
        ModelPrefix.Affinities(AffinityType.Host, nodeName, IpFamily.IPv6),
    ];

    public SortedDictionary<string, NodeResource> Nodes { get; } = new(StringComparer.Ordinal);

    public SortedDictionary<string, BGPConfiguration> Configurations { get; } = new(StringComparer.Ordinal);

    public SortedDictionary<string, BGPPeer> Peers { get; } = new(StringComparer.Ordinal);

    public SortedDictionary<string, BGPFilter> Filters { get; } = new(StringComparer.Ordinal);

    public SortedDictionary<string, IPPool> Pools { get; } = new(StringComparer.Ordinal);

    /// <summary>Blocks of this node and their state, as stored.</summary>
    public SortedDictionary<IpPrefix, BlockAffinityValue> Affinities { get; } = [];

    /// <summary>Workloads of this node, by the path of their key; only filled when a BGPPeer asks for them.</summary>
    public SortedDictionary<string, WorkloadEndpoint> Workloads { get; } = new(StringComparer.Ordinal);

    /// <summary>Why a value under a key is not used.</summary>
    public SortedDictionary<string, string> Problems { get; } = new(StringComparer.Ordinal);

    public SyncStatus Status { get; set; }

    /// <summary>False when the key does not concern the router.</summary>
    public bool Apply(in ModelUpdate update)
    {
        if (update.Problem is not null)
        {
            Problems[update.Key.Path] = update.Problem;
        }
        else
        {
            Problems.Remove(update.Key.Path);
        }

        switch (update.Key)
        {
            case ResourceKey key when key.Kind == ResourceKind.Node:
                return Put(Nodes, key.Name, update.Value);
            case ResourceKey key when key.Kind == ResourceKind.BGPConfiguration:
                return Put(Configurations, key.Name, update.Value);
            case ResourceKey key when key.Kind == ResourceKind.BGPPeer:
                return Put(Peers, key.Name, update.Value);
            case ResourceKey key when key.Kind == ResourceKind.BGPFilter:
                return Put(Filters, key.Name, update.Value);
            case ResourceKey key when key.Kind == ResourceKind.IPPool:
                return Put(Pools, key.Name, update.Value);
            case ResourceKey key when key.Kind == ResourceKind.WorkloadEndpoint:
                return PutWorkload(key, update.Value as WorkloadEndpoint);
            case BlockAffinityKey { Type: AffinityType.Host } key:
                return Put(Affinities, key.Cidr, update.Value);
            default:
                return false;
        }
    }

    /// <summary>Those of other nodes are not kept; false when nothing of ours changed.</summary>
    private bool PutWorkload(ResourceKey key, WorkloadEndpoint? endpoint) => endpoint?.Spec.Node == nodeName
        ? Put(Workloads, key.Path, endpoint)
        : Workloads.Remove(key.Path);

    private static bool Put<TKey, TValue>(SortedDictionary<TKey, TValue> table, TKey key, object? value)
        where TKey : notnull
        where TValue : class
    {
        if (value is TValue typed)
        {
            table[key] = typed;
        }
        else
        {
            table.Remove(key);
        }

        return true;
    }

    public bool TryGetNode(string name, [NotNullWhen(true)] out NodeResource? node) => Nodes.TryGetValue(name, out node);
}
