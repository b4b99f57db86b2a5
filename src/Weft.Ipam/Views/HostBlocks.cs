using Weft.Ipam.Blocks;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Primitives.Net;

namespace Weft.Ipam.Views;

/// <summary>
/// The blocks a node owns, kept by the updates of a syncer over <see cref="Ranges"/>: what the router announces. Pending ones are left out: until a claim is
/// confirmed, the block may turn out to be another node's. Owned by the loop that feeds it.
/// </summary>
public sealed class HostBlocks(string node)
{
    private readonly SortedSet<IpPrefix> _confirmed = [];

    /// <summary>In order.</summary>
    public IReadOnlyCollection<IpPrefix> Confirmed => _confirmed;

    /// <summary>What the syncer must be asked for.</summary>
    public static IReadOnlyList<ModelPrefix> Ranges(string node) =>
        [ModelPrefix.Affinities(AffinityType.Host, node, IpFamily.IPv4), ModelPrefix.Affinities(AffinityType.Host, node, IpFamily.IPv6)];

    /// <summary>Updates of other keys are ignored, so the node's syncer may feed everything it gets.</summary>
    /// <returns>True when <see cref="Confirmed"/> has changed.</returns>
    public bool OnUpdate(in ModelUpdate update)
    {
        if (update.Key is not BlockAffinityKey { Type: AffinityType.Host } key || key.Host != node)
        {
            return false;
        }

        return update.Value is BlockAffinityValue affinity && BlockClaims.IsConfirmed(affinity) ? _confirmed.Add(key.Cidr) : _confirmed.Remove(key.Cidr);
    }
}
